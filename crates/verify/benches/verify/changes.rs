//! How long it takes to compare what was changed, on two servers with logical replication.
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use lab_postgres::Scratch;
use pgupgrade_postgres::connection::{Connector, Credentials, Endpoint};
use pgupgrade_verify::{Known, Live, Options, Standalone, Verdict};
use secrecy::SecretString;
use tokio::try_join;
use tokio_postgres::Client;

use crate::data::{NARROW, VERSIONS};
use crate::report::Changes;

/// Keys that change before what changed is compared.
pub const CHANGED: u64 = 50_000;
/// Tables of the verdict.
pub const MANY: u64 = 1_000;
/// Keys that change before the verdict.
pub const KEYS: u64 = 10_000;

const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_mins(5);

pub async fn measure(rows: u64) -> Changes {
    let servers = Servers::start().await;
    let mut changes = Changes::default();
    for (database, rows, seconds) in [
        ("tenth", rows / 10, &mut changes.few),
        ("whole", rows, &mut changes.all),
    ] {
        let make = format!(
            "CREATE TABLE narrow AS SELECT {NARROW} FROM generate_series(1::bigint, {rows}) g; \
             ALTER TABLE narrow ADD PRIMARY KEY (aid)"
        );
        let replicated = servers.replicate(database, &make, "narrow").await;
        *seconds = Box::pin(replicated.changed(rows)).await;
    }
    let make = format!(
        "DO $$ BEGIN FOR t IN 1..{MANY} LOOP \
           EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v text, n int)', t); \
           EXECUTE format('INSERT INTO t%s SELECT g, md5(g::text), 0 FROM generate_series(1, 100) g', t); \
         END LOOP; END $$"
    );
    let all: Vec<String> = (1..=MANY).map(|number| format!("t{number}")).collect();
    let replicated = servers.replicate("many", &make, &all.join(", ")).await;
    changes.verdict_millis = Box::pin(replicated.verdict()).await;
    changes
}

struct Servers {
    source: Scratch,
    target: Scratch,
}

impl Servers {
    async fn start() -> Self {
        let parameters = [
            ("fsync", "off"),
            ("shared_buffers", "512MB"),
            ("maintenance_work_mem", "512MB"),
            ("max_wal_size", "4GB"),
            ("autovacuum", "off"),
            ("max_locks_per_transaction", "256"),
        ];
        let (source, target) = try_join!(
            Scratch::start_with(VERSIONS.0, &parameters),
            Scratch::start_with(VERSIONS.1, &parameters),
        )
        .unwrap();
        Self { source, target }
    }

    /// A database that both sides have with the same rows, and that the target follows from now on.
    async fn replicate(&self, database: &'static str, make: &str, tables: &str) -> Replicated {
        let on = async |scratch: &Scratch| {
            let create = format!("CREATE DATABASE {database}");
            let client = scratch.client("postgres").await.unwrap();
            client.batch_execute(&create).await.unwrap();
            let client = scratch.client(database).await.unwrap();
            client.batch_execute(make).await.unwrap();
            client.batch_execute("VACUUM (FREEZE, ANALYZE)").await.unwrap();
            client
        };
        let (on_source, on_target) = tokio::join!(on(&self.source), on(&self.target));
        let publish = format!("CREATE PUBLICATION {database} FOR TABLE {tables}");
        on_source.batch_execute(&publish).await.unwrap();
        let (host, port, password) = (self.source.host(), self.source.port(), self.source.password());
        let subscribe = format!(
            "CREATE SUBSCRIPTION {database} CONNECTION 'host={host} port={port} dbname={database} user=postgres \
             password={password} sslmode=require' PUBLICATION {database} WITH (copy_data = false)"
        );
        on_target.batch_execute(&subscribe).await.unwrap();
        let (source, target) = (connector(&self.source), connector(&self.target));
        let comparison = Standalone::prepare(&source, &target, database, PATIENCE).await.unwrap();
        Replicated {
            database,
            on_source,
            on_target,
            source,
            target,
            comparison,
        }
    }
}

struct Replicated {
    database: &'static str,
    on_source: Client,
    on_target: Client,
    source: Connector,
    target: Connector,
    comparison: Standalone,
}

impl Replicated {
    async fn open(&self, options: Options) -> Live {
        let (tables, replication) = (self.comparison.tables(), self.comparison.replication());
        let live = Live::open(&self.source, &self.target, self.database, &tables, replication, options);
        live.await.unwrap()
    }

    /// The time to compare what changed in tables that were read before, in seconds, the best of several.
    async fn changed(&self, rows: u64) -> f64 {
        let kept = Arc::new(Mutex::new(Known::default()));
        let options = || {
            let kept = Arc::clone(&kept);
            Options {
                keep: Some(Arc::new(move |known| {
                    *kept.lock().unwrap() = known;
                    async { Ok(()) }.boxed()
                })),
                ..Options::default()
            }
        };
        let mut live = Box::pin(self.open(options())).await;
        Box::pin(live.read()).await.unwrap();
        live.close().await;
        let mut best = f64::INFINITY;
        let apart = rows / CHANGED;
        for round in 1..=ROUNDS {
            let change = format!(
                "UPDATE narrow SET abalance = abalance + {round} WHERE aid IN \
                 (SELECT g * {apart} + {round} FROM generate_series(0, {CHANGED} - 1) g)"
            );
            self.on_source.batch_execute(&change).await.unwrap();
            let one = format!("SELECT abalance FROM narrow WHERE aid = {apart} + {round}");
            self.caught_up(&one).await;
            let known = kept.lock().unwrap().clone();
            assert!(!known.is_empty());
            let start = Instant::now();
            let mut live = Box::pin(self.open(options())).await;
            Box::pin(live.begin_from(&known)).await.unwrap();
            best = best.min(start.elapsed().as_secs_f64());
            assert_eq!(live.report().verdict(), Verdict::Equal, "{:?}", live.report());
            live.close().await;
        }
        best
    }

    /// The time of the verdict, in milliseconds, the best of several.
    async fn verdict(&self) -> f64 {
        let mut live = Box::pin(self.open(Options::default())).await;
        Box::pin(live.read()).await.unwrap();
        let each = KEYS / MANY;
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            Box::pin(live.prepare_verdict()).await.unwrap();
            let change = format!(
                "DO $$ BEGIN FOR t IN 1..{MANY} LOOP \
                 EXECUTE format('UPDATE t%s SET n = n + 1 WHERE id <= {each}', t); END LOOP; END $$"
            );
            self.on_source.batch_execute(&change).await.unwrap();
            let arrival = self.caught_up("SELECT n FROM t1 WHERE id = 1");
            Box::pin(live.follow_until(arrival)).await.unwrap();
            let start = Instant::now();
            let report = Box::pin(live.verdict(Duration::ZERO, start + PATIENCE)).await.unwrap();
            best = best.min(start.elapsed().as_secs_f64() * 1000.0);
            assert_eq!(report.verdict(), Verdict::Equal);
        }
        live.close().await;
        best
    }

    /// Waits until the target shows what the source does: changes come in one transaction.
    async fn caught_up(&self, query: &str) {
        let value = async |client: &Client| client.query_one(query, &[]).await.unwrap().get::<_, i32>(0);
        let start = Instant::now();
        while value(&self.on_source).await != value(&self.on_target).await {
            assert!(start.elapsed() < PATIENCE, "the target does not catch up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn connector(scratch: &Scratch) -> Connector {
    let endpoint = Endpoint {
        host: scratch.host(),
        port: scratch.port(),
    };
    let credentials = Credentials {
        username: "postgres".to_owned(),
        password: SecretString::from(scratch.password().to_owned()),
    };
    Connector::new(endpoint, credentials, scratch.ca_pem().as_bytes()).unwrap()
}
