//! Two servers and ways to them.
#![allow(dead_code, reason = "each test takes what it needs")]
pub mod copied;
pub mod replicated;
pub mod upgrade;

use lab_postgres::Scratch;
use pgupgrade_postgres::connection::{Connector, Credentials, Endpoint};
use pgupgrade_verify::{Options, Report, Tables, compare};
use secrecy::SecretString;
use tokio_postgres::Client;

pub struct Pair {
    pub on_source: Client,
    pub on_target: Client,
    source: Scratch,
    target: Scratch,
}

impl Pair {
    pub async fn start(from: u16, to: u16) -> Self {
        let (source, target) = tokio::join!(Scratch::start(from), Scratch::start(to));
        let (source, target) = (source.unwrap(), target.unwrap());
        let (on_source, on_target) = (client(&source).await, client(&target).await);
        Self {
            on_source,
            on_target,
            source,
            target,
        }
    }

    /// A server and what it becomes by `pg_upgrade`.
    pub async fn upgraded(source: Scratch, to: u16) -> Self {
        let target = upgrade::upgraded(&source, to).await;
        let (on_source, on_target) = (client(&source).await, client(&target).await);
        let password = format!("ALTER ROLE postgres PASSWORD '{}'", target.password());
        on_target.batch_execute(&password).await.unwrap();
        Self {
            on_source,
            on_target,
            source,
            target,
        }
    }

    pub async fn source_client(&self) -> Client {
        client(&self.source).await
    }

    pub async fn target_client(&self) -> Client {
        client(&self.target).await
    }

    pub fn source_server(&self) -> &Scratch {
        &self.source
    }

    pub fn target_server(&self) -> &Scratch {
        &self.target
    }

    pub fn source(&self) -> Connector {
        connector(&self.source)
    }

    pub fn target(&self) -> Connector {
        connector(&self.target)
    }

    /// How a subscription finds the source.
    pub fn conninfo(&self) -> String {
        let (host, port, password) = (self.source.host(), self.source.port(), self.source.password());
        format!("host={host} port={port} dbname=postgres user=postgres password={password} sslmode=require")
    }

    pub async fn compare(&self, tables: &Tables, options: &Options) -> Report {
        let (source, target) = (connector(&self.source), connector(&self.target));
        compare(&source, &target, "postgres", tables, options).await.unwrap()
    }
}

async fn client(scratch: &Scratch) -> Client {
    scratch.client("postgres").await.unwrap()
}

pub fn connector(scratch: &Scratch) -> Connector {
    connector_with(scratch, scratch.password())
}

/// For a server whose superuser has another password than it was made with.
pub fn connector_with(scratch: &Scratch, password: &str) -> Connector {
    let endpoint = Endpoint {
        host: scratch.host(),
        port: scratch.port(),
    };
    let password = SecretString::from(password.to_owned());
    let credentials = Credentials {
        username: "postgres".to_owned(),
        password,
    };
    Connector::new(endpoint, credentials, scratch.ca_pem().as_bytes()).unwrap()
}
