//! What need not be read: on a copy of blocks, and after another comparison has read it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use pgupgrade_postgres::QualifiedName;
use pgupgrade_verify::{Depth, Options, Report, Verdict};
use support::copied::{Copied, Kept, PATIENCE, differing};
use support::replicated::eventually;

/// The depths of tables whose names are shown without their schema. One that is truncated or written to each time that it
/// is read has none so far: it is not compared by what changed.
fn depths(report: &Report) -> BTreeMap<&str, Depth> {
    let tables = report.tables.iter();
    let named = tables.filter(|table| table.name.schema == "app");
    named
        .map(|table| (table.name.name.as_str(), table.depth.unwrap_or_default()))
        .collect()
}

fn whole(report: &Report) -> Vec<&str> {
    let depths = depths(report).into_iter();
    let whole = depths.filter(|(_, depth)| *depth == Depth::Full);
    whole.map(|(name, _)| name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_copy_only_what_changed_is_compared() {
    let copied = Copied::start(15, 17).await;
    let load = copied.both.load(2).await;
    eventually("tables without a key and truncated ones are written to", || async {
        let writes = "SELECT (SELECT count(*) FROM app.events) > 520 AND \
                      (SELECT count(*) FROM app.staging WHERE v = 'again') > 0";
        let row = copied.both.pair.on_source.query_one(writes, &[]).await.unwrap();
        row.get(0)
    })
    .await;
    let report = Box::pin(copied.changed()).await;
    assert_eq!(differing(&report), [""; 0], "{report:?}");
    assert_eq!(whole(&report), ["events", "staging"], "{report:?}");
    assert!(load.stop().await > 100);

    // What others write, and what replication itself has made wrong, is among what changed.
    copied
        .both
        .fault("UPDATE app.accounts SET note = 'elsewhere' WHERE id = 12")
        .await;
    copied.spoil_wide().await;
    let report = Box::pin(copied.changed()).await;
    assert_eq!(
        differing(&report),
        [
            "\"app\".\"accounts\": the rows that changed; they differ in 1; id=12: changed in note",
            "\"app\".\"wide\": the rows that changed; they differ in 1; id=149: missing",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_changed_untold_is_read_as_a_whole() {
    let mut copied = Copied::start(14, 18).await;
    assert_eq!(whole(&Box::pin(copied.changed()).await), [""; 0]);
    copied.known = copied.known.clone().without(&[QualifiedName::new("app", "wide")]);
    assert_eq!(whole(&Box::pin(copied.changed()).await), ["wide"]);
    // Rewritten, though nothing of it is decoded; and altered on each side in another way, so that old rows differ.
    copied.both.fault("VACUUM FULL app.pairs").await;
    copied
        .on_source("ALTER TABLE app.by_index ADD more int DEFAULT 1; ALTER TABLE app.full_keyed ADD more int DEFAULT 1")
        .await;
    copied
        .both
        .fault("ALTER TABLE app.by_index ADD more int DEFAULT 1; ALTER TABLE app.full_keyed ADD more int DEFAULT 2")
        .await;
    let report = Box::pin(copied.changed()).await;
    assert_eq!(
        whole(&report),
        ["by_index", "full_keyed", "pairs", "wide"],
        "{report:?}"
    );
    assert_eq!(differing(&report).len(), 1, "{report:?}");
    assert!(
        differing(&report)[0].starts_with("\"app\".\"full_keyed\": 400 rows"),
        "{report:?}"
    );

    // Fires for what is applied, so that its writes pass for the subscription's.
    copied
        .both
        .fault(
            "CREATE FUNCTION app.spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
               UPDATE app.wide SET big = 'spoilt' WHERE id = 3; RETURN NULL; END $$; \
             CREATE TRIGGER spoil AFTER UPDATE ON app.accounts FOR EACH ROW EXECUTE FUNCTION app.spoil(); \
             ALTER TABLE app.accounts ENABLE ALWAYS TRIGGER spoil",
        )
        .await;
    copied
        .on_source("UPDATE app.accounts SET note = NULL WHERE id = 1")
        .await;
    let report = Box::pin(copied.changed()).await;
    assert_eq!(depths(&report).len(), whole(&report).len(), "{report:?}");
    assert_eq!(differing(&report).len(), 2, "{report:?}");
    assert!(differing(&report)[1].contains("id=3: changed in big"), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_is_not_read_again() {
    let copied = Copied::start(16, 18).await;
    let kept = Kept::default();
    let load = copied.both.load(2).await;
    let mut live = copied.open(kept.options()).await;
    live.begin_from(&copied.known).await.unwrap();
    assert!(depths(&live.report()).values().any(|depth| *depth == Depth::Changed));
    Box::pin(live.read()).await.unwrap();
    let first = live.report();
    assert_eq!(whole(&first).len(), depths(&first).len(), "{first:?}");
    live.close().await;
    load.stop().await;

    // While no comparison runs: a wrong row by replication itself, and one by others.
    copied
        .both
        .fault("UPDATE app.accounts SET note = 'elsewhere' WHERE id = 12")
        .await;
    copied.spoil_wide().await;
    let read = Arc::new(Mutex::new(0));
    let rows = Arc::clone(&read);
    let mut live = copied
        .open(Options {
            progress: Some(Arc::new(move |progress| *rows.lock().unwrap() = progress.rows)),
            ..kept.options()
        })
        .await;
    live.begin_from(&kept.known()).await.unwrap();
    Box::pin(live.read()).await.unwrap();
    let second = live.report();
    let found = differing(&second);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].ends_with("they differ in 1; id=12: changed in note"),
        "{found:?}"
    );
    assert!(found[1].ends_with("they differ in 1; id=149: missing"), "{found:?}");
    let (read, all) = (*read.lock().unwrap(), second.rows);
    assert!(read < all / 2, "{read} of {all} rows read again");
    live.close().await;

    // What differs is not known as alike.
    let known = serde_json::to_value(kept.known()).unwrap();
    let names: Vec<&str> = known["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| table["name"].as_str().unwrap())
        .collect();
    assert!(!names.contains(&"accounts") && !names.contains(&"wide"), "{names:?}");
    assert!(names.contains(&"pairs"), "{names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_word_written_down_no_wal_is_given_free() {
    let copied = Copied::start(15, 18).await;
    let position = async || -> String {
        let query = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = 'pgupgrade_verify'";
        copied.both.pair.on_source.query_one(query, &[]).await.unwrap().get(0)
    };
    let before = position().await;
    copied.on_source("UPDATE app.accounts SET balance = 7").await;
    let refuse = Options {
        keep: Some(Arc::new(|_| async { Err("no".to_owned()) }.boxed())),
        ..Options::default()
    };
    let mut live = copied.open(refuse).await;
    live.begin_from(&copied.known).await.unwrap();
    Box::pin(live.read()).await.unwrap();
    assert_eq!(live.report().verdict(), Verdict::Equal, "{:?}", live.report());
    assert_eq!(position().await, before);
    live.close().await;

    let kept = Kept::default();
    let mut live = copied.open(kept.options()).await;
    live.begin_from(&copied.known).await.unwrap();
    Box::pin(live.read()).await.unwrap();
    assert_ne!(position().await, before);
    let deadline = Instant::now() + PATIENCE;
    let report = live.verdict(Duration::from_secs(1), deadline).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Equal, "{report:?}");
    assert_eq!(kept.known().len(), report.tables.len());
}
