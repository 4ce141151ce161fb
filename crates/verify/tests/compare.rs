//! What the comparison finds, on real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgupgrade_postgres::QualifiedName;
use pgupgrade_verify::{Example, Kind, Options, Progress, Report, Tables};
use support::Pair;

const TABLES: &str = include_str!("support/tables.sql");

fn published() -> Tables {
    Tables::Published(vec!["pub".to_owned(), "more".to_owned()])
}

fn different(report: &Report) -> Vec<&str> {
    report
        .tables
        .iter()
        .filter(|table| !table.equal)
        .map(|table| table.name.name.as_str())
        .collect()
}

fn examples(report: &Report) -> Vec<Example> {
    report.tables.iter().flat_map(|table| table.examples.clone()).collect()
}

/// A change on the target, what undoes it, the tables that differ by it, a key that is shown.
type Fault = (
    &'static str,
    &'static str,
    &'static [&'static str],
    Option<(&'static str, Kind)>,
);

const FAULTS: &[Fault] = &[
    (
        "UPDATE v.t SET b = set_bit(b, 77, 1 - get_bit(b, 77)) WHERE id = 1234",
        "UPDATE v.t SET b = set_bit(b, 77, 1 - get_bit(b, 77)) WHERE id = 1234",
        &["t"],
        Some(("id=1234", Kind::Changed)),
    ),
    (
        "DELETE FROM v.t WHERE id = 77",
        "INSERT INTO v.t SELECT * FROM v.row(77)",
        &["t"],
        Some(("id=77", Kind::Missing)),
    ),
    (
        "INSERT INTO v.t SELECT * FROM v.row(99999)",
        "DELETE FROM v.t WHERE id = 99999",
        &["t"],
        Some(("id=99999", Kind::Extra)),
    ),
    (
        "UPDATE v.t SET w = NULL WHERE id = 5",
        "UPDATE v.t SET w = '' WHERE id = 5",
        &["t"],
        Some(("id=5", Kind::Changed)),
    ),
    (
        "UPDATE v.t SET n = CASE id WHEN 10 THEN 11 ELSE 10 END WHERE id IN (10, 11)",
        "UPDATE v.t SET n = id WHERE id IN (10, 11)",
        &["t"],
        Some(("id=10", Kind::Changed)),
    ),
    (
        "INSERT INTO v.k SELECT * FROM v.k LIMIT 1",
        "DELETE FROM v.k WHERE ctid = (SELECT max(ctid) FROM v.k)",
        &["k"],
        None,
    ),
    (
        "DELETE FROM v.k WHERE a = 3; INSERT INTO v.k VALUES (4, 'key-less 4')",
        "DELETE FROM v.k WHERE ctid = (SELECT max(ctid) FROM v.k); INSERT INTO v.k VALUES (3, 'key-less 3')",
        &["k"],
        None,
    ),
    (
        "UPDATE v.k SET a = 0 WHERE a = 5",
        "UPDATE v.k SET a = 5 WHERE a = 0",
        &["k"],
        None,
    ),
    (
        "UPDATE v.p SET k = 75 WHERE id = 20",
        "UPDATE v.p SET k = 20 WHERE id = 20",
        &["p_low", "p_high"],
        Some(("id=20, k=20", Kind::Missing)),
    ),
    (
        "UPDATE ONLY v.parent SET v = 1 WHERE id = 1",
        "UPDATE ONLY v.parent SET v = 0 WHERE id = 1",
        &["parent"],
        Some(("id=1", Kind::Changed)),
    ),
    (
        "UPDATE v.f SET f = '-0' WHERE f = 0",
        "UPDATE v.f SET f = 0 WHERE f = 0",
        &["f"],
        None,
    ),
    ("ALTER TABLE v.k ADD c int", "ALTER TABLE v.k DROP c", &["k"], None),
    (
        "ALTER TABLE v.k RENAME a TO z",
        "ALTER TABLE v.k RENAME z TO a",
        &["k"],
        None,
    ),
    (
        "ALTER TABLE v.k ALTER a TYPE bigint",
        "ALTER TABLE v.k ALTER a TYPE int",
        &["k"],
        None,
    ),
    (
        "ALTER TABLE v.k RENAME TO gone",
        "ALTER TABLE v.gone RENAME TO k",
        &["k", "gone"],
        None,
    ),
    (
        "DELETE FROM v.none",
        "INSERT INTO v.none SELECT FROM generate_series(1, 2)",
        &["none"],
        None,
    ),
    (
        "INSERT INTO v.u VALUES (1); INSERT INTO v.unpublished VALUES (1)",
        "SELECT",
        &[],
        None,
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_found_and_nothing_else() {
    let pair = Pair::start(15, 17).await;
    for side in [&pair.on_source, &pair.on_target] {
        side.batch_execute(TABLES).await.unwrap();
    }
    // Another physical order, and another order of columns, are no difference.
    pair.on_target
        .batch_execute("DROP PUBLICATION pub, more; CREATE INDEX by_w ON v.t (md5(id::text)); CLUSTER v.t USING by_w; DROP INDEX v.by_w; ALTER TABLE v.k DROP b, ADD b text; UPDATE v.k SET b = 'key-less ' || a")
        .await
        .unwrap();
    let report = pair.compare(&published(), &Options::default()).await;
    assert_eq!(different(&report), Vec::<&str>::new(), "{:?}", report.tables);
    assert_eq!((report.tables.len(), report.differences), (9, 0));
    let rows: i64 = pair
        .on_source
        .query_one("SELECT (SELECT count(*) FROM v.t) + (SELECT count(*) FROM v.k) + (SELECT count(*) FROM v.p) + (SELECT count(*) FROM v.parent) + (SELECT count(*) FROM v.f) + (SELECT count(*) FROM v.none) + (SELECT count(*) FROM v.\"We\"\"ird ;'--\")", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(report.rows, u64::try_from(rows).unwrap());
    let mut skipped: Vec<(&str, &str)> = report
        .skipped
        .iter()
        .map(|s| (s.name.name.as_str(), s.reason))
        .collect();
    skipped.sort_unstable();
    assert_eq!(skipped, [("u", "unlogged"), ("unpublished", "not published")]);

    for (change, undo, tables, example) in FAULTS {
        pair.on_target.batch_execute(change).await.unwrap();
        let report = pair.compare(&published(), &Options::default()).await;
        let mut found = different(&report);
        found.sort_unstable();
        let mut wanted = tables.to_vec();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{change}");
        assert_eq!(report.differences, tables.len());
        if let Some((key, kind)) = example {
            let shown = examples(&report);
            let is_shown = shown
                .iter()
                .any(|example| (example.key.as_str(), example.kind) == (*key, *kind));
            assert!(is_shown, "{change}: {:?}", report.tables);
        }
        pair.on_target.batch_execute(undo).await.unwrap();
    }
    let report = pair.compare(&published(), &Options::default()).await;
    assert_eq!(
        different(&report),
        Vec::<&str>::new(),
        "all undone: {:?}",
        report.tables
    );
    examples_are_bounded(&pair).await;
    named_tables_and_snapshots(&pair).await;
    progress_is_told(&pair).await;
}

async fn examples_are_bounded(pair: &Pair) {
    let change = "UPDATE v.t SET w = 'secret' WHERE id <= 1000; DELETE FROM v.t WHERE id > 4900; \
                  UPDATE v.\"We\"\"ird ;'--\" SET v = 8";
    pair.on_target.batch_execute(change).await.unwrap();
    let report = pair
        .compare(
            &published(),
            &Options {
                examples: 3,
                ..Options::default()
            },
        )
        .await;
    assert_eq!(different(&report), ["We\"ird ;'--", "t"]);
    let shown = examples(&report);
    assert_eq!(shown.len(), 4, "{shown:?}");
    assert_eq!(shown[0].key, "Ke\"y=x'y");
    assert!(!format!("{report:?}").contains("secret"), "values are not shown");
    let none = pair
        .compare(
            &published(),
            &Options {
                examples: 0,
                ..Options::default()
            },
        )
        .await;
    assert_eq!((none.differences, examples(&none).len()), (2, 0));
    let late = pair
        .compare(
            &published(),
            &Options {
                search: Duration::ZERO,
                ..Options::default()
            },
        )
        .await;
    assert_eq!((late.differences, examples(&late).len()), (2, 0));
    assert!(
        none.tables
            .iter()
            .any(|table| table.to_string().contains("they differ"))
    );
}

async fn named_tables_and_snapshots(pair: &Pair) {
    let name = |name: &str| QualifiedName {
        schema: "v".to_owned(),
        name: name.to_owned(),
    };
    let report = pair
        .compare(&Tables::Named(vec![name("k"), name("absent")]), &Options::default())
        .await;
    assert_eq!((report.tables.len(), report.differences), (2, 1));
    let snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1";
    let (a, b) = (pair.source_client().await, pair.target_client().await);
    let mut names = Vec::new();
    for client in [&a, &b] {
        client.batch_execute(snapshot).await.unwrap();
        names.push(
            client
                .query_one("SELECT pg_export_snapshot()", &[])
                .await
                .unwrap()
                .get::<_, String>(0),
        );
    }
    pair.on_target.batch_execute("DELETE FROM v.k").await.unwrap();
    let pinned = Options {
        snapshots: Some((names[0].clone(), names[1].clone())),
        ..Options::default()
    };
    assert_eq!(
        pair.compare(&Tables::Named(vec![name("k")]), &pinned).await.differences,
        0
    );
    assert_eq!(
        pair.compare(&Tables::Named(vec![name("k")]), &Options::default())
            .await
            .differences,
        1
    );
}

async fn progress_is_told(pair: &Pair) {
    let calls = Arc::new(AtomicU64::new(0));
    let last = Arc::new(Mutex::new(Progress::default()));
    let (counted, kept) = (Arc::clone(&calls), Arc::clone(&last));
    let progress = move |progress: Progress| {
        counted.fetch_add(1, Ordering::Relaxed);
        *kept.lock().unwrap() = progress;
    };
    let options = Options {
        progress: Some(Arc::new(progress)),
        ..Options::default()
    };
    let report = pair.compare(&published(), &options).await;
    let last = *last.lock().unwrap();
    assert!(calls.load(Ordering::Relaxed) >= u64::try_from(report.tables.len()).unwrap());
    assert_eq!(
        (last.tables_done, last.tables),
        (report.tables.len(), report.tables.len())
    );
    assert!(last.rows > 0 && last.bytes > last.rows);
}

/// Types whose OIDs, bitmaps and versions differ between the sides.
async fn types(from: u16, to: u16) {
    let pair = Pair::start(from, to).await;
    pair.on_target
        .batch_execute("CREATE TYPE earlier AS ENUM ('x'); CREATE TABLE first_here (a earlier[])")
        .await
        .unwrap();
    for side in [&pair.on_source, &pair.on_target] {
        side.batch_execute(include_str!("support/types.sql")).await.unwrap();
    }
    pair.on_source
        .batch_execute(include_str!("support/odd_source.sql"))
        .await
        .unwrap();
    pair.on_target
        .batch_execute(include_str!("support/odd_target.sql"))
        .await
        .unwrap();
    let tables = Tables::Named(
        ["wide", "odd"]
            .map(|name| QualifiedName {
                schema: "public".to_owned(),
                name: name.to_owned(),
            })
            .to_vec(),
    );
    let report = pair.compare(&tables, &Options::default()).await;
    assert_eq!(report.differences, 0, "{:?}", report.tables);
    assert!(report.tables.iter().all(|table| table.rows > 1));
    let columns = pair
        .on_target
        .query(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = 'wide'::regclass AND attnum > 1",
            &[],
        )
        .await
        .unwrap();
    for column in &columns {
        let name: &str = column.get(0);
        let change = format!("UPDATE wide SET \"{name}\" = (SELECT \"{name}\" FROM wide WHERE id = 2) WHERE id = 1");
        pair.on_target
            .batch_execute(&format!(
                "BEGIN; CREATE TABLE kept AS SELECT * FROM wide; {change}; COMMIT"
            ))
            .await
            .unwrap();
        let report = pair.compare(&tables, &Options::default()).await;
        assert_eq!((name, different(&report)), (name, vec!["wide"]));
        let shown: Vec<String> = examples(&report).iter().map(ToString::to_string).collect();
        assert_eq!(shown, [format!("id=1: changed in {name}")]);
        pair.on_target
            .batch_execute("TRUNCATE wide; INSERT INTO wide SELECT * FROM kept; DROP TABLE kept")
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_are_alike_on_14_and_18() {
    types(14, 18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_are_alike_on_15_and_17() {
    types(15, 17).await;
}
