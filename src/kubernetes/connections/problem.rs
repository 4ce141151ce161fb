//! Why a key of a connection Secret can't be handled.
use crate::kubernetes::Problem;
use crate::kubernetes::connection_value::Doubt;

/// Why a key can't be handled. No message contains a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// The key is not there.
    #[error("there is no key {key}; correct spec.application.connections[].keys, or leave keys out to have them found")]
    Missing {
        /// The key.
        key: String,
    },
    /// The value is not understood.
    #[error(
        "the value of {key} is not of format {wanted}; only a whole value of that form is rewritten, not a part of a file: give the connection a key of its own, or correct the format"
    )]
    NotRecognised {
        /// The key.
        key: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// The value names other servers.
    #[error(
        "the value of {key} does not name the source; correct the key, or list the name used in it under spec.source.endpointAliases"
    )]
    NamesNot {
        /// The key.
        key: String,
    },
    /// The value names the source and another server.
    #[error(
        "the value of {key} names a server besides the source; take it out, or list it under spec.source.endpointAliases if it is the source too"
    )]
    NamesOthersToo {
        /// The key.
        key: String,
    },
    /// The value names the source's host with another port.
    #[error("the value of {key} names the source's host with a port that is not the source's; correct it")]
    OtherPort {
        /// The key.
        key: String,
    },
    /// It isn't certain where clients connect to.
    #[error("the value of {key} names the source, but {why}")]
    Doubtful {
        /// The key.
        key: String,
        /// Why, and what to do.
        why: Doubt,
    },
    /// The new database has no reader endpoint.
    #[error(
        "the value of {key} names a reader endpoint and the new database has none; name the writer, or set role: Writer"
    )]
    NoReader {
        /// The key.
        key: String,
    },
}

impl KeyProblem {
    /// In a form that can be listed.
    #[must_use]
    pub fn problem(&self, secret: &str) -> Problem {
        let reason = match self {
            Self::Missing { .. } => "KeyNotFound",
            Self::NotRecognised { .. } => "ConnectionNotRecognised",
            Self::NamesNot { .. } => "NoConnectionToSource",
            Self::NamesOthersToo { .. } | Self::OtherPort { .. } | Self::Doubtful { .. } | Self::NoReader { .. } => {
                "ConnectionAmbiguous"
            }
        };
        Problem::new(reason, format!("Secret/{secret}"), self.to_string())
    }
}
