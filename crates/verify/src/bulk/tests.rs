#![allow(clippy::unwrap_used)]
use std::collections::{BTreeSet, HashMap, HashSet};

use lab_postgres::Scratch;
use pgupgrade_postgres::QualifiedName;
use pgupgrade_postgres::connection::{Credentials, Endpoint};
use secrecy::SecretString;
use tokio::sync::watch;
use tokio_postgres::Client;

use super::*;
use crate::{PauseAbove, catalog};

const SEED: u64 = 42;

struct Pair {
    scratches: [Scratch; 2],
    clients: [Client; 2],
}

impl Pair {
    async fn start(from: u16, to: u16, script: &str) -> Self {
        let (source, target) = tokio::try_join!(Scratch::start(from), Scratch::start(to)).unwrap();
        let clients = [
            source.client("postgres").await.unwrap(),
            target.client("postgres").await.unwrap(),
        ];
        for client in &clients {
            client.batch_execute(script).await.unwrap();
        }
        Self {
            scratches: [source, target],
            clients,
        }
    }

    fn connector(&self, side: Side) -> Connector {
        let scratch = &self.scratches[side.index()];
        let endpoint = Endpoint {
            host: scratch.host(),
            port: scratch.port(),
        };
        let credentials = Credentials {
            username: "postgres".to_owned(),
            password: SecretString::from(scratch.password().to_owned()),
        };
        Connector::unencrypted(endpoint, credentials)
    }

    async fn readings(&self, names: &[&str]) -> Arc<[Reading]> {
        let names = names.iter().map(|name| QualifiedName::new("public", *name)).collect();
        let [source, target] = &self.clients;
        let plan = catalog::plan_of(source, target, &crate::Tables::Named(names))
            .await
            .unwrap();
        assert!(plan.problems.is_empty(), "{:?}", plan.problems);
        plan.readings.into()
    }

    async fn pass(&self, readings: &Arc<[Reading]>, options: &PassOptions) -> Vec<TablePass> {
        let (source, target) = (self.connector(Side::Source), self.connector(Side::Target));
        pass(&source, &target, "postgres", readings, options).await.unwrap()
    }

    async fn on_target(&self, script: &str) {
        self.clients[1].batch_execute(script).await.unwrap();
    }
}

/// Many small ranges.
fn options() -> PassOptions {
    PassOptions {
        parallelism: 3,
        chunk: 64 << 10,
        ..PassOptions::new(&Options::default(), SEED)
    }
}

fn hashes(pass: &TablePass) -> &[Difference] {
    match &pass.differing {
        Differing::Hashes(hashes) => hashes,
        other => unreachable!("{other:?}"),
    }
}

const ROWS: &str = "CREATE TABLE t (w text, id int, v int, PRIMARY KEY (id, w)); \
    INSERT INTO t SELECT 'word ' || g, g, g FROM generate_series(1, 20000) g";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_in_any_range_is_found_with_its_key() {
    let pair = Pair::start(14, 17, ROWS).await;
    let readings = pair.readings(&["t"]).await;
    pair.on_target("CREATE INDEX o ON t (md5(id::text)); CLUSTER t USING o")
        .await;
    let [result] = pair.pass(&readings, &options()).await.try_into().unwrap();
    assert_eq!((result.source, result.source.rows), (result.target, 20_000));
    assert!(!result.differs() && !result.rewritten && result.differing == Differing::None);

    pair.on_target("DELETE FROM t WHERE id IN (1, 20000); UPDATE t SET v = 0 WHERE id % 5000 = 3")
        .await;
    pair.on_target("INSERT INTO t VALUES ('new', 20001, 1), ('', 0, 1)")
        .await;
    let [result] = pair.pass(&readings, &options()).await.try_into().unwrap();
    assert!(result.differs());
    let all = hashes(&result);
    let of = |side| {
        all.iter()
            .filter(move |one| one.side == side)
            .map(|one| one.key_hash)
            .collect::<HashSet<u64>>()
    };
    let (source, target) = (of(Side::Source), of(Side::Target));
    let both = source.intersection(&target).count();
    assert_eq!((source.len(), target.len(), both), (6, 6, 4));

    let mut found: HashMap<Side, BTreeSet<i32>> = HashMap::new();
    for (side, wanted) in [(Side::Source, source), (Side::Target, target)] {
        let connector = pair.connector(side);
        let session = side::open(&connector, side, "postgres", None).await.unwrap();
        let keys = keys_of(&session, side, &readings[0], &wanted, SEED).await.unwrap();
        assert_eq!(keys.keys().copied().collect::<HashSet<u64>>(), wanted);
        assert!(keys.iter().all(|(hash, key)| *hash == crate::key_hash(key, SEED)));
        let id = |key: &Vec<u8>| i32::from_be_bytes(key[4..8].try_into().unwrap());
        found.insert(side, keys.values().map(id).collect());
    }
    let changed = [3, 5003, 10_003, 15_003];
    assert_eq!(found[&Side::Source], changed.into_iter().chain([1, 20_000]).collect());
    assert_eq!(found[&Side::Target], changed.into_iter().chain([0, 20_001]).collect());

    let mut parts = Vec::new();
    for number in 0..4 {
        let part = PassOptions {
            part: Some((number, 4)),
            ..options()
        };
        let [of_part] = pair.pass(&readings, &part).await.try_into().unwrap();
        assert_eq!((of_part.source, of_part.target), (result.source, result.target));
        assert!(hashes(&of_part).iter().all(|one| one.key_hash % 4 == number));
        parts.extend_from_slice(hashes(&of_part));
    }
    parts.sort_unstable();
    assert_eq!(parts, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_wait_for_memory_and_none_for_ever() {
    let names: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
    let make = |name: &String| {
        format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, w text); INSERT INTO {name} SELECT g, 'w' FROM generate_series(1, 3000) g;"
        )
    };
    let script: String = names.iter().map(make).collect();
    let pair = Pair::start(16, 18, &(script + "CREATE TABLE keyless AS SELECT 1 AS a")).await;
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["keyless"]).collect();
    let readings = pair.readings(&names).await;
    pair.on_target("DELETE FROM t7 WHERE id = 1000; INSERT INTO t9 VALUES (0); UPDATE keyless SET a = 2")
        .await;
    let tight = PassOptions {
        memory: 2 << 20,
        parallelism: 4,
        ..options()
    };
    let results = pair.pass(&readings, &tight).await;
    let differing = results.iter().enumerate().filter(|(_, result)| result.differs());
    assert_eq!(differing.map(|(index, _)| index).collect::<Vec<_>>(), [7, 9, 40]);
    assert_eq!((hashes(&results[7]).len(), hashes(&results[9]).len()), (1, 1));
    assert_eq!(results[40].differing, Differing::WithoutKey);
}

/// While the pass waits for a busy source.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_rewritten_meanwhile_is_void() {
    let script = "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1); CREATE TABLE b (id int PRIMARY KEY); \
        INSERT INTO b VALUES (1)";
    let pair = Pair::start(17, 18, script).await;
    let readings = pair.readings(&["a", "b"]).await;
    let busy = pair.scratches[0].client("postgres").await.unwrap();
    pair.clients[0]
        .batch_execute("SELECT pg_advisory_lock(1)")
        .await
        .unwrap();
    let busy = tokio::spawn(async move { busy.batch_execute("SELECT pg_advisory_lock(1)").await });
    let waits = "SELECT FROM pg_stat_activity WHERE wait_event = 'advisory'";
    while pair.clients[0].query(waits, &[]).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let (tell, mut told) = watch::channel(None);
    let waiting = PassOptions {
        limits: Limits {
            pause_above: PauseAbove {
                active_sessions: Some(0),
                replication_lag: None,
            },
            ..Limits::default()
        },
        progress: Some(Arc::new(move |progress| {
            tell.send_replace(progress.paused);
        })),
        ..options()
    };
    let (results, ()) = tokio::join!(pair.pass(&readings, &waiting), async {
        told.wait_for(Option::is_some).await.unwrap();
        pair.on_target("TRUNCATE b; INSERT INTO b VALUES (1)").await;
        pair.clients[0]
            .batch_execute("SELECT pg_advisory_unlock(1)")
            .await
            .unwrap();
    });
    busy.await.unwrap().unwrap();
    assert!(results.iter().all(|result| !result.differs()));
    assert_eq!(
        results.iter().map(|result| result.rewritten).collect::<Vec<_>>(),
        [false, true]
    );
}

/// A snapshot does not keep rows from TRUNCATE.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_truncated_since_the_snapshot_is_void() {
    let script = "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1); CREATE TABLE b (id int PRIMARY KEY); \
        INSERT INTO b VALUES (1)";
    let pair = Pair::start(15, 17, script).await;
    let readings = pair.readings(&["a", "b"]).await;
    let mut names = Vec::new();
    let mut holders = Vec::new();
    for scratch in &pair.scratches {
        let holder = scratch.client("postgres").await.unwrap();
        holder
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            .await
            .unwrap();
        let row = holder.query_one("SELECT pg_export_snapshot()", &[]).await.unwrap();
        names.push(row.get::<_, String>(0));
        holders.push(holder);
    }
    for client in &pair.clients {
        client.batch_execute("TRUNCATE b; DELETE FROM a").await.unwrap();
    }
    let pinned = PassOptions {
        snapshots: Some((names[0].clone(), names[1].clone())),
        ..options()
    };
    let results = pair.pass(&readings, &pinned).await;
    let seen = |result: &TablePass| (result.source.rows, result.target.rows, result.rewritten);
    assert_eq!(
        results.iter().map(seen).collect::<Vec<_>>(),
        [(1, 1, false), (0, 0, true)]
    );
}
