//! Feeds of real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod changes;
mod failures;
mod keys;
mod origins;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lab_postgres::{Client, Scratch};
use pgupgrade_pgoutput::Lsn;
use pgupgrade_postgres::QualifiedName;
use pgupgrade_postgres::connection::{Connector, Credentials, Endpoint, Profile, Session};
use secrecy::SecretString;

use super::{Feed, FeedError, FeedNames, Watch, Watched, create};
use crate::dirty::{DirtySet, Entry};

const PATIENCE: Duration = Duration::from_mins(1);
const BARRIER: &str = "CREATE SCHEMA pgupgrade;
    CREATE TABLE pgupgrade.barrier_main (id integer PRIMARY KEY CHECK (id = 1), n bigint NOT NULL);
    INSERT INTO pgupgrade.barrier_main VALUES (1, 0)";

fn names() -> FeedNames {
    FeedNames {
        slot: "pgupgrade_v".to_owned(),
        publication: "pgupgrade_Verify it".to_owned(),
    }
}

fn barrier() -> QualifiedName {
    QualifiedName::new("pgupgrade", "barrier_main")
}

/// Tables in schema `public` or `Odd "S"`, with the columns of their keys.
/// Their OIDs are those of a server only once [`on`] has looked there.
fn watch(tables: &[(&str, &str, &[&str])]) -> Watch {
    let tables = (0..).zip(tables).map(|(index, (schema, table, key))| {
        let watched = Watched {
            index,
            name: QualifiedName::new(*schema, *table),
            key: key.iter().map(|column| (*column).to_owned()).collect(),
        };
        (index, watched)
    });
    Watch {
        tables: tables.collect(),
        barriers: vec![barrier()],
        ..Watch::default()
    }
}

/// The same with the OIDs that the tables have in this database.
async fn on(client: &Client, watch: &Watch) -> Watch {
    let mut tables = BTreeMap::new();
    for watched in watch.tables.values() {
        let query = "SELECT to_regclass($1::text)::oid";
        let row = client.query_one(query, &[&watched.name.to_string()]).await.unwrap();
        tables.extend(row.get::<_, Option<u32>>(0).map(|oid| (oid, watched.clone())));
    }
    Watch {
        tables,
        ..watch.clone()
    }
}

struct Lab {
    scratch: Scratch,
    client: Client,
    session: Session,
}

impl Lab {
    /// A server with these objects and a barrier.
    async fn start(major: u16, script: &str) -> Self {
        Self::start_with(major, &[], script).await
    }

    async fn start_with(major: u16, parameters: &[(&str, &str)], script: &str) -> Self {
        let scratch = Scratch::start_with(major, parameters).await.unwrap();
        let client = scratch.client("postgres").await.unwrap();
        client.batch_execute(BARRIER).await.unwrap();
        client.batch_execute(script).await.unwrap();
        let session = connector(&scratch, "postgres", scratch.password());
        let session = session.connect("postgres", Profile::Long).await.unwrap();
        Self {
            scratch,
            client,
            session,
        }
    }

    /// With the feed's objects for these tables.
    async fn with_slot(major: u16, script: &str, watch: &Watch) -> Self {
        let lab = Self::start(major, script).await;
        lab.create(watch).await.unwrap();
        lab
    }

    async fn create(&self, watch: &Watch) -> Result<Lsn, FeedError> {
        let tables: Vec<QualifiedName> = watch.tables.values().map(|watched| watched.name.clone()).collect();
        create(&self.session, &names(), &tables, &watch.barriers, PATIENCE).await
    }

    async fn open(&self, watch: &Watch) -> Feed {
        self.try_open(watch).await.unwrap()
    }

    async fn try_open(&self, watch: &Watch) -> Result<Feed, FeedError> {
        let connector = connector(&self.scratch, "postgres", self.scratch.password());
        Feed::open(&connector, "postgres", &names(), on(&self.client, watch).await).await
    }

    async fn sql(&self, script: &str) {
        self.client.batch_execute(script).await.unwrap();
    }

    async fn bump(&self) -> i64 {
        let query = "UPDATE pgupgrade.barrier_main SET n = n + 1 RETURNING n";
        self.client.query_one(query, &[]).await.unwrap().get(0)
    }

    /// What a statement does to the set.
    async fn effect(&self, feed: &mut Feed, script: &str) -> DirtySet {
        self.sql(script).await;
        self.read(feed).await
    }

    /// A set with everything that the feed has not read.
    async fn read(&self, feed: &mut Feed) -> DirtySet {
        let mut dirty = set();
        let number = self.bump().await;
        feed.read_until(&[(barrier(), number)], &mut dirty, PATIENCE)
            .await
            .unwrap();
        dirty
    }
}

fn connector(scratch: &Scratch, user: &str, password: &str) -> Connector {
    let endpoint = Endpoint {
        host: scratch.host(),
        port: scratch.port(),
    };
    let credentials = Credentials {
        username: user.to_owned(),
        password: SecretString::from(password.to_owned()),
    };
    Connector::new(endpoint, credentials, scratch.ca_pem().as_bytes()).unwrap()
}

fn set() -> DirtySet {
    DirtySet::new(1 << 20, None)
}

/// A key of these values.
fn key(values: &[&[u8]]) -> Vec<u8> {
    let value = |value: &&[u8]| [&u32::try_from(value.len()).unwrap().to_be_bytes()[..], value].concat();
    values.iter().flat_map(value).collect()
}

fn int(value: i32) -> Vec<u8> {
    key(&[&value.to_be_bytes()])
}

fn ints(values: impl IntoIterator<Item = i32>) -> BTreeSet<Vec<u8>> {
    values.into_iter().map(int).collect()
}

fn keys(dirty: &DirtySet, table: u32) -> BTreeSet<Vec<u8>> {
    entries(dirty, table).into_keys().collect()
}

fn entries(dirty: &DirtySet, table: u32) -> BTreeMap<Vec<u8>, Entry> {
    let mut entries = BTreeMap::new();
    let mut insert = |key: &[u8], entry| {
        entries.insert(key.to_vec(), entry);
    };
    dirty.for_each_key(table, &mut insert).unwrap();
    entries
}
