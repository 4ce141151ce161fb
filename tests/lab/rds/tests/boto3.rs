//! An independent client goes the whole way: boto3 from `PyPI`, and psql.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lab_postgres::{Binaries, FolderLock, cache_dir};
use lab_rds::{LocalRds, Options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_17_to_18() {
    chain(17, 18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_14_to_18() {
    chain(14, 18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_15_to_17() {
    chain(15, 17).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_16_to_18() {
    chain(16, 18).await;
}

async fn chain(from: u16, to: u16) {
    let rds = LocalRds::start(Options::default()).await.expect("the local RDS");
    let work = tempfile::tempdir().unwrap();
    let ca_file = work.path().join("ca.pem");
    std::fs::write(&ca_file, rds.ca_pem()).unwrap();
    let psql = Binaries::fetch(17).await.unwrap().program("psql");
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chain.py"));
    command.args([from.to_string(), to.to_string()]);
    command
        .env("PYTHONPATH", boto3())
        .env("RDS_URL", rds.url())
        .env("CA_FILE", &ca_file)
        .env("PSQL", &psql);
    command.env("LD_LIBRARY_PATH", psql.parent().unwrap().join("../lib"));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    println!("{from} to {to}\n{}", text(&output));
    assert!(output.status.success());
    rds.stop().await;
}

/// boto3 with all it needs, unpacked once into the cache folder.
fn boto3() -> PathBuf {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requirements.txt");
    let pinned = std::fs::read_to_string(&requirements).unwrap();
    let version = pinned
        .split_whitespace()
        .next()
        .unwrap()
        .strip_prefix("boto3==")
        .unwrap();
    let folder = cache_dir().join("boto3").join(version);
    let _lock = FolderLock::acquire(&folder).unwrap();
    if !folder.exists() {
        let work = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
        let target = work.path().join("packages");
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
        ]);
        let output = pip
            .arg("--target")
            .arg(&target)
            .arg("-r")
            .arg(&requirements)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output));
        std::fs::rename(target, &folder).unwrap();
    }
    folder
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
