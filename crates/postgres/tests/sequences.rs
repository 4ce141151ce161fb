//! Sequences of every kind move from one side to the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod guard_support;

use guard_support::Lab;
use pgupgrade_postgres::sequences;
use tokio_postgres::Client;

const KINDS: &str = include_str!("guard_support/sequences.sql");
const NAMES: [&str; 9] = [
    "q.cached",
    "q.descending",
    "q.never",
    "q.restarted",
    "q.small",
    "q.shared",
    "q.idt_id_seq",
    "q.ser_id_seq",
    "q.\"we\"\"ird ;'-- $body$\"",
];

async fn next(client: &Client, name: &str) -> i64 {
    client
        .query_one("SELECT nextval($1::text::regclass)", &[&name])
        .await
        .unwrap()
        .get(0)
}

async fn moved(from: u16, to: u16) {
    let (source, target) = (Lab::start(from).await, Lab::start(to).await);
    let (on_source, on_target) = (source.admin().await, target.admin().await);
    for side in [&on_source, &on_target] {
        side.batch_execute(KINDS).await.unwrap();
        side.batch_execute("GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA q TO op; GRANT USAGE ON SCHEMA q TO op")
            .await
            .unwrap();
    }
    let advance = include_str!("guard_support/advance.sql");
    on_source.batch_execute(advance).await.unwrap();
    // A target that is ahead is set back as well.
    on_target
        .batch_execute("SELECT setval('q.never', 99); SELECT setval('q.ser_id_seq', 1000)")
        .await
        .unwrap();

    let moved = sequences::copy(&source.op, &target.op, &target.claim).await.unwrap();
    assert!(moved > 309, "{moved}");
    let wanted = sequences::read(&source.op).await.unwrap();
    assert_eq!(wanted, sequences::read(&target.op).await.unwrap());
    assert!(wanted.iter().all(|sequence| sequence.name.schema != "pgupgrade"));
    // Sessions that have cached values go on with those.
    let (on_source, on_target) = (source.admin().await, target.admin().await);
    for name in NAMES {
        assert_eq!(next(&on_source, name).await, next(&on_target, name).await, "{name}");
    }

    on_target.batch_execute("DROP SEQUENCE q.small").await.unwrap();
    let missing = sequences::copy(&source.op, &target.op, &target.claim)
        .await
        .unwrap_err();
    assert!(missing.to_string().contains("small"), "{missing}");
    let outsider = source.connect("app_owner").await;
    let unreadable = sequences::read(&outsider).await.expect_err("no privilege on them");
    assert!(unreadable.to_string().contains("cached"), "{unreadable}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_move_from_14_to_18() {
    moved(14, 18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_move_back_from_18_to_15() {
    moved(18, 15).await;
}
