//! Facts that preflight and the gate look at, each once present and once absent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::time::Duration;

use pgupgrade_postgres::connection::{Profile, Session};
use pgupgrade_postgres::{QualifiedName, inspect};
use support::{Side, connector, connector_as};

async fn the_server_is_seen(major: u16) {
    let settings = [
        ("idle_replication_slot_timeout", "2min"),
        ("log_statement", "ddl"),
        ("max_wal_senders", "7"),
    ];
    let settings = &settings[usize::from(major < 18)..];
    let side = Side::start_with(major, settings).await;
    let session = side.session(Profile::Observe).await;
    side.run("SELECT pg_create_physical_replication_slot('physical')").await;
    let server = inspect::server(&session).await.unwrap();
    assert_eq!(server.version_num / 10_000, i32::from(major));
    assert!(server.version.starts_with(&major.to_string()) && server.system_identifier.is_some());
    assert_eq!(
        (server.wal_level.as_str(), server.log_statement.as_str()),
        ("logical", "ddl")
    );
    assert_eq!((server.max_replication_slots, server.replication_slots_used), (20, 1));
    assert_eq!((server.max_wal_senders, server.wal_senders_used), (7, 0));
    assert_eq!(
        (server.max_logical_replication_workers, server.max_worker_processes),
        (4, 8)
    );
    assert_eq!(
        (server.max_prepared_transactions, server.max_slot_wal_keep_size),
        (10, -1)
    );
    assert_eq!(server.idle_replication_slot_timeout, (major >= 18).then_some(120));
    assert_eq!(server.max_active_replication_origins, (major >= 18).then_some(10));
    assert!(server.track_counts && !server.track_commit_timestamp);

    let role = inspect::own_role(&session).await.unwrap();
    assert_eq!(role.superuser, major < 16);
    assert!(
        role.may_create_roles() && role.may_replicate() && role.may_subscribe() && role.monitor && role.signal_backend
    );
    side.run("CREATE ROLE poor LOGIN PASSWORD 'poor'").await;
    let poor = connector_as(&side.scratch, "poor", "poor")
        .connect("app", Profile::Observe)
        .await
        .unwrap();
    let role = inspect::own_role(&poor).await.unwrap();
    assert_eq!(role, inspect::OwnRole::default());
    assert!(!role.may_create_roles() && !role.may_replicate() && !role.may_subscribe());
    assert!(!inspect::may_create_schema(&poor).await.unwrap() && inspect::may_create_schema(&session).await.unwrap());
}

on_versions!(the_server_is_seen: seen_on_14 = 14, seen_on_15 = 15, seen_on_17 = 17, seen_on_18 = 18);

#[tokio::test]
async fn databases_are_told_apart() {
    let side = Side::start(17).await;
    side.run("CREATE DATABASE rdsadmin").await;
    side.run("CREATE DATABASE closed ALLOW_CONNECTIONS false").await;
    let databases = inspect::databases(&side.session(Profile::Observe).await).await.unwrap();
    let fit: Vec<_> = databases
        .iter()
        .filter(|database| database.may_hold_tables())
        .map(|database| &database.name)
        .collect();
    assert_eq!(fit, ["app", "postgres"]);
    assert_eq!(databases.len(), 6);
    assert!(
        databases
            .iter()
            .any(|database| database.name == "closed" && !database.allows_connections)
    );
}

/// A session tells of what it wrote a while later.
async fn the_statistics_tell_what_was_written(side: &Side, session: &Session) {
    side.run("CREATE TABLE s.written (); CREATE TABLE s.untouched (); INSERT INTO s.written DEFAULT VALUES")
        .await;
    for _ in 0..300 {
        let written = inspect::written_tables(session).await.unwrap();
        assert!(written.iter().all(|table| table.name != "untouched"), "{written:?}");
        if written.iter().any(|table| table.name == "written") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing was told within half a minute");
}

#[tokio::test]
async fn objects_are_found() {
    let side = Side::start(17).await;
    let session = side.session(Profile::Observe).await;
    assert_eq!(inspect::large_objects(&session).await.unwrap(), 0);
    assert!(inspect::event_triggers(&session).await.unwrap().is_empty());
    assert!(inspect::publications_for_all_tables(&session).await.unwrap().is_empty());
    assert!(inspect::replica_writers(&session).await.unwrap().is_empty());
    assert!(inspect::invalid_indexes(&session).await.unwrap().is_empty());
    assert!(inspect::subscriptions(&session).await.unwrap().is_empty());
    side.run(include_str!("support/objects.sql")).await;
    for slot in ["foreign_one", "pgupgrade_ours"] {
        side.run(&format!(
            "SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"
        ))
        .await;
    }
    let broken = side
        .admin()
        .await
        .batch_execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON s.keyless ((1))")
        .await;
    assert!(broken.is_err(), "two rows with the same value");
    the_statistics_tell_what_was_written(&side, &session).await;
    side.run(
        "CREATE TRIGGER always BEFORE INSERT ON s.keyless EXECUTE FUNCTION suppress_redundant_updates_trigger();
         ALTER TABLE s.keyless ENABLE ALWAYS TRIGGER always;
         CREATE RULE replica AS ON DELETE TO s.keyless DO ALSO NOTIFY gone;
         ALTER TABLE s.keyless ENABLE REPLICA RULE replica",
    )
    .await;
    assert_eq!(
        inspect::replica_writers(&session).await.unwrap(),
        ["rule replica on s.keyless", "trigger always on s.keyless"]
    );
    assert_eq!(inspect::large_objects(&session).await.unwrap(), 2);
    assert_eq!(inspect::event_triggers(&session).await.unwrap(), ["watch"]);
    assert_eq!(
        inspect::publications_for_all_tables(&session).await.unwrap(),
        ["everything"]
    );
    assert_eq!(inspect::foreign_slots(&session).await.unwrap(), ["foreign_one"]);
    assert_eq!(
        inspect::invalid_indexes(&session).await.unwrap(),
        [QualifiedName::new("s", "broken")]
    );
    let subscriptions = inspect::subscriptions(&session).await.unwrap();
    assert_eq!(
        (subscriptions[0].name.as_str(), subscriptions[0].enabled),
        ("theirs", false)
    );
    assert!(inspect::database_size(&session).await.unwrap() > 1_000_000);
}

#[tokio::test]
async fn transactions_are_seen() {
    let side = Side::start(17).await;
    let session = side.session(Profile::Observe).await;
    assert_eq!(inspect::oldest_transaction(&session).await.unwrap(), None);
    let old = connector(&side.scratch).connect("app", Profile::Long).await.unwrap();
    old.batch_execute("SET application_name = 'batch'; BEGIN; SELECT 1")
        .await
        .unwrap();
    // This operator's own don't count.
    let own = side.act().await;
    own.batch_execute("BEGIN; SELECT 1").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let seen = inspect::oldest_transaction(&session).await.unwrap().unwrap();
    assert_eq!(
        (seen.role.as_deref(), seen.application_name.as_deref()),
        (Some("postgres"), Some("batch"))
    );
    assert_eq!(seen.state.as_deref(), Some("idle in transaction"));
    assert!(
        seen.age >= Duration::from_millis(100) && seen.age < Duration::from_secs(20),
        "{seen:?}"
    );
    assert!(inspect::prepared_transactions(&session).await.unwrap().is_empty());
    old.batch_execute("INSERT INTO s.keyed VALUES (1); PREPARE TRANSACTION 'two-phase'")
        .await
        .unwrap();
    let prepared = inspect::prepared_transactions(&session).await.unwrap();
    assert_eq!(
        (prepared[0].gid.as_str(), prepared[0].owner.as_str()),
        ("two-phase", "postgres")
    );
    assert_eq!(prepared[0].database, "app");
    assert_eq!(inspect::oldest_transaction(&session).await.unwrap(), None);
}

#[tokio::test]
async fn running_maintenance_is_seen() {
    let side = Side::start(17).await;
    let session = side.session(Profile::Observe).await;
    assert!(inspect::maintenance(&session).await.unwrap().is_empty());
    let reader = side.admin().await;
    reader
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM s.keyed; SELECT pg_current_xact_id()")
        .await
        .unwrap();
    let builder = side.admin().await;
    // It waits for the reader's transaction.
    let build = tokio::spawn(async move {
        builder
            .batch_execute("CREATE INDEX CONCURRENTLY late ON s.keyed (v)")
            .await
    });
    support::eventually("the build is seen", async || {
        let seen = inspect::maintenance(&session).await.unwrap();
        seen.iter()
            .any(|seen| seen.command == "CREATE INDEX CONCURRENTLY" && seen.table == "s.keyed")
    })
    .await;
    reader.batch_execute("COMMIT").await.unwrap();
    build.await.unwrap().unwrap();
    assert!(inspect::maintenance(&session).await.unwrap().is_empty());
}
