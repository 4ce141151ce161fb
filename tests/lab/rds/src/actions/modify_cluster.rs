//! `ModifyDBCluster`: attributes, the master's password, the parameter group, and major upgrades.

use std::sync::Arc;

use super::{answers, clusters};
use crate::engine::Version;
use crate::lab::Lab;
use crate::life::{self, Plan};
use crate::protocol::{Fault, Request, Xml};
use crate::state::{Cluster, World, default_name, identifier};

/// What follows in the background.
#[derive(Default)]
struct Follow {
    password: Option<String>,
    groups: bool,
    upgrade: Option<Plan>,
}

pub(super) fn modify(lab: &Arc<Lab>, request: &Request) -> Result<Xml, Fault> {
    if request.text("NewDBClusterIdentifier").is_some() {
        return Err(Fault::invalid_value("Renaming a cluster is not served here."));
    }
    let mut world = lab.world();
    let cluster = world.cluster(request.required("DBClusterIdentifier")?)?;
    if cluster.status != "available" || cluster.pending_version.is_some() {
        return Err(clusters::unavailable(cluster));
    }
    let mut changed = cluster.clone();
    let follow = plan(lab, &world, request, &mut changed)?;
    let answer = answers::cluster(&world, &changed);
    let name = changed.identifier.clone();
    world.clusters.insert(name.clone(), changed);
    drop(world);
    if let Some(verifier) = follow.password {
        life::reset_password(lab, name.clone(), verifier);
    }
    if follow.groups {
        life::adopt_groups(lab, name);
    }
    if let Some(plan) = follow.upgrade {
        life::upgrade(lab, plan);
    }
    Ok(answer)
}

/// Checks everything and changes `cluster` to what the answer shows.
fn plan(lab: &Lab, world: &World, request: &Request, cluster: &mut Cluster) -> Result<Follow, Fault> {
    cluster.attributes.apply(request)?;
    let mut follow = Follow::default();
    let immediately = request.flag("ApplyImmediately")?.unwrap_or_default();
    if let Some(password) = request.text("MasterUserPassword") {
        follow.password = Some(answers::verifier(password)?);
    }
    let target = request
        .text("EngineVersion")
        .filter(|version| *version != cluster.version);
    if let Some(target) = target {
        let plan = plan_upgrade(lab, world, request, cluster, target)?;
        cluster.pending_version = Some(target.to_owned());
        // Without ApplyImmediately it waits for the maintenance window, which never comes here.
        follow.upgrade = immediately.then_some(plan);
    } else if request.text("DBInstanceParameterGroupName").is_some() {
        return Err(Fault::combination(
            "The DBInstanceParameterGroupName parameter can only be specified with AllowMajorVersionUpgrade.",
        ));
    } else if request.text("DBClusterParameterGroupName").is_some() {
        cluster.group = clusters::group_for(world, request, lab.engines.of(cluster.major())?)?;
        cluster.status = "modifying";
        follow.groups = true;
    }
    if follow.password.is_some() {
        cluster.password_pending = true;
        if cluster.status == "available" && target.is_none() {
            cluster.status = "resetting-master-credentials";
        }
    }
    Ok(follow)
}

fn plan_upgrade(lab: &Lab, world: &World, request: &Request, cluster: &Cluster, target: &str) -> Result<Plan, Fault> {
    let current = lab.engines.of(cluster.major())?;
    let found = lab
        .engines
        .targets(current)
        .find(|candidate| candidate.version() == target);
    let target = found.ok_or_else(|| {
        Fault::combination(format!(
            "Cannot upgrade {} from {} to {target}",
            cluster.engine, cluster.version
        ))
    })?;
    if !request.flag("AllowMajorVersionUpgrade")?.unwrap_or_default() {
        return Err(Fault::combination(
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.",
        ));
    }
    let cluster_group = match request.text("DBClusterParameterGroupName") {
        None if world
            .cluster_groups
            .get(&cluster.group)
            .is_some_and(|group| !group.is_default()) =>
        {
            return Err(custom("cluster", &cluster.group));
        }
        _ => clusters::group_for(world, request, target)?,
    };
    Ok(Plan {
        cluster: cluster.identifier.clone(),
        target: target.binaries.major(),
        cluster_group,
        instance_group: Some(instance_group(world, request, cluster, target)?),
    })
}

fn instance_group(world: &World, request: &Request, cluster: &Cluster, target: &Version) -> Result<String, Fault> {
    let Some(name) = request.text("DBInstanceParameterGroupName") else {
        let members = world.members(cluster);
        let groups = members
            .iter()
            .filter_map(|member| world.instance_groups.get(&member.group));
        return match groups.into_iter().find(|group| !group.is_default()) {
            Some(group) => Err(custom("instance", &group.name)),
            None => Ok(default_name(&target.family())),
        };
    };
    let group = world
        .instance_groups
        .get(&identifier::plain(name))
        .ok_or_else(|| Fault::group_not_found(name))?;
    clusters::check_family(&group.name, &group.family, target)?;
    Ok(group.name.clone())
}

fn custom(kind: &str, group: &str) -> Fault {
    Fault::combination(format!(
        "The current DB {kind} parameter group {group} is custom. You must explicitly specify a new DB {kind} parameter \
         group, either default or custom, for the engine version upgrade."
    ))
}
