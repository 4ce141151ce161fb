//! What is made on the source: role, marker table, publication, slot; and that it goes again without a trace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::time::Duration;

use pgupgrade_postgres::connection::{Profile, Session};
use pgupgrade_postgres::publication::{self, Contents};
use pgupgrade_postgres::{Error, marker, replication, role, schema, slot, tables};
use secrecy::ExposeSecret as _;
use support::{NAME, STREAM, Side, connector_as};

const ROLE: &str = "pgupgrade_6b2f0c1e";
const LEFT: &str = "SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots)
    + (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'pgupgrade%')
    + (SELECT count(*) FROM pg_class WHERE relname ~ '^(marker|barrier)_' AND relkind = 'r')
    + (SELECT count(*) FROM pg_shdepend WHERE refobjid NOT IN (SELECT oid FROM pg_roles) AND deptype = 'a')";

async fn own_tables(session: &Session) -> Vec<pgupgrade_postgres::QualifiedName> {
    let tables = tables::list(session).await.unwrap().into_iter();
    tables
        .filter(|table| table.is_published() && table.may_act_as_owner)
        .map(|table| table.name)
        .collect()
}

async fn everything_is_made_once_and_goes(major: u16) {
    let side = Side::start(major).await;
    side.run("ALTER ROLE op NOSUPERUSER").await;
    if major < 16 {
        // Before 16 only a superuser could give REPLICATION away; RDS has this role for it.
        side.run("CREATE ROLE rds_replication").await;
    }
    let session = side.act().await;
    assert_eq!(side.count(LEFT).await, 0);
    let password = role::generate_password();
    for first in [true, false] {
        role::ensure(&session, ROLE, &password).await.unwrap();
        schema::install_stream(&session, STREAM, "ns/shop/6b2f0c1e")
            .await
            .unwrap();
        let contents = Contents {
            tables: own_tables(&session).await,
            stream: STREAM,
        };
        assert_eq!(publication::create(&session, NAME, &contents).await.unwrap(), first);
        assert_eq!(slot::create(&session, NAME).await.unwrap(), first);
    }
    let proof = publication::proof(&session, NAME).await.unwrap().unwrap();
    assert_eq!(proof.len(), 32);
    assert_eq!(
        publication::published_tables(&session, NAME).await.unwrap(),
        own_tables(&session).await
    );
    let leaves = "SELECT count(*) FROM pg_publication_tables WHERE tablename IN ('part_1', 'part_2', 'marker_main', 'barrier_main')";
    assert_eq!(side.count(leaves).await, 4);
    let comment = "SELECT count(*) FROM pg_description WHERE description = 'ns/shop/6b2f0c1e'";
    assert_eq!(side.count(comment).await, 2);

    let facts = slot::facts(&session, NAME).await.unwrap().unwrap();
    assert_eq!(
        (facts.plugin.as_deref(), facts.database.as_deref(), facts.active),
        (Some("pgoutput"), Some("app"), false)
    );
    assert!(facts.confirmed_flush_lsn >= facts.restart_lsn && !facts.is_lost());
    side.run("INSERT INTO s.keyed SELECT g, repeat('x', 100) FROM generate_series(1, 1000) g")
        .await;
    let sample = replication::sample(&session, NAME).await.unwrap().unwrap();
    assert!(sample.lag_bytes > 100_000 && sample.retained_bytes >= sample.lag_bytes && !sample.lost && !sample.active);
    assert_eq!(replication::sample(&session, "pgupgrade_none").await.unwrap(), None);

    let end = slot::current_flush_lsn(&session).await.unwrap();
    slot::advance(&session, NAME, end).await.unwrap();
    slot::advance(&session, NAME, facts.confirmed_flush_lsn.unwrap())
        .await
        .unwrap();
    assert_eq!(
        slot::facts(&session, NAME).await.unwrap().unwrap().confirmed_flush_lsn,
        Some(end)
    );

    for _ in 0..2 {
        slot::drop(&session, NAME, Duration::from_secs(5)).await.unwrap();
        publication::drop(&session, NAME).await.unwrap();
        schema::drop_streams(&session).await.unwrap();
        role::drop(&session, ROLE).await.unwrap();
    }
    assert_eq!(side.count(LEFT).await, 0);
}

on_versions!(everything_is_made_once_and_goes: made_on_14 = 14, made_on_15 = 15, made_on_17 = 17, made_on_18 = 18);

#[tokio::test]
async fn what_is_not_ours_is_not_touched() {
    let side = Side::start(17).await;
    let session = side.act().await;
    side.run("CREATE PUBLICATION theirs").await;
    side.run("SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')")
        .await;
    let contents = Contents {
        tables: Vec::new(),
        stream: STREAM,
    };
    let refused = [
        publication::create(&session, "theirs", &contents).await.map(|_| ()),
        publication::drop(&session, "theirs").await,
        slot::create(&session, "theirs").await.map(|_| ()),
        slot::drop(&session, "theirs", Duration::from_secs(1)).await,
        role::ensure(&session, "app_owner", &role::generate_password()).await,
        role::drop(&session, "app_owner").await,
    ];
    for outcome in refused {
        assert!(matches!(outcome, Err(Error::Unexpected { .. })), "{outcome:?}");
    }
    side.run("SELECT pg_create_physical_replication_slot('pgupgrade_physical')")
        .await;
    assert!(matches!(
        slot::create(&session, "pgupgrade_physical").await,
        Err(Error::Unexpected { .. })
    ));
}

#[tokio::test]
async fn the_password_is_sent_as_a_verifier() {
    let side = Side::start_with(17, &[("log_statement", "all")]).await;
    let session = side.act().await;
    let password = role::generate_password();
    role::ensure(&session, ROLE, &password).await.unwrap();
    let plain = password.expose_secret();
    let log_folder = side.scratch.server().log_dir();
    let mut logged = String::new();
    for file in std::fs::read_dir(log_folder).unwrap() {
        logged.push_str(&std::fs::read_to_string(file.unwrap().path()).unwrap());
    }
    assert!(logged.contains("SCRAM-SHA-256$") && !logged.contains(plain), "{logged}");
    // It works all the same, and a second call changes it.
    connector_as(&side.scratch, ROLE, plain)
        .connect("app", Profile::Observe)
        .await
        .unwrap();
    role::ensure(&session, ROLE, &role::generate_password()).await.unwrap();
    let old = connector_as(&side.scratch, ROLE, plain)
        .connect("app", Profile::Observe)
        .await;
    assert!(matches!(old, Err(Error::PasswordRefused { .. })));
}

#[tokio::test]
async fn on_rds_the_role_is_a_member_of_its_replication_role() {
    let side = Side::start(17).await;
    side.run("CREATE ROLE rds_replication; GRANT rds_replication TO op WITH ADMIN OPTION")
        .await;
    let session = side.act().await;
    for _ in 0..2 {
        role::ensure(&session, ROLE, &role::generate_password()).await.unwrap();
    }
    let member = format!(
        "SELECT count(*) FROM pg_roles WHERE rolname = '{ROLE}' AND NOT rolreplication AND pg_has_role(oid, 'rds_replication', 'MEMBER')"
    );
    assert_eq!(side.count(&member).await, 1);
    role::drop(&session, ROLE).await.unwrap();
}

#[tokio::test]
async fn markers_are_counted_and_waited_for() {
    let side = Side::start(17).await;
    let session = side.act().await;
    assert_eq!(
        marker::newest(&session, STREAM, 1, "forward").await.unwrap(),
        None,
        "no schema yet"
    );
    schema::install_stream(&session, STREAM, "o'wner").await.unwrap();
    assert_eq!(marker::newest(&session, STREAM, 1, "forward").await.unwrap(), None);
    for number in 1..=3 {
        marker::write(&session, STREAM, 1, "forward", number).await.unwrap();
    }
    marker::write(&session, STREAM, 2, "forward", 9).await.unwrap();
    marker::write(&session, STREAM, 1, "reverse", 8).await.unwrap();
    let newest = marker::newest(&session, STREAM, 1, "forward").await.unwrap().unwrap();
    assert_eq!(newest.number, 3);
    assert!(newest.xid > 700 && newest.lsn < slot::current_flush_lsn(&session).await.unwrap());
    assert!(marker::write(&session, STREAM, 1, "forward", 3).await.is_err());

    let patience = Duration::from_secs(5);
    let other = side.act().await;
    let write = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        marker::write(&other, STREAM, 1, "forward", i64::MAX).await.unwrap();
    };
    let wait = marker::wait(&session, STREAM, 1, "forward", i64::MAX, patience);
    let waited = futures::join!(wait, write).0.unwrap();
    assert!(waited >= Duration::from_millis(190) && waited < patience, "{waited:?}");
    let missing = marker::wait(&session, STREAM, 1, "forward", 77, Duration::from_millis(50)).await;
    assert!(matches!(missing, Err(Error::Deadline { .. })));
}
