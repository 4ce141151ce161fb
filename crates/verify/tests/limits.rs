//! A comparison keeps to its limits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgupgrade_postgres::QualifiedName;
use pgupgrade_verify::{Limits, Options, Pause, PauseAbove, Progress, Tables};
use support::Pair;
use tokio::sync::watch;

const TABLE: &str = "CREATE TABLE public.t (id int PRIMARY KEY, w text); \
    INSERT INTO public.t SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, 10000) g";

async fn pair() -> (Pair, Tables) {
    let pair = Pair::start(15, 17).await;
    for side in [&pair.on_source, &pair.on_target] {
        side.batch_execute(TABLE).await.unwrap();
    }
    (pair, Tables::Named(vec![QualifiedName::new("public", "t")]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_bytes_than_allowed() {
    let (pair, tables) = pair().await;
    let rate = 2 << 20;
    let limits = Limits {
        max_bytes_per_second: Some(rate),
        ..Limits::default()
    };
    let options = Options {
        limits,
        ..Options::default()
    };
    let report = pair.compare(&tables, &options).await;
    assert_eq!((report.rows, report.differences), (10_000, 0));
    let both_sides = Duration::from_millis(2 * report.bytes * 1000 / rate);
    assert!(both_sides > Duration::from_secs(1));
    assert!(report.elapsed >= both_sides, "{:?} for {both_sides:?}", report.elapsed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_while_sessions_are_active() {
    let (pair, tables) = pair().await;
    // A session that is active until another one lets go of the lock.
    pair.on_source
        .batch_execute("SELECT pg_advisory_lock(1)")
        .await
        .unwrap();
    let busy = pair.source_client().await;
    let busy = tokio::spawn(async move { busy.batch_execute("SELECT pg_advisory_lock(1)").await });
    let active = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'";
    while pair.on_source.query_one(active, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
    let (tell, mut told) = watch::channel(Progress::default());
    let all = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&all);
    let progress = move |progress: Progress| {
        kept.lock().unwrap().push(progress);
        tell.send_replace(progress);
    };
    let options = Options {
        limits: Limits {
            pause_above: PauseAbove {
                active_sessions: Some(0),
                replication_lag: None,
            },
            ..Limits::default()
        },
        progress: Some(Arc::new(progress)),
        ..Options::default()
    };
    let (report, ()) = tokio::join!(pair.compare(&tables, &options), async {
        told.wait_for(|progress| progress.paused.is_some()).await.unwrap();
        pair.on_source
            .batch_execute("SELECT pg_advisory_unlock(1)")
            .await
            .unwrap();
    });
    busy.await.unwrap().unwrap();
    assert_eq!((report.rows, report.differences), (10_000, 0));
    let all = all.lock().unwrap();
    let pause = all.iter().find_map(|progress| progress.paused).unwrap();
    assert_eq!(pause, Pause::ActiveSessions(1));
    assert_eq!(pause.to_string(), "active sessions on the source: 1");
    let before = all.iter().take_while(|progress| progress.paused.is_none());
    assert!(
        before
            .chain(all.iter().filter(|progress| progress.paused.is_some()))
            .all(|progress| progress.rows == 0)
    );
    assert_eq!((all.last().unwrap().paused, all.last().unwrap().rows), (None, 10_000));
}
