//! Keys are what COPY gives for the same columns, byte by byte.
use std::collections::BTreeSet;
use std::fmt::Write as _;

use futures::{TryStreamExt as _, pin_mut};

use super::*;
use crate::copy_stream::Rows;

/// A table a type, each with values that are easily told otherwise.
const TYPES: &[(&str, &str)] = &[
    ("integer", "(0), (-1), (2147483647)"),
    ("bigint", "(-9223372036854775808), (7)"),
    ("smallint", "(-3)"),
    ("text", "(''), ('ü€😀'), (E'a\\nb')"),
    ("character varying(20)", "('x '), ('X')"),
    ("character(7)", "('abc'), ('')"),
    ("uuid", "('6b2f0c1e-0000-4000-8000-00000000000f')"),
    (
        "numeric",
        "(1), (1.10), (-0.00001), (12345678901234567890.123456789), ('NaN')",
    ),
    ("numeric(12,4)", "(1), (7.5)"),
    (
        "timestamptz",
        "('2026-11-25 09:00:00.123456+01'), ('infinity'), ('0044-03-15 BC')",
    ),
    ("timestamp", "('2026-02-28 23:59:59')"),
    ("date", "('2026-11-25'), ('-infinity')"),
    ("time", "('24:00')"),
    ("interval", "('1 mon'), ('1 day')"),
    ("bytea", "(''), ('\\x00ff')"),
    ("boolean", "(true), (false)"),
    ("mood", "('so so'), ('happy')"),
    ("inet", "('10.0.0.1/8'), ('::1')"),
    ("positive", "(5)"),
    ("integer[]", "('{1,2}'), ('{}')"),
    ("double precision", "(-0.5), (1e300)"),
    ("caseless", "('Ab'), ('cD')"),
];

const PREPARE: &str = r#"CREATE TYPE mood AS ENUM ('so so', 'happy');
    CREATE DOMAIN positive AS bigint CHECK (VALUE > 0);
    CREATE EXTENSION citext; CREATE DOMAIN caseless AS citext;
    CREATE TABLE composite (a text, "B ""c""" numeric, c uuid, d integer, v integer, PRIMARY KEY (d, "B ""c""", a, c));"#;

fn table(index: usize) -> String {
    format!("T \"{index}\"")
}

async fn copied(lab: &Lab, columns: &str, table: &str) -> BTreeSet<Vec<u8>> {
    let query = format!("COPY (SELECT {columns} FROM {table}) TO STDOUT (FORMAT binary)");
    let stream = lab.client.copy_out(&query).await.unwrap();
    pin_mut!(stream);
    let mut keys = BTreeSet::new();
    let mut rows = Rows::default();
    while let Some(message) = stream.try_next().await.unwrap() {
        let each = |row: &[u8]| {
            keys.insert(row[2..].to_vec());
            Ok(())
        };
        rows.push(&message, each).unwrap();
    }
    keys
}

async fn keys_are_those_of_copy(major: u16) {
    let quoted = |index| pgupgrade_postgres::quote_identifier(&table(index));
    let mut script = PREPARE.to_owned();
    for (index, (kind, _)) in TYPES.iter().enumerate() {
        let table = quoted(index);
        write!(script, "CREATE TABLE {table} (v integer, \"K k\" {kind} PRIMARY KEY);").unwrap();
    }
    let names: Vec<String> = (0..TYPES.len()).map(table).collect();
    let mut tables: Vec<(&str, &str, &[&str])> = names.iter().map(|name| ("public", &**name, &["K k"][..])).collect();
    tables.push(("public", "composite", &["d", "B \"c\"", "a", "c"]));
    let watch = watch(&tables);
    let lab = Lab::with_slot(major, &script, &watch).await;
    for (index, (_, values)) in TYPES.iter().enumerate() {
        lab.sql(&format!("INSERT INTO {} (\"K k\") VALUES {values}", quoted(index)))
            .await;
    }
    let uuid = "6b2f0c1e-0000-4000-8000-00000000000f";
    lab.sql(&format!(
        "INSERT INTO composite VALUES ('', 1.50, '{uuid}', 7), ('ü', -2, '{uuid}', 7)"
    ))
    .await;
    let mut feed = lab.open(&watch).await;
    let inserted = lab.read(&mut feed).await;
    let mut expected = Vec::new();
    for (index, (kind, _)) in TYPES.iter().enumerate() {
        expected.push((*kind, copied(&lab, "\"K k\"", &quoted(index)).await));
        lab.sql(&format!("DELETE FROM {}", quoted(index))).await;
    }
    expected.push(("several", copied(&lab, r#"d, "B ""c""", a, c"#, "composite").await));
    lab.sql("DELETE FROM composite").await;
    let deleted = lab.read(&mut feed).await;
    for (index, (kind, expected)) in (0..).zip(&expected) {
        assert!(!expected.is_empty());
        assert_eq!(keys(&inserted, index), *expected, "{kind}");
        assert_eq!(keys(&deleted, index), *expected, "{kind}");
        assert!(
            inserted.whole(index, false).or(deleted.whole(index, false)).is_none(),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn keys_are_those_of_copy_on_14() {
    keys_are_those_of_copy(14).await;
}

#[tokio::test]
async fn keys_are_those_of_copy_on_17() {
    keys_are_those_of_copy(17).await;
}

#[tokio::test]
async fn keys_are_those_of_copy_on_18() {
    keys_are_those_of_copy(18).await;
}

/// A type without a send function comes as text, which is no key.
#[tokio::test]
async fn what_is_not_sent_in_binary_marks_the_table() {
    let watch = watch(&[("public", "granted", &["who"])]);
    let script = "CREATE TABLE granted (who aclitem NOT NULL, v integer);
        ALTER TABLE granted REPLICA IDENTITY FULL";
    let lab = Lab::with_slot(17, script, &watch).await;
    let mut feed = lab.open(&watch).await;
    let dirty = lab
        .effect(&mut feed, "INSERT INTO granted VALUES ('postgres=r/postgres')")
        .await;
    assert!(dirty.whole(0, false).is_some() && dirty.total() == 0);
}

/// Bytes in no encoding are told as they are.
#[tokio::test]
async fn text_in_no_encoding_is_told_as_it_is() {
    let lab = Lab::start(
        17,
        "CREATE DATABASE raw ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
    );
    let lab = lab.await;
    let client = lab.scratch.client("raw").await.unwrap();
    client.batch_execute(BARRIER).await.unwrap();
    client
        .batch_execute("CREATE TABLE t (k text PRIMARY KEY)")
        .await
        .unwrap();
    let watch = watch(&[("public", "t", &["k"])]);
    let connector = connector(&lab.scratch, "postgres", lab.scratch.password());
    let session = connector.connect("raw", Profile::Long).await.unwrap();
    let tables = [QualifiedName::new("public", "t")];
    create(&session, &names(), &tables, &[barrier()], PATIENCE)
        .await
        .unwrap();
    client
        .batch_execute("INSERT INTO t VALUES (E'\\xfc\\xff')")
        .await
        .unwrap();
    let watch = on(&client, &watch).await;
    let mut feed = Feed::open(&connector, "raw", &names(), watch).await.unwrap();
    let mut dirty = set();
    feed.poll(&mut dirty).await.unwrap();
    assert_eq!(keys(&dirty, 0), BTreeSet::from([key(&[b"\xfc\xff"])]));
}
