//! The writers as processes: start, stop, refused writes, lost connections, every server version.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use lab_ledger::judge::pace::Pace;
use lab_postgres::StopMode;
use support::{Process, World, seconds, wait_until};

/// Twice what is promised: the machine may be busy with other tests.
const AT_ONCE: Duration = Duration::from_millis(400);

const TABLES: &str = "SELECT format('CREATE TRIGGER deny BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s \
    FOR EACH STATEMENT EXECUTE FUNCTION public.deny()', oid::regclass) FROM pg_class \
    WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text IN ('shop', 'audit')";

/// Makes triggers on all tables, which let everything pass.
async fn prepare_fence(world: &World) {
    fence(world, "NULL;").await;
    for row in world.client.query(TABLES, &[]).await.unwrap() {
        world.client.batch_execute(row.get(0)).await.unwrap();
    }
}

/// Changes what the triggers do; 25006 is what the application gets from a fenced database.
async fn fence(world: &World, action: &str) {
    let function = "CREATE OR REPLACE FUNCTION public.deny() RETURNS trigger LANGUAGE plpgsql";
    world
        .client
        .batch_execute(&format!("{function} AS $$ BEGIN {action} RETURN NULL; END $$"))
        .await
        .unwrap();
}

#[tokio::test]
async fn refused_writes_are_tried_again_and_nothing_is_acknowledged_meanwhile() {
    let world = World::start(17).await;
    let processes = [("write", "pod"), ("rogue", "rogue")].map(|(command, pod)| world.start_process(command, pod));
    world.ready("pod").await;
    seconds(1.0).await;
    prepare_fence(&world).await;
    fence(
        &world,
        "RAISE EXCEPTION 'moved' USING ERRCODE = 'read_only_sql_transaction';",
    )
    .await;
    seconds(1.0).await;
    let denied = world.judge().await;
    seconds(0.5).await;
    let later = world.judge().await;
    assert_eq!(
        (denied.acknowledged, denied.missing),
        (later.acknowledged, 0),
        "{later:#?}"
    );
    fence(&world, "NULL;").await;
    seconds(1.0).await;
    for process in processes {
        assert!(process.terminate().0.success());
    }
    let verdict = world.judge().await;
    assert!(
        verdict.is_clean() && verdict.acknowledged > later.acknowledged + 20,
        "{verdict:#?}"
    );
    assert!(
        verdict.rogue_refused > 100 && verdict.failures["25006"] > 20,
        "{verdict:#?}"
    );
    let pause = Pace::read(&world.ledger)
        .unwrap()
        .longest_pause_millis(0, u64::MAX)
        .unwrap();
    assert!((1400.0..3000.0).contains(&pause), "{pause}");
}

#[tokio::test]
async fn lost_connections_and_killed_writers_leave_nothing_unexplained() {
    let world = World::start(17).await;
    let processes = ["pod-1", "pod-2"].map(|pod| world.start_process("write", pod));
    let killed = world.start_process("write", "pod-3");
    world.ready("pod-3").await;
    for _ in 0..20 {
        seconds(0.1).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pod-%'";
        world.client.batch_execute(end).await.unwrap();
    }
    drop(killed);
    seconds(0.5).await;
    for process in processes {
        assert!(process.terminate().0.success());
    }
    let verdict = world.judge().await;
    assert!(verdict.is_clean() && verdict.acknowledged > 30, "{verdict:#?}");
    assert!(
        verdict.failures.contains_key("57P01") || verdict.failures.contains_key("08006"),
        "{verdict:#?}"
    );
}

#[tokio::test]
async fn crashes_of_the_server_leave_nothing_unexplained() {
    let mut world = World::start(17).await;
    let processes = ["pod-1", "pod-2"].map(|pod| world.start_process("write", pod));
    for wanted in [100, 200] {
        world.acknowledged(wanted).await;
        world.scratch.server_mut().stop(StopMode::Immediate).await.unwrap();
        world.scratch.server_mut().start().await.unwrap();
    }
    world.acknowledged(300).await;
    for process in processes {
        assert!(process.terminate().0.success());
    }
    world.client = world.scratch.client("shop").await.unwrap();
    let verdict = world.judge().await;
    assert!(verdict.is_clean() && verdict.servers.len() == 1, "{verdict:#?}");
    assert!(verdict.failures.values().sum::<u64>() > 0, "{verdict:#?}");
}

#[tokio::test]
async fn a_signal_ends_it_at_once_even_behind_a_lock() {
    let world = World::start(17).await;
    let process = world.start_process("write", "pod-1");
    world.ready("pod-1").await;
    seconds(0.5).await;
    let (status, time) = process.terminate();
    assert!(status.success() && time < AT_ONCE, "{status} after {time:?}");

    let process = world.start_process("write", "pod-2");
    world.ready("pod-2").await;
    world
        .client
        .batch_execute("BEGIN; LOCK TABLE shop.customers IN SHARE ROW EXCLUSIVE MODE")
        .await
        .unwrap();
    seconds(1.0).await;
    let (status, time) = process.terminate();
    world.client.batch_execute("COMMIT").await.unwrap();
    assert!(status.success() && time < AT_ONCE, "{status} after {time:?}");
    let verdict = world.judge().await;
    assert!(verdict.is_clean() && verdict.acknowledged > 10, "{verdict:#?}");
}

#[tokio::test]
async fn the_database_may_be_named_in_parts_and_its_certificate_is_verified() {
    let world = World::start(17).await;
    let mut parts = world.command("write", "parts");
    parts.env_remove("DATABASE_URL").env("DB_HOST", world.scratch.host());
    parts
        .env("DB_PORT", world.scratch.port().to_string())
        .env("DB_NAME", "shop")
        .env("DB_USER", "postgres");
    let process = Process::spawn(parts.env("DB_PASSWORD", world.scratch.password()));
    world.ready("parts").await;
    assert!(process.terminate().0.success());

    let other = rcgen::generate_simple_self_signed(["another authority".to_owned()]).unwrap();
    std::fs::write(world.path("other.crt"), other.cert.pem()).unwrap();
    let process = Process::spawn(
        world
            .command("write", "strict")
            .env("DATABASE_CA", world.path("other.crt")),
    );
    let record = world.ledger.path().join("strict-0.jsonl");
    wait_until("it has tried", || record.exists()).await;
    seconds(0.5).await;
    assert!(process.terminate().0.success());
    assert!(!world.path("strict.ready").exists());
    let text = std::fs::read_to_string(record).unwrap();
    assert!(text.contains("08006") && !text.contains("server"), "{text}");
}

#[tokio::test]
async fn every_supported_version_takes_the_schema_and_the_mix() {
    for major in [14, 18] {
        let world = World::start(major).await;
        let process = world.start_process("write", "pod");
        world.ready("pod").await;
        seconds(2.0).await;
        assert!(process.terminate().0.success());
        let verdict = world.judge().await;
        assert!(verdict.is_clean() && verdict.acknowledged > 20, "{major}: {verdict:#?}");
        assert_eq!(verdict.servers[0].server.version / 10_000, i32::from(major));
    }
}
