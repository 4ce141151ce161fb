//! Deployments of the application: taken down, brought up again, with the record of it on themselves.
mod decide;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::error::{Call, object};
use super::{Error, FIELD_MANAGER, OWNER_ANNOTATION, Problem, REPLICAS_ANNOTATION};
use decide::Write;
pub use decide::problems;

/// How often a write that lost against another one is decided again. A Deployment's status changes several times in a
/// second while its Pods come or go, and each change is a new version of the object.
const TRIES: usize = 20;

/// A Deployment, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The version that a write of it must be based on.
    pub resource_version: String,
    /// How often its spec has changed.
    pub generation: i64,
    /// The generation that its status tells of.
    pub observed_generation: i64,
    /// Replicas wanted.
    pub replicas: i32,
    /// Pods that exist and are not being ended.
    pub current: i32,
    /// Pods of the newest template.
    pub updated: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// Whether its rollouts are paused.
    pub paused: bool,
    /// The labels of its Pods, as a selector.
    pub selector: String,
    /// Who has taken it down: the annotation `pgupgrade.dev/owner`.
    pub owner: Option<String>,
    /// How many replicas it had before: the annotation `pgupgrade.dev/replicas`, unread.
    pub recorded: Option<String>,
    /// Why its rollout is stuck, where Kubernetes says so.
    pub stuck: Option<String>,
}

impl Workload {
    /// `Deployment/name`.
    #[must_use]
    pub fn object(&self) -> String {
        object("deployments", &self.name)
    }

    /// The replicas that it gets back: those on record, or where nothing is recorded those that it has. `None`: the record
    /// was edited and is no number.
    #[must_use]
    pub fn recorded_replicas(&self) -> Option<i32> {
        match &self.recorded {
            Some(recorded) if self.owner.is_some() => recorded.parse().ok().filter(|replicas| *replicas >= 0),
            _ => Some(self.replicas),
        }
    }

    fn from_deployment(deployment: &Deployment) -> Self {
        let spec = &deployment.spec;
        let status = deployment.status.clone().unwrap_or_default();
        let annotation = |key: &str| deployment.annotations().get(key).cloned();
        let stuck = status.conditions.iter().flatten().find(|condition| {
            let is = |type_: &str, status: &str| {
                condition.type_.as_deref() == Some(type_) && condition.status.as_deref() == Some(status)
            };
            is("Progressing", "False") || is("ReplicaFailure", "True")
        });
        Self {
            name: deployment.name_any(),
            uid: deployment.uid().unwrap_or_default(),
            resource_version: deployment.resource_version().unwrap_or_default(),
            generation: deployment.metadata.generation.unwrap_or_default(),
            observed_generation: status.observed_generation.unwrap_or_default(),
            replicas: spec.replicas.unwrap_or(1),
            current: status.replicas.unwrap_or_default(),
            updated: status.updated_replicas.unwrap_or_default(),
            ready: status.ready_replicas.unwrap_or_default(),
            paused: spec.paused.unwrap_or_default(),
            selector: selector(&spec.selector),
            owner: annotation(OWNER_ANNOTATION),
            recorded: annotation(REPLICAS_ANNOTATION),
            stuck: stuck.map(|condition| condition.message.clone().unwrap_or_default()),
        }
    }
}

/// A selector as the API takes it in `labelSelector`.
fn selector(selector: &LabelSelector) -> String {
    let labels: &BTreeMap<String, String> = &selector.match_labels.clone().unwrap_or_default();
    let equal = labels.iter().map(|(key, value)| format!("{key}={value}"));
    let expressions = selector.match_expressions.iter().flatten().map(|expression| {
        let (key, values) = (&expression.key, expression.values.clone().unwrap_or_default().join(","));
        match expression.operator.as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.clone(),
        }
    });
    equal.chain(expressions).collect::<Vec<_>>().join(",")
}

/// Reads a Deployment.
///
/// # Errors
/// Where it does not exist or may not be read.
pub async fn read(client: &Client, namespace: &str, name: &str) -> Result<Workload, Error> {
    let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let call = Call {
        verb: "get",
        resource: "deployments",
        namespace,
        name,
    };
    let deployment = call.answer(api.get(name)).await?;
    Ok(Workload::from_deployment(&deployment))
}

/// Autoscalers that would raise the Deployment while it is taken down. A plain `HorizontalPodAutoscaler` does not: it rests
/// at zero replicas; KEDA's goes on. Where autoscalers may not be listed there are none to tell of.
///
/// # Errors
/// Where the API server does not answer.
pub async fn autoscaler_problems(client: &Client, namespace: &str, name: &str) -> Result<Vec<Problem>, Error> {
    let api: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
    let call = Call {
        verb: "list",
        resource: "horizontalpodautoscalers",
        namespace,
        name: "*",
    };
    match call.answer(api.list(&ListParams::default())).await {
        Ok(autoscalers) => Ok(decide::autoscaler_problems(&autoscalers.items, name)),
        Err(Error::Forbidden { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Takes a Deployment down: replicas to zero and the record of what they were, in one write. Done again, it does nothing.
/// What comes back has the record in [`Workload::recorded_replicas`].
///
/// # Errors
/// [`Error::OwnedByAnother`] where another `PostgresUpgrade` has taken it down.
pub async fn scale_to_zero(client: &Client, namespace: &str, name: &str, owner: &str) -> Result<Workload, Error> {
    write(client, namespace, name, |workload| decide::take_down(workload, owner)).await
}

/// Gives a Deployment its replicas back and removes the record, in one write. Where nothing is recorded it does nothing;
/// where somebody has raised the replicas in the meantime they stay.
///
/// # Errors
/// [`Error::OwnedByAnother`] where the record is another's, [`Error::RecordUnreadable`] where it was edited.
pub async fn restore(client: &Client, namespace: &str, name: &str, owner: &str) -> Result<Workload, Error> {
    write(client, namespace, name, |workload| decide::bring_up(workload, owner)).await
}

async fn write(
    client: &Client,
    namespace: &str,
    name: &str,
    decide: impl Fn(&Workload) -> Result<Option<Write>, Error>,
) -> Result<Workload, Error> {
    let mut tries = 0;
    loop {
        let workload = read(client, namespace, name).await?;
        let Some(write) = decide(&workload)? else {
            return Ok(workload);
        };
        tries += 1;
        match patch(client, namespace, &workload, &write).await {
            Err(Error::Conflict { .. }) if tries < TRIES => {}
            result => return result,
        }
    }
}

async fn patch(client: &Client, namespace: &str, workload: &Workload, write: &Write) -> Result<Workload, Error> {
    let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let call = Call {
        verb: "patch",
        resource: "deployments",
        namespace,
        name: &workload.name,
    };
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(body(workload, write));
    let deployment = call.answer(api.patch(&workload.name, &params, &patch)).await?;
    Ok(Workload::from_deployment(&deployment))
}

fn body(workload: &Workload, write: &Write) -> Value {
    json!({
        "metadata": {
            "uid": workload.uid,
            "resourceVersion": workload.resource_version,
            "annotations": { OWNER_ANNOTATION: write.owner, REPLICAS_ANNOTATION: write.recorded },
        },
        "spec": { "replicas": write.replicas },
    })
}

/// Waits until a Deployment that was taken down has no Pod left, those that are being ended included. `progress` is told
/// what is still there, each time that it changes.
///
/// # Errors
/// [`Error::Deadline`] with the Pods that are left, or where Deployments or Pods may not be watched.
pub async fn wait_until_gone(
    client: &Client,
    namespace: &str,
    workload: &Workload,
    deadline: Duration,
    progress: impl FnMut(&str) + Send,
) -> Result<(), Error> {
    let wait = watch::Wait {
        client,
        namespace,
        workload,
        deadline,
        what: "down",
    };
    wait.until(decide::is_gone, progress).await.map(drop)
}

/// Waits until all replicas that a Deployment wants run its newest template and are ready. `progress` is told which Pods
/// are not and why, each time that it changes.
///
/// # Errors
/// [`Error::Deadline`] with the Pods that are not ready, or where Deployments or Pods may not be watched.
pub async fn wait_until_ready(
    client: &Client,
    namespace: &str,
    workload: &Workload,
    deadline: Duration,
    progress: impl FnMut(&str) + Send,
) -> Result<Workload, Error> {
    let wait = watch::Wait {
        client,
        namespace,
        workload,
        deadline,
        what: "ready",
    };
    wait.until(decide::is_ready, progress).await
}

#[cfg(test)]
mod tests;
