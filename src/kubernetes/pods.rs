//! Pods of the application's Deployments.
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client, ResourceExt};

use super::Error;
use super::error::Call;
use super::workloads::Workload;

/// The label that the deployment controller puts on the Pods of one template.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// One Pod, never another of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodRef {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// When it was made.
    pub created: Option<Timestamp>,
}

/// A Pod, as far as it matters for waiting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PodState {
    pub name: String,
    pub ready: bool,
    /// It is being ended; its process may still run.
    pub ending: bool,
    /// All its containers have ended for good.
    pub finished: bool,
    /// Why it isn't ready.
    pub reason: String,
}

impl PodState {
    pub fn from_pod(pod: &Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let is_ready = status
            .conditions
            .iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let finished = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        Self {
            name: pod.name_any(),
            ready: is_ready,
            ending: pod.metadata.deletion_timestamp.is_some(),
            finished,
            reason: reason(pod),
        }
    }
}

fn reason(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let mut containers = status
        .init_container_statuses
        .iter()
        .chain(&status.container_statuses)
        .flatten();
    if let Some(why) = containers.find_map(container_reason) {
        return why;
    }
    let mut conditions = status.conditions.iter().flatten();
    match conditions.find(|condition| condition.type_ == "PodScheduled" && condition.status == "False") {
        Some(condition) => condition.message.clone().unwrap_or_else(|| "not scheduled".to_owned()),
        None if status.phase.as_deref() == Some("Running") => "running, its readiness probe has not passed".to_owned(),
        None => status.phase.unwrap_or_else(|| "Pending".to_owned()),
    }
}

fn container_reason(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    let waiting = state
        .waiting
        .as_ref()
        .map(|waiting| (waiting.reason.clone(), waiting.message.clone()));
    let ended = state.terminated.as_ref().filter(|ended| ended.exit_code != 0);
    let ended = ended.map(|ended| (ended.reason.clone(), Some(format!("exit code {}", ended.exit_code))));
    let (reason, message) = waiting.or(ended)?;
    let reason = reason.unwrap_or_else(|| "waiting".to_owned());
    Some(message.map(|message| format!("{reason} ({message})")).unwrap_or(reason))
}

/// Whether a Pod that fits the selector is the Deployment's: the deployment controller calls its `ReplicaSet`s
/// `<deployment>-<pod-template-hash>` (`pkg/controller/deployment/sync.go` in Kubernetes). So they need not be read.
pub(super) fn is_of(pod: &Pod, deployment: &str) -> bool {
    let Some(hash) = pod.labels().get(TEMPLATE_HASH) else {
        return false;
    };
    let replica_set = format!("{deployment}-{hash}");
    pod.owner_references()
        .iter()
        .any(|owner| owner.kind == "ReplicaSet" && owner.name == replica_set)
}

/// The Pods of a Deployment, those that are being ended included.
///
/// # Errors
/// Where Pods may not be listed.
pub async fn pods_of(client: &Client, namespace: &str, workload: &Workload) -> Result<Vec<PodRef>, Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let call = Call {
        verb: "list",
        resource: "pods",
        namespace,
        name: "*",
    };
    let params = ListParams::default().labels(&workload.selector);
    let pods = call.answer(api.list(&params)).await?;
    let reference = |pod: Pod| PodRef {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
    };
    Ok(pods
        .items
        .into_iter()
        .filter(|pod| is_of(pod, &workload.name))
        .map(reference)
        .collect())
}

/// Ends exactly these Pods, gracefully; their Deployment replaces them. Those that are gone already, and others that have
/// taken over a name, are passed over. Returns how many were ended.
///
/// # Errors
/// Where Pods may not be deleted.
pub async fn end_pods(client: &Client, namespace: &str, pods: &[PodRef]) -> Result<usize, Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut ended = 0;
    for pod in pods {
        let this = Preconditions {
            uid: Some(pod.uid.clone()),
            resource_version: None,
        };
        let params = DeleteParams {
            preconditions: Some(this),
            ..DeleteParams::default()
        };
        let call = Call {
            verb: "delete",
            resource: "pods",
            namespace,
            name: &pod.name,
        };
        match call.answer(api.delete(&pod.name, &params)).await {
            Ok(_) => ended += 1,
            Err(Error::NotFound { .. } | Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: &Value) -> PodState {
        let pod = json!({ "metadata": { "name": "shop-api-1-a" }, "status": status });
        PodState::from_pod(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn a_pod_tells_why_it_is_not_ready() {
        let waiting = |reason: &str, message: Option<&str>| {
            json!({ "phase": "Pending", "containerStatuses": [{ "name": "api", "image": "i", "imageID": "", "ready": false,
                "restartCount": 0, "state": { "waiting": { "reason": reason, "message": message } } }] })
        };
        let ended = json!({ "phase": "Running", "containerStatuses": [{ "name": "api", "image": "i", "imageID": "",
            "ready": false, "restartCount": 1, "state": { "terminated": { "exitCode": 3, "reason": "Error" } } }] });
        let unscheduled = json!({ "phase": "Pending", "conditions": [
            { "type": "PodScheduled", "status": "False", "message": "0/1 nodes are available" }] });
        let table = [
            (
                waiting("ImagePullBackOff", Some("no such image")),
                "ImagePullBackOff (no such image)",
            ),
            (waiting("ContainerCreating", None), "ContainerCreating"),
            (ended, "Error (exit code 3)"),
            (unscheduled, "0/1 nodes are available"),
            (
                json!({ "phase": "Running" }),
                "running, its readiness probe has not passed",
            ),
            (json!({}), "Pending"),
        ];
        for (status, reason) in table {
            let state = pod(&status);
            assert_eq!(
                (state.reason.as_str(), state.ready, state.finished),
                (reason, false, false),
                "{status}"
            );
        }
        assert!(pod(&json!({ "phase": "Failed" })).finished);
        assert!(pod(&json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] })).ready);
    }

    #[test]
    fn a_pod_belongs_to_the_deployment_that_made_its_replica_set() {
        let pod = |owner: &str, hash: &str| -> Pod {
            let owner = json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": "1" });
            let metadata = json!({ "labels": { "pod-template-hash": hash }, "ownerReferences": [owner] });
            serde_json::from_value(json!({ "metadata": metadata })).unwrap()
        };
        assert!(is_of(&pod("shop-5d8", "5d8"), "shop"));
        assert!(!is_of(&pod("shop-api-5d8", "5d8"), "shop"));
        assert!(is_of(&pod("shop-api-5d8", "5d8"), "shop-api"));
        assert!(!is_of(&pod("shop-5d8", "6e9"), "shop"));
        assert!(!is_of(&Pod::default(), "shop"));
    }
}
