//! `CreateDBInstance`, `DescribeDBInstances`, `ModifyDBInstance`, `RebootDBInstance`, `DeleteDBInstance`.

use std::sync::Arc;

use jiff::Timestamp;

use super::{answers, clusters};
use crate::engine::Version;
use crate::lab::Lab;
use crate::life;
use crate::protocol::{Fault, Request, Xml};
use crate::state::{Instance, World, default_name, identifier};

pub(super) fn create(lab: &Arc<Lab>, request: &Request) -> Result<Xml, Fault> {
    let name = identifier::check("DBInstanceIdentifier", request.required("DBInstanceIdentifier")?)?;
    let class = request.required("DBInstanceClass")?;
    if !class.starts_with("db.") {
        return Err(Fault::invalid_value(format!("Invalid DB Instance class: {class}")));
    }
    let mut world = lab.world();
    let cluster = world.cluster(request.required("DBClusterIdentifier")?)?;
    if request.required("Engine")? != cluster.engine {
        return Err(Fault::combination(
            "The engine name requested for your DB instance doesn't match its DB cluster's.",
        ));
    }
    if world.instances.contains_key(&name) {
        return Err(Fault::new("DBInstanceAlreadyExists", "DB instance already exists"));
    }
    if cluster.status != "available" {
        return Err(clusters::unavailable(cluster));
    }
    let instance = Instance {
        identifier: name.clone(),
        cluster: cluster.identifier.clone(),
        class: class.to_owned(),
        status: "creating",
        group: group_for(&world, request, lab.engines.of(cluster.major())?)?,
        resource_id: identifier::resource_id("db"),
        promotion_tier: request.number("PromotionTier")?.unwrap_or(1),
        created: Timestamp::now(),
        in_effect: None,
        wal_level_lags: false,
        tags: answers::tags(request)?,
    };
    let cluster = instance.cluster.clone();
    let answer = answers::instance(&world, &instance);
    world.instances.insert(name.clone(), instance);
    world.cluster_mut(&cluster)?.members.push(name.clone());
    drop(world);
    life::create_instance(lab, name);
    Ok(answer)
}

fn group_for(world: &World, request: &Request, version: &Version) -> Result<String, Fault> {
    let Some(name) = request.text("DBParameterGroupName") else {
        return Ok(default_name(&version.family()));
    };
    let group = world
        .instance_groups
        .get(&identifier::plain(name))
        .ok_or_else(|| Fault::group_not_found(name))?;
    clusters::check_family(&group.name, &group.family, version)?;
    Ok(group.name.clone())
}

pub(super) fn describe(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let world = lab.world();
    let found: Vec<&Instance> = match request.text("DBInstanceIdentifier") {
        Some(identifier) => vec![world.instance(identifier)?],
        None => world.instances.values().collect(),
    };
    let filters = request.filters()?;
    let mut shown = Vec::new();
    for instance in found {
        let value_of = |name: &str| match name {
            "db-cluster-id" => Some(instance.cluster.as_str()),
            "db-instance-id" => Some(instance.identifier.as_str()),
            "dbi-resource-id" => Some(instance.resource_id.as_str()),
            "engine" => Some(crate::engine::ENGINE),
            _ => None,
        };
        if answers::matches(&filters, value_of)? {
            shown.push(instance);
        }
    }
    answers::list(request, ("DBInstances", "DBInstance"), shown, |xml, instance| {
        instance.write(xml, &world);
    })
}

pub(super) fn modify(lab: &Arc<Lab>, request: &Request) -> Result<Xml, Fault> {
    let mut world = lab.world();
    let instance = available(&world, request)?;
    if request.text("EngineVersion").is_some() {
        return Err(Fault::combination(
            "The specified DB instance is a member of a cluster: modify the cluster instead.",
        ));
    }
    let (name, cluster) = (instance.identifier.clone(), instance.cluster.clone());
    let version = lab.engines.of(world.cluster(&cluster)?.major())?;
    let group = match request.text("DBParameterGroupName") {
        Some(_) => Some(group_for(&world, request, version)?),
        None => None,
    };
    let tier = request.number("PromotionTier")?;
    let changed = world.instance_mut(&name)?;
    changed.promotion_tier = tier.unwrap_or(changed.promotion_tier);
    if let Some(class) = request.text("DBInstanceClass") {
        class.clone_into(&mut changed.class);
    }
    let regrouped = group.is_some();
    if let Some(group) = group {
        changed.group = group;
    }
    let answer = answers::instance(&world, world.instance(&name)?);
    drop(world);
    if regrouped {
        life::adopt_groups(lab, cluster);
    }
    Ok(answer)
}

pub(super) fn reboot(lab: &Arc<Lab>, request: &Request) -> Result<Xml, Fault> {
    let mut world = lab.world();
    let name = available(&world, request)?.identifier.clone();
    world.instance_mut(&name)?.status = "rebooting";
    let answer = answers::instance(&world, world.instance(&name)?);
    drop(world);
    life::reboot(lab, name);
    Ok(answer)
}

pub(super) fn delete(lab: &Arc<Lab>, request: &Request) -> Result<Xml, Fault> {
    let mut world = lab.world();
    let instance = world.instance(request.required("DBInstanceIdentifier")?)?;
    if matches!(instance.status, "deleting" | "upgrading" | "creating") {
        return Err(Fault::instance_state(format!(
            "Instance {} is {}.",
            instance.identifier, instance.status
        )));
    }
    let name = instance.identifier.clone();
    world.instance_mut(&name)?.status = "deleting";
    let answer = answers::instance(&world, world.instance(&name)?);
    drop(world);
    life::delete_instance(lab, name);
    Ok(answer)
}

/// The instance that a request names, if it is not busy.
fn available<'a>(world: &'a World, request: &Request) -> Result<&'a Instance, Fault> {
    let instance = world.instance(request.required("DBInstanceIdentifier")?)?;
    if instance.status == "available" {
        return Ok(instance);
    }
    let (name, status) = (&instance.identifier, instance.status);
    Err(Fault::instance_state(format!(
        "Instance {name} is not in available state; its status is {status}."
    )))
}
