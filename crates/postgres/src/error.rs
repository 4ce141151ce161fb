//! What can go wrong with a server.
use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::connection::Endpoint;

/// An error of this crate, apart from those of [`crate::guard`] and [`crate::sequences`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The CA bundle holds no certificate that can be used.
    #[error("the CA bundle for {endpoint} can't be used: {detail}; it must hold PEM certificates")]
    CaBundle {
        /// Whose certificates it should hold.
        endpoint: Endpoint,
        /// What is wrong with it.
        detail: String,
    },
    /// The name does not resolve, nobody listens there, or no answer came in time.
    #[error("{endpoint} (database {database}) can't be reached: {detail}; check address, security groups and DNS")]
    Unreachable {
        /// What was called.
        endpoint: Endpoint,
        /// Which database.
        database: String,
        /// What the system said.
        detail: String,
    },
    /// The server's certificate does not lead to the CA bundle, is out of date or is another host's.
    #[error("the certificate of {endpoint} is not trusted: {detail}; name the CA bundle that issued it")]
    Untrusted {
        /// What was called.
        endpoint: Endpoint,
        /// What the check said.
        detail: String,
    },
    /// The server has no TLS or none in common with us.
    #[error("no TLS with {endpoint}: {detail}; switch ssl on")]
    Tls {
        /// What was called.
        endpoint: Endpoint,
        /// What happened.
        detail: String,
    },
    /// Wrong password, no such role, no LOGIN or no line in `pg_hba.conf` (SQLSTATE class 28).
    #[error("{endpoint} (database {database}) refuses user {username}: {detail}; correct user name and password")]
    PasswordRefused {
        /// What was called.
        endpoint: Endpoint,
        /// Which database.
        database: String,
        /// The user.
        username: String,
        /// What the server said.
        detail: String,
    },
    /// There is no such database (SQLSTATE 3D000).
    #[error("there is no database {database} at {endpoint}")]
    DatabaseMissing {
        /// What was called.
        endpoint: Endpoint,
        /// Which database.
        database: String,
    },
    /// The server answers but takes no session now: it starts, stops or has no connection left.
    #[error("{endpoint} (database {database}) takes no session: {detail}")]
    Refused {
        /// What was called.
        endpoint: Endpoint,
        /// Which database.
        database: String,
        /// What the server said.
        detail: String,
        /// The driver's error.
        source: tokio_postgres::Error,
    },
    /// A statement failed, or the connection broke while it ran.
    #[error("{step} at {endpoint} (database {database}): {detail}")]
    Sql {
        /// What was being done, with the object's name.
        step: String,
        /// Where.
        endpoint: Endpoint,
        /// In which database.
        database: String,
        /// The server's message with its SQLSTATE, or what happened to the connection.
        detail: String,
        /// The driver's error.
        source: tokio_postgres::Error,
    },
    /// Something did not happen in time.
    #[error("{step} at {endpoint} (database {database}): not done within {waited:?}: {state}")]
    Deadline {
        /// What was waited for.
        step: String,
        /// Where.
        endpoint: Endpoint,
        /// In which database.
        database: String,
        /// How long.
        waited: Duration,
        /// What was seen last.
        state: String,
    },
    /// What was found is not what a step needs.
    #[error("{step} at {endpoint} (database {database}): {detail}")]
    Unexpected {
        /// What was being done.
        step: String,
        /// Where.
        endpoint: Endpoint,
        /// In which database.
        database: String,
        /// What was found, and what to do about it.
        detail: String,
    },
}

impl Error {
    /// The SQLSTATE, where the server gave one.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Sql { source, .. } | Self::Refused { source, .. } => source.code(),
            _ => None,
        }
    }
}

/// The server's message with detail, hint and SQLSTATE, or what happened to the connection.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    let Some(db) = error.as_db_error() else {
        return std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    };
    let mut text = db.message().to_owned();
    for (label, part) in [("", db.detail()), ("hint: ", db.hint())] {
        if let Some(part) = part {
            text.push_str("; ");
            text.push_str(label);
            text.push_str(part);
        }
    }
    format!("{text} (SQLSTATE {})", db.code().code())
}

/// Sorts what happened while a session was opened.
pub(crate) fn connecting(error: tokio_postgres::Error, endpoint: &Endpoint, database: &str, username: &str) -> Error {
    let (endpoint, database) = (endpoint.clone(), database.to_owned());
    let detail = describe(&error);
    if let Some(code) = error.code() {
        return match code.code() {
            "28P01" | "28000" => Error::PasswordRefused {
                endpoint,
                database,
                username: username.to_owned(),
                detail,
            },
            "3D000" => Error::DatabaseMissing { endpoint, database },
            _ => Error::Refused {
                endpoint,
                database,
                detail,
                source: error,
            },
        };
    }
    match tls_cause(&error) {
        Some(rustls::Error::InvalidCertificate(reason)) => Error::Untrusted {
            endpoint,
            detail: rustls::Error::InvalidCertificate(reason.clone()).to_string(),
        },
        Some(cause) => Error::Tls {
            endpoint,
            detail: cause.to_string(),
        },
        None if detail.contains("TLS") => Error::Tls { endpoint, detail },
        None => Error::Unreachable {
            endpoint,
            database,
            detail,
        },
    }
}

/// The TLS library's error, which lies inside an I/O error inside the driver's.
fn tls_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Some(found);
        }
        next = cause.source();
    }
    None
}
