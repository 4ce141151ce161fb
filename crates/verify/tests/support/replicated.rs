//! Two servers with logical replication from one to the other, and writers.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pgupgrade_postgres::connection::Connector;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use super::Pair;

/// Tables of every kind that logical replication treats in its own way. Each has rows to begin with.
pub const SCHEMA: &str = include_str!("replicated.sql");

pub struct Replicated {
    pub pair: Pair,
}

impl Replicated {
    /// Both sides have the same tables with the same rows, and the target subscribes to all of them.
    pub async fn start(from: u16, to: u16) -> Self {
        let pair = Pair::start(from, to).await;
        for client in [&pair.on_source, &pair.on_target] {
            client.batch_execute(SCHEMA).await.unwrap();
        }
        pair.on_target.batch_execute("TRUNCATE app.accounts, app.\"Key Values\", app.pairs, app.events, app.by_index, app.full_keyed, app.parts, app.wide, app.staging").await.unwrap();
        let publication = "CREATE PUBLICATION app FOR TABLE app.accounts, app.\"Key Values\", app.pairs, app.events, \
            app.by_index, app.full_keyed, app.parts, app.wide, app.staging";
        pair.on_source.batch_execute(publication).await.unwrap();
        let subscription = format!(
            "CREATE SUBSCRIPTION app CONNECTION '{}' PUBLICATION app",
            pair.conninfo()
        );
        pair.on_target.batch_execute(&subscription).await.unwrap();
        let ready = "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel";
        eventually("the tables are copied", || async {
            pair.on_target
                .query_one(ready, &[])
                .await
                .unwrap()
                .get::<_, Option<bool>>(0)
                == Some(true)
        })
        .await;
        Self { pair }
    }

    pub fn source(&self) -> Connector {
        self.pair.source()
    }

    pub fn target(&self) -> Connector {
        self.pair.target()
    }

    /// Runs on the target past replication, as a mistake or an attacker would.
    pub async fn fault(&self, sql: &str) {
        self.pair.on_target.batch_execute(sql).await.unwrap();
    }

    /// Begins to write with so many sessions.
    pub async fn load(&self, sessions: u64) -> Load {
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut writers = JoinSet::new();
        for number in 0..sessions {
            let client = self.pair.source_client().await;
            let (stop, written) = (Arc::clone(&stop), Arc::clone(&written));
            writers.spawn(async move {
                let mut turn = number;
                while !stop.load(Ordering::Relaxed) {
                    write(&client, turn).await;
                    written.fetch_add(1, Ordering::Relaxed);
                    turn += sessions;
                }
            });
        }
        Load { stop, written, writers }
    }
}

/// Sessions that write.
pub struct Load {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    writers: JoinSet<()>,
}

impl Load {
    /// Ends it, and tells how many transactions were written.
    pub async fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.writers.join_next().await {
            ended.unwrap();
        }
        self.written.load(Ordering::Relaxed)
    }
}

/// One transaction; which one follows from its number.
pub async fn write(client: &Client, turn: u64) {
    // Keys are spread, so that writers meet now and then, and deadlock seldom.
    let key = (turn.wrapping_mul(2_654_435_761) >> 7) % 2000;
    let sql = match turn % 10 {
        0 => format!(
            "INSERT INTO app.accounts (id, balance, note) VALUES ({key} + 10000, 1, 'new') ON CONFLICT (id) DO UPDATE SET balance = app.accounts.balance + 1"
        ),
        1 => format!("DELETE FROM app.accounts WHERE id = {key} + 10000"),
        2 | 3 => format!("UPDATE app.accounts SET balance = balance + 1, changed = clock_timestamp() WHERE id = {key}"),
        4 => format!(
            "INSERT INTO app.events (at, what) VALUES (clock_timestamp(), 'event {turn}'); UPDATE app.by_index SET v = v + 1 WHERE code = 'c{}'",
            key % 500
        ),
        5 => format!(
            "UPDATE app.\"Key Values\" SET \"Key\" = 'moved {turn}' WHERE \"Key\" = 'key {0}'; INSERT INTO app.\"Key Values\" VALUES ('key {0}', '{turn}') ON CONFLICT DO NOTHING",
            key % 300
        ),
        6 => format!(
            "UPDATE app.parts SET k = (k + 50) % 100 WHERE id = {}; UPDATE app.full_keyed SET v = 'v{turn}' WHERE id = {}",
            key % 400,
            key % 400
        ),
        7 => format!(
            "BEGIN; UPDATE app.pairs SET v = {turn} WHERE a = {}; SAVEPOINT s; DELETE FROM app.pairs WHERE a = {}; ROLLBACK TO s; COMMIT",
            key % 300,
            key % 300
        ),
        8 if turn % 200 == 8 => {
            "TRUNCATE app.staging; INSERT INTO app.staging SELECT g, 'again' FROM generate_series(1, 50) g".to_owned()
        }
        8 => format!("INSERT INTO app.staging VALUES ({turn} + 1000, 'row') ON CONFLICT DO NOTHING"),
        _ => format!(
            "UPDATE app.wide SET doc = jsonb_set(doc, '{{n}}', '{turn}'), big = repeat('x{turn}', 2000) WHERE id = {}",
            key % 100
        ),
    };
    match client.batch_execute(&sql).await {
        Ok(()) => {}
        // Two writers may meet in the other order; that is the application's business.
        Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::T_R_DEADLOCK_DETECTED) => {
            client.batch_execute("ROLLBACK").await.unwrap();
        }
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

/// Waits for what has to come by itself.
pub async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..1200 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: not within a minute");
}
