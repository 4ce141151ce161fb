//! What need not be read: on a copy of blocks, and after another comparison has read it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use lab_postgres::Scratch;
use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::{barrier, schema};
use pgupgrade_verify::{
    Depth, FeedNames, Foreign, Known, Live, Options, Replication, Report, Tables, Verdict, create_feed,
    published_leaves,
};
use support::Pair;
use support::replicated::{Replicated, SCHEMA, eventually};

const PATIENCE: Duration = Duration::from_mins(1);
const STREAM: &str = "main";

/// A source, and a target that is its upgraded copy and follows it from the position of the copy.
struct Copied {
    both: Replicated,
    known: Known,
}

fn names() -> FeedNames {
    FeedNames {
        slot: "pgupgrade_verify".to_owned(),
        publication: "pgupgrade_verify".to_owned(),
    }
}

fn replication() -> Replication {
    Replication {
        streams: vec![STREAM.to_owned()],
        changes: names(),
        foreign: Some(Foreign {
            changes: names(),
            subscriptions: vec!["app".to_owned()],
        }),
        patience: PATIENCE,
    }
}

impl Copied {
    async fn start(from: u16, to: u16) -> Self {
        let source = Scratch::start(from).await.unwrap();
        let client = source.client("postgres").await.unwrap();
        client.batch_execute(SCHEMA).await.unwrap();
        let connector = support::connector(&source);
        let session = connector.connect("postgres", Profile::Long).await.unwrap();
        schema::install_stream(&session, STREAM, "shop/shop/1").await.unwrap();
        let capture = format!(
            "CREATE PUBLICATION app FOR TABLE app.accounts, app.\"Key Values\", app.pairs, app.events, app.by_index, \
             app.full_keyed, app.parts, app.wide, app.staging, {}",
            barrier::table(STREAM)
        );
        client.batch_execute(&capture).await.unwrap();
        let slot = "SELECT pg_create_logical_replication_slot('app', 'pgoutput')";
        client.batch_execute(slot).await.unwrap();
        let publications = ["app".to_owned()];
        let tables = published_leaves(&session, &publications).await.unwrap();
        create_feed(&session, &names(), &tables, &[barrier::table(STREAM)], PATIENCE)
            .await
            .unwrap();
        let known = Known::before_copy(&session, &publications).await.unwrap();
        let pair = Pair::upgraded(source, to).await;
        let on_target = pair.target().connect("postgres", Profile::Long).await.unwrap();
        pair.on_target
            .batch_execute("DROP PUBLICATION pgupgrade_verify")
            .await
            .unwrap();
        create_feed(&on_target, &names(), &tables, &[], PATIENCE).await.unwrap();
        let subscribe = format!(
            "CREATE SUBSCRIPTION app CONNECTION '{}' PUBLICATION app \
             WITH (create_slot = false, copy_data = false, slot_name = 'app')",
            pair.conninfo()
        );
        pair.on_target.batch_execute(&subscribe).await.unwrap();
        Self {
            both: Replicated { pair },
            known,
        }
    }

    async fn open(&self, options: Options) -> Live {
        let (source, target) = (self.both.source(), self.both.target());
        let tables = Tables::Published(vec!["app".to_owned()]);
        Live::open(&source, &target, "postgres", &tables, replication(), options)
            .await
            .unwrap()
    }

    async fn changed(&self) -> Report {
        let mut live = self.open(only_changed()).await;
        Box::pin(live.begin_from(&self.known)).await.unwrap();
        Box::pin(live.read()).await.unwrap();
        let report = live.report();
        live.close().await;
        report
    }

    async fn on_source(&self, sql: &str) {
        self.both.pair.on_source.batch_execute(sql).await.unwrap();
    }
}

fn only_changed() -> Options {
    Options {
        depth: Depth::Changed,
        ..Options::default()
    }
}

/// The depths of tables whose names are shown without their schema.
fn depths(report: &Report) -> BTreeMap<&str, Depth> {
    let tables = report.tables.iter();
    let named = tables.filter(|table| table.name.schema == "app");
    named
        .map(|table| (table.name.name.as_str(), table.depth.unwrap()))
        .collect()
}

fn whole(report: &Report) -> Vec<&str> {
    let depths = depths(report).into_iter();
    let whole = depths.filter(|(_, depth)| *depth == Depth::Full);
    whole.map(|(name, _)| name).collect()
}

fn differing(report: &Report) -> Vec<String> {
    let tables = report.tables.iter().filter(|table| !table.equal);
    tables.map(ToString::to_string).collect()
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
    copied.both.fault("DELETE FROM app.wide WHERE id = 149").await;
    copied.on_source("UPDATE app.wide SET doc = '{}' WHERE id = 149").await;
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
    let copied = Copied::start(14, 18).await;
    assert_eq!(whole(&Box::pin(copied.changed()).await), [""; 0]);
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
    assert_eq!(whole(&report), ["by_index", "full_keyed", "pairs"], "{report:?}");
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

/// What was written down last.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<Known>>>);

impl Kept {
    fn options(&self) -> Options {
        let kept = self.clone();
        Options {
            keep: Some(Arc::new(move |known| {
                // As it is read by another process.
                let text = serde_json::to_string(&known).unwrap();
                *kept.0.lock().unwrap() = Some(serde_json::from_str(&text).unwrap());
                async { Ok(()) }.boxed()
            })),
            ..Options::default()
        }
    }

    fn known(&self) -> Known {
        self.0.lock().unwrap().clone().unwrap()
    }
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
    copied.both.fault("DELETE FROM app.wide WHERE id = 149").await;
    copied.on_source("UPDATE app.wide SET doc = '{}' WHERE id = 149").await;
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
