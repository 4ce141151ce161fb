//! Takes back what this resource made, and only that. Used by every way in which an attempt or the whole ends.
use std::time::Duration;

use kube::runtime::events::EventType;
use pgupgrade_postgres::connection::{Connector, Profile, Session};
use pgupgrade_postgres::guard::{self, Patience};
use pgupgrade_postgres::{owner, publication, role, schema, slot, subscription, tables};
use pgupgrade_rds::Health;

use crate::api::{DatabaseStatus, ReclaimPolicy};
use crate::controller::names;
use crate::controller::outcome::Outcome;
use crate::controller::record::Record;
use crate::controller::scope::Scope;
use crate::error::Error;

/// Deleting a cluster takes some minutes on AWS.
const LIMIT: Duration = Duration::from_mins(30);
/// How long a walsender or worker is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Drops what the last attempt made: slots on the source first, since they hold back its WAL; then its clone.
///
/// # Errors
/// Where something does not answer; tried again.
pub async fn attempt(scope: &mut Scope) -> Result<Option<Outcome>, Error> {
    let key_owner = scope.uid();
    scope.context.tasks.stop_all_of(&key_owner).await;
    scope.context.comparisons.forget(&key_owner).await;
    stop_subscribing(scope).await;
    let source = scope.source().await?;
    for database in scope.status.databases.clone() {
        let session = source.connect(&database.name, Profile::Act).await?;
        for stream in &database.streams {
            subscription::drop(&session, &stream.reverse_subscription).await?;
            slot::drop(&session, &stream.slot, PATIENCE).await?;
            publication::drop(&session, &stream.publication).await?;
        }
        verification_slot(&session, &database).await?;
    }
    reclaim(scope).await
}

/// Drops the verification's slot and publication.
///
/// # Errors
/// Where the source does not answer; tried again.
pub async fn verification_slot(session: &Session, database: &DatabaseStatus) -> Result<(), Error> {
    if let Some(verification) = &database.verification {
        slot::drop(session, &verification.slot, PATIENCE).await?;
        publication::drop(session, &verification.publication).await?;
    }
    Ok(())
}

/// The clone's own subscription would only fill its log once the slot is gone. A clone that is gone needs nothing.
async fn stop_subscribing(scope: &Scope) {
    let Ok(target) = scope.target().await else { return };
    for database in &scope.status.databases {
        if let Err(error) = drop_subscriptions(&target, database).await {
            tracing::info!(%error, "the clone's subscription could not be dropped; it goes with the clone");
        }
    }
}

async fn drop_subscriptions(target: &Connector, database: &DatabaseStatus) -> Result<(), Error> {
    let session = target.connect(&database.name, Profile::Act).await?;
    for stream in &database.streams {
        subscription::drop(&session, &stream.subscription).await?;
    }
    Ok(())
}

/// Deletes the attempt's clone where the spec says so. It was never opened to the application.
async fn reclaim(scope: &mut Scope) -> Result<Option<Outcome>, Error> {
    let attempt = scope.attempt()?.clone();
    let owner = scope.owner();
    if scope.spec().reclaim_policy == ReclaimPolicy::Delete {
        if let Some(cluster) = scope.rds.cluster(&attempt.target_identifier).await?
            && cluster.tags.get(names::OWNER) == Some(&owner)
        {
            if !matches!(cluster.health(), Health::Working) || cluster.status == "deleting" {
                scope.rds.delete_cluster(&cluster, &owner).await?;
            }
            let message = format!("deleting clone {} ({})", cluster.identifier, cluster.status);
            return Ok(Some(Outcome::wait(
                scope.context.settings.poll,
                LIMIT,
                "Reclaiming",
                message,
            )));
        }
        for group in [&attempt.cluster_parameter_group, &attempt.clone_parameter_group]
            .into_iter()
            .flatten()
        {
            scope.rds.delete_cluster_parameter_group(group, &owner).await?;
        }
        if let Some(group) = &attempt.instance_parameter_group {
            scope.rds.delete_db_parameter_group(group, &owner).await?;
        }
        scope.attempt_mut()?.reclaimed = Some(true);
    } else {
        scope.event(
            EventType::Normal,
            "CloneRetained",
            format!("clone {} is kept (reclaimPolicy)", attempt.target_identifier),
        );
        scope.attempt_mut()?.reclaimed = Some(false);
    }
    Ok(None)
}

/// Takes back everything on the source: guard, replica identities, role, schema, parameter group, tag.
///
/// # Errors
/// Where something does not answer; tried again.
pub async fn source(scope: &mut Scope) -> Result<(), Error> {
    let source = scope.source().await?;
    for database in &scope.resolved()?.databases.clone() {
        let session = source.connect(database, Profile::Act).await?;
        restore_identities(scope, &session, database).await?;
        if owner::read(&session).await?.is_some_and(|row| row.uid == scope.uid()) {
            let claim = scope.claim(&session).await?;
            guard::remove(&session, &claim, &Patience::default()).await?;
            schema::drop_streams(&session).await?;
            owner::drop_schema(&session, &claim).await?;
        }
        role::drop(&session, &Record::role(scope)).await?;
    }
    restore_source_parameters(scope).await?;
    let resolved = scope.resolved()?;
    if let Some(arn) = &resolved.source_arn {
        scope.rds.remove_tags(arn, &[names::OWNER]).await?;
    }
    Ok(())
}

/// Puts back the replica identities that were changed for the upgrade.
///
/// # Errors
/// Where a table can't be locked in time; tried again.
pub async fn restore_identities(scope: &Scope, session: &Session, database: &str) -> Result<(), Error> {
    let changed = scope.status.databases.iter().filter(|status| status.name == database);
    for identity in changed.flat_map(|status| &status.replica_identities) {
        tables::restore_replica_identity(session, &identity.table, &identity.before).await?;
    }
    Ok(())
}

/// The source gets its own parameter group back; what is static takes effect with its owner's next reboot.
///
/// # Errors
/// Where RDS does not answer; tried again.
pub async fn restore_source_parameters(scope: &mut Scope) -> Result<(), Error> {
    let Some(original) = scope
        .status
        .source_changes
        .as_ref()
        .and_then(|changes| changes.previous_parameter_group.clone())
    else {
        return Ok(());
    };
    let group = names::source_parameter_group(&scope.uid());
    if let Some(cluster) = scope.rds.cluster(&scope.spec().source.identifier).await?
        && cluster.parameter_group == group
    {
        scope.rds.modify_cluster_parameter_group(&cluster, &original).await?;
    }
    let owner = scope.owner();
    if let Err(error) = scope.rds.delete_cluster_parameter_group(&group, &owner).await {
        tracing::info!(%error, group, "the parameter group is still in use; it is left for its owner to delete");
    }
    Ok(())
}
