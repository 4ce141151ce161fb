//! What the tests share: a filled database on a real server, and the command `ledger` as a process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use lab_ledger::connection::Database;
use lab_ledger::judge::content::write_baseline;
use lab_ledger::judge::pace::Pace;
use lab_ledger::judge::{Verdict, judge};
use lab_ledger::record::LedgerDir;
use lab_ledger::{create_schema, fill};
use lab_postgres::Scratch;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio_postgres::Client;

/// A server with a filled database, and an empty ledger beside it.
pub struct World {
    pub scratch: Scratch,
    pub client: Client,
    pub ledger: LedgerDir,
    pub folder: TempDir,
}

/// A process that ends with the test.
pub struct Process(Child);

impl World {
    pub async fn start(major: u16) -> Self {
        let scratch = Scratch::start(major).await.unwrap();
        scratch
            .client("postgres")
            .await
            .unwrap()
            .batch_execute("CREATE DATABASE shop")
            .await
            .unwrap();
        let client = scratch.client("shop").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.crt"), scratch.ca_pem()).unwrap();
        let ledger = LedgerDir::new(folder.path().join("ledger"));
        create_schema(&client).await.unwrap();
        assert!(fill(&client, 12).await.unwrap() > 12_000_000);
        write_baseline(&ledger, &client).await.unwrap();
        Self {
            scratch,
            client,
            ledger,
            folder,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn uri(&self) -> String {
        let scratch = &self.scratch;
        let (password, host, port) = (scratch.password(), scratch.host(), scratch.port());
        format!("postgres://postgres:{password}@{host}:{port}/shop?sslmode=verify-full")
    }

    pub fn database(&self) -> Database {
        Database::from_uri(&self.uri(), Some(&self.path("ca.crt"))).unwrap()
    }

    /// The command with the environment of a Pod.
    pub fn command(&self, command: &str, pod: &str) -> Command {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ledger"));
        process
            .arg(command)
            .env_clear()
            .env("LEDGER_DIR", self.ledger.path())
            .env("POD_NAME", pod);
        process
            .env("DATABASE_URL", self.uri())
            .env("DATABASE_CA", self.path("ca.crt"));
        process
            .env("LEDGER_RATE", "150")
            .env("READY_FILE", self.path(&format!("{pod}.ready")));
        process
    }

    pub fn start_process(&self, command: &str, pod: &str) -> Process {
        Process(self.command(command, pod).spawn().unwrap())
    }

    pub async fn ready(&self, pod: &str) {
        let file = self.path(&format!("{pod}.ready"));
        wait_until("the writer is ready", || file.exists()).await;
    }

    /// Waits until the application has had so many commits acknowledged.
    pub async fn acknowledged(&self, wanted: u64) {
        let deadline = Instant::now() + Duration::from_mins(1);
        let count = || {
            Pace::read(&self.ledger)
                .unwrap()
                .servers()
                .iter()
                .map(|share| share.acknowledged)
                .sum::<u64>()
        };
        while count() < wanted {
            assert!(Instant::now() < deadline, "waited a minute for {wanted} commits");
            seconds(0.3).await;
        }
    }

    pub async fn judge(&self) -> Verdict {
        judge(&self.ledger, &self.client).await.unwrap()
    }
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Sends SIGTERM; gives the exit status and how long the end took.
    pub fn terminate(mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGTERM).unwrap();
        let status = self.0.wait().unwrap();
        (status, start.elapsed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails where the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub async fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited 20 s until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}
