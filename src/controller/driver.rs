//! One reconcile: live read, the current phase, one status write.
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::context::Context;
use super::outcome::{Again, Outcome, settle};
use super::scope::{Scope, answered, now};
use crate::api::{FINALIZER, Phase, PostgresUpgrade};
use crate::error::Error;
use crate::metrics::Resource;
use crate::phases;

/// How long one kind of trouble may last before it is reported as more than a passing one.
const ERROR_LIMIT: Duration = Duration::from_mins(10);

/// In the cutover an application waits.
const QUICKLY: Duration = Duration::from_millis(250);

/// Moves one resource on.
///
/// # Errors
/// Where the Kubernetes API fails; whatever else fails is told in the status.
pub async fn reconcile(cached: Arc<PostgresUpgrade>, context: Arc<Context>) -> Result<Action, Error> {
    let namespace = cached.namespace().unwrap_or_default();
    let name = cached.name_any();
    let resource = Resource {
        namespace: namespace.clone(),
        name: name.clone(),
    };
    let upgrades: Api<PostgresUpgrade> = Api::namespaced(context.client.clone(), &namespace);
    let live = answered(&format!("reading {namespace}/{name}"), upgrades.get_opt(&name)).await?;
    let Some(live) = live else {
        context
            .metrics
            .forget(&resource, &cached.status.clone().unwrap_or_default());
        return Ok(Action::await_change());
    };
    let deleted = live.metadata.deletion_timestamp.is_some();
    let held = live.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    match (deleted, held) {
        (true, false) => return Ok(Action::await_change()),
        (false, false) => return hold(&upgrades, &live).await,
        _ => {}
    }
    let mut scope = Box::pin(Scope::new(context.clone(), live)).await;
    let result = advance(&mut scope, deleted).await;
    if result.is_err() {
        context.metrics.failed(&resource);
    }
    let before = scope.object.status.clone().unwrap_or_default();
    context.metrics.observe(&resource, &before, &scope.status);
    let again = result?;
    if deleted && scope.status.phase.is_final() {
        scope.context.tasks.stop_all_of(&scope.uid()).await;
        release(&upgrades, &scope).await?;
        return Ok(Action::await_change());
    }
    Ok(match again {
        Again::After(duration) => Action::requeue(duration),
        Again::OnChange => Action::await_change(),
    })
}

async fn advance(scope: &mut Scope, deleted: bool) -> Result<Again, Error> {
    let phase = scope.status.phase;
    let outcome = match phases::redirect(scope, deleted) {
        Some(other) => Ok(Outcome::Advance(other)),
        None => phases::run(phase, scope).await,
    };
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) if error.is_conflict() => return Err(error),
        Err(error) => {
            tracing::warn!(%error, phase = phase.name(), resource = %scope.owner(), "phase failed");
            trouble(scope, &error)
        }
    };
    announce(scope, &outcome);
    let generation = scope.object.metadata.generation;
    let again = settle(&mut scope.status, outcome, generation, now());
    scope.persist().await?;
    Ok(again)
}

/// An error may pass by itself: wait, say what it is, and after a while say that it does not pass.
fn trouble(scope: &Scope, error: &Error) -> Outcome {
    if let Some(reason) = error.only_a_person_helps() {
        return Outcome::hold(reason, format!("{}: {error}", scope.status.phase.name()));
    }
    Outcome::Wait {
        after: if scope.status.phase == Phase::CuttingOver {
            QUICKLY
        } else {
            scope.context.settings.poll
        },
        limit: ERROR_LIMIT,
        reason: "Retrying",
        message: format!("{}: {error}; tried again", scope.status.phase.name()),
    }
}

fn announce(scope: &Scope, outcome: &Outcome) {
    match outcome {
        Outcome::Advance(next) => {
            let note = format!("{} → {}", scope.status.phase.name(), next.name());
            scope.event(EventType::Normal, "PhaseChanged", note);
        }
        Outcome::Hold { reason, message } if scope.status.message.as_ref() != Some(message) => {
            let reason = if scope.status.phase == Phase::Preflight {
                "PreflightBlocked"
            } else {
                reason
            };
            scope.event(EventType::Warning, reason, message.clone());
        }
        Outcome::NextAttempt { reason, message } => {
            scope.event(EventType::Warning, "AttemptAbandoned", format!("{reason}: {message}"));
        }
        Outcome::Conclude { reason, message, .. } => scope.event(EventType::Normal, reason, message.clone()),
        Outcome::Fail { reason, message } => scope.event(EventType::Warning, reason, message.clone()),
        Outcome::Hold { .. } | Outcome::Wait { .. } | Outcome::Rest { .. } => {}
    }
}

async fn hold(upgrades: &Api<PostgresUpgrade>, live: &PostgresUpgrade) -> Result<Action, Error> {
    let mut finalizers = live.finalizers().to_vec();
    finalizers.push(FINALIZER.to_owned());
    set_finalizers(upgrades, live, live.resource_version(), &finalizers).await?;
    Ok(Action::requeue(Duration::ZERO))
}

async fn release(upgrades: &Api<PostgresUpgrade>, scope: &Scope) -> Result<(), Error> {
    let live = answered("reading the object before its release", upgrades.get_opt(&scope.name())).await?;
    let Some(live) = live.filter(|live| live.uid() == scope.object.uid()) else {
        return Ok(());
    };
    let finalizers: Vec<String> = live
        .finalizers()
        .iter()
        .filter(|name| *name != FINALIZER)
        .cloned()
        .collect();
    set_finalizers(upgrades, &live, live.resource_version(), &finalizers).await
}

async fn set_finalizers(
    upgrades: &Api<PostgresUpgrade>,
    object: &PostgresUpgrade,
    resource_version: Option<String>,
    finalizers: &[String],
) -> Result<(), Error> {
    let patch = json!({ "metadata": { "resourceVersion": resource_version, "finalizers": finalizers } });
    let (name, parameters) = (object.name_any(), PatchParams::default());
    let patch = Patch::Merge(patch);
    let call = upgrades.patch(&name, &parameters, &patch);
    answered(&format!("setting the finalizers of {name}"), call)
        .await
        .map(drop)
}
