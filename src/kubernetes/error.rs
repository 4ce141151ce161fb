//! What can go wrong with the application's objects.
use std::time::Duration;

use super::Problem;

/// How long a call may take. The client itself waits for ever.
const ANSWER: Duration = Duration::from_secs(30);

/// An object of the application that could not be read, changed or waited for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object does not exist.
    #[error("{object} does not exist; create it or correct its name in the spec")]
    NotFound {
        /// `kind/name`.
        object: String,
    },
    /// A Secret or `ConfigMap` lacks a key.
    #[error("{object} has no key {key}; add it, or name one of its keys in the spec: {keys}")]
    KeyMissing {
        /// `kind/name`.
        object: String,
        /// The key.
        key: String,
        /// The keys that are there.
        keys: String,
    },
    /// A value that must be text is none.
    #[error("the value of {key} in {object} is not UTF-8 text")]
    NotText {
        /// `kind/name`.
        object: String,
        /// The key.
        key: String,
    },
    /// The operator's `ServiceAccount` lacks a permission.
    #[error(
        "not permitted to {verb} {resource} {name} in namespace {namespace}; grant it to the operator's ServiceAccount with a Role and a RoleBinding there"
    )]
    Forbidden {
        /// As RBAC calls it.
        verb: &'static str,
        /// The resource's plural name.
        resource: &'static str,
        /// The object's name; `*` for all.
        name: String,
        /// The namespace.
        namespace: String,
    },
    /// The object has changed since it was read.
    #[error("{object} was changed by somebody else in the meantime; it is read and decided on again")]
    Conflict {
        /// `kind/name`.
        object: String,
    },
    /// Another `PostgresUpgrade` has taken the workload down.
    #[error(
        "{object} belongs to PostgresUpgrade {owner}; let that one finish or delete it. If it no longer exists, restore the replicas by hand and remove the annotations pgupgrade.dev/owner and pgupgrade.dev/replicas"
    )]
    OwnedByAnother {
        /// `kind/name`.
        object: String,
        /// The owner annotation.
        owner: String,
    },
    /// The record of the replicas was edited.
    #[error(
        "the annotation pgupgrade.dev/replicas of {object} is not a number of replicas: {value:?}; set it to the number that it shall have"
    )]
    RecordUnreadable {
        /// `kind/name`.
        object: String,
        /// What stands there.
        value: String,
    },
    /// Somebody has raised the replicas of a workload that was taken down.
    #[error(
        "somebody has scaled {object} to {replicas} while it has to be down; exclude spec.replicas from what GitOps or an autoscaler reverts"
    )]
    Reverted {
        /// `kind/name`.
        object: String,
        /// Its replicas now.
        replicas: i32,
    },
    /// Something did not come true in time.
    #[error("{object} is not {what} after {}s: {state}", waited.as_secs())]
    Deadline {
        /// `kind/name`.
        object: String,
        /// What was waited for.
        what: &'static str,
        /// How long.
        waited: Duration,
        /// How far it had come.
        state: String,
    },
    /// The Kubernetes API did not answer.
    #[error("Kubernetes API, {verb} {resource} {name}: no answer within {}s", ANSWER.as_secs())]
    NoAnswer {
        /// As RBAC calls it.
        verb: &'static str,
        /// The resource's plural name.
        resource: &'static str,
        /// The object's name.
        name: String,
    },
    /// The Kubernetes API failed.
    #[error("Kubernetes API, {verb} {resource} {name}: {source}")]
    Api {
        /// As RBAC calls it.
        verb: &'static str,
        /// The resource's plural name.
        resource: &'static str,
        /// The object's name.
        name: String,
        /// The client's error.
        source: Box<kube::Error>,
    },
}

/// One call to the Kubernetes API, to say what failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub verb: &'static str,
    pub resource: &'static str,
    pub namespace: &'a str,
    pub name: &'a str,
}

impl Call<'_> {
    /// Waits for the answer.
    pub async fn answer<T>(self, answer: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Error> {
        match tokio::time::timeout(ANSWER, answer).await {
            Ok(answer) => answer.map_err(|error| self.failed(error)),
            Err(_) => Err(Error::NoAnswer {
                verb: self.verb,
                resource: self.resource,
                name: self.name.to_owned(),
            }),
        }
    }

    /// What an error of the client means.
    pub fn failed(self, source: kube::Error) -> Error {
        let code = match &source {
            kube::Error::Api(status) => status.code,
            _ => 0,
        };
        let (verb, resource, name) = (self.verb, self.resource, self.name.to_owned());
        match code {
            403 => Error::Forbidden {
                verb,
                resource,
                name,
                namespace: self.namespace.to_owned(),
            },
            404 => Error::NotFound {
                object: object(resource, self.name),
            },
            409 => Error::Conflict {
                object: object(resource, self.name),
            },
            _ => Error::Api {
                verb,
                resource,
                name,
                source: Box::new(source),
            },
        }
    }
}

/// `Secret/shop-db` for the resource `secrets` and the name `shop-db`.
pub(super) fn object(resource: &str, name: &str) -> String {
    let kind = match resource {
        "secrets" => "Secret",
        "configmaps" => "ConfigMap",
        "deployments" => "Deployment",
        "pods" => "Pod",
        other => other,
    };
    format!("{kind}/{name}")
}

impl Error {
    /// What the owner of the objects must mend; `None` for trouble that may pass by itself.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        let message = self.to_string();
        match self {
            Self::NotFound { object } => {
                let reason = if object.starts_with("Deployment") {
                    "WorkloadNotFound"
                } else {
                    "ObjectNotFound"
                };
                Some(Problem::new(reason, object.clone(), message))
            }
            Self::KeyMissing { object, .. } => Some(Problem::new("KeyNotFound", object.clone(), message)),
            Self::NotText { object, .. } => Some(Problem::new("ValueNotText", object.clone(), message)),
            Self::Forbidden { resource, name, .. } => {
                Some(Problem::new("PermissionDenied", object(resource, name), message))
            }
            Self::OwnedByAnother { object, .. } => {
                Some(Problem::new("WorkloadOwnedByAnother", object.clone(), message))
            }
            Self::RecordUnreadable { object, .. } => Some(Problem::new("RecordUnreadable", object.clone(), message)),
            Self::Reverted { object, .. } => Some(Problem::new("WouldBeReverted", object.clone(), message)),
            Self::Conflict { .. } | Self::Deadline { .. } | Self::NoAnswer { .. } | Self::Api { .. } => None,
        }
    }

    /// Whether the object has to be read again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_answer_is_not_waited_for_for_ever() {
        let call = Call {
            verb: "get",
            resource: "secrets",
            namespace: "shop",
            name: "shop-db",
        };
        let error = call
            .answer(std::future::pending::<Result<(), kube::Error>>())
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "Kubernetes API, get secrets shop-db: no answer within 30s"
        );
    }

    fn refused(code: u16) -> kube::Error {
        kube::Error::Api(Box::new(kube::core::Status {
            code,
            ..Default::default()
        }))
    }

    #[test]
    fn what_the_server_says_becomes_a_fix_or_passing_trouble() {
        let call = Call {
            verb: "patch",
            resource: "secrets",
            namespace: "shop",
            name: "shop-db",
        };
        // code, reason of the problem, part of the message
        let table = [
            (
                403,
                Some("PermissionDenied"),
                "patch secrets shop-db in namespace shop; grant it",
            ),
            (404, Some("ObjectNotFound"), "Secret/shop-db does not exist; create it"),
            (409, None, "changed by somebody else"),
            (500, None, "Kubernetes API, patch secrets shop-db"),
        ];
        for (code, reason, part) in table {
            let error = call.failed(refused(code));
            assert!(error.to_string().contains(part), "{error}");
            assert_eq!(error.problem().map(|problem| problem.reason), reason, "{code}");
            assert_eq!(error.is_conflict(), code == 409);
        }
    }
}
