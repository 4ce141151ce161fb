//! Differences of which no slot tells, or not by the name or place that they have at the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use pgupgrade_verify::{Known, Live, Options, Replication, Report, Tables, Verdict};
use support::copied::{Copied, Kept, PATIENCE, differing, replication};

/// What reading every row of both sides finds, now that nobody writes.
async fn truth(copied: &Copied) -> Vec<String> {
    let mut live = copied.open(Options::default()).await;
    Box::pin(live.read()).await.unwrap();
    let report = live.report();
    live.close().await;
    differing(&report)
}

async fn verdict(live: &mut Live) -> Report {
    Box::pin(live.prepare_verdict()).await.unwrap();
    Box::pin(live.verdict(Duration::from_secs(5), Instant::now() + PATIENCE))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn column_dropped_and_added_again() {
    let copied = Copied::start(15, 17).await;
    let kept = Kept::default();
    let mut live = Box::pin(copied.read_from(&copied.known, kept.options())).await;
    assert_eq!(live.report().verdict(), Verdict::Equal);
    copied
        .on_source("ALTER TABLE app.wide DROP COLUMN big; ALTER TABLE app.wide ADD COLUMN big text")
        .await;
    let report = verdict(&mut live).await;
    live.close().await;
    let truth = Box::pin(truth(&copied)).await;
    assert_eq!(truth.len(), 1, "{truth:?}");
    assert!(
        report.verdict() != Verdict::Equal,
        "really: {truth:?}; said: {report:?}"
    );
}

const COMPOSITE: &str = "CREATE TYPE app.money AS (amount int, currency text); \
    CREATE TABLE app.prices (id int PRIMARY KEY, price app.money); \
    INSERT INTO app.prices SELECT g, ROW(g, 'EUR')::app.money FROM generate_series(1, 20) g";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attribute_of_a_composite_type() {
    let copied = Copied::start_with(15, 17, COMPOSITE, "app.staging, app.prices").await;
    let mut live = copied.open(Options::default()).await;
    Box::pin(live.read()).await.unwrap();
    assert_eq!(live.report().verdict(), Verdict::Equal);
    copied
        .on_source("ALTER TYPE app.money DROP ATTRIBUTE currency; ALTER TYPE app.money ADD ATTRIBUTE currency text")
        .await;
    let read_before = verdict(&mut live).await;
    live.close().await;
    let changed = Box::pin(copied.changed()).await;
    let truth = Box::pin(truth(&copied)).await;
    assert_eq!(truth.len(), 1, "{truth:?}");
    let said = (read_before.verdict(), changed.verdict());
    assert_eq!(
        differing(&changed).len(),
        1,
        "really: {truth:?}; said, full and changed: {said:?}"
    );
    assert!(
        said.0 != Verdict::Equal,
        "really: {truth:?}; said, full and changed: {said:?}"
    );
}

const ROTATED: &str = "CREATE TABLE app.cur (id int PRIMARY KEY, v text); CREATE TABLE app.prev (id int PRIMARY KEY, v text); \
    INSERT INTO app.cur SELECT g, 'c' FROM generate_series(1, 10) g; \
    INSERT INTO app.prev SELECT g, 'p' FROM generate_series(11, 20) g";
const ROTATE: &str = "BEGIN; ALTER TABLE app.cur RENAME TO tmp; ALTER TABLE app.prev RENAME TO cur; \
    ALTER TABLE app.tmp RENAME TO prev; COMMIT";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tables_rotated_and_rotated_back() {
    let copied = Copied::start_with(15, 17, ROTATED, "app.staging, app.cur, app.prev").await;
    let mut live = copied.open(Options::default()).await;
    Box::pin(live.read()).await.unwrap();
    copied.on_source(ROTATE).await;
    copied.on_source("DELETE FROM app.cur WHERE id = 15").await;
    copied.on_source(ROTATE).await;
    let read_before = verdict(&mut live).await;
    live.close().await;
    let changed = Box::pin(copied.changed()).await;
    let truth = Box::pin(truth(&copied)).await;
    assert_eq!(truth.len(), 1, "{truth:?}");
    let said = (read_before.verdict(), changed.verdict());
    assert!(
        said.0 != Verdict::Equal && said.1 != Verdict::Equal,
        "really: {truth:?}; said, full and changed: {said:?}"
    );
}

const AUDIT: &str = "CREATE TABLE app.audit (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), what text); \
    CREATE FUNCTION app.audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
      INSERT INTO app.audit (what) VALUES (NEW.note); RETURN NULL; END $$; \
    CREATE TRIGGER audit AFTER UPDATE ON app.accounts FOR EACH ROW EXECUTE FUNCTION app.audit(); \
    ALTER TABLE app.accounts ENABLE ALWAYS TRIGGER audit";

/// The same trigger on both sides, so that the schemas are the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trigger_that_fires_always() {
    let copied = Copied::start_with(15, 17, AUDIT, "app.staging, app.audit").await;
    let kept = Kept::default();
    let mut live = Box::pin(copied.read_from(&copied.known, kept.options())).await;
    copied
        .on_source("UPDATE app.accounts SET note = 'x' WHERE id = 5")
        .await;
    let same_process = verdict(&mut live).await;
    live.close().await;
    let live = Box::pin(copied.read_from(&kept.known(), kept.options())).await;
    let next_process = live.report();
    live.close().await;
    let truth = Box::pin(truth(&copied)).await;
    assert_eq!(truth.len(), 1, "{truth:?}");
    let said = (same_process.verdict(), next_process.verdict());
    assert!(
        said.0 != Verdict::Equal && said.1 != Verdict::Equal,
        "really: {truth:?}; said, same process and next: {said:?}"
    );
}

/// An old leader's word lands after a newer one's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_word_written_late() {
    let copied = Copied::start(15, 17).await;
    let kept = Kept::default();
    let old = Box::pin(copied.read_from(&copied.known, kept.options())).await;
    old.close().await;
    let late = kept.known();
    copied.spoil_wide().await;
    let new = Box::pin(copied.read_from(&kept.known(), kept.options())).await;
    assert_eq!(differing(&new.report()).len(), 1);
    new.close().await;
    let next = Box::pin(copied.read_from(&late, Options::default())).await;
    let report = next.report();
    next.close().await;
    assert_eq!(differing(&report).len(), 1, "{report:?}");
}

/// Somebody follows the advice of the error message: drops the slot, and creates it anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slot_created_anew() {
    let copied = Copied::start(15, 17).await;
    let kept = Kept::default();
    let live = Box::pin(copied.read_from(&copied.known, kept.options())).await;
    live.close().await;
    copied.both.fault("DELETE FROM app.wide WHERE id = 149").await;
    let anew = "SELECT pg_drop_replication_slot('pgupgrade_verify')";
    copied.both.fault(anew).await;
    copied
        .both
        .fault("SELECT pg_create_logical_replication_slot('pgupgrade_verify', 'pgoutput')")
        .await;
    let live = Box::pin(copied.read_from(&kept.known(), kept.options())).await;
    let report = live.report();
    live.close().await;
    assert_eq!(differing(&report).len(), 1, "{report:?}");
}

/// The API server writes it, and the answer is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn written_though_the_answer_is_an_error() {
    let copied = Copied::start(15, 17).await;
    let kept = Kept::default();
    let refuse = Arc::new(AtomicBool::new(false));
    let (store, lost) = (kept.options().keep.unwrap(), Arc::clone(&refuse));
    let options = Options {
        keep: Some(Arc::new(move |known| {
            let (stored, lost) = (store(known), lost.load(Ordering::Relaxed));
            async move {
                stored.await?;
                if lost { Err("timeout".to_owned()) } else { Ok(()) }
            }
            .boxed()
        })),
        ..Options::default()
    };
    copied.spoil_wide().await;
    let mut live = Box::pin(copied.read_from(&copied.known, options)).await;
    assert_eq!(differing(&live.report()).len(), 1);
    let without = kept.known().len();
    // Mended.
    copied.on_source("DELETE FROM app.wide WHERE id = 149").await;
    refuse.store(true, Ordering::Relaxed);
    Box::pin(live.renew()).await.unwrap();
    assert_eq!(live.report().verdict(), Verdict::Equal, "{:?}", live.report());
    assert_eq!(kept.known().len(), without + 1);
    refuse.store(false, Ordering::Relaxed);
    // Wrong again.
    copied
        .both
        .fault("UPDATE app.wide SET big = 'wrong' WHERE id = 7")
        .await;
    Box::pin(live.renew()).await.unwrap();
    assert_eq!(differing(&live.report()).len(), 1, "{:?}", live.report());
    live.close().await;
    let live = Box::pin(copied.read_from(&kept.known(), Options::default())).await;
    let report = live.report();
    live.close().await;
    assert_eq!(differing(&report).len(), 1, "{report:?}");
}

/// A table is created that nobody compares.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wal_while_outdated() {
    let copied = Copied::start(15, 17).await;
    let position = async || -> String {
        let query = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = 'pgupgrade_verify'";
        copied.both.pair.on_source.query_one(query, &[]).await.unwrap().get(0)
    };
    let kept = Kept::default();
    let mut live = copied.open(kept.options()).await;
    copied.on_source("CREATE TABLE app.scratch AS SELECT 1 AS one").await;
    let before = position().await;
    Box::pin(live.begin_from(&Known::default())).await.unwrap();
    Box::pin(live.read()).await.unwrap();
    assert!(live.is_outdated());
    let read = live.report().rows;
    live.close().await;
    let kept = kept.0.lock().unwrap().as_ref().map_or(0, Known::len);
    assert!(
        position().await != before && kept > 0,
        "{read} rows were read, {kept} tables written down, and no WAL given free"
    );
}

/// A row that is changed all the time was once written to by others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_write_to_a_hot_row() {
    let copied = Copied::start(15, 17).await;
    let kept = Kept::default();
    let mut live = Box::pin(copied.read_from(&copied.known, kept.options())).await;
    copied
        .both
        .fault("UPDATE app.accounts SET note = 'elsewhere' WHERE id = 1")
        .await;
    let lsn = async |query: &str| -> i64 { copied.both.pair.on_target.query_one(query, &[]).await.unwrap().get(0) };
    let written = lsn("SELECT (pg_current_wal_lsn() - '0/0')::bigint").await;
    let writer = copied.both.pair.source_client().await;
    let hot = tokio::spawn(async move {
        loop {
            writer
                .batch_execute("UPDATE app.accounts SET balance = balance + 1, note = 'here' WHERE id = 1")
                .await
                .unwrap();
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    Box::pin(live.renew()).await.unwrap();
    live.close().await;
    // What is kept the first time is kept for the position of then.
    let mut live = copied.open(kept.options()).await;
    Box::pin(live.begin_from(&kept.known())).await.unwrap();
    hot.abort();
    live.close().await;
    let slot =
        "SELECT (confirmed_flush_lsn - '0/0')::bigint FROM pg_replication_slots WHERE slot_name = 'pgupgrade_verify'";
    let position = lsn(slot).await;
    assert!(
        position > written,
        "the slot is at {position}, the foreign write at {written}"
    );
}

/// The watch on a table is taken off for a moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn table_not_published_for_a_moment() {
    let copied = Copied::start(15, 17).await;
    let mut live = copied.open(Options::default()).await;
    Box::pin(live.read()).await.unwrap();
    let publication = |what: &str| format!("ALTER PUBLICATION pgupgrade_verify {what} TABLE app.wide");
    copied.both.fault(&publication("DROP")).await;
    copied.both.fault("DELETE FROM app.wide WHERE id = 149").await;
    copied.both.fault(&publication("ADD")).await;
    let same_process = verdict(&mut live).await;
    live.close().await;
    let changed = Box::pin(copied.changed()).await;
    let said = (same_process.verdict(), changed.verdict());
    assert!(
        said.0 != Verdict::Equal && said.1 != Verdict::Equal,
        "said, full and changed: {said:?}"
    );
}

/// Nothing tells of a row that an index does not have: reading all rows suspects it, and the lookup by its key finds another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suspect_that_the_index_does_not_have() {
    let copied = Copied::start(15, 17).await;
    let ready =
        |ready: bool| format!("UPDATE pg_index SET indisready = {ready} WHERE indexrelid = 'app.wide_pkey'::regclass");
    copied.both.fault(&ready(false)).await;
    let other = copied.both.pair.target_client().await;
    other
        .batch_execute("INSERT INTO app.wide (id, big) VALUES (7, 'twice')")
        .await
        .unwrap();
    copied.both.fault(&ready(true)).await;
    let (source, target) = (copied.both.source(), copied.both.target());
    let tables = Tables::Published(vec!["app".to_owned()]);
    let replication = Replication {
        foreign: None,
        ..replication()
    };
    let mut live = Live::open(&source, &target, "postgres", &tables, replication, Options::default())
        .await
        .unwrap();
    Box::pin(live.read()).await.unwrap();
    let report = live.report();
    live.close().await;
    let still = pgupgrade_verify::compare(&source, &target, "postgres", &tables, &Options::default())
        .await
        .unwrap();
    assert_eq!(differing(&still).len(), 1, "{still:?}");
    let wide = report.tables.iter().find(|table| table.name.name == "wide").unwrap();
    assert!(!wide.equal || wide.undecided.is_some(), "{wide:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renamed_on_the_target_and_back() {
    let copied = Copied::start(15, 17).await;
    let mut live = copied.open(Options::default()).await;
    Box::pin(live.read()).await.unwrap();
    copied.both.fault("ALTER TABLE app.wide RENAME TO aside").await;
    copied.both.fault("DELETE FROM app.aside WHERE id = 149").await;
    copied.both.fault("ALTER TABLE app.aside RENAME TO wide").await;
    let same_process = verdict(&mut live).await;
    live.close().await;
    let changed = Box::pin(copied.changed()).await;
    let said = (same_process.verdict(), changed.verdict());
    assert!(
        said.0 != Verdict::Equal && said.1 != Verdict::Equal,
        "said, full and changed: {said:?}"
    );
}
