//! What is hard to get right while writes go on: each test states what holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pgupgrade_verify::{Limits, Live, Options, Report, Standalone, TableResult, Verdict};
use support::Pair;
use support::replicated::{Replicated, eventually};
use tokio_postgres::Client;

const PATIENCE: Duration = Duration::from_mins(1);

async fn start(from: u16, to: u16, schema: &str, publication: &str, options: &str) -> Replicated {
    let pair = Pair::start(from, to).await;
    for client in [&pair.on_source, &pair.on_target] {
        client.batch_execute(schema).await.unwrap();
    }
    pair.on_source.batch_execute(publication).await.unwrap();
    let subscription = format!(
        "CREATE SUBSCRIPTION app CONNECTION '{}' PUBLICATION app WITH (copy_data = false{options})",
        pair.conninfo()
    );
    pair.on_target.batch_execute(&subscription).await.unwrap();
    Replicated { pair }
}

async fn one<T>(client: &Client, query: &str) -> T
where
    T: for<'a> tokio_postgres::types::FromSql<'a>,
{
    client.query_one(query, &[]).await.unwrap().get(0)
}

async fn prepared(both: &Replicated, patience: Duration) -> Standalone {
    Standalone::prepare(&both.source(), &both.target(), "postgres", patience)
        .await
        .unwrap()
}

async fn live(both: &Replicated, made: &Standalone, options: Options) -> Live {
    let (source, target) = (both.source(), both.target());
    Live::open(
        &source,
        &target,
        "postgres",
        &made.tables(),
        made.replication(),
        options,
    )
    .await
    .unwrap()
}

fn table<'a>(report: &'a Report, name: &str) -> &'a TableResult {
    report.tables.iter().find(|table| table.name.name == name).unwrap()
}

const SIMPLE: &str = "CREATE TABLE t (id integer PRIMARY KEY, v integer);
    INSERT INTO t SELECT g, 0 FROM generate_series(1, 2000) g";
const OF_T: &str = "CREATE PUBLICATION app FOR TABLE t";

/// The target lags by less than a second when everything is taken back.
fn soon() -> std::time::Instant {
    std::time::Instant::now() + Duration::from_mins(1)
}

/// What others write on the target changes no value; the source goes on writing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_harmless_foreign_write_is_no_difference() {
    let both = start(17, 18, SIMPLE, OF_T, "").await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    let stop = Arc::new(AtomicU64::new(0));
    let mut writers = Vec::new();
    for number in 0..3_u64 {
        let client = both.pair.source_client().await;
        let stop = Arc::clone(&stop);
        writers.push(tokio::spawn(async move {
            let mut turn = number;
            while stop.load(Ordering::Relaxed) == 0 {
                let id = turn.wrapping_mul(2_654_435_761) % 2000 + 1;
                client
                    .batch_execute(&format!("UPDATE t SET v = v + 1 WHERE id = {id}"))
                    .await
                    .unwrap();
                turn += 3;
            }
        }));
    }
    let mut rounds = 0;
    while rounds < 25 && compared.report().differences == 0 {
        rounds += 1;
        both.fault("UPDATE t SET v = v WHERE id % 4 = 0").await;
        compared.drain().await.unwrap();
    }
    stop.store(1, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let report = compared.report();
    println!("rounds {rounds}: {}", table(&report, "t"));
    // The truth: once nobody writes, both are equal.
    let (a, b) = ("SELECT sum(v) FROM t", "SELECT sum(v) FROM t");
    let wanted = one::<i64>(&both.pair.on_source, a).await;
    eventually("arrived", || async {
        one::<i64>(&both.pair.on_target, b).await == wanted
    })
    .await;
    assert_eq!(report.differences, 0, "a false alarm");
    made.remove().await.unwrap();
}

/// The application's publication does not publish TRUNCATE; the table is truncated after it was read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncate_that_is_not_replicated_is_not_equal() {
    let publication = "CREATE PUBLICATION app FOR TABLE t WITH (publish = 'insert, update, delete')";
    let both = start(17, 18, SIMPLE, publication, "").await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    both.pair.on_source.batch_execute("TRUNCATE t").await.unwrap();
    compared.drain().await.unwrap();
    let report = compared.report();
    assert_ne!(
        report.verdict(),
        Verdict::Equal,
        "the source has no row, the target 2000"
    );
    made.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repaired_table_is_equal_again() {
    let schema = "CREATE TABLE log (what text); INSERT INTO log VALUES ('a'), ('b');
        CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t VALUES (1, 0), (2, 0)";
    let both = start(17, 18, schema, "CREATE PUBLICATION app FOR TABLE log, t", "").await;
    both.fault("INSERT INTO log VALUES ('c'); UPDATE t SET v = 5 WHERE id = 1")
        .await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    assert_eq!(compared.report().differences, 2);
    both.fault("DELETE FROM log WHERE what = 'c'; UPDATE t SET v = 0 WHERE id = 1")
        .await;
    compared.renew().await.unwrap();
    let report = compared.verdict(Duration::from_secs(1), soon()).await.unwrap();
    made.remove().await.unwrap();
    assert_eq!(report.differences, 0, "both are equal by now: {report:?}");
}

/// A table whose initial copy is under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_still_copied_does_not_differ() {
    let both = start(17, 18, SIMPLE, OF_T, "").await;
    for client in [&both.pair.on_source, &both.pair.on_target] {
        client
            .batch_execute("CREATE TABLE fresh (id integer PRIMARY KEY)")
            .await
            .unwrap();
    }
    both.pair
        .on_source
        .batch_execute("INSERT INTO fresh VALUES (1), (2); ALTER PUBLICATION app ADD TABLE fresh")
        .await
        .unwrap();
    both.fault(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); RETURN NEW; END $$;
         CREATE TRIGGER slow BEFORE INSERT ON fresh FOR EACH STATEMENT EXECUTE FUNCTION slow();
         ALTER TABLE fresh ENABLE ALWAYS TRIGGER slow",
    )
    .await;
    both.fault("ALTER SUBSCRIPTION app REFRESH PUBLICATION").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!(
        "{:?}",
        one::<i8>(
            &both.pair.on_target,
            "SELECT srsubstate FROM pg_subscription_rel WHERE srrelid = 'fresh'::regclass"
        )
        .await
    );
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    let report = compared.report();
    assert_eq!(report.differences, 0, "a false alarm: {report:?}");
}

/// A new partition on both sides, replicated, after the comparison began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_partition_is_not_passed_over() {
    let schema = "CREATE TABLE p (id integer PRIMARY KEY, v integer) PARTITION BY RANGE (id);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (1, 0)";
    let both = start(17, 18, schema, "CREATE PUBLICATION app FOR TABLE p", "").await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    let create = "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)";
    both.fault(create).await;
    both.pair.on_source.batch_execute(create).await.unwrap();
    both.fault("ALTER SUBSCRIPTION app REFRESH PUBLICATION").await;
    both.pair
        .on_source
        .batch_execute("INSERT INTO p VALUES (11, 0)")
        .await
        .unwrap();
    eventually("arrived", || async {
        one::<i64>(&both.pair.on_target, "SELECT count(*) FROM p2").await == 1
    })
    .await;
    both.fault("UPDATE p2 SET v = 5").await;
    compared.prepare_verdict().await.unwrap();
    let report = compared.verdict(Duration::from_secs(1), soon()).await.unwrap();
    made.remove().await.unwrap();
    assert_ne!(report.verdict(), Verdict::Equal, "p2 differs: {report:?}");
}

/// The application truncates a table while all are read in one pair of snapshots.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_of_snapshots_locks_no_table_for_long() {
    let schema = "CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 60000) g;
        CREATE TABLE small (id integer PRIMARY KEY, v text); INSERT INTO small SELECT g, repeat('x', 500) FROM generate_series(1, 30000) g";
    let both = start(17, 18, schema, "CREATE PUBLICATION app FOR TABLE t, small", "").await;
    let made = prepared(&both, PATIENCE).await;
    let options = Options {
        parallelism: 1,
        limits: Limits {
            max_bytes_per_second: Some(4 << 20),
            ..Limits::default()
        },
        ..Options::default()
    };
    let mut compared = live(&both, &made, options).await;
    let reading = tokio::spawn(async move { Box::pin(compared.read_pinned()).await });
    let application = both.pair.source_client().await;
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let start = std::time::Instant::now();
        application
            .batch_execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; ROLLBACK")
            .await
            .unwrap();
        longest = longest.max(start.elapsed());
        if reading.is_finished() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    println!("{:?}", reading.await.unwrap());
    made.remove().await.unwrap();
    assert!(longest < Duration::from_secs(5), "the application waited {longest:?}");
}

/// VACUUM FULL between the reading and the cutover: what is read under the fence?
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_rewritten_is_read_before_the_fence() {
    let both = start(17, 18, SIMPLE, OF_T, "").await;
    let made = prepared(&both, PATIENCE).await;
    let rows = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&rows);
    let options = Options {
        progress: Some(Arc::new(move |progress| {
            seen.fetch_max(progress.rows, Ordering::Relaxed);
        })),
        ..Options::default()
    };
    let mut compared = live(&both, &made, options).await;
    compared.read().await.unwrap();
    both.pair.on_source.batch_execute("VACUUM FULL t").await.unwrap();
    compared.renew().await.unwrap();
    compared.prepare_verdict().await.unwrap();
    rows.store(0, Ordering::Relaxed);
    let report = compared.verdict(Duration::from_secs(1), soon()).await.unwrap();
    made.remove().await.unwrap();
    println!("{report:?}");
    assert_eq!(rows.load(Ordering::Relaxed), 0, "rows read under the fence");
}

/// A subscription that may not be locked: tables with a key are compared all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_a_pair_from_being_taken_leaves_the_other_tables() {
    let schema = "CREATE TABLE log (what text); CREATE TABLE t (id integer PRIMARY KEY, v integer)";
    let both = start(
        17,
        18,
        schema,
        "CREATE PUBLICATION app FOR TABLE log, t",
        ", disable_on_error = true",
    )
    .await;
    both.fault("ALTER ROLE postgres SET lock_timeout = '1h'").await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    let read = compared.read().await;
    made.remove().await.unwrap();
    assert!(read.is_ok(), "{read:?}");
}

/// A table without a key that is written to all the time: does the slot on the source move?
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_busy_table_without_a_key_does_not_hold_the_slot() {
    let schema = "CREATE TABLE log (what text); CREATE TABLE t (id integer PRIMARY KEY, v integer)";
    let both = start(17, 18, schema, "CREATE PUBLICATION app FOR TABLE log, t", "").await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    both.pair
        .on_source
        .batch_execute("INSERT INTO log VALUES ('one')")
        .await
        .unwrap();
    let slot = made.replication().changes.slot;
    let retained = format!(
        "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint FROM pg_replication_slots WHERE slot_name = '{slot}'"
    );
    for _ in 0..3 {
        both.pair
            .on_source
            .batch_execute("INSERT INTO t SELECT g, 0 FROM generate_series(1, 50000) g; DELETE FROM t")
            .await
            .unwrap();
        compared.drain().await.unwrap();
        println!("behind by {} bytes", one::<i64>(&both.pair.on_source, &retained).await);
    }
    let behind = one::<i64>(&both.pair.on_source, &retained).await;
    made.remove().await.unwrap();
    assert!(behind < 8 << 20, "{behind} bytes are held after everything was settled");
}

/// The target's table is rewritten while changed keys are looked up: a snapshot from before shows it empty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewrite_during_a_drain_is_no_difference() {
    let both = start(17, 18, SIMPLE, OF_T, "").await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    both.pair
        .on_source
        .batch_execute("UPDATE t SET v = 3 WHERE id < 5")
        .await
        .unwrap();
    let arrived = "SELECT count(*) FROM t WHERE v = 3";
    eventually("arrived", || async {
        one::<i64>(&both.pair.on_target, arrived).await == 4
    })
    .await;
    let maintenance = both.pair.source_client().await;
    maintenance
        .batch_execute("BEGIN; ALTER TABLE t ALTER v TYPE integer USING v + 0")
        .await
        .unwrap();
    let draining = tokio::spawn(async move {
        let drained = compared.drain().await;
        (drained, compared)
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    maintenance.batch_execute("COMMIT").await.unwrap();
    let (drained, compared) = draining.await.unwrap();
    println!("{drained:?}");
    let report = compared.report();
    drop(compared);
    made.remove().await.unwrap();
    assert_eq!(report.differences, 0, "a false alarm: {report:?}");
}

/// A partitioned table below another one is published via itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leaves_of_a_published_middle_are_compared() {
    let schema = "CREATE TABLE p (id integer PRIMARY KEY, v integer) PARTITION BY RANGE (id);
        CREATE TABLE middle PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
        CREATE TABLE leaf PARTITION OF middle FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (1, 0)";
    let publication = "CREATE PUBLICATION app FOR TABLE middle WITH (publish_via_partition_root = true)";
    let both = start(17, 18, schema, publication, "").await;
    both.fault("UPDATE leaf SET v = 5").await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    let report = compared.report();
    drop(compared);
    made.remove().await.unwrap();
    assert_ne!(report.verdict(), Verdict::Equal, "{report:?}");
}

/// A table without a key that was empty when the comparison began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_knows_how_big_a_table_is() {
    let schema = "CREATE TABLE log (what text); ALTER TABLE log ALTER what SET STORAGE EXTERNAL";
    let both = start(17, 18, schema, "CREATE PUBLICATION app FOR TABLE log", "").await;
    let made = prepared(&both, PATIENCE).await;
    let rows = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&rows);
    let options = Options {
        progress: Some(Arc::new(move |progress| {
            seen.fetch_max(progress.bytes, Ordering::Relaxed);
        })),
        ..Options::default()
    };
    let mut compared = live(&both, &made, options).await;
    compared.read().await.unwrap();
    both.pair
        .on_source
        .batch_execute("INSERT INTO log SELECT repeat('x', 100000) FROM generate_series(1, 2000)")
        .await
        .unwrap();
    eventually("arrived", || async {
        one::<i64>(&both.pair.on_target, "SELECT count(*) FROM log").await == 2000
    })
    .await;
    rows.store(0, Ordering::Relaxed);
    compared.verdict(Duration::from_millis(500), soon()).await.unwrap();
    drop(compared);
    made.remove().await.unwrap();
    assert!(
        rows.load(Ordering::Relaxed) < 100 << 20,
        "{} bytes read under the fence",
        rows.load(Ordering::Relaxed)
    );
}

/// More rows differ than are looked for; the application changes those that were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_many_differ() {
    let schema = "CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t SELECT g, 0 FROM generate_series(1, 40000) g";
    let both = start(17, 18, schema, OF_T, "").await;
    both.fault("UPDATE t SET v = 1 WHERE id <= 30000").await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    let report = compared.report();
    drop(compared);
    made.remove().await.unwrap();
    let table = table(&report, "t");
    assert!(
        table.differing == 30000 || table.estimated,
        "{} exactly",
        table.differing
    );
}

/// What others truncate on the target after it was read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_truncate_is_not_equal() {
    let both = start(17, 18, SIMPLE, OF_T, "").await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    both.fault("TRUNCATE t").await;
    compared.drain().await.unwrap();
    let report = compared.report();
    drop(compared);
    made.remove().await.unwrap();
    assert_ne!(report.verdict(), Verdict::Equal, "{report:?}");
}

/// Large transactions applied in parallel, apply workers that end again and again, savepoints, two streams of readings.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_streams_and_dying_workers_raise_no_alarm() {
    let both = Replicated::start(17, 18).await;
    both.fault("ALTER SUBSCRIPTION app SET (streaming = parallel)").await;
    both.pair
        .on_source
        .batch_execute("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'")
        .await
        .unwrap();
    both.pair
        .on_source
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .unwrap();
    both.fault("ALTER SYSTEM SET wal_retrieve_retry_interval = '100ms'")
        .await;
    both.fault("SELECT pg_reload_conf()").await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    let load = both.load(1).await;
    let stop = Arc::new(AtomicU64::new(0));
    let (big, killer) = (both.pair.source_client().await, both.pair.target_client().await);
    let stopped = Arc::clone(&stop);
    let large = tokio::spawn(async move {
        while stopped.load(Ordering::Relaxed) == 0 {
            let sql = "BEGIN; UPDATE app.accounts SET balance = balance + 1 WHERE id % 2 = 0; SAVEPOINT s; UPDATE app.wide SET big = big || 'y'; ROLLBACK TO s;
                UPDATE app.full_keyed SET v = v || 'z' WHERE id % 3 = 0; INSERT INTO app.events SELECT now(), 'big' FROM generate_series(1, 500); COMMIT";
            if big.batch_execute(sql).await.is_err() {
                let _ = big.batch_execute("ROLLBACK").await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let stopped = Arc::clone(&stop);
    let kills = tokio::spawn(async move {
        let mut kills = 0;
        while stopped.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_secs(6)).await;
            killer
                .batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_subscription WHERE pid IS NOT NULL")
                .await
                .unwrap();
            kills += 1;
        }
        kills
    });
    let start = std::time::Instant::now();
    let mut rounds = 0;
    while start.elapsed() < Duration::from_secs(70) {
        if rounds % 4 == 0 {
            compared = live(&both, &made, Options::default()).await;
            compared.read().await.unwrap();
        } else {
            compared.drain().await.unwrap();
        }
        rounds += 1;
        let report = compared.report();
        assert_eq!(report.differences, 0, "round {rounds}: {report:?}");
    }
    stop.store(1, Ordering::Relaxed);
    println!("{rounds} rounds, {} kills", kills.await.unwrap());
    large.await.unwrap();
    load.stop().await;
}

/// A column that both sides got after the comparison began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_column_is_not_passed_over() {
    let both = start(17, 18, SIMPLE, OF_T, "").await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    both.fault("ALTER TABLE t ADD w integer").await;
    both.pair
        .on_source
        .batch_execute("ALTER TABLE t ADD w integer; UPDATE t SET w = 1 WHERE id = 1")
        .await
        .unwrap();
    eventually("arrived", || async {
        one::<Option<i32>>(&both.pair.on_target, "SELECT w FROM t WHERE id = 1").await == Some(1)
    })
    .await;
    both.fault("UPDATE t SET w = 2 WHERE id = 1").await;
    compared.prepare_verdict().await.unwrap();
    let report = compared.verdict(Duration::from_secs(1), soon()).await.unwrap();
    drop(compared);
    made.remove().await.unwrap();
    assert_ne!(report.verdict(), Verdict::Equal, "{report:?}");
}

/// Both sides put another table in the place of one, as online schema changes do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_in_the_place_of_another_is_not_passed_over() {
    let both = start(17, 18, SIMPLE, OF_T, "").await;
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    let swap = "BEGIN; CREATE TABLE t_new (LIKE t INCLUDING ALL); INSERT INTO t_new SELECT * FROM t;
        ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t; COMMIT";
    both.fault(swap).await;
    both.pair.on_source.batch_execute(swap).await.unwrap();
    // Not published, so it never arrives.
    both.pair.on_source.batch_execute("UPDATE t SET v = 9").await.unwrap();
    compared.prepare_verdict().await.unwrap();
    let report = compared.verdict(Duration::from_secs(1), soon()).await.unwrap();
    drop(compared);
    made.remove().await.unwrap();
    assert_ne!(report.verdict(), Verdict::Equal, "{report:?}");
}

/// A row that is written to without a pause, and later with pauses, by a program on the server itself.
const WRITES: &str = "DO $$ DECLARE pause double precision; BEGIN LOOP
      UPDATE t SET v = v + 1 WHERE id = 1;
      COMMIT;
      SELECT seconds INTO pause FROM pace;
      EXIT WHEN pause IS NULL;
      PERFORM pg_sleep(pause);
    END LOOP; END $$";

/// Settles until there is a verdict.
async fn settled(compared: &mut Live) -> Report {
    for _ in 0..300 {
        compared.settle_once().await.unwrap();
        let report = compared.report();
        if report.verdict() != Verdict::Undecided {
            return report;
        }
    }
    panic!("not settled: {:?}", compared.report());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_row_that_changes_all_the_time_is_proven_by_standing_still_once() {
    let both = start(17, 18, SIMPLE, OF_T, "").await;
    let pace = "CREATE TABLE pace (seconds double precision); INSERT INTO pace VALUES (0)";
    both.pair.on_source.batch_execute(pace).await.unwrap();
    let writer = both.pair.source_client().await;
    let load = tokio::spawn(async move { writer.batch_execute(WRITES).await });
    let made = prepared(&both, PATIENCE).await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    for _ in 0..3 {
        compared.settle_once().await.unwrap();
        let report = compared.report();
        assert_eq!(report.verdict(), Verdict::Undecided, "it never stood still: {report:?}");
    }
    let slower = "UPDATE pace SET seconds = 0.1";
    both.pair.on_source.batch_execute(slower).await.unwrap();
    let report = settled(&mut compared).await;
    assert_eq!(report.verdict(), Verdict::Equal, "{report:?}");

    // From here on the target changes what it is sent.
    both.fault(
        "CREATE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := -1; RETURN NEW; END $$;
         CREATE TRIGGER wrong BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION wrong();
         ALTER TABLE t ENABLE ALWAYS TRIGGER wrong",
    )
    .await;
    let mut compared = live(&both, &made, Options::default()).await;
    compared.read().await.unwrap();
    let report = settled(&mut compared).await;
    assert_eq!(table(&report, "t").examples[0].key, "id=1", "{report:?}");
    let end = "UPDATE pace SET seconds = NULL";
    both.pair.on_source.batch_execute(end).await.unwrap();
    load.await.unwrap().unwrap();
    made.remove().await.unwrap();
}
