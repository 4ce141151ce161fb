//! What can go wrong with a local cluster.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a local cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("cannot start {program}: {source}; is it installed and on PATH?")]
    Spawn {
        /// Its name.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The cluster's program could not be built.
    #[error("`go build` in {} ended with {status}:\n{output}", folder.display())]
    Build {
        /// The Go module.
        folder: PathBuf,
        /// How the compiler ended.
        status: ExitStatus,
        /// The last lines it printed.
        output: String,
    },
    /// The Go module does not say what is needed to build it.
    #[error("{} requires no version of {module}", path.display())]
    NoVersion {
        /// Its `go.mod`.
        path: PathBuf,
        /// The module looked for.
        module: &'static str,
    },
    /// The cache folder could not be locked.
    #[error("cannot lock the cache folder: {0}")]
    Lock(#[from] lab_postgres::Error),
    /// A key or certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// No port was free.
    #[error("no free port on 127.0.0.1 between {first} and {last} after {attempts} attempts")]
    NoPort {
        /// The lowest port tried.
        first: u16,
        /// The highest port tried.
        last: u16,
        /// How many were tried.
        attempts: u32,
    },
    /// A component ended while the cluster was starting.
    #[error("{component} ended with {status} while the cluster was starting; its log {} ends with:\n{tail}", log.display())]
    Ended {
        /// The component.
        component: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// Something was not ready in time.
    #[error("{what} was not ready after {waited:?} ({last}); {component}'s log {} ends with:\n{tail}", log.display())]
    NotReady {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        waited: Duration,
        /// What the last look at it showed.
        last: String,
        /// The component that should have brought it about.
        component: &'static str,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A kubeconfig just written could not be used.
    #[error("cannot use the kubeconfig {}: {source}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<kube::config::KubeconfigError>,
    },
    /// A component did not end.
    #[error("{component} (process {pid}) still runs 10 s after it was killed; it hangs in the kernel")]
    StillRunning {
        /// The component.
        component: &'static str,
        /// Its process.
        pid: i32,
    },
    /// The API server refused something.
    #[error("cannot {action}: {source}")]
    Api {
        /// What was tried, on which object.
        action: String,
        /// What the API server or the client said.
        source: Box<kube::Error>,
    },
    /// The API server answered a token request without a token.
    #[error("the API server gave no token for ServiceAccount {0}")]
    NoToken(String),
    /// A task of the runtime was cancelled.
    #[error("the runtime is shutting down: {0}")]
    Runtime(#[from] tokio::task::JoinError),
}

impl Error {
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    pub(crate) fn api(action: String) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Api {
            action,
            source: Box::new(source),
        }
    }

    /// Whether another process took a port between its choice and its use: starting again with other ports helps.
    pub(crate) fn is_port_taken(&self) -> bool {
        matches!(self, Self::Ended { tail, .. } if tail.contains("address already in use"))
    }
}
