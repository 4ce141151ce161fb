//! After success: replication and roles go on both sides. The old database keeps its guard, its closed fence and its
//! owner tag for ever: an old Secret must not reach it unseen, and a re-created resource must see that it was left.
use std::time::Duration;

use kube::runtime::events::EventType;
use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::guard::{self, Patience};
use pgupgrade_postgres::{owner, publication, role, schema, slot, subscription};

use super::cleanup;
use crate::api::conditions;
use crate::api::{AttemptOutcome, DatabaseStatus, Phase, Writer};
use crate::controller::names;
use crate::controller::outcome::Outcome;
use crate::controller::record::Record;
use crate::controller::scope::Scope;
use crate::error::Error;
use crate::verification::proof;

/// How long a walsender or worker is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    proof::conclude(scope).await;
    // Its owner may have deleted it already; what it held back on the new database must go all the same.
    let source_exists = scope.rds.cluster(&scope.spec().source.identifier).await?.is_some();
    for database in scope.status.databases.clone() {
        if source_exists {
            stop_following(scope, &database).await?;
        }
        clean_target(scope, &database).await?;
        if source_exists {
            clean_source(scope, &database).await?;
        }
    }
    cleanup::restore_source_parameters(scope).await?;
    leftovers(scope).await?;
    Record::forget(scope).await?;
    if let Some(attempt) = scope.status.attempts.last_mut() {
        attempt.outcome = AttemptOutcome::Succeeded;
        attempt.finished_at = Some(crate::api::conditions::seconds(crate::controller::scope::now()));
    }
    scope.status.writer = Some(Writer::Target);
    scope.condition(conditions::SUCCEEDED, true, "Finalized", "");
    let resolved = scope.resolved()?;
    let version = resolved.target_engine_version.clone().unwrap_or_default();
    let old = scope.spec().source.identifier.clone();
    let from = resolved.source_engine_version.clone().unwrap_or_default();
    let new = scope.attempt()?.target_identifier.clone();
    let message = format!(
        "the application runs on {new} ({version}); the old cluster {old} ({from}) is fenced and yours to delete"
    );
    scope.event(EventType::Normal, "Finalized", message.clone());
    Ok(Outcome::Conclude {
        phase: Phase::Succeeded,
        reason: "Succeeded",
        message,
    })
}

/// First, so that nobody uses the reverse slots any more.
async fn stop_following(scope: &Scope, database: &DatabaseStatus) -> Result<(), Error> {
    let session = scope.source().await?.connect(&database.name, Profile::Act).await?;
    for stream in &database.streams {
        subscription::drop(&session, &stream.reverse_subscription).await?;
    }
    Ok(())
}

async fn clean_target(scope: &Scope, database: &DatabaseStatus) -> Result<(), Error> {
    let session = scope.target().await?.connect(&database.name, Profile::Act).await?;
    for stream in &database.streams {
        subscription::drop(&session, &stream.subscription).await?;
        slot::drop(&session, &stream.reverse_slot, PATIENCE).await?;
        publication::drop(&session, &stream.reverse_publication).await?;
    }
    cleanup::verification_slot(&session, database).await?;
    // Whether or not the status names it: a leader that was stopped in the middle may have made it after its end.
    let reverse = names::reverse_verification(&scope.uid(), scope.status.attempt.unwrap_or_default());
    slot::drop(&session, &reverse, PATIENCE).await?;
    publication::drop(&session, &reverse).await?;
    cleanup::restore_identities(scope, &session, &database.name).await?;
    if owner::read(&session).await?.is_some() {
        let claim = scope.claim(&session).await?;
        guard::remove(&session, &claim, &Patience::default()).await?;
        schema::drop_streams(&session).await?;
        owner::drop_schema(&session, &claim).await?;
    }
    Ok(role::drop(&session, &Record::role(scope)).await?)
}

async fn clean_source(scope: &Scope, database: &DatabaseStatus) -> Result<(), Error> {
    let session = scope.source().await?.connect(&database.name, Profile::Act).await?;
    for stream in &database.streams {
        slot::drop(&session, &stream.slot, PATIENCE).await?;
        publication::drop(&session, &stream.publication).await?;
    }
    cleanup::verification_slot(&session, database).await?;
    schema::drop_streams(&session).await?;
    Ok(role::drop(&session, &Record::role(scope)).await?)
}

/// What the clone and its upgrade left on AWS.
async fn leftovers(scope: &Scope) -> Result<(), Error> {
    let attempt = scope.attempt()?;
    let owner = scope.owner();
    if let Some(cluster) = scope.rds.cluster(&attempt.target_identifier).await? {
        scope.rds.delete_preupgrade_snapshots(&cluster).await?;
    }
    if let Some(group) = &attempt.clone_parameter_group {
        scope.rds.delete_cluster_parameter_group(group, &owner).await?;
    }
    Ok(())
}
