//! Which tables there are and which of their replica identities can be used.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::tables::{self, ReplicaIdentity, Table};
use pgupgrade_postgres::{Error, QualifiedName};
use support::Side;
use tokio_postgres::error::SqlState;

fn find<'a>(tables: &'a [Table], name: &str) -> &'a Table {
    tables
        .iter()
        .find(|table| table.name.plain() == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

async fn tables_are_listed(major: u16) {
    let side = Side::start(major).await;
    let tables = tables::list(&side.session(Profile::Observe).await).await.unwrap();
    let facts: Vec<_> = tables
        .iter()
        .map(|table| {
            let flags = [
                table.is_published(),
                table.needs_identity(),
                table.identity_usable(18),
                table.is_unlogged(),
            ];
            (
                table.name.plain(),
                flags.map(u8::from),
                table.identity_candidates.join(" "),
            )
        })
        .collect();
    let expected = [
        // published, needs an identity, has a usable one, unlogged
        ("Sch\"ema ';--.täble $1", [1, 1, 1, 0], "täble $1_pkey"),
        ("public.strange", [1, 1, 1, 0], "strange_pkey"),
        ("s.bare", [1, 1, 0, 0], ""),
        ("s.bare_array", [1, 1, 0, 0], ""),
        ("s.deferrable_key", [1, 1, 0, 0], ""),
        ("s.keyed", [1, 1, 1, 0], "keyed_pkey"),
        ("s.keyless", [1, 1, 0, 0], "keyless_b keyless_ab"),
        ("s.part", [1, 0, 1, 0], "part_pkey"),
        ("s.part_1", [0, 1, 1, 0], "part_1_pkey"),
        ("s.part_2", [0, 1, 1, 0], "part_2_pkey"),
        ("s.silent", [1, 1, 0, 0], "silent_pkey"),
        ("s.unlogged", [0, 0, 1, 1], "unlogged_pkey"),
    ];
    let expected = expected.map(|(name, flags, indexes)| (name.to_owned(), flags, indexes.to_owned()));
    assert_eq!(facts, expected);
    for (name, without_equality) in [("s.bare", true), ("s.bare_array", true), ("s.keyless", false)] {
        assert_eq!(
            find(&tables, name).has_column_without_equality,
            without_equality,
            "{name}"
        );
    }
    assert_eq!(find(&tables, "s.keyed").owner, "app_owner");
    assert!(find(&tables, "s.keyed").may_act_as_owner);
    assert_eq!(
        find(&tables, "public.strange").may_act_as_owner,
        major < 16,
        "a superuser acts as anybody"
    );
}

on_versions!(tables_are_listed: tables_are_listed_on_14 = 14, tables_are_listed_on_18 = 18);

#[tokio::test]
async fn an_identity_is_set_and_restored() {
    let side = Side::start(17).await;
    let session = side.act().await;
    let keyless = QualifiedName::new("s", "keyless");
    let identity = async || {
        find(&tables::list(&session).await.unwrap(), "s.keyless")
            .replica_identity
            .clone()
    };
    let index = ReplicaIdentity::Index("keyless_b".to_owned());
    for wanted in [
        index.clone(),
        ReplicaIdentity::Full,
        ReplicaIdentity::Nothing,
        index.clone(),
    ] {
        tables::set_replica_identity(&session, &keyless, &wanted).await.unwrap();
        assert_eq!(identity().await, wanted);
    }
    assert!(find(&tables::list(&session).await.unwrap(), "s.keyless").identity_usable(18));
    side.run("DROP INDEX s.keyless_b").await;
    assert_eq!(identity().await, ReplicaIdentity::Nothing, "the index is gone");
    tables::restore_replica_identity(&session, &keyless.to_string(), "DEFAULT")
        .await
        .unwrap();
    assert_eq!(identity().await, ReplicaIdentity::Default);
    tables::restore_replica_identity(&session, r#""s"."gone""#, "FULL")
        .await
        .unwrap();
    let unfit = ReplicaIdentity::Index("keyless_nullable".to_owned());
    assert!(tables::set_replica_identity(&session, &keyless, &unfit).await.is_err());
    let garbled = tables::restore_replica_identity(&session, "s.keyless", "FULL").await;
    assert!(matches!(garbled, Err(Error::Unexpected { .. })));
}

#[tokio::test]
async fn a_busy_table_is_tried_again() {
    let side = Side::start(17).await;
    let session = side.act().await;
    let reader = side.admin().await;
    reader.batch_execute("BEGIN; SELECT FROM s.keyed").await.unwrap();
    let keyed = QualifiedName::new("s", "keyed");
    let set = tables::set_replica_identity(&session, &keyed, &ReplicaIdentity::Full);
    let release = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        reader.batch_execute("COMMIT").await.unwrap();
    };
    futures::join!(set, release).0.unwrap();
    reader.batch_execute("BEGIN; SELECT FROM s.keyed").await.unwrap();
    let error = tables::set_replica_identity(&session, &keyed, &ReplicaIdentity::Default)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::LOCK_NOT_AVAILABLE));
}
