//! A target that is the upgraded copy of its source, and follows it from the position of the copy.
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use lab_postgres::Scratch;
use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::{barrier, schema};
use pgupgrade_verify::{
    Depth, FeedNames, Foreign, Known, Live, Options, Replication, Report, Tables, create_feed, published_leaves,
};

use super::Pair;
use super::replicated::{Replicated, SCHEMA};

pub const PATIENCE: Duration = Duration::from_mins(1);
const STREAM: &str = "main";

pub struct Copied {
    pub both: Replicated,
    pub known: Known,
}

fn names() -> FeedNames {
    FeedNames {
        slot: "pgupgrade_verify".to_owned(),
        publication: "pgupgrade_verify".to_owned(),
    }
}

pub fn replication() -> Replication {
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
    pub async fn start(from: u16, to: u16) -> Self {
        Self::start_with(from, to, "SELECT", "app.staging").await
    }

    /// With more on the source, of which these tables are published too.
    pub async fn start_with(from: u16, to: u16, more: &str, tables: &str) -> Self {
        let source = Scratch::start(from).await.unwrap();
        let client = source.client("postgres").await.unwrap();
        client.batch_execute(SCHEMA).await.unwrap();
        client.batch_execute(more).await.unwrap();
        let connector = super::connector(&source);
        let session = connector.connect("postgres", Profile::Long).await.unwrap();
        schema::install_stream(&session, STREAM, "shop/shop/1").await.unwrap();
        let capture = format!(
            "CREATE PUBLICATION app FOR TABLE app.accounts, app.\"Key Values\", app.pairs, app.events, app.by_index, \
             app.full_keyed, app.parts, app.wide, {tables}, {}",
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
        let known = Known::before_copy(&session, &names(), &publications).await.unwrap();
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

    pub async fn open(&self, options: Options) -> Live {
        let (source, target) = (self.both.source(), self.both.target());
        let tables = Tables::Published(vec!["app".to_owned()]);
        Live::open(&source, &target, "postgres", &tables, replication(), options)
            .await
            .unwrap()
    }

    /// A comparison that began with what is known, and has read all that it has to.
    pub async fn read_from(&self, known: &Known, options: Options) -> Live {
        let mut live = self.open(options).await;
        Box::pin(live.begin_from(known)).await.unwrap();
        Box::pin(live.read()).await.unwrap();
        live
    }

    pub async fn changed(&self) -> Report {
        let live = Box::pin(self.read_from(&self.known, only_changed())).await;
        let report = live.report();
        live.close().await;
        report
    }

    /// Others delete a row on the target that the source changes after that.
    pub async fn spoil_wide(&self) {
        self.both.fault("DELETE FROM app.wide WHERE id = 149").await;
        self.on_source("UPDATE app.wide SET doc = '{}' WHERE id = 149").await;
    }

    pub async fn on_source(&self, sql: &str) {
        self.both.pair.on_source.batch_execute(sql).await.unwrap();
    }
}

/// What changed, and every row of no other table; the slots stay where they are.
fn only_changed() -> Options {
    Options {
        depth: Depth::Changed,
        keep: Some(Arc::new(|_| async { Err("nothing is to be kept".to_owned()) }.boxed())),
        ..Options::default()
    }
}

pub fn differing(report: &Report) -> Vec<String> {
    let tables = report.tables.iter().filter(|table| !table.equal);
    tables.map(ToString::to_string).collect()
}

/// What was written down last.
#[derive(Clone, Default)]
pub struct Kept(pub Arc<Mutex<Option<Known>>>);

impl Kept {
    pub fn options(&self) -> Options {
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

    pub fn known(&self) -> Known {
        self.0.lock().unwrap().clone().unwrap()
    }
}
