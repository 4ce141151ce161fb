//! What is found while writes go on, and that nothing else is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::time::Duration;

use pgupgrade_verify::{Kind, Live, Options, Report, Standalone, TableResult, Verdict};
use support::replicated::{Replicated, eventually};

const PATIENCE: Duration = Duration::from_mins(1);

async fn open(both: &Replicated) -> (Standalone, Live) {
    let (source, target) = (both.source(), both.target());
    let made = Standalone::prepare(&source, &target, "postgres", PATIENCE)
        .await
        .unwrap();
    let options = Options {
        show_values: true,
        ..Options::default()
    };
    let live = Live::open(
        &source,
        &target,
        "postgres",
        &made.tables(),
        made.replication(),
        options,
    )
    .await
    .unwrap();
    (made, live)
}

fn table<'a>(report: &'a Report, name: &str) -> &'a TableResult {
    report.tables.iter().find(|table| table.name.name == name).unwrap()
}

fn differing(report: &Report) -> Vec<&str> {
    let different = report.tables.iter().filter(|table| !table.equal);
    different.map(|table| table.name.name.as_str()).collect()
}

fn soon() -> std::time::Instant {
    std::time::Instant::now() + Duration::from_mins(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_no_differences_and_differences_are_found_beside_them() {
    let both = Replicated::start(15, 17).await;
    let (made, mut live) = open(&both).await;
    let load = both.load(4).await;
    live.read().await.unwrap();
    let report = live.report();
    assert_eq!(differing(&report), [""; 0], "{report:?}");
    assert_eq!(report.tables.len(), 10);
    assert_eq!(table(&report, "events").undecided, None, "a pair of snapshots");

    both.fault("DELETE FROM app.accounts WHERE id = 1999; UPDATE app.wide SET price = -price WHERE id = 120")
        .await;
    both.fault("INSERT INTO app.events VALUES ('2020-01-01', 'never happened')")
        .await;
    let (source, target) = (both.source(), both.target());
    let options = Options::default();
    let mut live = Live::open(
        &source,
        &target,
        "postgres",
        &made.tables(),
        made.replication(),
        options,
    )
    .await
    .unwrap();
    live.read().await.unwrap();
    let report = live.report();
    let mut found = differing(&report);
    found.sort_unstable();
    assert_eq!(found, ["accounts", "events", "wide"], "{report:?}");
    let accounts = table(&report, "accounts");
    assert_eq!(accounts.differing, 1);
    assert_eq!(
        (accounts.examples[0].key.as_str(), accounts.examples[0].kind),
        ("id=1999", Kind::Missing)
    );
    let wide = table(&report, "wide");
    assert_eq!(
        (wide.examples[0].key.as_str(), wide.examples[0].kind),
        ("id=120", Kind::Changed)
    );
    assert_eq!(wide.examples[0].columns.len(), 1, "{wide:?}");
    assert_eq!(report.verdict(), Verdict::Different);
    assert!(load.stop().await > 100);
    made.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_replication_makes_wrong_is_found_by_its_key() {
    let both = Replicated::start(14, 18).await;
    let (made, mut live) = open(&both).await;
    live.read().await.unwrap();
    assert_eq!(live.report().verdict(), Verdict::Equal, "{:?}", live.report());
    let load = both.load(2).await;
    // The target changes what it is sent: no comparison of whole tables follows, only the changed keys are read.
    both.fault(
        "CREATE FUNCTION app.wrong() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.balance := NEW.balance + 1; RETURN NEW; END $$;
         CREATE TRIGGER wrong BEFORE UPDATE ON app.accounts FOR EACH ROW WHEN (NEW.id = 1500) EXECUTE FUNCTION app.wrong();
         ALTER TABLE app.accounts ENABLE ALWAYS TRIGGER wrong",
    )
    .await;
    both.pair
        .on_source
        .batch_execute("UPDATE app.accounts SET balance = 0 WHERE id = 1500")
        .await
        .unwrap();
    live.drain().await.unwrap();
    let report = live.report();
    assert_eq!(differing(&report), ["accounts"], "{report:?}");
    assert_eq!(table(&report, "accounts").examples[0].key, "id=1500");
    assert!(load.stop().await > 10);
    made.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verdict_settles_what_is_left_once_nobody_writes() {
    let both = Replicated::start(17, 18).await;
    let (made, mut live) = open(&both).await;
    let load = both.load(4).await;
    live.read().await.unwrap();
    live.renew().await.unwrap();
    load.stop().await;
    let report = live.verdict(Duration::from_secs(1), soon()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Equal, "{report:?}");
    let pinned = live.pin().await.unwrap();

    // Each of these came past the verification slot, or not at all to the target.
    both.fault("UPDATE app.events SET what = 'other' WHERE what = 'event 7'")
        .await;
    both.pair
        .on_source
        .batch_execute("INSERT INTO app.events VALUES ('2026-02-02', 'last'); UPDATE app.pairs SET v = -1 WHERE a = 5")
        .await
        .unwrap();
    let report = live.verdict(Duration::from_secs(1), soon()).await.unwrap();
    assert_eq!(differing(&report), ["events"], "{report:?}");
    both.fault("ALTER TABLE app.pairs ALTER v TYPE integer USING v + 1")
        .await;
    let report = live.verdict(Duration::from_secs(1), soon()).await.unwrap();
    let mut found = differing(&report);
    found.sort_unstable();
    assert_eq!(found, ["events", "pairs"], "a rewritten table is read anew: {report:?}");

    let report = pinned
        .compare(&both.source(), &both.target(), Options::default())
        .await
        .unwrap();
    assert_eq!(report.differences, 0, "as of the instant both were equal: {report:?}");
    assert!(
        table(&report, "pairs").undecided.is_some(),
        "a rewritten table shows nothing of then"
    );
    made.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_of_snapshots_serves_for_all_tables() {
    let both = Replicated::start(14, 15).await;
    let (made, mut live) = open(&both).await;
    let load = both.load(2).await;
    Box::pin(live.read_pinned()).await.unwrap();
    let report = live.report();
    assert_eq!(report.differences, 0, "{report:?}");
    // No snapshot keeps what is truncated, and this one may be again and again.
    let undecided = report.tables.iter().filter(|table| table.undecided.is_some());
    assert!(
        undecided.clone().all(|table| table.name.name == "staging"),
        "{report:?}"
    );
    both.fault("UPDATE app.wide SET price = -1 WHERE id = 140").await;
    let (source, target) = (both.source(), both.target());
    let options = Options::default();
    let mut live = Live::open(
        &source,
        &target,
        "postgres",
        &made.tables(),
        made.replication(),
        options,
    )
    .await
    .unwrap();
    Box::pin(live.read_pinned()).await.unwrap();
    let report = live.report();
    assert_eq!(report.differences, 1, "{report:?}");
    load.stop().await;
    made.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_comparison_needs_is_taken_back() {
    let both = Replicated::start(16, 17).await;
    let left = "SELECT (SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'pgupgrade%')
        + (SELECT count(*) FROM pg_publication WHERE pubname LIKE 'pgupgrade%')
        + (SELECT count(*) FROM pg_namespace WHERE nspname = 'pgupgrade')
        + (SELECT count(*) FROM pg_publication_tables WHERE schemaname = 'pgupgrade')";
    let (made, live) = open(&both).await;
    assert!(both.pair.on_source.query_one(left, &[]).await.unwrap().get::<_, i64>(0) >= 4);
    drop(live);
    made.remove().await.unwrap();
    for client in [&both.pair.on_source, &both.pair.on_target] {
        eventually("nothing is left", || async {
            client.query_one(left, &[]).await.unwrap().get::<_, i64>(0) == 0
        })
        .await;
    }
    let relations = "SELECT count(*) FROM pg_subscription_rel";
    assert_eq!(
        both.pair
            .on_target
            .query_one(relations, &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        10
    );
    // Replication goes on as before.
    both.pair
        .on_source
        .batch_execute("UPDATE app.accounts SET note = 'after' WHERE id = 3")
        .await
        .unwrap();
    let arrived = "SELECT note = 'after' FROM app.accounts WHERE id = 3";
    eventually("it goes on", || async {
        both.pair.on_target.query_one(arrived, &[]).await.unwrap().get(0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_else_writes_on_the_target_is_noticed() {
    let both = Replicated::start(17, 17).await;
    let (made, mut live) = open(&both).await;
    let load = both.load(2).await;
    live.read().await.unwrap();
    assert_eq!(differing(&live.report()), [""; 0]);
    assert_eq!(live.report().foreign.transactions, 0, "{:?}", live.report().foreign);
    // No change on the source tells of this, and no table is read as a whole any more.
    both.fault("SET synchronous_commit = off; UPDATE app.wide SET price = -price - 1 WHERE id IN (130, 131)")
        .await;
    both.fault("UPDATE app.wide SET doc = doc WHERE id = 132").await;
    live.drain().await.unwrap();
    let report = live.report();
    assert_eq!(differing(&report), ["wide"], "{report:?}");
    assert_eq!(table(&report, "wide").differing, 2);
    assert_eq!(
        (report.foreign.transactions, report.foreign.tables.len()),
        (2, 1),
        "{:?}",
        report.foreign
    );
    load.stop().await;
    drop(live);
    made.remove().await.unwrap();
}
