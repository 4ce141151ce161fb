//! Every version's server: start, TLS, stop, crash, frozen copy, end of the runner.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab_postgres::{Authority, Binaries, Client, MAJORS, Options, Scratch, Server, StopMode};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_14() {
    life(14).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_15() {
    life(15).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_16() {
    life(16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_17() {
    life(17).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_18() {
    life(18).await;
}

async fn life(major: u16) {
    assert!(MAJORS.contains(&major));
    let mut scratch = Scratch::start(major).await.expect("a started server");
    assert!(scratch.server().binaries().version().starts_with(&format!("{major}.")));
    encrypted_connection(&scratch);
    let client = scratch.client("postgres").await.unwrap();
    client
        .batch_execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000)")
        .await
        .unwrap();
    assert_eq!(value(&client, "SHOW wal_level").await, "logical");
    assert_eq!(value(&client, "SHOW data_checksums").await, "on");
    drop(client);
    scratch.server_mut().stop(StopMode::Fast).await.unwrap();
    assert!(scratch.server().pid().is_none());
    assert!(scratch.client("postgres").await.is_err());
    scratch.server_mut().start().await.unwrap();
    crash(&mut scratch).await;
    copy_under_load(&mut scratch).await;
    let folder = scratch.server().folder().to_owned();
    drop(scratch);
    assert!(!folder.exists(), "{} is left", folder.display());
}

/// The server's certificate stands up to `verify-full` with the lab's authority, and not with another.
fn encrypted_connection(scratch: &Scratch) {
    let other = Authority::create().unwrap();
    for (authority, trusted) in [(scratch.ca_pem(), true), (other.ca_pem(), false)] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), authority).unwrap();
        let mut command = Command::new(scratch.server().binaries().program("psql"));
        command.env("LD_LIBRARY_PATH", scratch.server().binaries().bin_dir().join("../lib"));
        command
            .env("PGPASSWORD", scratch.password())
            .args(["-X", "-A", "-t", "-U", "postgres", "-c"]);
        command.arg("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
        let root = file.path().display();
        let (host, port) = (scratch.host(), scratch.port());
        command.arg(format!(
            "host={host} port={port} dbname=postgres sslmode=verify-full sslrootcert={root}"
        ));
        let output = command.output().unwrap();
        assert_eq!(
            output.status.success(),
            trusted,
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            if trusted { "t" } else { "" }
        );
    }
}

async fn crash(scratch: &mut Scratch) {
    let client = scratch.client("postgres").await.unwrap();
    client
        .batch_execute("INSERT INTO t SELECT generate_series(1001, 2000)")
        .await
        .unwrap();
    scratch.server_mut().stop(StopMode::Immediate).await.unwrap();
    scratch.server_mut().start().await.unwrap();
    let client = scratch.client("postgres").await.unwrap();
    assert_eq!(value(&client, "SELECT count(*)::text FROM t").await, "2000");
    assert!(log(scratch.server()).contains("automatic recovery in progress"));
}

/// A copy taken while transactions of two rows run holds whole transactions only, and the server runs on.
async fn copy_under_load(scratch: &mut Scratch) {
    let client = scratch.client("postgres").await.unwrap();
    client
        .batch_execute("CREATE TABLE pair (n int, half int)")
        .await
        .unwrap();
    let load = tokio::spawn(async move {
        let mut n = 0;
        while client
            .batch_execute(&format!(
                "BEGIN; INSERT INTO pair VALUES ({n}, 1); INSERT INTO pair VALUES ({n}, 2); COMMIT"
            ))
            .await
            .is_ok()
        {
            n += 1;
        }
        n
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let source = scratch.server();
    let folder = source.folder().parent().unwrap().join("copy");
    let options = Options {
        port: source.options().port,
        address: [127, 0, 0, 2].into(),
        ..source.options().clone()
    };
    let mut copy = Server::open(source.binaries(), &folder, options, None).unwrap();
    source.frozen_copy(&copy.data_dir()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!load.is_finished(), "the source runs on");
    copy.start().await.unwrap();
    let client = copy.connect("postgres").await.unwrap();
    let halves = "SELECT count(*) FILTER (WHERE c <> 2) || ' of ' || (count(*) > 0)
        FROM (SELECT count(*) c FROM pair GROUP BY n) x";
    assert_eq!(value(&client, halves).await, "0 of true");
    assert_eq!(value(&client, "SELECT count(*)::text FROM t").await, "2000");
    let text = log(&copy);
    assert!(
        text.contains("database system was not properly shut down; automatic recovery in progress"),
        "{text}"
    );
    assert!(
        text.contains("invalid record length at") || text.contains("invalid magic number"),
        "{text}"
    );
    copy.stop(StopMode::Fast).await.unwrap();
    scratch.server_mut().stop(StopMode::Fast).await.unwrap();
    assert!(load.await.unwrap() > 0);
}

/// Killing the program that holds a server ends the server and removes its folder.
#[tokio::test]
async fn ends_with_its_runner() {
    Binaries::fetch(17).await.unwrap();
    let mut runner = Command::new(env!("CARGO_BIN_EXE_lab-postgres"))
        .arg("17")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(runner.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let pid = lines.next().unwrap().strip_prefix("pid ").unwrap().to_owned();
    let folder = PathBuf::from(lines.next().unwrap().strip_prefix("folder ").unwrap());
    let process = Path::new("/proc").join(pid);
    assert!(process.exists() && folder.exists());
    runner.kill().unwrap();
    runner.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while process.exists() || folder.parent().unwrap().exists() {
        assert!(
            Instant::now() < deadline,
            "server or folder is left: {} {}",
            process.display(),
            folder.display()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn long_folder_is_refused() {
    let binaries = Binaries::fetch(17).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("x".repeat(90));
    let error = Server::open(&binaries, &long, Options::default(), None).unwrap_err();
    assert!(error.to_string().contains("107 bytes"), "{error}");
}

async fn value(client: &Client, query: &str) -> String {
    client.query_one(query, &[]).await.unwrap().get(0)
}

fn log(server: &Server) -> String {
    std::fs::read_to_string(server.log_dir().join("postmaster.log")).unwrap()
}
