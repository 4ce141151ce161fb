//! A local stand-in for Amazon RDS in front of real PostgreSQL servers.
//!
//! It speaks the RDS query protocol: `aws-sdk-rds`, boto3 and the AWS command line work with it when their endpoint is
//! [`LocalRds::url`]. Clusters are Aurora PostgreSQL clusters: a real server on a loopback address of its own, with
//! TLS, that is really copied for a clone and really upgraded by `pg_upgrade`. What it does not serve it refuses as
//! `InvalidAction`.

mod actions;
mod address;
mod engine;
mod error;
mod lab;
mod life;
mod protocol;
mod server;
mod state;
mod volume;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lab_postgres::{Authority, Folder};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use error::{Error, Result};

use engine::Engines;
use lab::{Behaviour, Lab};

/// How the local RDS behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// An empty folder for all data, removed at the end; `None` makes one below the system's folder for temporary
    /// files. Sockets want it shorter than 70 bytes.
    pub dir: Option<PathBuf>,
    /// Milliseconds that each change of state takes.
    pub state_delay_ms: u64,
    /// WAL functions refuse as on Aurora, and Aurora's own functions are there.
    pub aurora: bool,
    /// After an upgrade `wal_level` stays `replica` until one more reboot, as AWS documents and was always seen.
    pub extra_reboot_for_wal_level: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            dir: None,
            state_delay_ms: 300,
            aurora: true,
            extra_reboot_for_wal_level: true,
        }
    }
}

/// A running local RDS. Its servers end and its folder goes when it is dropped, or its process dies.
#[derive(Debug)]
pub struct LocalRds {
    lab: Arc<Lab>,
    address: SocketAddr,
    server: JoinHandle<()>,
    folder: Option<Folder>,
}

impl LocalRds {
    /// Starts it. The first time this downloads PostgreSQL 14 to 18.
    ///
    /// # Errors
    /// [`Error::Postgres`] when the programs cannot be had, [`Error::Io`] when the address is taken.
    pub async fn start(options: Options) -> Result<Self> {
        let engines = Engines::load().await?;
        let folder = match &options.dir {
            Some(dir) => Folder::adopt(dir)?,
            None => Folder::create()?,
        };
        let behaviour = Behaviour {
            state_delay: Duration::from_millis(options.state_delay_ms),
            aurora: options.aurora,
            extra_reboot_for_wal_level: options.extra_reboot_for_wal_level,
        };
        let lab = Arc::new(Lab::new(
            engines,
            Authority::create()?,
            folder.path().to_owned(),
            behaviour,
        ));
        let io = |source| Error::Io {
            what: format!("listen on {}", options.listen),
            source,
        };
        let listener = TcpListener::bind(options.listen).await.map_err(io)?;
        let address = listener.local_addr().map_err(io)?;
        let router = server::router(lab.clone());
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the RDS endpoint has ended");
            }
        });
        Ok(Self {
            lab,
            address,
            server,
            folder: Some(folder),
        })
    }

    /// The endpoint, for `AWS_ENDPOINT_URL_RDS`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The certificate that all its database servers are signed by, in the place of the RDS bundle.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.lab.authority.ca_pem()
    }

    /// Stops everything and removes the folder.
    pub async fn stop(mut self) {
        self.server.abort();
        self.lab.stop().await;
        if let Some(folder) = self.folder.take() {
            // Removing waits for a child process.
            let removed = tokio::task::spawn_blocking(move || drop(folder)).await;
            if let Err(error) = removed {
                tracing::warn!(%error, "the folder may be left behind");
            }
        }
    }
}

impl Drop for LocalRds {
    fn drop(&mut self) {
        self.server.abort();
        self.lab.cancel();
    }
}
