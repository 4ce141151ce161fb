//! A target that is not open yet takes what logical replication applies, and nothing else; then it opens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod guard_support;

use std::time::Duration;

use guard_support::{Lab, count, sqlstate};
use pgupgrade_postgres::fence;
use pgupgrade_postgres::guard::{self, Body, Patience};
use tokio::time::sleep;
use tokio_postgres::Client;

const INSERT: &str = "INSERT INTO s.a (v) VALUES (1)";

async fn wait_for(client: &Client, query: &str, wanted: i64) {
    for _ in 0..1000 {
        if count(client, query).await == wanted {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{query} never gave {wanted}");
}

/// Streams from one to the other as a superuser's subscription, as RDS lets `rds_superuser` do.
async fn subscribe(publisher: &Lab, subscriber: &Lab, slot: &str) {
    let on_publisher = publisher.admin().await;
    on_publisher
        .batch_execute("CREATE PUBLICATION pub FOR TABLE s.a, s.child, s.p, s.parent, s.heir")
        .await
        .unwrap();
    let create = format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')");
    on_publisher.batch_execute(&create).await.unwrap();
    let subscription = format!(
        "CREATE SUBSCRIPTION sub CONNECTION 'host={} port={} user=postgres password={} dbname=app' PUBLICATION pub \
         WITH (copy_data = false, create_slot = false, slot_name = '{slot}')",
        publisher.scratch.host(),
        publisher.scratch.port(),
        publisher.scratch.password(),
    );
    subscriber.admin().await.batch_execute(&subscription).await.unwrap();
}

/// Changes of every kind, TRUNCATE included, arrive.
async fn changes_arrive(from: &Lab, to: &Client) {
    let writer = from.connect("app_owner").await;
    writer
        .batch_execute(
            "INSERT INTO s.a VALUES (2000, 1), (2001, 1); UPDATE s.a SET v = 5 WHERE id = 2000; \
             DELETE FROM s.a WHERE id = 2001; INSERT INTO s.p VALUES (300, 2), (301, 70)",
        )
        .await
        .unwrap();
    wait_for(to, "SELECT count(*) FROM s.a WHERE id = 2000 AND v = 5", 1).await;
    wait_for(to, "SELECT count(*) FROM s.p WHERE id >= 300", 2).await;
    writer
        .batch_execute("TRUNCATE s.p; TRUNCATE s.a CASCADE; INSERT INTO s.a VALUES (3000, 1)")
        .await
        .unwrap();
    wait_for(to, "SELECT count(*) FROM s.p", 0).await;
    wait_for(to, "SELECT count(*) FROM s.a WHERE id = 3000", 1).await;
    assert_eq!(count(to, "SELECT count(*) FROM s.a").await, 1);
}

async fn apply_passes(from: u16, to: u16) {
    let source = Lab::prepared(from).await;
    let target = Lab::start(to).await;
    let prepared = guard::prepare(&target.op, &target.claim, Body::NotOpen, &Patience::default())
        .await
        .unwrap();
    assert!(
        prepared.created.len() >= 12 && prepared.skipped.is_empty(),
        "{prepared:?}"
    );
    let again = guard::prepare(&target.op, &target.claim, Body::NotOpen, &Patience::default())
        .await
        .unwrap();
    assert!(again.created.is_empty(), "{again:?}");
    subscribe(&source, &target, "forward").await;
    let on_target = target.admin().await;
    changes_arrive(&source, &on_target).await;

    let writer = target.connect("app_rw").await;
    let error = writer.batch_execute(INSERT).await.unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("not open yet"));
    assert_eq!(
        sqlstate(&on_target, &format!("SET session_replication_role = replica; {INSERT}")).await,
        "25006"
    );
    fence::lift(&target.op, &target.claim, Duration::from_secs(1))
        .await
        .unwrap();
    assert_eq!(
        sqlstate(&writer, INSERT).await,
        "25006",
        "lifting no fence opens nothing"
    );

    guard::set_body(&target.op, &target.claim, Body::Opening).await.unwrap();
    source
        .connect("app_owner")
        .await
        .batch_execute("TRUNCATE s.p; INSERT INTO s.p VALUES (400, 1)")
        .await
        .unwrap();
    wait_for(&on_target, "SELECT count(*) FROM s.p WHERE id = 400", 1).await;
    assert_eq!(
        guard::first_write(&target.op).await.unwrap(),
        None,
        "an applied TRUNCATE is no first write"
    );
    let clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let before = count(&on_target, clock).await;
    writer.batch_execute(INSERT).await.unwrap();
    let first = guard::first_write(&target.op).await.unwrap().unwrap();
    assert!(before <= first && first <= count(&on_target, clock).await);
    writer.batch_execute(INSERT).await.unwrap();
    assert_eq!(guard::first_write(&target.op).await.unwrap(), Some(first));
    on_target.batch_execute("DROP SUBSCRIPTION sub").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applied_changes_pass_from_14_to_18() {
    apply_passes(14, 18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applied_changes_pass_from_15_to_17() {
    apply_passes(15, 17).await;
}

/// In reverse: the closed source takes what the target sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_database_takes_applied_changes() {
    let old = Lab::prepared(14).await;
    let new = Lab::start(17).await;
    let order = old.order(1, Duration::from_mins(1));
    fence::close(&old.op, &old.reaper, &old.claim, &order).await.unwrap();
    fence::prepare_commit(&old.op).await.unwrap();
    let decision = fence::commit_point(&old.op, &old.claim, &order.cutover, Duration::ZERO).await;
    assert_eq!(decision, fence::Decision::Closed);
    subscribe(&new, &old, "reverse").await;
    changes_arrive(&new, &old.admin().await).await;
    assert_eq!(sqlstate(&old.connect("app_rw").await, INSERT).await, "25006");
    old.admin().await.batch_execute("DROP SUBSCRIPTION sub").await.unwrap();
}
