//! Rows that can't be sent as they are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use pgupgrade_postgres::QualifiedName;
use pgupgrade_verify::{Options, Tables};
use support::Pair;

const TABLES: &str = "
CREATE TYPE two AS (a int, b text);
CREATE DOMAIN words AS text;
CREATE TABLE large (id int PRIMARY KEY, a text, b bytea, c words, j jsonb, l text[], r two, n int);";

/// A row of more than 1 GB, which has to be put together in steps as well.
const HUGE: &str = "
SET default_toast_compression = lz4;
CREATE TABLE huge (id int PRIMARY KEY, a text, b bytea);
INSERT INTO huge VALUES (1, repeat('x', 550000000), NULL), (2, 'a', '');
UPDATE huge SET b = repeat('y', 550000000)::bytea WHERE id = 1;";

/// A value of every kind of type that is measured in another way, each in a row of its own.
const ROWS: &str = "
TRUNCATE large;
INSERT INTO large (id, a) VALUES (1, repeat('a', 16777217));
INSERT INTO large (id, b) VALUES (2, repeat('b', 16777216)::bytea), (3, repeat('b', 16777217)::bytea);
INSERT INTO large (id, c) VALUES (4, repeat('c', 17000000)), (5, repeat('c', 17000000));
INSERT INTO large (id, j) VALUES (6, to_jsonb(repeat('j', 18000000)));
INSERT INTO large (id, l) VALUES (7, ARRAY[repeat('l', 19000000), NULL]);
INSERT INTO large (id, r) VALUES (8, ROW(1, repeat('r', 20000000)));
INSERT INTO large VALUES
  (9, 'a', 'b', 'c', '{}', '{}', ROW(1, 'r'), 1),
  (10, NULL, NULL, NULL, NULL, NULL, NULL, NULL);";

/// A change of each row.
const CHANGES: &str = "
UPDATE large SET a = overlay(a PLACING 'z' FROM 16000000) WHERE id = 1;
UPDATE large SET b = b || 'b' WHERE id = 2;
UPDATE large SET b = set_byte(b, 300, 7) WHERE id = 3;
UPDATE large SET c = overlay(c PLACING 'z' FROM 17) WHERE id = 4;
UPDATE large SET c = NULL, a = c WHERE id = 5;
UPDATE large SET j = to_jsonb(repeat('j', 17999999) || 'k') WHERE id = 6;
UPDATE large SET l = ARRAY[l[1], ''] WHERE id = 7;
UPDATE large SET r = ROW(2, (r).b) WHERE id = 8;
UPDATE large SET a = '' WHERE id = 9;
UPDATE large SET l = '{}' WHERE id = 10;";

fn table(name: &str) -> Tables {
    Tables::Named(vec![QualifiedName::new("public", name)])
}

async fn both(pair: &Pair, script: &str) {
    let (source, target) = tokio::join!(
        pair.on_source.batch_execute(script),
        pair.on_target.batch_execute(script)
    );
    source.unwrap();
    target.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_too_large_to_be_sent_are_compared() {
    let pair = Pair::start(15, 17).await;
    both(&pair, TABLES).await;
    // Stored in another way on the target.
    let stored =
        "ALTER TABLE large ALTER j SET STORAGE EXTERNAL, ALTER a SET STORAGE EXTERNAL, ALTER c SET STORAGE EXTENDED";
    pair.on_target.batch_execute(stored).await.unwrap();
    both(&pair, ROWS).await;
    let options = Options {
        examples: 20,
        search: Duration::from_mins(5),
        ..Options::default()
    };
    let report = pair.compare(&table("large"), &options).await;
    assert_eq!(
        (report.differences, report.tables[0].rows),
        (0, 10),
        "{:?}",
        report.tables
    );
    assert!(
        report.bytes < 20_000_000,
        "one value of 16 MiB is sent: {}",
        report.bytes
    );
    pair.on_target.batch_execute(CHANGES).await.unwrap();
    let report = pair.compare(&table("large"), &options).await;
    let found = report.tables[0].examples.iter();
    let found: BTreeSet<_> = found.map(ToString::to_string).collect();
    let changed = ["a", "b", "b", "c", "a, c", "j", "l", "r", "a", "l"];
    let all = (1..=10)
        .zip(changed)
        .map(|(id, columns)| format!("id={id}: changed in {columns}"));
    assert_eq!(found, all.collect());
    pair.on_target
        .batch_execute("UPDATE large SET a = NULL, b = NULL, c = NULL WHERE id < 6")
        .await
        .unwrap();
    assert_eq!(
        pair.compare(&table("large"), &options).await.tables[0].examples.len(),
        10
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_too_large_to_be_sent_is_compared() {
    let pair = Pair::start(15, 17).await;
    both(&pair, HUGE).await;
    let refused = pair.on_source.simple_query("COPY huge TO STDOUT (FORMAT binary)").await;
    assert!(refused.is_err(), "a row of more than 1 GB can't be sent");
    let none = Options {
        examples: 0,
        ..Options::default()
    };
    let report = pair.compare(&table("huge"), &none).await;
    assert_eq!(
        (report.differences, report.tables[0].rows),
        (0, 2),
        "{:?}",
        report.tables
    );
    let last_byte = "UPDATE huge SET b = set_byte(b, 549999999, 7) WHERE id = 1";
    pair.on_target.batch_execute(last_byte).await.unwrap();
    assert_eq!(pair.compare(&table("huge"), &none).await.differences, 1);
}
