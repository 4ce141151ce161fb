//! Upgrades the clone with `ModifyDBCluster`, and makes sure that it comes back with logical replication on.
use std::collections::BTreeMap;
use std::time::Duration;

use kube::runtime::events::EventType;
use pgupgrade_postgres::clone;
use pgupgrade_postgres::connection::Profile;
use pgupgrade_rds::{Cluster, Health, Parameter};

use super::cloning::tags;
use crate::api::{ParameterGroupPolicy, Phase};
use crate::controller::names;
use crate::controller::outcome::Outcome;
use crate::controller::scope::{Scope, now};
use crate::error::Error;

/// Amazon's own figure for a major upgrade is 15 to 20 minutes; large catalogs take longer.
const LIMIT: Duration = Duration::from_hours(2);
/// After this time an upgrade that RDS knows nothing of was never asked for: the call was lost.
const ARRIVED: Duration = Duration::from_secs(90);

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    let identifier = scope.attempt()?.target_identifier.clone();
    let wanted = scope.resolved()?.target_engine_version.clone().unwrap_or_default();
    let Some(cluster) = scope.rds.cluster(&identifier).await? else {
        let message = format!("DB cluster {identifier} does not exist any more");
        return Ok(Outcome::NextAttempt {
            reason: "CloneLost",
            message,
        });
    };
    let members = scope.rds.members(&cluster).await?;
    let asked = scope.attempt()?.upgrade_started_at.as_ref().map(|since| since.0);
    let ago = asked.map(|since| Duration::try_from(now().duration_since(since)).unwrap_or_default());
    match decide(&cluster, cluster.settled(&members, &wanted), &wanted, ago) {
        Step::Ask => ask(scope, &cluster, &wanted).await,
        Step::Wait(what) => Ok(waiting(scope, &what)),
        Step::Upgraded => logical(scope, &cluster, &wanted).await,
        Step::Broken(why) => {
            let message = format!("{identifier}: {why}");
            Ok(Outcome::NextAttempt {
                reason: "UpgradeFailed",
                message,
            })
        }
        Step::LookForRefusal { ask_again } => {
            if let Some(why) = scope
                .rds
                .upgrade_failure(&cluster, &members, asked.unwrap_or_else(now))
                .await?
            {
                let message = format!("RDS refused to upgrade {identifier} to {wanted}: {why}");
                return Ok(Outcome::NextAttempt {
                    reason: "UpgradeRefused",
                    message,
                });
            }
            if ask_again {
                return ask(scope, &cluster, &wanted).await;
            }
            Ok(waiting(
                scope,
                &format!("{identifier} has not begun its upgrade to {wanted} yet"),
            ))
        }
    }
}

/// What the upgrade needs next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Ask RDS for the upgrade.
    Ask,
    /// Something is under way.
    Wait(String),
    /// The new version runs, on the instance too.
    Upgraded,
    /// The cluster is beyond help.
    Broken(String),
    /// Available at the old version with nothing pending: refused, not begun yet, or the call never arrived.
    LookForRefusal {
        /// Whether it was asked for so long ago that the call can't have arrived.
        ask_again: bool,
    },
}

/// Pure. `asked`: how long ago the upgrade was asked for.
fn decide(cluster: &Cluster, settled: bool, wanted: &str, asked: Option<Duration>) -> Step {
    let (identifier, status) = (&cluster.identifier, &cluster.status);
    match (cluster.health(), asked) {
        (Health::Broken(why), _) => Step::Broken(why),
        _ if settled => Step::Upgraded,
        (Health::Available, None) => Step::Ask,
        (Health::Working, None) => Step::Wait(format!(
            "{identifier} is {status}; its upgrade to {wanted} begins when it is available"
        )),
        (_, Some(_)) if cluster.engine_version == wanted => Step::Wait(format!(
            "{identifier} runs {wanted} and is {status}; its instance is not ready yet"
        )),
        (Health::Available, Some(ago)) if cluster.pending_engine_version.is_none() => Step::LookForRefusal {
            ask_again: ago > ARRIVED,
        },
        (Health::Available, Some(_)) => Step::Wait(format!(
            "{identifier}: the upgrade to {wanted} is accepted and has not begun yet"
        )),
        (Health::Working, Some(_)) => Step::Wait(format!("{identifier} is {status}, on the way to {wanted}")),
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
async fn ask(scope: &mut Scope, cluster: &Cluster, wanted: &str) -> Result<Outcome, Error> {
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

/// From 18 on: how long a slot may go unread before the server gives its WAL away.
pub const IDLE_SLOT_TIMEOUT: &str = "idle_replication_slot_timeout";

/// The slots on the new database go unread while the old one is away, and those of the comparison while the operator
/// is: none may time out. The parameter may be one of the cluster or of the instance.
fn keep_idle_slots(parameters: &mut BTreeMap<String, String>, family: &[Parameter]) {
    let known = |parameter: &&Parameter| parameter.name == IDLE_SLOT_TIMEOUT && parameter.is_modifiable;
    if family.iter().any(|parameter| known(&parameter)) {
        parameters.insert(IDLE_SLOT_TIMEOUT.to_owned(), "0".to_owned());
    }
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
            let (mut kept, dropped) = pgupgrade_rds::carried_over(&set, &defaults);
            tell_dropped(scope, &dropped);
            kept.insert("rds.logical_replication".to_owned(), "1".to_owned());
            keep_idle_slots(&mut kept, &defaults);
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
            let (mut kept, dropped) = pgupgrade_rds::carried_over(&set, &defaults);
            tell_dropped(scope, &dropped);
            keep_idle_slots(&mut kept, &defaults);
            rds.ensure_db_parameter_group(&name, &family, "carried over by pgupgrade", &tags, &kept)
                .await?;
            name
        }
    };
    Ok((cluster_group, instance_group))
}

/// What could not be carried over is the user's to know.
fn tell_dropped(scope: &Scope, dropped: &[(String, String)]) {
    if dropped.is_empty() {
        return;
    }
    let listed: Vec<String> = dropped.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    scope.event(EventType::Warning, "ParametersNotCarriedOver", listed.join("; "));
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
        return Ok(match facts.idle_replication_slot_timeout {
            Some(seconds) if seconds > 0 => Outcome::hold(
                "IdleSlotTimeout",
                format!(
                    "{} has {IDLE_SLOT_TIMEOUT} = {seconds} s: the slots of the way back and of the comparison would be lost while nobody reads them; set it to 0 in its parameter group, no reboot needed",
                    cluster.identifier
                ),
            ),
            _ => Outcome::Advance(Phase::Optimizing),
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_never_time_out_where_the_new_family_could_let_them() {
        let family = |name: &str, is_modifiable| {
            vec![Parameter {
                name: name.to_owned(),
                is_modifiable,
                ..Parameter::default()
            }]
        };
        // what the family has, what was carried over, what it becomes
        let table = [
            (family("work_mem", true), None, None),
            (family(IDLE_SLOT_TIMEOUT, false), None, None),
            (family(IDLE_SLOT_TIMEOUT, true), None, Some("0")),
            (family(IDLE_SLOT_TIMEOUT, true), Some("3600"), Some("0")),
        ];
        for (family, carried_over, expected) in table {
            let mut parameters: BTreeMap<String, String> = carried_over
                .map(|value: &str| (IDLE_SLOT_TIMEOUT.to_owned(), value.to_owned()))
                .into_iter()
                .collect();
            keep_idle_slots(&mut parameters, &family);
            let value = parameters.get(IDLE_SLOT_TIMEOUT).map(String::as_str);
            assert_eq!(value, expected, "{family:?}");
        }
    }

    #[test]
    fn an_upgrade_is_asked_for_once_and_waited_for_until_it_is_there() {
        let cluster = |status: &str, version: &str, pending: Option<&str>| Cluster {
            identifier: "c".to_owned(),
            status: status.to_owned(),
            engine_version: version.to_owned(),
            pending_engine_version: pending.map(str::to_owned),
            ..Cluster::default()
        };
        let just_now = Some(Duration::from_secs(1));
        let long_ago = Some(Duration::from_mins(10));
        // cluster, settled, asked, expected beginning of the step
        let table = [
            (cluster("available", "17.6", None), false, None, "Ask"),
            (
                cluster("backing-up", "17.6", None),
                false,
                None,
                "Wait(\"c is backing-up",
            ),
            (
                cluster("available", "17.6", None),
                false,
                just_now,
                "LookForRefusal { ask_again: false",
            ),
            (
                cluster("available", "17.6", None),
                false,
                long_ago,
                "LookForRefusal { ask_again: true",
            ),
            (
                cluster("available", "17.6", Some("18.6")),
                false,
                long_ago,
                "Wait(\"c: the upgrade to 18.6 is accepted",
            ),
            (
                cluster("upgrading", "17.6", Some("18.6")),
                false,
                long_ago,
                "Wait(\"c is upgrading, on the way",
            ),
            (
                cluster("available", "18.6", None),
                false,
                long_ago,
                "Wait(\"c runs 18.6 and is available; its instance",
            ),
            (cluster("available", "18.6", None), true, long_ago, "Upgraded"),
            (cluster("available", "18.6", None), true, None, "Upgraded"),
            (cluster("upgrade-failed", "17.6", None), false, long_ago, "Broken"),
        ];
        for (cluster, settled, asked, expected) in table {
            let step = format!("{:?}", decide(&cluster, settled, "18.6", asked));
            assert!(step.starts_with(expected), "{cluster:?} {asked:?}: {step}");
        }
    }
}
