//! The whole local world: a Kubernetes cluster, an RDS, a shop's database and application, and the operator.
//!
//! [`World::start`] brings it up; what it starts ends with it.
mod application;
mod error;
mod objects;
mod operator;
mod resource;
mod source;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::Client;
use lab_cluster::Cluster;
use lab_ledger::record::LedgerDir;
use lab_rds::LocalRds;

pub use application::{PODS, Rogue};
pub use error::Error;
pub use objects::{NAMESPACE, OPERATOR_NAMESPACE};
pub use operator::Operator;
pub use resource::Upgrade;
pub use source::{DATABASE, MASTER, MASTER_PASSWORD, SOURCE};

/// How a world is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The source's major version.
    pub from: u16,
    /// How large the shop's database becomes, in MiB.
    pub megabytes: u32,
    /// How long each state of a cluster or instance lasts.
    pub state_delay: Duration,
    /// How often the operator looks.
    pub poll: Duration,
    /// Whether the source has `wal_level = logical` from the start.
    pub logical: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            from: 17,
            megabytes: 24,
            state_delay: Duration::from_millis(300),
            poll: Duration::from_millis(300),
            logical: true,
        }
    }
}

/// A running world.
pub struct World {
    /// How it was made.
    pub options: Options,
    /// The Kubernetes cluster.
    pub cluster: Cluster,
    /// The local RDS.
    pub rds: LocalRds,
    /// The Kubernetes API, as administrator.
    pub client: Client,
    /// RDS, by the same SDK that the operator uses.
    pub aws: aws_sdk_rds::Client,
    /// What the application was told.
    pub ledger: LedgerDir,
    dir: PathBuf,
}

impl World {
    /// Brings up everything but the operator and the application, below `dir`.
    ///
    /// # Errors
    /// Where a part does not come up.
    pub async fn start(dir: &Path, options: Options) -> Result<Self, Error> {
        let rds_dir = dir.join("rds");
        let rds_options = lab_rds::Options {
            dir: Some(rds_dir),
            state_delay_ms: u64::try_from(options.state_delay.as_millis()).unwrap_or(u64::MAX),
            ..lab_rds::Options::default()
        };
        let kubernetes = dir.join("kubernetes");
        let (cluster, rds) = tokio::join!(Cluster::start(&kubernetes), LocalRds::start(rds_options));
        let (cluster, rds) = (cluster?, rds?);
        let client = cluster.admin().clone();
        let world = Self {
            aws: source::client(&rds.url()),
            ledger: LedgerDir::new(dir.join("ledger")),
            client,
            options,
            cluster,
            rds,
            dir: dir.to_owned(),
        };
        std::fs::write(world.ca_file(), world.rds.ca_pem()).map_err(Error::file(&world.ca_file()))?;
        let (installed, created) = tokio::join!(world.install(), world.create_source());
        installed?;
        created?;
        world.create_application_objects().await?;
        Ok(world)
    }

    /// The folder of the world.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file with the certificate of the local RDS's authority.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("rds-ca.pem")
    }

    /// Ends everything, the servers before what they serve.
    ///
    /// # Errors
    /// Where a process can't be ended.
    pub async fn stop(self) -> Result<(), Error> {
        self.cluster.stop().await?;
        self.rds.stop().await;
        Ok(())
    }
}

/// A program of this workspace, built beside the running one.
fn program(name: &str) -> Result<PathBuf, Error> {
    let running = std::env::current_exe().map_err(Error::file(Path::new("/proc/self/exe")))?;
    let found = running
        .ancestors()
        .skip(1)
        .take(3)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.ok_or_else(|| Error::NotBuilt(name.to_owned()))
}
