//! A cluster's storage volume and, once it has a writer, the server on it.

mod prelude;
mod replication_attribute;
mod start_lsn;
mod upgrade;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab_postgres::{Authority, Binaries, Client, Options, Result, Server, StopMode};
use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio::task::JoinHandle;

pub(crate) use upgrade::Upgraded;

use crate::engine::is_on;
use crate::state::Values;

/// The superuser that is RDS itself, reached on the socket only.
const RDSADMIN: &str = "rdsadmin";

/// The master user.
#[derive(Debug, Clone)]
pub(crate) struct Master {
    pub(crate) name: String,
    /// The password as the server keeps it (a SCRAM verifier), for the next start; `None` when the volume has it.
    pub(crate) verifier: Option<String>,
}

/// One volume.
#[derive(Debug)]
pub(crate) struct Volume {
    server: Server,
    master: Master,
    database: Option<String>,
    aurora: bool,
    /// Roles, databases and functions are in it.
    furnished: bool,
    /// What `aurora_volume_logical_start_lsn()` answers.
    start_lsn: Option<String>,
    keeper: Option<Keeper>,
}

/// A task that ends when this is dropped.
#[derive(Debug)]
struct Keeper(JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Volume {
    /// An empty volume in a folder of its own.
    pub(crate) fn new(
        binaries: &Binaries,
        folder: &Path,
        (address, port): (Ipv4Addr, u16),
        authority: &Authority,
        (master, database, aurora): (Master, Option<String>, bool),
    ) -> Result<Self> {
        let identity = authority.issue(IpAddr::V4(address))?;
        let options = Options {
            address,
            port,
            superuser: RDSADMIN.into(),
            ..Options::default()
        };
        let server = Server::open(binaries, folder, options, Some(&identity))?;
        Ok(Self {
            server,
            master,
            database,
            aurora,
            furnished: false,
            start_lsn: None,
            keeper: None,
        })
    }

    /// Fills a new volume.
    pub(crate) async fn initialize(&self) -> Result<()> {
        self.server.initialize(self.server.binaries(), "data").await.map(drop)
    }

    /// Copies another volume as it is at one instant, and reads from the copy where its WAL ends. Returns for how long
    /// the source stood still. No server has touched the copy when this returns.
    pub(crate) async fn clone_from(&mut self, source: &Self) -> Result<Duration> {
        let held = source.server.frozen_copy(&self.server.data_dir()).await?;
        self.furnished = source.furnished;
        self.start_lsn = start_lsn::end_of_wal(&self.server).await?;
        Ok(held)
    }

    /// Starts the server with this configuration; the first time it furnishes the volume as RDS does.
    pub(crate) async fn start(&mut self, configuration: Values) -> Result<()> {
        self.configure(configuration);
        self.server.start().await?;
        if !self.furnished {
            prelude::furnish(self).await?;
            self.furnished = true;
        }
        if let Some(verifier) = self.master.verifier.clone() {
            self.set_password(verifier).await?;
        }
        self.keeper = Some(Keeper(replication_attribute::keep(&self.server)));
        Ok(())
    }

    /// Gives the running server a new configuration; static parameters wait for the next start.
    pub(crate) fn reload(&mut self, configuration: Values) -> Result<()> {
        self.configure(configuration);
        if self.server.pid().is_some() {
            self.server.reload()
        } else {
            Ok(())
        }
    }

    fn configure(&mut self, mut configuration: Values) {
        let force = configuration.get("rds.force_ssl").is_some_and(|value| is_on(value));
        let plain = if force { "hostnossl all all all reject\n" } else { "" };
        let rules = format!(
            "host all {RDSADMIN} all reject
host {RDSADMIN} all all reject
host replication all all reject
{plain}\
             host all all all scram-sha-256
"
        );
        if self.aurora {
            let lsn = self.start_lsn.clone().unwrap_or_default();
            configuration.insert("aurora.volume_logical_start_lsn".into(), lsn);
        }
        configuration.insert("log_directory".into(), self.server.log_dir().display().to_string());
        let options = self.server.options_mut();
        options.parameters = configuration;
        options.host_rules = rules;
    }

    /// Stops the server if it runs.
    pub(crate) async fn stop(&mut self, mode: StopMode) -> Result<()> {
        self.keeper = None;
        self.server.stop(mode).await
    }

    pub(crate) fn log_folder(&self) -> PathBuf {
        self.server.log_dir()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.server.pid().is_some()
    }

    /// Sets the master's password, now or at the next start.
    pub(crate) async fn set_password(&mut self, verifier: String) -> Result<()> {
        if !self.is_running() {
            self.master.verifier = Some(verifier);
            return Ok(());
        }
        let (name, secret) = (escape_identifier(&self.master.name), escape_literal(&verifier));
        self.master.verifier = None;
        self.execute("postgres", &format!("ALTER ROLE {name} PASSWORD {secret}"))
            .await
    }

    /// Stops the server and removes the folder.
    pub(crate) async fn destroy(&mut self) -> Result<()> {
        let stopped = self.stop(StopMode::Immediate).await;
        let folder = self.server.folder();
        if let Err(error) = std::fs::remove_dir_all(folder) {
            tracing::warn!(folder = %folder.display(), %error, "a deleted cluster's folder is left");
        }
        stopped
    }

    async fn connect(&self, database: &str) -> Result<Client> {
        self.server.connect(database).await
    }

    async fn execute(&self, database: &str, statements: &str) -> Result<()> {
        let client = self.connect(database).await?;
        client
            .batch_execute(statements)
            .await
            .map_err(|source| self.server.sql_error(source))
    }
}
