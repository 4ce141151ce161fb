//! What to write on a Deployment, and when it is down or ready. Pure.
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::ResourceExt;

use super::super::pods::PodState;
use super::Workload;
use crate::kubernetes::{Error, Problem};

/// How many Pods a message names.
const NAMED: usize = 3;

/// What a Deployment shall look like; `None` removes an annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub owner: Option<String>,
    pub recorded: Option<String>,
    pub replicas: i32,
}

/// `None`: it is down and recorded.
pub(super) fn take_down(workload: &Workload, owner: &str) -> Result<Option<Write>, Error> {
    owned_by_nobody_else(workload, owner)?;
    // Whoever raised it after it was recorded did not change what it had before.
    let recorded = recorded(workload)?;
    let is_done = workload.replicas == 0 && workload.owner.is_some() && workload.recorded.is_some();
    let write = Write {
        owner: Some(owner.to_owned()),
        recorded: Some(recorded.to_string()),
        replicas: 0,
    };
    Ok((!is_done).then_some(write))
}

/// `None`: nothing is recorded.
pub(super) fn bring_up(workload: &Workload, owner: &str) -> Result<Option<Write>, Error> {
    owned_by_nobody_else(workload, owner)?;
    if workload.owner.is_none() {
        return Ok(None);
    }
    let replicas = match (workload.replicas, &workload.recorded) {
        (0, None) => return Err(unreadable(workload)),
        (0, Some(_)) => recorded(workload)?,
        (raised, _) => raised,
    };
    Ok(Some(Write {
        owner: None,
        recorded: None,
        replicas,
    }))
}

fn owned_by_nobody_else(workload: &Workload, owner: &str) -> Result<(), Error> {
    match &workload.owner {
        Some(other) if other != owner => Err(Error::OwnedByAnother {
            object: workload.object(),
            owner: other.clone(),
        }),
        _ => Ok(()),
    }
}

fn recorded(workload: &Workload) -> Result<i32, Error> {
    workload.recorded_replicas().ok_or_else(|| unreadable(workload))
}

fn unreadable(workload: &Workload) -> Error {
    Error::RecordUnreadable {
        object: workload.object(),
        value: workload.recorded.clone().unwrap_or_default(),
    }
}

/// Why a Deployment can't be taken down and brought up again by `owner`.
#[must_use]
pub fn problems(workload: &Workload, owner: &str) -> Vec<Problem> {
    let mut problems: Vec<Problem> = owned_by_nobody_else(workload, owner)
        .err()
        .iter()
        .filter_map(Error::problem)
        .collect();
    if workload.paused {
        let message =
            "its rollouts are paused, so that its Pods would not become ready again; kubectl rollout resume it";
        problems.push(Problem::new("WorkloadPaused", workload.object(), message));
    }
    if let Some(why) = &workload.stuck {
        let message = format!("its rollout is stuck ({why}); mend it, or it would not come back after the upgrade");
        problems.push(Problem::new("WorkloadNotHealthy", workload.object(), message));
    }
    problems
}

pub(super) fn autoscaler_problems(autoscalers: &[HorizontalPodAutoscaler], deployment: &str) -> Vec<Problem> {
    let target = |autoscaler: &&HorizontalPodAutoscaler| {
        let target = &autoscaler.spec.scale_target_ref;
        target.kind == "Deployment" && target.name == deployment
    };
    let keda = autoscalers
        .iter()
        .filter(target)
        .flat_map(ResourceExt::owner_references);
    keda.filter(|owner| owner.kind == "ScaledObject")
        .map(|owner| {
            let message = format!(
                "KEDA's ScaledObject {} would raise it during the cutover; annotate that with autoscaling.keda.sh/paused: \"true\" for the time of the upgrade",
                owner.name
            );
            Problem::new("WouldBeReverted", format!("Deployment/{deployment}"), message)
        })
        .collect()
}

/// How far a Deployment is with what is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Done,
    /// What is missing, in one line.
    Waiting(String),
    /// Somebody has scaled it meanwhile.
    Reverted,
}

/// Down: the controller has seen that it shall have none, and no Pod's process is left.
pub(super) fn is_gone(workload: &Workload, pods: &[&PodState]) -> Progress {
    if workload.replicas != 0 {
        return Progress::Reverted;
    }
    let left: Vec<&&PodState> = pods.iter().filter(|pod| !pod.finished).collect();
    if !left.is_empty() {
        return Progress::Waiting(format!(
            "{} left: {}",
            counted(left.len()),
            list(left.iter().map(|pod| pod.name.clone()))
        ));
    }
    if workload.observed_generation < workload.generation {
        return Progress::Waiting("the deployment controller has not seen it yet".to_owned());
    }
    Progress::Done
}

/// Ready: as `kubectl rollout status` has it, and every Pod ready too.
pub(super) fn is_ready(workload: &Workload, pods: &[&PodState]) -> Progress {
    let Workload {
        replicas,
        current,
        updated,
        ready,
        ..
    } = *workload;
    let seen = workload.observed_generation >= workload.generation;
    if seen && updated == replicas && ready == replicas && current == replicas {
        return Progress::Done;
    }
    let unready = pods.iter().filter(|pod| !pod.ready && !pod.finished && !pod.ending);
    let why = unready
        .map(|pod| format!("{}: {}", pod.name, pod.reason))
        .collect::<Vec<_>>();
    let mut message = format!(
        "{} of {} ready",
        if seen { ready.min(updated) } else { 0 },
        counted(usize::try_from(replicas).unwrap_or(0))
    );
    for part in [Some(list(why.into_iter())), workload.stuck.clone()]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
    {
        message = format!("{message}; {part}");
    }
    Progress::Waiting(message)
}

fn counted(pods: usize) -> String {
    format!("{pods} {}", if pods == 1 { "Pod" } else { "Pods" })
}

fn list(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    names.join(", ") + &more
}

#[cfg(test)]
mod tests;
