//! What can go wrong with a world.
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A part of the world does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Kubernetes cluster.
    #[error(transparent)]
    Cluster(#[from] lab_cluster::Error),
    /// The local RDS.
    #[error(transparent)]
    Rds(#[from] lab_rds::Error),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] lab_ledger::Error),
    /// The Kubernetes API.
    #[error("Kubernetes API: {0}")]
    Api(#[from] kube::Error),
    /// The RDS API.
    #[error("RDS API: {0}")]
    Aws(String),
    /// SQL.
    #[error("PostgreSQL: {0}")]
    Sql(#[from] tokio_postgres::Error),
    /// A file or folder.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program that was run to its end.
    #[error("{program} failed: {output}")]
    Program {
        /// What was run.
        program: String,
        /// What it printed.
        output: String,
    },
    /// A program of this workspace that isn't there.
    #[error("{0} is not built; run cargo build --workspace --bins")]
    NotBuilt(String),
    /// An object that is not as expected.
    #[error("{0}")]
    Unexpected(String),
    /// Something did not happen in time.
    #[error("after {waited:?} still waiting for {what}; last seen: {seen}")]
    Deadline {
        /// What for.
        what: String,
        /// How long.
        waited: Duration,
        /// What was there instead.
        seen: String,
    },
}

impl Error {
    /// For `map_err` on file operations.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
