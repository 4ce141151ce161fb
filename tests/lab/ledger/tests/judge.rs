//! The judge against real databases: what is right passes, and whatever is wrong is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use lab_ledger::judge::{Verdict, judge};
use lab_ledger::operation::Operation;
use lab_ledger::record::Recorder;
use lab_ledger::session::Session;
use lab_ledger::tables::{CREDIT_NOTES, EVENTS, PRODUCTS, STOCK, TICKETS};
use support::World;

/// A figure of the verdict.
type Figure = fn(&Verdict) -> u64;

/// What is done to the database behind the judge's back, and which figure tells.
const SABOTAGE: [(&str, &str, Figure); 17] = [
    (
        "row without a key removed",
        "DELETE FROM audit.events WHERE ctid = (SELECT ctid FROM audit.events WHERE reference ~ '^pod' LIMIT 1)",
        missing,
    ),
    (
        "line removed",
        r#"DELETE FROM shop."Order Lines" WHERE "Order Id" = (SELECT max(id) FROM shop.orders) AND "line's number" = 1"#,
        missing,
    ),
    (
        "customer removed with all orders",
        "DELETE FROM shop.customers WHERE id = (SELECT max(id) FROM shop.customers)",
        missing,
    ),
    (
        "measurement removed",
        "DELETE FROM shop.measurements WHERE (sensor, reading) = (SELECT sensor, reading FROM shop.measurements WHERE sensor ~ '^pod' LIMIT 1)",
        missing,
    ),
    (
        "document removed",
        "DELETE FROM shop.documents WHERE id = (SELECT max(id) FROM shop.documents)",
        missing,
    ),
    (
        "ticket removed",
        r#"DELETE FROM audit."Tickets" WHERE "Number" = (SELECT min("Number") FROM audit."Tickets")"#,
        missing,
    ),
    (
        "row of the rogue removed",
        "DELETE FROM audit.rogue WHERE id = (SELECT max(id) FROM audit.rogue)",
        missing,
    ),
    (
        "work item removed",
        "DELETE FROM shop.work_items WHERE item = 7",
        missing_or_baseline,
    ),
    (
        "old row removed",
        "DELETE FROM shop.invoices WHERE number = 17",
        baseline,
    ),
    (
        "row without a key doubled",
        "INSERT INTO audit.events SELECT * FROM audit.events WHERE reference ~ '^pod' LIMIT 1",
        doubled,
    ),
    (
        "customer doubled",
        "INSERT INTO shop.customers (reference, name, email, tier, tags, profile, balance, created_at) SELECT reference, name, email, tier, tags, profile, balance, created_at FROM shop.customers ORDER BY id DESC LIMIT 1",
        doubled,
    ),
    (
        "stock changed",
        "UPDATE shop.stock_levels SET quantity = quantity + 1 WHERE ctid = (SELECT ctid FROM shop.stock_levels WHERE sku ~ '^pod' LIMIT 1)",
        missing,
    ),
    (
        "one letter of a large value changed",
        "UPDATE shop.documents SET body = overlay(body placing '~' from 9999) WHERE id = (SELECT max(id) FROM shop.documents)",
        missing,
    ),
    (
        "old row changed",
        "UPDATE shop.products SET attributes = '{}' WHERE sku = (SELECT min(sku) FROM shop.products WHERE lock_version = 1)",
        baseline,
    ),
    (
        "change taken back",
        "UPDATE shop.orders SET lock_version = lock_version - 1 WHERE id = (SELECT min(id) FROM shop.orders WHERE lock_version > 1)",
        missing,
    ),
    (
        "ticket invented",
        r#"INSERT INTO audit."Tickets" (subject) VALUES ('never sent')"#,
        invented,
    ),
    (
        "product invented",
        "INSERT INTO shop.products (sku, title, dimensions, attributes) VALUES ('pod-1-0:x', '', '{}', '{}')",
        invented,
    ),
];

fn missing(verdict: &Verdict) -> u64 {
    verdict.missing
}

/// The work items are the first ones where chance refilled them never.
fn missing_or_baseline(verdict: &Verdict) -> u64 {
    verdict.missing + verdict.baseline_missing
}

fn doubled(verdict: &Verdict) -> u64 {
    verdict.doubled
}

fn invented(verdict: &Verdict) -> u64 {
    verdict.invented
}

fn baseline(verdict: &Verdict) -> u64 {
    verdict.baseline_missing
}

#[tokio::test]
async fn a_clean_run_passes_and_sabotage_is_found() {
    let world = World::start(17).await;
    let processes = [("write", "pod-1"), ("write", "pod-2"), ("rogue", "rogue")];
    let processes = processes.map(|(command, pod)| world.start_process(command, pod));
    world.acknowledged(900).await;
    for process in processes {
        assert!(process.terminate().0.success());
    }
    let verdict = world.judge().await;
    assert!(verdict.is_clean(), "{verdict:#?}");
    assert!(
        verdict.acknowledged > 900 && verdict.rogue_acknowledged > 0,
        "{verdict:#?}"
    );
    for (name, sql, figure) in SABOTAGE {
        world.client.batch_execute("BEGIN").await.unwrap();
        let rows = world.client.execute(sql, &[]).await.unwrap();
        let verdict = world.judge().await;
        world.client.batch_execute("ROLLBACK").await.unwrap();
        assert!(rows > 0, "{name}: touched nothing");
        assert!(
            figure(&verdict) > 0 && !verdict.is_clean(),
            "{name}: not found: {verdict:#?}"
        );
        assert!(!verdict.examples.is_empty(), "{name}: no example");
    }
    assert!(world.judge().await.is_clean());
}

/// Runs a transaction by hand: the record says what `end` and `recorded` say, whatever they have to do with it.
struct Hand<'a> {
    world: &'a World,
    session: Session,
    recorder: Recorder,
}

impl<'a> Hand<'a> {
    async fn new(world: &'a World) -> Self {
        let database = world.database();
        let client = database.connect("hand").await.unwrap();
        let mut recorder = Recorder::create(&world.ledger, "hand", true).unwrap();
        recorder.server(database.answering(&client).await.unwrap()).unwrap();
        Self {
            world,
            session: Session::new(client),
            recorder,
        }
    }

    async fn insert_pair(&mut self, name: &str) {
        self.session.run("BEGIN").await.unwrap();
        let product = [name, "title", "{1.00}", "{}"].map(|value| Some(value.to_owned()));
        self.session.insert(&PRODUCTS, &product, 1).await.unwrap();
        self.session.run("SAVEPOINT half").await.unwrap();
        let event = [name, "kind", "{}", "2025-01-01T00:00:00.000000"].map(|value| Some(value.to_owned()));
        self.session.insert(&EVENTS, &event, 2).await.unwrap();
    }

    async fn end(&mut self, sql: &str, acknowledged: bool) {
        let operations = self.session.take_operations();
        self.recorder.intent("ByHand", operations).unwrap();
        self.session.run(sql).await.unwrap();
        if acknowledged {
            self.recorder.acknowledged().unwrap();
        }
    }

    async fn verdict(&self) -> Verdict {
        judge(&self.world.ledger, &self.world.client).await.unwrap()
    }
}

#[tokio::test]
async fn a_commit_without_an_answer_is_there_as_a_whole_or_not_at_all() {
    let world = World::start(17).await;
    let mut hand = Hand::new(&world).await;
    hand.insert_pair("committed").await;
    hand.end("COMMIT", false).await;
    hand.insert_pair("lost").await;
    hand.end("ROLLBACK", false).await;
    let verdict = hand.verdict().await;
    assert!(verdict.is_clean(), "{verdict:#?}");
    assert_eq!(
        (verdict.acknowledged, verdict.unknown_committed, verdict.unknown_lost),
        (0, 1, 1)
    );

    hand.insert_pair("half").await;
    hand.end("ROLLBACK TO SAVEPOINT half; COMMIT", false).await;
    let verdict = hand.verdict().await;
    assert_eq!(
        (verdict.torn, verdict.missing, verdict.is_clean()),
        (1, 0, false),
        "{verdict:#?}"
    );
    assert!(
        verdict
            .examples
            .iter()
            .any(|example| example.starts_with("half applied: hand transaction 3"))
    );
}

#[tokio::test]
async fn acknowledged_and_lost_or_half_applied_is_missing() {
    let world = World::start(17).await;
    let mut hand = Hand::new(&world).await;
    let place = ["main", "fill-000001"].map(|value| Some(value.to_owned()));
    hand.insert_pair("there").await;
    hand.end("COMMIT", true).await;
    assert!(hand.verdict().await.is_clean());

    hand.insert_pair("half").await;
    hand.end("ROLLBACK TO SAVEPOINT half; COMMIT", true).await;
    let verdict = hand.verdict().await;
    assert_eq!(
        (verdict.acknowledged, verdict.found, verdict.missing, verdict.doubled),
        (2, 1, 1, 0),
        "{verdict:#?}"
    );

    hand.session.run("BEGIN").await.unwrap();
    hand.session
        .update(&STOCK, &place, &[(2, Some("7".into()))])
        .await
        .unwrap()
        .unwrap();
    hand.end("ROLLBACK", true).await;
    assert_eq!(hand.verdict().await.missing, 2);

    hand.session.run("BEGIN").await.unwrap();
    hand.session
        .delete(&PRODUCTS, &[Some("fill-000002".into())])
        .await
        .unwrap()
        .unwrap();
    hand.end("ROLLBACK", true).await;
    assert_eq!(hand.verdict().await.missing, 3);

    // Lost and then overwritten by a transaction that found the older version.
    hand.session.run("BEGIN").await.unwrap();
    hand.session
        .update(&STOCK, &place, &[(2, Some("8".into()))])
        .await
        .unwrap()
        .unwrap();
    hand.end("COMMIT", true).await;
    let verdict = hand.verdict().await;
    assert_eq!(
        (verdict.missing, verdict.invented, verdict.doubled),
        (3, 0, 0),
        "{verdict:#?}"
    );
}

#[tokio::test]
async fn a_sequence_that_went_back_and_an_insert_applied_twice_are_found() {
    let world = World::start(17).await;
    let mut hand = Hand::new(&world).await;
    hand.session
        .run("SELECT setval('shop.document_number', 100); BEGIN")
        .await
        .unwrap();
    let note = ["1.00", "number of an invoice"].map(|value| Some(value.to_owned()));
    hand.session.insert(&CREDIT_NOTES, &note, 1).await.unwrap();
    hand.end("COMMIT", true).await;
    assert_eq!(hand.verdict().await.sequence_repeats, 1);

    hand.insert_pair("twice").await;
    hand.end(
        "INSERT INTO audit.events SELECT * FROM audit.events WHERE reference = 'twice'; COMMIT",
        true,
    )
    .await;
    assert_eq!(hand.verdict().await.doubled, 2);

    hand.session.run("BEGIN").await.unwrap();
    let ticket = hand.session.insert(&TICKETS, &[Some("sent".into())], 1).await.unwrap();
    let operations = hand.session.take_operations();
    assert_eq!(
        operations,
        [Operation::insert(
            &TICKETS,
            ticket.text(0).into(),
            operations[0].4.unwrap(),
            1
        )]
    );
    hand.end("COMMIT", true).await;
    assert_eq!(hand.verdict().await.invented, 1, "a row that no intent mentions");
}
