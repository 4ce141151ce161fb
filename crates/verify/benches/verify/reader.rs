//! What reads a table of both servers.
use std::env;
use std::pin::pin;
use std::process::Stdio;
use std::time::Instant;

use futures::TryStreamExt as _;
use pgupgrade_postgres::QualifiedName;
use pgupgrade_postgres::connection::{Connector, Credentials, Endpoint, Profile};
use pgupgrade_verify::{Options, Tables, compare};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::process::Command;

/// One way to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// `psql`, which writes what COPY sends to nowhere.
    Psql,
    /// The driver that the engine uses, which throws away what COPY sends.
    Floor,
    /// The engine.
    Engine,
    /// `count(*)`
    Count,
    EncryptedFloor,
    EncryptedEngine,
}

const READERS: [Reader; 6] = [
    Reader::Psql,
    Reader::Floor,
    Reader::Engine,
    Reader::Count,
    Reader::EncryptedFloor,
    Reader::EncryptedEngine,
];

/// What reading both servers took.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    pub seconds: f64,
    /// Of the process that read.
    pub peak_memory_mib: f64,
}

impl Measured {
    pub fn to_json(self) -> Value {
        json!({ "seconds": self.seconds, "peakMemoryMiB": self.peak_memory_mib })
    }

    pub fn from_json(text: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(text).unwrap();
        let number = |name: &str| value[name].as_f64().unwrap();
        Self {
            seconds: number("seconds"),
            peak_memory_mib: number("peakMemoryMiB"),
        }
    }
}

impl Reader {
    pub fn name(self) -> &'static str {
        match self {
            Self::Psql => "psql",
            Self::Floor => "floor",
            Self::Engine => "engine",
            Self::Count => "count",
            Self::EncryptedFloor => "encrypted-floor",
            Self::EncryptedEngine => "encrypted-engine",
        }
    }

    /// What this process was started for.
    pub fn asked_for() -> Option<Self> {
        let name = env::args().nth(1)?;
        READERS.into_iter().find(|reader| reader.name() == name)
    }

    /// Reads the table that the arguments name.
    pub async fn run(self) -> Measured {
        let table = env::args().nth(2).unwrap();
        let copy = format!("COPY public.{table} TO STDOUT (FORMAT binary)");
        let count = format!("COPY (SELECT count(*) FROM public.{table}) TO STDOUT (FORMAT binary)");
        let seconds = match self {
            Self::Psql => tokio_join(psql("SOURCE", &copy), psql("TARGET", &copy)).await,
            Self::Floor => discard(&connectors(false), &copy).await,
            Self::EncryptedFloor => discard(&connectors(true), &copy).await,
            Self::Count => discard(&connectors(false), &count).await,
            Self::Engine => engine(&connectors(false), table).await,
            Self::EncryptedEngine => engine(&connectors(true), table).await,
        };
        Measured {
            seconds,
            peak_memory_mib: peak_memory_mib(),
        }
    }
}

async fn tokio_join(source: impl Future<Output = f64>, target: impl Future<Output = f64>) -> f64 {
    let (source, target) = tokio::join!(source, target);
    source.max(target)
}

async fn psql(side: &str, copy: &str) -> f64 {
    let of = |name: &str| env::var(format!("{side}_{name}")).unwrap();
    let start = Instant::now();
    let status = Command::new(of("PSQL"))
        .args([
            "-h",
            &of("SOCKET"),
            "-p",
            &of("PORT"),
            "-U",
            "postgres",
            "-d",
            "postgres",
            "-c",
            copy,
        ])
        .stdout(Stdio::null())
        .status();
    assert!(status.await.unwrap().success());
    start.elapsed().as_secs_f64()
}

fn connectors(encrypted: bool) -> [Connector; 2] {
    ["SOURCE", "TARGET"].map(|side| {
        let of = |name: &str| env::var(format!("{side}_{name}")).unwrap();
        let endpoint = Endpoint {
            host: "127.0.0.1".to_owned(),
            port: of("PORT").parse().unwrap(),
        };
        let credentials = Credentials {
            username: "postgres".to_owned(),
            password: SecretString::from(of("PASSWORD")),
        };
        if encrypted {
            Connector::new(endpoint, credentials, of("CA").as_bytes()).unwrap()
        } else {
            Connector::unencrypted(endpoint, credentials)
        }
    })
}

/// Each side in a task of its own, as the engine has it.
async fn discard(connectors: &[Connector; 2], copy: &str) -> f64 {
    let side = async |connector: Connector, copy: String| {
        let session = connector.connect("postgres", Profile::Long).await.unwrap();
        let start = Instant::now();
        let mut stream = pin!(session.copy_out(&copy).await.unwrap());
        let mut bytes = 0;
        while let Some(message) = stream.try_next().await.unwrap() {
            bytes += message.len();
        }
        assert!(bytes > 0);
        start.elapsed().as_secs_f64()
    };
    let [source, target] = connectors
        .clone()
        .map(|connector| tokio::spawn(side(connector, copy.to_owned())));
    source.await.unwrap().max(target.await.unwrap())
}

/// Connecting and reading the catalogues included.
async fn engine([source, target]: &[Connector; 2], table: String) -> f64 {
    let tables = Tables::Named(vec![QualifiedName::new("public", table)]);
    let mut options = Options::default();
    if let Ok(sessions) = env::var("SESSIONS") {
        options.parallelism = sessions.parse().unwrap();
    }
    let report = compare(source, target, "postgres", &tables, &options).await.unwrap();
    assert_eq!((report.tables.len(), report.differences), (1, 0));
    report.elapsed.as_secs_f64()
}

fn peak_memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
    kilobytes / 1024.0
}
