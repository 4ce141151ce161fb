//! Upgrades the clone with `ModifyDBCluster`, and makes sure that it comes back with logical replication on.
use std::collections::BTreeMap;
use std::time::Duration;

use pgupgrade_postgres::clone;
use pgupgrade_postgres::connection::Profile;
use pgupgrade_rds::{Cluster, Health};

use super::cloning::tags;
use crate::api::{ParameterGroupPolicy, Phase};
use crate::controller::names;
use crate::controller::outcome::Outcome;
use crate::controller::scope::{Scope, now};
use crate::error::Error;

/// Amazon's own figure for a major upgrade is 15 to 20 minutes; large catalogs take longer.
const LIMIT: Duration = Duration::from_hours(2);

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    let identifier = scope.attempt()?.target_identifier.clone();
    let wanted = scope.resolved()?.target_engine_version.clone().unwrap_or_default();
    let Some(cluster) = scope.rds.cluster(&identifier).await? else {
        return Ok(Outcome::NextAttempt {
            reason: "CloneLost",
            message: format!("DB cluster {identifier} does not exist any more"),
        });
    };
    if let Health::Broken(why) = cluster.health() {
        return Ok(Outcome::NextAttempt {
            reason: "UpgradeFailed",
            message: format!("{identifier}: {why}"),
        });
    }
    let members = scope.rds.members(&cluster).await?;
    if cluster.settled(&members, &wanted) {
        return logical(scope, &cluster, &wanted).await;
    }
    match (scope.attempt()?.upgrade_started_at.clone(), cluster.health()) {
        (None, Health::Available) => start(scope, &cluster, &wanted).await,
        (None, _) => Ok(waiting(
            scope,
            &format!(
                "{identifier} is {}, its upgrade to {wanted} begins when it is available",
                cluster.status
            ),
        )),
        (Some(_), _) if cluster.engine_version == wanted => Ok(waiting(
            scope,
            &format!(
                "{identifier} runs {wanted} and is {}; its instance is not ready yet",
                cluster.status
            ),
        )),
        (Some(since), Health::Available) if cluster.pending_engine_version.is_none() => {
            refused_or_waiting(scope, &cluster, &wanted, since.0).await
        }
        (Some(_), Health::Available) => Ok(waiting(
            scope,
            &format!("{identifier}: the upgrade to {wanted} is accepted and has not begun yet"),
        )),
        (Some(_), _) => Ok(waiting(
            scope,
            &format!("{identifier} is {}, on the way to {wanted}", cluster.status),
        )),
    }
}

fn waiting(scope: &Scope, what: &str) -> Outcome {
    Outcome::wait(
        scope.context.settings.poll,
        LIMIT,
        "Upgrading",
        format!("{what}; usually 15 to 20 minutes on Aurora"),
    )
}

/// Drops from the clone what the upgrade would be refused for, then asks for it.
async fn start(scope: &mut Scope, cluster: &Cluster, wanted: &str) -> Result<Outcome, Error> {
    let target = scope.target().await?;
    for database in scope.resolved()?.databases.clone() {
        let session = target.connect(&database, Profile::Act).await?;
        clone::release(&session).await?;
    }
    let (cluster_group, instance_group) = parameter_groups(scope, cluster, wanted).await?;
    scope.attempt_mut()?.upgrade_started_at = Some(crate::api::conditions::seconds(now()));
    scope.attempt_mut()?.cluster_parameter_group = Some(cluster_group.clone());
    scope.attempt_mut()?.instance_parameter_group = Some(instance_group.clone());
    scope.persist().await?;
    scope
        .rds
        .upgrade_cluster(cluster, wanted, &cluster_group, &instance_group)
        .await?;
    Ok(waiting(
        scope,
        &format!("upgrade of {} to {wanted} requested", cluster.identifier),
    ))
}

/// The parameter groups of the new family: the user's, or what the source has set, carried over.
async fn parameter_groups(scope: &Scope, clone: &Cluster, wanted: &str) -> Result<(String, String), Error> {
    let rds = &scope.rds;
    let family = rds.parameter_group_family(&clone.engine, wanted).await?;
    let spec = &scope.spec().target.parameter_groups;
    let uid = scope.uid();
    let tags = tags(scope);
    let source = rds
        .cluster(&scope.spec().source.identifier)
        .await?
        .ok_or(Error::StatusIncomplete("the source cluster"))?;
    let existing = spec.policy == ParameterGroupPolicy::Existing;
    let cluster_group = match &spec.db_cluster_parameter_group_name {
        Some(name) if existing => name.clone(),
        _ => {
            let name = names::target_parameter_group(&uid, names::major(wanted));
            let set = rds.user_cluster_parameters(&source.parameter_group).await?;
            let defaults = rds.engine_default_cluster_parameters(&family).await?;
            let (mut kept, _) = pgupgrade_rds::carried_over(&set, &defaults);
            kept.insert("rds.logical_replication".to_owned(), "1".to_owned());
            rds.ensure_cluster_parameter_group(&name, &family, "carried over by pgupgrade", &tags, &kept)
                .await?;
            name
        }
    };
    let instance_group = match &spec.db_parameter_group_name {
        Some(name) if existing => name.clone(),
        _ => {
            let name = names::target_instance_parameter_group(&uid, names::major(wanted));
            let set = source_instance_parameters(scope, &source).await?;
            let defaults = rds.engine_default_parameters(&family).await?;
            let (kept, _) = pgupgrade_rds::carried_over(&set, &defaults);
            rds.ensure_db_parameter_group(&name, &family, "carried over by pgupgrade", &tags, &kept)
                .await?;
            name
        }
    };
    Ok((cluster_group, instance_group))
}

async fn source_instance_parameters(scope: &Scope, source: &Cluster) -> Result<BTreeMap<String, String>, Error> {
    let Some(writer) = source.writer() else {
        return Ok(BTreeMap::new());
    };
    match scope.rds.instance(&writer).await? {
        Some(instance) => Ok(scope.rds.user_db_parameters(&instance.parameter_group).await?),
        None => Ok(BTreeMap::new()),
    }
}

/// A refused upgrade is no error of the call: the cluster is simply available again at the old version.
async fn refused_or_waiting(
    scope: &mut Scope,
    cluster: &Cluster,
    wanted: &str,
    since: jiff::Timestamp,
) -> Result<Outcome, Error> {
    let members = scope.rds.members(cluster).await?;
    match scope.rds.upgrade_failure(cluster, &members, since).await? {
        Some(why) => {
            let message = format!("RDS refused to upgrade {} to {wanted}: {why}", cluster.identifier);
            Ok(Outcome::NextAttempt {
                reason: "UpgradeRefused",
                message,
            })
        }
        None => Ok(waiting(
            scope,
            &format!("{} has not begun its upgrade to {wanted} yet", cluster.identifier),
        )),
    }
}

/// Groups that were passed with the upgrade need a reboot after it before `wal_level` is logical.
async fn logical(scope: &mut Scope, cluster: &Cluster, wanted: &str) -> Result<Outcome, Error> {
    let database = scope
        .resolved()?
        .databases
        .first()
        .cloned()
        .unwrap_or_else(|| "postgres".to_owned());
    let session = match scope.target().await?.connect(&database, Profile::Observe).await {
        Ok(session) => session,
        Err(error) => {
            return Ok(waiting(
                scope,
                &format!("{} runs {wanted} but does not answer yet: {error}", cluster.identifier),
            ));
        }
    };
    let facts = pgupgrade_postgres::inspect::server(&session).await?;
    if facts.wal_level == "logical" {
        return Ok(Outcome::Advance(Phase::Optimizing));
    }
    let writer = cluster.writer().unwrap_or_else(|| names::writer(&cluster.identifier));
    scope.rds.reboot_instance(&writer).await?;
    Ok(waiting(
        scope,
        &format!(
            "wal_level on {writer} is {}, not logical yet: it is rebooted once more",
            facts.wal_level
        ),
    ))
}
