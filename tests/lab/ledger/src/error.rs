//! What can go wrong, and with which file or server.

use std::path::{Path, PathBuf};

/// An error of the sample application or its judge.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the ledger can't be read or written.
    #[error("ledger file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of the record can't be understood.
    #[error("ledger file {path}, line {number} is not a line of a record: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        number: u32,
        /// Why.
        source: serde_json::Error,
    },
    /// The environment doesn't say where the database is.
    #[error("environment: {0}")]
    Environment(String),
    /// The database answered with an error, or the connection broke.
    #[error("database: {}", describe(.0))]
    Database(#[from] tokio_postgres::Error),
    /// The database didn't answer in time.
    #[error("database: no answer within {0} s while {1}")]
    Timeout(u64, &'static str),
    /// Something can't be set up in the process.
    #[error("process: {0}")]
    Process(std::io::Error),
    /// The database answered what it can't answer.
    #[error("database: unexpected answer: {0}")]
    Answer(String),
}

impl Error {
    /// Names the file that an I/O error is about.
    #[must_use]
    pub fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }

    /// The SQLSTATE; `08006` (connection failure) where the server gave none, nothing where it is not its error.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        match self {
            Self::Database(error) => Some(error.code().map_or("08006", |code| code.code()).to_owned()),
            Self::Timeout(..) => Some("08006".to_owned()),
            _ => None,
        }
    }

    /// Whether the server certainly refused the statement and goes on with the session: its error is of severity
    /// ERROR. FATAL and a broken connection leave open whether a COMMIT took place.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        use tokio_postgres::error::Severity;
        match self {
            Self::Database(error) => error
                .as_db_error()
                .is_some_and(|error| error.parsed_severity() == Some(Severity::Error)),
            _ => false,
        }
    }
}

fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} (SQLSTATE {})", error.message(), error.code().code()),
        None => std::error::Error::source(error).map_or(error.to_string(), |source| format!("{error}: {source}")),
    }
}
