//! Commit point against expiry under writers of every isolation level: never both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod guard_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use guard_support::{Lab, count};
use pgupgrade_postgres::fence::{self, Decision};
use tokio::time::sleep;
use tokio_postgres::{Client, Config, NoTls};

const ROWS: &str = "SELECT (SELECT count(*) FROM s.a) + (SELECT count(*) FROM s.p) + (SELECT count(*) FROM s.u)";

struct Writers {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Writers {
    fn start(lab: &Lab, number: u64) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let tasks = (0..number).map(|i| {
            let mut config = Config::new();
            config
                .host(lab.scratch.host())
                .port(lab.scratch.port())
                .user("app_rw")
                .dbname("app");
            tokio::spawn(write(config, i, Arc::clone(&stop), Arc::clone(&acknowledged)))
        });
        Self {
            tasks: tasks.collect(),
            stop,
            acknowledged,
        }
    }
}

/// Writes as fast as it can, reconnecting at once.
async fn write(config: Config, number: u64, stop: Arc<AtomicBool>, acknowledged: Arc<AtomicU64>) {
    let level = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"][usize::try_from(number % 3).unwrap()];
    let mut n = number * 1_000_000 + 1000;
    while !stop.load(Ordering::Relaxed) {
        let Ok((client, connection)) = config.connect(NoTls).await else {
            continue;
        };
        let connection = tokio::spawn(connection);
        while !stop.load(Ordering::Relaxed) {
            n += 1;
            if transaction(&client, level, n).await.is_ok() {
                acknowledged.fetch_add(1, Ordering::Relaxed);
            } else if client.batch_execute("ROLLBACK").await.is_err() {
                break;
            } else {
                sleep(Duration::from_millis(1)).await;
            }
        }
        connection.abort();
    }
}

async fn transaction(client: &Client, level: &str, n: u64) -> Result<(), tokio_postgres::Error> {
    client
        .batch_execute(&format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM s.ruled"))
        .await?;
    if n.is_multiple_of(3) {
        sleep(Duration::from_millis(n % 20)).await;
    }
    for _ in 0..=n % 3 {
        client.batch_execute("INSERT INTO s.a (v) VALUES (1)").await?;
    }
    let other = if n.is_multiple_of(2) {
        "s.p_mid VALUES"
    } else {
        "s.p VALUES"
    };
    client
        .batch_execute(&format!("INSERT INTO {other} ({n}, {}); COMMIT", n % 100))
        .await
}

async fn race(major: u16, rounds: i32) {
    let lab = Lab::prepared(major).await;
    let writers = Writers::start(&lab, 4);
    let admin = lab.admin().await;
    let decider = lab.connect("op").await;
    fence::prepare_commit(&decider).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    let (mut closed, mut refused) = (0, 0);
    for round in 0..rounds {
        let order = lab.order(round, Duration::from_millis(30));
        fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
        let fenced = count(&admin, ROWS).await;
        sleep(Duration::from_millis(u64::try_from(round * 7 % 40).unwrap())).await;
        match fence::commit_point(&decider, &lab.claim, &order.cutover, Duration::ZERO).await {
            Decision::Closed => {
                closed += 1;
                sleep(Duration::from_millis(60)).await;
                assert_eq!(
                    count(&admin, ROWS).await,
                    fenced,
                    "round {round}: a write behind the commit point"
                );
                admin
                    .batch_execute("UPDATE pgupgrade.fence SET state = 'closing'")
                    .await
                    .unwrap();
            }
            Decision::Refused(_) => refused += 1,
            Decision::Unknown(reason) => panic!("round {round}: {reason}"),
        }
        fence::lift(&lab.op, &lab.claim, Duration::from_secs(5)).await.unwrap();
        sleep(Duration::from_millis(30)).await;
    }
    let before = writers.acknowledged.load(Ordering::Relaxed);
    sleep(Duration::from_millis(300)).await;
    assert!(
        writers.acknowledged.load(Ordering::Relaxed) > before,
        "writes pass again"
    );
    writers.stop.store(true, Ordering::Relaxed);
    for task in writers.tasks {
        task.await.unwrap();
    }
    println!("{major}: closed {closed}, refused {refused}, acknowledged {before}");
    assert!(closed > 0 && refused > 0, "closed {closed}, refused {refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_write_passes_a_commit_on_14() {
    race(14, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_write_passes_a_commit_on_18() {
    race(18, 30).await;
}
