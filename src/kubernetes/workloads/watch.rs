//! Waits for a Deployment and its Pods by watching both, so that nothing waits for the end of a poll interval.
use std::collections::BTreeMap;
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, watcher::Config};
use kube::{Api, Client, ResourceExt};
use tokio::time::{Instant, timeout_at};

use super::super::error::Call;
use super::super::pods::{PodState, is_of};
use super::decide::Progress;
use super::{Error, Workload};

/// One wait.
pub(super) struct Wait<'a> {
    pub client: &'a Client,
    pub namespace: &'a str,
    pub workload: &'a Workload,
    pub deadline: Duration,
    /// What is waited for, as `is not … after` goes on.
    pub what: &'static str,
}

/// What has been seen so far.
#[derive(Default)]
struct View {
    /// `None`: not seen yet.
    deployment: Option<Workload>,
    deployment_gone: bool,
    pods: BTreeMap<String, PodState>,
    /// The Pods of a list that is not complete yet.
    listing: BTreeMap<String, PodState>,
    pods_listed: bool,
}

enum Seen {
    Deployment(Result<Event<Deployment>, watcher::Error>),
    Pod(Result<Event<Pod>, watcher::Error>),
}

impl Wait<'_> {
    /// Waits until `decide` says that it is done.
    pub async fn until(
        &self,
        decide: impl Fn(&Workload, &[&PodState]) -> Progress,
        mut progress: impl FnMut(&str) + Send,
    ) -> Result<Workload, Error> {
        let end = Instant::now() + self.deadline;
        let mut events = self.events();
        let mut view = View::default();
        let mut state = "nothing heard from the API server yet".to_owned();
        loop {
            let Ok(Some(event)) = timeout_at(end, events.next()).await else {
                return Err(self.too_late(state));
            };
            match self.see(&mut view, event)? {
                Some(trouble) => state = trouble,
                None => match view.judge(&decide) {
                    None => continue,
                    Some((workload, Progress::Done)) => return Ok(workload.clone()),
                    Some((workload, Progress::Reverted)) => {
                        return Err(Error::Reverted {
                            object: workload.object(),
                            replicas: workload.replicas,
                        });
                    }
                    Some((_, Progress::Waiting(message))) if message == state => continue,
                    Some((_, Progress::Waiting(message))) => state = message,
                },
            }
            progress(&state);
        }
    }

    fn events(&self) -> impl Stream<Item = Seen> + Unpin + use<> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), self.namespace);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), self.namespace);
        // A Role that names the Deployment allows to list and watch it only with this field selector.
        let this = Config::default().fields(&format!("metadata.name={}", self.workload.name));
        let of_it = Config::default().labels(&self.workload.selector);
        let deployment = watcher(deployments, this).default_backoff().map(Seen::Deployment);
        let pods = watcher(pods, of_it).default_backoff().map(Seen::Pod);
        futures::stream::select(deployment.boxed(), pods.boxed())
    }

    /// Takes an event in. What is not permitted or gone ends the wait; other trouble is told and tried again.
    fn see(&self, view: &mut View, event: Seen) -> Result<Option<String>, Error> {
        match event {
            Seen::Deployment(Ok(event)) => view.deployment(event),
            Seen::Pod(Ok(event)) => view.pod(event, &self.workload.name),
            Seen::Deployment(Err(error)) => return self.trouble("deployments", &self.workload.name, error).map(Some),
            Seen::Pod(Err(error)) => return self.trouble("pods", "*", error).map(Some),
        }
        if view.deployment_gone {
            Err(Error::NotFound {
                object: self.workload.object(),
            })
        } else {
            Ok(None)
        }
    }

    fn trouble(&self, resource: &'static str, name: &str, error: watcher::Error) -> Result<String, Error> {
        let message = error.to_string();
        let (verb, source) = match error {
            watcher::Error::InitialListFailed(source) => ("list", source),
            watcher::Error::WatchStartFailed(source) => ("watch", source),
            _ => return Ok(message),
        };
        match (Call {
            verb,
            resource,
            namespace: self.namespace,
            name,
        })
        .failed(source)
        {
            error @ Error::Forbidden { .. } => Err(error),
            _ => Ok(message),
        }
    }

    fn too_late(&self, state: String) -> Error {
        Error::Deadline {
            object: self.workload.object(),
            what: self.what,
            waited: self.deadline,
            state,
        }
    }
}

impl View {
    fn deployment(&mut self, event: Event<Deployment>) {
        match event {
            Event::Init => self.deployment = None,
            Event::InitApply(deployment) | Event::Apply(deployment) => {
                self.deployment = Some(Workload::from_deployment(&deployment));
            }
            Event::InitDone => self.deployment_gone = self.deployment.is_none(),
            Event::Delete(_) => self.deployment_gone = true,
        }
    }

    fn pod(&mut self, event: Event<Pod>, deployment: &str) {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(pod) if is_of(&pod, deployment) => insert(&mut self.listing, &pod),
            Event::Apply(pod) if is_of(&pod, deployment) => insert(&mut self.pods, &pod),
            Event::InitApply(_) | Event::Apply(_) => {}
            Event::InitDone => {
                self.pods = std::mem::take(&mut self.listing);
                self.pods_listed = true;
            }
            Event::Delete(pod) => drop(self.pods.remove(&pod.uid().unwrap_or_default())),
        }
    }

    /// `None`: too little has been seen to judge.
    fn judge(&self, decide: impl Fn(&Workload, &[&PodState]) -> Progress) -> Option<(&Workload, Progress)> {
        let workload = self.deployment.as_ref().filter(|_| self.pods_listed)?;
        let pods: Vec<&PodState> = self.pods.values().collect();
        Some((workload, decide(workload, &pods)))
    }
}

fn insert(pods: &mut BTreeMap<String, PodState>, pod: &Pod) {
    pods.insert(pod.uid().unwrap_or_default(), PodState::from_pod(pod));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::decide::is_gone;
    use super::*;

    fn pod(uid: &str) -> Pod {
        let owner = json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop-1", "uid": "1" });
        let metadata =
            json!({ "name": uid, "uid": uid, "labels": { "pod-template-hash": "1" }, "ownerReferences": [owner] });
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    fn deployment(replicas: i32) -> Deployment {
        let spec = json!({ "replicas": replicas, "selector": {}, "template": {} });
        serde_json::from_value(json!({ "metadata": { "name": "shop" }, "spec": spec })).unwrap()
    }

    #[test]
    fn nothing_is_judged_before_both_lists_are_complete() {
        let mut view = View::default();
        view.deployment(Event::Init);
        view.deployment(Event::InitApply(deployment(0)));
        view.deployment(Event::InitDone);
        view.pod(Event::Init, "shop");
        assert!(view.judge(is_gone).is_none());
        view.pod(Event::InitApply(pod("a")), "shop");
        view.pod(Event::InitDone, "shop");
        assert!(matches!(view.judge(is_gone), Some((_, Progress::Waiting(_)))));
        view.pod(Event::Delete(pod("a")), "shop");
        assert!(matches!(view.judge(is_gone), Some((_, Progress::Done))));
    }

    #[test]
    fn a_watch_that_starts_again_forgets_what_has_gone_meanwhile() {
        let mut view = View::default();
        view.deployment(Event::Apply(deployment(0)));
        view.pod(Event::InitApply(pod("a")), "shop");
        view.pod(Event::InitDone, "shop");
        view.pod(Event::Init, "shop");
        assert!(matches!(view.judge(is_gone), Some((_, Progress::Waiting(_)))));
        view.pod(Event::InitDone, "shop");
        assert!(matches!(view.judge(is_gone), Some((_, Progress::Done))));
        view.deployment(Event::Init);
        assert!(view.judge(is_gone).is_none());
        view.deployment(Event::InitDone);
        assert!(view.deployment_gone);
    }
}
