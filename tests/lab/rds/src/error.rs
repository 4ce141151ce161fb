//! What keeps the local RDS from starting.

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the local RDS does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// PostgreSQL's programs, folders or certificates.
    #[error(transparent)]
    Postgres(#[from] lab_postgres::Error),
    /// The HTTP server's address, or a file.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
}
