//! The two servers, their replication, and those who write meanwhile.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pgupgrade_verify::{Error, Live, Options, Standalone};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};
use tokio::task::JoinSet;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::support::replicated::{Replicated, eventually, write};

const TABLES: &str = include_str!("tables.sql");
const ROWS: &str = include_str!("rows.sql");
/// All but the unlogged and the unpublished one.
const PUBLICATION: &str = "CREATE PUBLICATION faults FOR TABLE faults.kinds, faults.\"Weird \"\"T\"\"\", faults.by_uuid, \
    faults.by_pair, faults.by_index, faults.full_keyed, faults.by_numeric, faults.by_citext, faults.log, faults.bag, \
    faults.parts, faults.quiet, faults.child, faults.applied";
const PATIENCE: Duration = Duration::from_mins(1);
/// Examples that a comparison under way keeps of each table.
const EXAMPLES: usize = 10_000;

pub struct World {
    pub both: Replicated,
    pub load: Load,
    pub made: Standalone,
}

impl World {
    /// Two servers in step; on the source, each of the statements has been run. Two subscriptions bring two streams.
    pub async fn start(from: u16, to: u16, statements: &[String], pace: Duration) -> Self {
        let both = Replicated::start(from, to).await;
        for client in [&both.pair.on_source, &both.pair.on_target] {
            client.batch_execute(TABLES).await.unwrap();
        }
        let (source, target) = (&both.pair.on_source, &both.pair.on_target);
        source.batch_execute(ROWS).await.unwrap();
        source.batch_execute(&statements.join(";\n")).await.unwrap();
        source.batch_execute(PUBLICATION).await.unwrap();
        let subscription = format!(
            "CREATE SUBSCRIPTION faults CONNECTION '{}' PUBLICATION faults",
            both.pair.conninfo()
        );
        target.batch_execute(&subscription).await.unwrap();
        let ready = "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel";
        eventually("the tables are copied", || async {
            target.query_one(ready, &[]).await.unwrap().get(0)
        })
        .await;
        let made = prepared(&both).await.unwrap();
        let load = Load::start(&both, 2, pace).await;
        Self { both, load, made }
    }

    /// A comparison that nothing was read by so far; `watched`: it is told of writes of others on the target.
    pub async fn open(&self, watched: bool, options: Options) -> Result<Live, Error> {
        open(&self.both, &self.made, watched, options).await
    }

    /// As [`Self::open`] with a verification slot that is created for it.
    pub async fn open_anew(&self, watched: bool) -> Result<(Standalone, Live), Error> {
        let made = prepared(&self.both).await?;
        let live = open(&self.both, &made, watched, patient()).await?;
        Ok((made, live))
    }

    pub async fn on_source(&self, sql: &str) -> Result<(), String> {
        run(&self.both.pair.on_source, sql).await
    }

    /// In one session, so that temporary tables stay.
    pub async fn on_target(&self, sql: &str) -> Result<(), String> {
        run(&self.both.pair.on_target, sql).await
    }

    /// Ends the writers and takes back what was made; tells how many transactions were written.
    pub async fn end(self) -> u64 {
        let written = self.load.stop().await;
        self.made.remove().await.unwrap();
        written
    }
}

/// Options with room for the keys of all faults.
pub fn patient() -> Options {
    Options {
        examples: EXAMPLES,
        ..Options::default()
    }
}

async fn prepared(both: &Replicated) -> Result<Standalone, Error> {
    Standalone::prepare(&both.source(), &both.target(), "postgres", PATIENCE).await
}

async fn open(both: &Replicated, made: &Standalone, watched: bool, options: Options) -> Result<Live, Error> {
    let mut replication = made.replication();
    replication.foreign = replication.foreign.filter(|_| watched);
    let (source, target) = (both.source(), both.target());
    let tables = made.tables();
    Box::pin(Live::open(&source, &target, "postgres", &tables, replication, options)).await
}

async fn run(client: &Client, sql: &str) -> Result<(), String> {
    let done = client.batch_execute(sql).await;
    done.map_err(|error| format!("{sql}: {error:?}"))
}

/// Sessions that write on the source.
pub struct Load {
    gate: Arc<RwLock<()>>,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    /// Between two transactions of a session, in milliseconds.
    pace: Arc<AtomicU64>,
    writers: JoinSet<()>,
}

impl Load {
    async fn start(both: &Replicated, sessions: u64, pace: Duration) -> Self {
        let mut load = Self {
            gate: Arc::default(),
            stop: Arc::default(),
            written: Arc::default(),
            pace: Arc::default(),
            writers: JoinSet::new(),
        };
        load.set_pace(pace);
        for number in 0..sessions {
            let client = both.pair.source_client().await;
            let (gate, stop) = (Arc::clone(&load.gate), Arc::clone(&load.stop));
            let (written, pace) = (Arc::clone(&load.written), Arc::clone(&load.pace));
            load.writers.spawn(async move {
                let (mut turn, mut beside) = (number, false);
                while !stop.load(Ordering::Relaxed) {
                    let passed = gate.read().await;
                    if beside {
                        write_beside(&client, turn).await;
                    } else {
                        write(&client, turn).await;
                    }
                    drop(passed);
                    written.fetch_add(1, Ordering::Relaxed);
                    (turn, beside) = (turn + sessions, !beside);
                    tokio::time::sleep(Duration::from_millis(pace.load(Ordering::Relaxed))).await;
                }
            });
        }
        load
    }

    pub fn set_pace(&self, pace: Duration) {
        let milliseconds = u64::try_from(pace.as_millis()).unwrap_or(u64::MAX);
        self.pace.store(milliseconds, Ordering::Relaxed);
    }

    /// Nobody writes until this is dropped.
    pub async fn fence(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }

    async fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.writers.join_next().await {
            ended.unwrap();
        }
        self.written.load(Ordering::Relaxed)
    }
}

/// One transaction on the tables of the faults, off their rows.
async fn write_beside(client: &Client, turn: u64) {
    let key = 1000 + (turn.wrapping_mul(2_654_435_761) >> 7) % 100;
    let sql = match turn % 10 {
        0 => format!(
            "UPDATE faults.kinds SET d = random(), tz = clock_timestamp(), words = ARRAY[t, NULL], n = n + 1, \
             toasted = repeat(md5('{turn}'), 100) WHERE id = {key}"
        ),
        1 => format!("UPDATE faults.kinds SET t = 'text {turn}' WHERE id = {key}"),
        2 => format!(
            "INSERT INTO faults.\"Weird \"\"T\"\"\" VALUES ('written {key}', -1) ON CONFLICT (\"Ke\"\"y\") DO UPDATE SET v = -2"
        ),
        3 => format!("DELETE FROM faults.\"Weird \"\"T\"\"\" WHERE \"Ke\"\"y\" = 'written {key}'"),
        4 => format!(
            "INSERT INTO faults.by_uuid VALUES (md5('{turn}')::uuid, -2) ON CONFLICT DO NOTHING; \
             INSERT INTO faults.by_pair VALUES ({turn}, 'b', 0) ON CONFLICT DO NOTHING"
        ),
        5 => format!(
            "UPDATE faults.parts SET region = CASE region WHEN 'eu' THEN 'us' ELSE 'eu' END, v = v + 1 WHERE id = {key}"
        ),
        6 if turn % 40 == 6 => format!(
            "INSERT INTO faults.log VALUES (clock_timestamp(), 'written {turn}'); \
             INSERT INTO faults.bag VALUES ({key}, 'written'); DELETE FROM faults.bag WHERE n = {key} + 1"
        ),
        6 => format!(
            "UPDATE faults.by_index SET v = v + 1 WHERE code = 'c{}'",
            key % 100 + 200
        ),
        7 => format!(
            "UPDATE faults.full_keyed SET v = 'written {turn}' WHERE id = {}",
            key % 100 + 200
        ),
        8 => format!(
            "BEGIN; UPDATE faults.by_numeric SET v = v + 1 WHERE id = {0}; SAVEPOINT s; \
             DELETE FROM faults.by_citext WHERE id = 'key {0}'; ROLLBACK TO s; \
             UPDATE faults.by_citext SET v = v + 1 WHERE id = 'key {0}'; COMMIT",
            key % 100 + 200
        ),
        _ => format!("INSERT INTO faults.applied VALUES ({turn} + 1000, 0, 'written') ON CONFLICT DO NOTHING"),
    };
    match client.batch_execute(&sql).await {
        Ok(()) => {}
        Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => {
            client.batch_execute("ROLLBACK").await.unwrap();
        }
        Err(error) => panic!("{sql}: {error:?}"),
    }
}
