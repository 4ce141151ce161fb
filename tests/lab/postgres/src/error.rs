//! What can go wrong with local PostgreSQL servers.

use std::path::PathBuf;

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why binaries could not be had or a server could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The major version is none of [`crate::MAJORS`].
    #[error("no PostgreSQL {0} binaries are pinned; choose one of 14 to 18")]
    UnknownMajor(u16),
    /// The downloaded file is not the pinned one.
    #[error("{file} has sha256 {found}, but {pinned} is pinned; remove it and download again")]
    Checksum {
        /// Name of the downloaded file.
        file: String,
        /// The pinned sum.
        pinned: String,
        /// The sum of what came.
        found: String,
    },
    /// Shared libraries of the system that the binaries want are not installed.
    #[error("PostgreSQL needs system libraries that are missing: {libraries}; install {packages}")]
    MissingLibraries {
        /// Names of the libraries, comma separated.
        libraries: String,
        /// An `apt-get install` line with their Debian packages.
        packages: String,
    },
    /// A system call on a file or process failed.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, with the file or process.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A program ended with an error.
    #[error("{program} failed ({status}): {output}")]
    Program {
        /// The program's name.
        program: String,
        /// Its exit status.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// The server's socket would have a path that Unix sockets cannot have.
    #[error("the socket path {0} is longer than 107 bytes; choose a shorter folder")]
    SocketPath(PathBuf),
    /// The server did not get ready.
    #[error("the server in {folder} is not ready after {seconds} s: {log}")]
    NotReady {
        /// The server's folder.
        folder: PathBuf,
        /// How long it was waited for.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
    /// The server did not stop in time.
    #[error("the server in {folder} has not stopped after {seconds} s")]
    NotStopped {
        /// The server's folder.
        folder: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The server ended while it started.
    #[error("the server in {folder} ended while starting ({status}): {log}")]
    Ended {
        /// The server's folder.
        folder: PathBuf,
        /// Its exit status.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// What was asked needs a running server.
    #[error("the server in {0} does not run; start it first")]
    NotRunning(PathBuf),
    /// What was asked needs a stopped server.
    #[error("the server in {0} runs; stop it first")]
    Running(PathBuf),
    /// A connection or statement failed.
    #[error("SQL on the server in {folder}: {}", explain(.source))]
    Sql {
        /// The server's folder.
        folder: PathBuf,
        /// The driver's error.
        source: tokio_postgres::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The unprivileged account that servers run as does not exist.
    #[error(
        "PostgreSQL refuses to run as root and there is no account `nobody` to run it as; add one or run as another user"
    )]
    NoAccount,
}

impl Error {
    /// Turns a system error into [`Error::Io`]; use with `map_err`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// The server's own words where there are some: the driver's error prints only "db error".
fn explain(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |db| {
            let detail = db.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{}: {}{detail}", db.code().code(), db.message())
        },
    )
}
