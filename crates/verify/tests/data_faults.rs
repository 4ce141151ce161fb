//! Single faults of data, each of which has to be found and named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::collections::BTreeMap;

use pgupgrade_verify::{Options, Report, TableResult, Tables};
use support::Pair;

const TABLES: &str = include_str!("support/data_faults.sql");

async fn pair(from: u16, to: u16) -> Pair {
    let pair = Pair::start(from, to).await;
    for side in [&pair.on_source, &pair.on_target] {
        side.batch_execute(TABLES).await.unwrap();
    }
    pair
}

async fn compare(pair: &Pair, options: &Options) -> Report {
    pair.compare(&Tables::Published(vec!["x".to_owned()]), options).await
}

/// The tables that differ, each with its examples.
async fn found(pair: &Pair) -> BTreeMap<String, Vec<String>> {
    let report = compare(pair, &Options::default()).await;
    let different = report.tables.iter().filter(|table| !table.equal);
    let shown = |table: &TableResult| table.examples.iter().map(ToString::to_string).collect();
    different.map(|table| (table.name.name.clone(), shown(table))).collect()
}

fn one(table: &str, examples: &[&str]) -> BTreeMap<String, Vec<String>> {
    let examples = examples.iter().map(ToString::to_string).collect();
    [(table.to_owned(), examples)].into_iter().collect()
}

/// A column of `x.v` and another value for it.
const VALUES: &[(&str, &str)] = &[
    ("bool", "false"),
    ("bool", "NULL"),
    ("small", "-1"),
    ("big", "9007199254740992"),
    ("num", "1.00"),
    ("num", "'NaN'"),
    ("num", "1.0000000000000000000000001"),
    ("real", "'-0'"),
    ("double", "'-0'"),
    ("double", "'NaN'"),
    ("double", "5e-324"),
    ("txt", "'word '"),
    ("txt", "''"),
    ("txt", "NULL"),
    ("txt", "'Word'"),
    ("chr", "'ab c'"),
    ("vc", "''"),
    ("vc", "'NULL'"),
    ("bytes", "'\\x00fe'"),
    ("bytes", "'\\xff'"),
    ("dt", "'infinity'"),
    ("dt", "'2024-03-01'"),
    ("ts", "'infinity'"),
    ("ts", "'-infinity'"),
    ("ts", "'2024-01-01 00:00:00.000001'"),
    ("tz", "'2024-01-01 01:00Z'"),
    ("iv", "'30 days'"),
    ("js", "'{\"b\": 2, \"a\": 1}'"),
    ("js", "'{\"a\":1, \"b\": 2}'"),
    ("jb", "'{\"a\": 1.0, \"b\": 2}'"),
    ("ints", "'{1,0,3}'"),
    ("ints", "'[2:4]={1,NULL,3}'"),
    ("floats", "'{-0,1}'"),
    ("texts", "'{a,NULL}'"),
    ("id2", "'6b2f0c1e-58aa-4f7e-9d5f-0123456789aa'"),
    ("net", "'10.1.2.3/9'"),
    ("bits", "B'1010'"),
    ("rng", "'[1,6)'"),
    ("toast", "overlay(toast PLACING '_' FROM 60000)"),
    ("vec", "'a:1B b:2'"),
    ("xid8", "'4294967303'"),
];

/// What is the same value in another form.
const EQUAL: &[&str] = &[
    "UPDATE x.v SET jb = '{\"b\": 2, \"a\": 1}'",
    "UPDATE x.v SET tz = '2024-01-01 02:00+02'",
    "UPDATE x.v SET rng = '(0,4]'",
    "UPDATE x.v SET txt = txt",
    "DELETE FROM x.v WHERE id = 9; INSERT INTO x.v SELECT * FROM x.row(9)",
    "CLUSTER x.v USING v_pkey",
    "VACUUM FULL x.v",
    "ALTER DATABASE postgres SET extra_float_digits = -3; ALTER DATABASE postgres SET TimeZone = 'Asia/Tokyo'",
];

/// Faults of whole rows, what undoes them, and what is found.
type Fault = (&'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Fault] = &[
    (
        "DELETE FROM x.v WHERE id = 1",
        "INSERT INTO x.v SELECT * FROM x.row(1)",
        "v",
        &["id=1: missing"],
    ),
    (
        "DELETE FROM x.v WHERE id = 50",
        "INSERT INTO x.v SELECT * FROM x.row(50)",
        "v",
        &["id=50: missing"],
    ),
    (
        "INSERT INTO x.v SELECT r.* FROM generate_series(51, 52) g, x.row(g) r",
        "DELETE FROM x.v WHERE id > 50",
        "v",
        &["id=51: extra", "id=52: extra"],
    ),
    (
        "INSERT INTO x.v SELECT * FROM x.row(-2147483648)",
        "DELETE FROM x.v WHERE id < 0",
        "v",
        &["id=-2147483648: extra"],
    ),
    (
        "UPDATE x.v SET id = 1000 WHERE id = 10",
        "UPDATE x.v SET id = 10 WHERE id = 1000",
        "v",
        &["id=10: missing", "id=1000: extra"],
    ),
    (
        "UPDATE x.v SET small = 5, dt = NULL WHERE id = 3",
        "UPDATE x.v SET small = 1, dt = '2024-02-29' WHERE id = 3",
        "v",
        &["id=3: changed in small, dt"],
    ),
    (
        "UPDATE x.\"Weird \"\" T\" SET \"Z z\" = 'Key 7' WHERE \"Z z\" = 'key 7'",
        "UPDATE x.\"Weird \"\" T\" SET \"Z z\" = 'key 7' WHERE \"Z z\" = 'Key 7'",
        "Weird \" T",
        &["a'b=0, Z z=Key 7: extra", "a'b=0, Z z=key 7: missing"],
    ),
    (
        "UPDATE x.\"Weird \"\" T\" SET pay = CASE pay WHEN 1 THEN 2 ELSE 1 END WHERE pay IN (1, 2)",
        "UPDATE x.\"Weird \"\" T\" SET pay = CASE pay WHEN 1 THEN 2 ELSE 1 END WHERE pay IN (1, 2)",
        "Weird \" T",
        &["a'b=1, Z z=key 1: changed in pay", "a'b=2, Z z=key 2: changed in pay"],
    ),
    (
        "INSERT INTO x.twins VALUES (3, 'b3')",
        "DELETE FROM x.twins WHERE ctid = (SELECT max(ctid) FROM x.twins)",
        "twins",
        &[],
    ),
    (
        "INSERT INTO x.twins VALUES (3, 'b3'), (3, 'b3')",
        "DELETE FROM x.twins WHERE a = 3; INSERT INTO x.twins VALUES (3, 'b3')",
        "twins",
        &[],
    ),
    (
        "UPDATE x.twins SET b = CASE a WHEN 1 THEN 'b2' ELSE 'b1' END WHERE a IN (1, 2)",
        "UPDATE x.twins SET b = 'b' || a",
        "twins",
        &[],
    ),
    (
        "UPDATE x.twins SET a = 2 WHERE a = 1",
        "UPDATE x.twins SET a = 1 WHERE b = 'b1'",
        "twins",
        &[],
    ),
    (
        "DELETE FROM x.parts_2",
        "INSERT INTO x.parts SELECT generate_series(100, 199)",
        "parts_2",
        &["many"],
    ),
    (
        "TRUNCATE x.parts_1",
        "INSERT INTO x.parts SELECT generate_series(0, 99)",
        "parts_1",
        &["many"],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_is_found_and_named() {
    let pair = pair(15, 17).await;
    assert_eq!(found(&pair).await, BTreeMap::new());
    for change in EQUAL {
        pair.on_target.batch_execute(change).await.unwrap();
        assert_eq!(found(&pair).await, BTreeMap::new(), "{change}");
    }
    for (column, value) in VALUES {
        let change = format!("UPDATE x.v SET {column} = {value} WHERE id = 7");
        pair.on_target.batch_execute(&change).await.unwrap();
        let expected = format!("id=7: changed in {column}");
        assert_eq!(found(&pair).await, one("v", &[&expected]), "{change}");
        let undo = "DELETE FROM x.v WHERE id = 7; INSERT INTO x.v SELECT * FROM x.row(7)";
        pair.on_target.batch_execute(undo).await.unwrap();
    }
    for (change, undo, table, examples) in ROWS {
        pair.on_target.batch_execute(change).await.unwrap();
        let found = found(&pair).await;
        if *examples == ["many"] {
            let shown = &found[*table];
            assert_eq!(found.len(), 1, "{change}");
            assert!(
                shown.len() == 5 && shown.iter().all(|example| example.ends_with("missing")),
                "{shown:?}"
            );
        } else {
            assert_eq!(found, one(table, examples), "{change}");
        }
        pair.on_target.batch_execute(undo).await.unwrap();
    }
    assert_eq!(found(&pair).await, BTreeMap::new(), "all undone");
    values_are_shown_on_request(&pair).await;
}

async fn values_are_shown_on_request(pair: &Pair) {
    let change = "UPDATE x.v SET txt = NULL, num = 1.00 WHERE id = 7";
    pair.on_target.batch_execute(change).await.unwrap();
    let options = Options {
        show_values: true,
        ..Options::default()
    };
    let report = compare(pair, &options).await;
    let table = report.tables.iter().find(|table| !table.equal).unwrap();
    let shown = table.examples[0].to_string();
    assert_eq!(
        shown,
        "id=7: changed in num ('1.0', on the target '1.00'), txt ('word', on the target NULL)"
    );
    assert!(table.to_string().contains("they differ in 1;"), "{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_differences_are_counted_or_estimated() {
    let pair = pair(17, 18).await;
    let big = async |options: &Options| {
        let report = compare(&pair, options).await;
        assert_eq!(report.differences, 1);
        report.tables.into_iter().find(|table| !table.equal).unwrap()
    };
    pair.on_target
        .batch_execute("UPDATE x.big SET v = 0 WHERE id <= 60000")
        .await
        .unwrap();
    let table = big(&Options::default()).await;
    assert_eq!(
        (table.name.name.as_str(), table.differing, table.estimated),
        ("big", 60_000, false)
    );
    assert_eq!(table.examples.len(), 5);
    let rest = "UPDATE x.big SET v = 0; DELETE FROM x.big WHERE id % 3 = 0";
    pair.on_target.batch_execute(rest).await.unwrap();
    let table = big(&Options::default()).await;
    assert!(table.estimated && table.differing.abs_diff(150_000) < 15_000, "{table}");
    assert_eq!(table.examples.len(), 5);
    assert!(table.to_string().contains("they differ in about "), "{table}");
    assert_eq!((table.rows, table.target_rows), (150_000, 100_000));
    // In less memory fewer rows are told apart.
    let options = Options {
        sketch_bytes: 1 << 20,
        ..Options::default()
    };
    assert!(big(&options).await.estimated);
}
