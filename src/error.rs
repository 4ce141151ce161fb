//! What can go wrong in a reconcile, apart from what is wrong with the resource itself.
use std::net::SocketAddr;

use crate::kubernetes::connections::KeyProblem;

/// An error that a later reconcile may find gone.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Kubernetes API refused or did not answer.
    #[error("Kubernetes API, {what}: {source}")]
    Api {
        /// The operation and its object.
        what: String,
        /// The client's error.
        source: Box<kube::Error>,
    },
    /// The Kubernetes API did not answer in time.
    #[error("Kubernetes API, {what}: no answer within {waited:?}")]
    NoAnswer {
        /// The operation and its object.
        what: String,
        /// How long it was waited for.
        waited: std::time::Duration,
    },
    /// A Deployment or Secret of the application.
    #[error(transparent)]
    Kubernetes(#[from] crate::kubernetes::Error),
    /// A PostgreSQL server.
    #[error(transparent)]
    Postgres(#[from] pgupgrade_postgres::Error),
    /// The fence, the guard or the owner row.
    #[error(transparent)]
    Guard(#[from] pgupgrade_postgres::guard::Error),
    /// Sequences.
    #[error(transparent)]
    Sequences(#[from] pgupgrade_postgres::sequences::Error),
    /// Amazon RDS.
    #[error(transparent)]
    Rds(#[from] pgupgrade_rds::Error),
    /// The comparison of both sides.
    #[error(transparent)]
    Verify(Box<pgupgrade_verify::Error>),
    /// The slot that tells of changed rows.
    #[error(transparent)]
    Feed(Box<pgupgrade_verify::FeedError>),
    /// The verdict has nothing to go on.
    #[error(
        "the rows of both sides have not been compared by this process in time; the next approval finds them compared"
    )]
    NotCompared,
    /// The `ConfigMap` with the report could not be read or written.
    #[error("the ConfigMap with the report: {0}")]
    Report(kube::Error),
    /// The client for the Kubernetes API can't be made.
    #[error("no Kubernetes client: {0}; set KUBECONFIG or run with a ServiceAccount")]
    Client(Box<kube::Error>),
    /// The leader election failed.
    #[error("leader election with Lease {lease}: {message}")]
    Lease {
        /// Its name.
        lease: String,
        /// What happened.
        message: String,
    },
    /// The address for the endpoints can't be bound.
    #[error("cannot serve health and metrics on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Signals can't be received.
    #[error("cannot receive signals: {0}")]
    Signal(std::io::Error),
    /// Another replica leads now.
    #[error("another replica leads now; this one starts again as a stand-by")]
    LeadershipLost,
    /// The CA bundle that the operator was started with.
    #[error("no CA bundle at {path}: {source}; set spec.source.caBundleRef or the operator's --ca-bundle")]
    CaBundle {
        /// Where it should be.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A value of the application's Secret can't be rewritten.
    #[error("Secret {secret}: {problems}")]
    Connection {
        /// Its name.
        secret: String,
        /// What is wrong with which key; never a value.
        problems: String,
    },
    /// A background task died.
    #[error("a background task ended unexpectedly: {0}")]
    Task(String),
    /// The status lacks what an earlier phase must have put there.
    #[error("status.{0} is missing although the phase needs it: was the status edited or restored from a backup?")]
    StatusIncomplete(&'static str),
}

impl Error {
    /// For `map_err` on calls to the Kubernetes API.
    pub fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Api {
            what,
            source: Box::new(source),
        }
    }

    /// What is wrong with a Secret's values.
    #[must_use]
    pub fn connection(secret: &str, problems: &[KeyProblem]) -> Self {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Self::Connection {
            secret: secret.to_owned(),
            problems: problems.join("; "),
        }
    }

    /// The reason to stop with, where the same call can't go well later by itself.
    #[must_use]
    pub fn only_a_person_helps(&self) -> Option<&'static str> {
        match self {
            Self::Rds(error) if error.is_access_denied() => Some("PermissionDenied"),
            Self::Rds(error) if !error.is_retryable() => Some("RefusedByRDS"),
            Self::Kubernetes(error) => error.problem().map(|problem| problem.reason),
            Self::Postgres(pgupgrade_postgres::Error::PasswordRefused { .. }) => Some("PasswordRefused"),
            _ => None,
        }
    }

    /// Whether the status write lost against a newer version of the object: reconcile again with that one.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Api { source, .. } if matches!(source.as_ref(), kube::Error::Api(status) if status.code == 409))
    }
}

impl From<pgupgrade_verify::Error> for Error {
    fn from(error: pgupgrade_verify::Error) -> Self {
        Self::Verify(Box::new(error))
    }
}

impl From<pgupgrade_verify::FeedError> for Error {
    fn from(error: pgupgrade_verify::FeedError) -> Self {
        Self::Feed(Box::new(error))
    }
}
