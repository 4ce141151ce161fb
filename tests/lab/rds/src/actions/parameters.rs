//! The values in parameter groups.

use std::sync::Arc;

use super::answers;
use super::groups::Kind;
use crate::engine::Version;
use crate::lab::Lab;
use crate::life;
use crate::protocol::{Fault, Request, Xml};
use crate::state::{Group, Setting, World};

pub(super) fn describe(lab: &Lab, request: &Request, kind: Kind) -> Result<Xml, Fault> {
    let world = lab.world();
    let group = kind.find(&world, request)?;
    let version = lab.engines.family(&group.family)?;
    shown(request, version, Some(group))
}

pub(super) fn defaults(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let family = request.required("DBParameterGroupFamily")?;
    let content = shown(request, lab.engines.family(family)?, None)?;
    let mut xml = Xml::default();
    xml.element("EngineDefaults", |xml| {
        xml.text("DBParameterGroupFamily", family);
        xml.append(&content);
    });
    Ok(xml)
}

fn shown(request: &Request, version: &Version, group: Option<&Group>) -> Result<Xml, Fault> {
    let source = request.text("Source");
    let names: Vec<String> = request
        .filters()?
        .into_iter()
        .filter(|(name, _)| name == "parameter-name")
        .flat_map(|(_, names)| names)
        .collect();
    let parameters: Vec<Xml> = version
        .parameters
        .keys()
        .filter(|name| names.is_empty() || names.contains(name))
        .filter_map(|name| version.shown(name, group, source))
        .collect();
    answers::list(request, ("Parameters", "Parameter"), parameters, |xml, parameter| {
        xml.append(&parameter);
    })
}

/// One change that a request asks for.
struct Change {
    name: String,
    setting: Setting,
    is_static: bool,
}

pub(super) async fn modify(lab: &Arc<Lab>, request: &Request, kind: Kind) -> Result<Xml, Fault> {
    let family = changeable(&lab.world(), request, kind)?.family.clone();
    let version = lab.engines.family(&family)?;
    let parameters = request.structures("Parameters", "Parameter");
    if parameters.is_empty() || parameters.len() > 20 {
        return Err(Fault::invalid_value(
            "Between 1 and 20 parameters can be modified in one request.",
        ));
    }
    let mut changes = Vec::new();
    for parameter in &parameters {
        changes.push(change(version, parameter).await?);
    }
    let mut world = lab.world();
    let name = changeable(&world, request, kind)?.name.clone();
    if let Some(group) = kind.groups_mut(&mut world).get_mut(&name) {
        group.settings.extend(
            changes
                .iter()
                .map(|change| (change.name.clone(), change.setting.clone())),
        );
    }
    let at_once: Vec<_> = changes
        .iter()
        .filter(|change| change.setting.immediate && !change.is_static)
        .collect();
    let users = users(&world, kind, &name);
    for (_, instance) in &users {
        let now = world
            .instance_mut(instance)
            .ok()
            .and_then(|instance| instance.in_effect.as_mut());
        if let Some(now) = now {
            let values = if kind == Kind::Cluster {
                &mut now.cluster_values
            } else {
                &mut now.instance_values
            };
            values.extend(
                at_once
                    .iter()
                    .map(|change| (change.name.clone(), change.setting.value.clone())),
            );
        }
    }
    drop(world);
    for (cluster, _) in users {
        life::reload(lab, cluster);
    }
    Ok(named(kind, &name))
}

async fn change(version: &Version, parameter: &Request) -> Result<Change, Fault> {
    let name = parameter.required("ParameterName")?;
    let is_static = version.modifiable(name)?.is_static;
    let value = parameter.required("ParameterValue")?;
    let immediate = match parameter.text("ApplyMethod") {
        Some("immediate") => true,
        Some("pending-reboot") | None => false,
        Some(other) => return Err(Fault::invalid_value(format!("Invalid apply method: {other}"))),
    };
    if immediate && is_static {
        return Err(Fault::combination(format!(
            "cannot use immediate apply method for static parameter {name}"
        )));
    }
    version.check_value(name, value).await?;
    Ok(Change {
        name: name.to_owned(),
        setting: Setting {
            value: value.to_owned(),
            immediate,
        },
        is_static,
    })
}

/// Clusters and instances that run with a group.
fn users(world: &World, kind: Kind, group: &str) -> Vec<(String, String)> {
    let uses = |cluster_group: &str, instance_group: &str| match kind {
        Kind::Cluster => cluster_group == group,
        Kind::Instance => instance_group == group,
    };
    let of = |cluster: &crate::state::Cluster| {
        let members = world.members(cluster).into_iter();
        let using = members.filter(|member| uses(&cluster.group, &member.group));
        using
            .map(|member| (cluster.identifier.clone(), member.identifier.clone()))
            .collect::<Vec<_>>()
    };
    world.clusters.values().flat_map(of).collect()
}

pub(super) fn reset(lab: &Lab, request: &Request, kind: Kind) -> Result<Xml, Fault> {
    let mut world = lab.world();
    let name = changeable(&world, request, kind)?.name.clone();
    let all = request.flag("ResetAllParameters")?.unwrap_or_default();
    let parameters = request.structures("Parameters", "Parameter");
    if all != parameters.is_empty() {
        return Err(Fault::combination(
            "Either ResetAllParameters or Parameters must be specified.",
        ));
    }
    if let Some(group) = kind.groups_mut(&mut world).get_mut(&name) {
        if all {
            group.settings.clear();
        }
        for parameter in parameters {
            group.settings.remove(parameter.required("ParameterName")?);
        }
    }
    // The values go at the next reboot, as those of static parameters must.
    Ok(named(kind, &name))
}

/// The named group, if it is not a default one.
fn changeable<'a>(world: &'a World, request: &Request, kind: Kind) -> Result<&'a Group, Fault> {
    let group = kind.find(world, request)?;
    if group.is_default() {
        let message = format!(
            "The parameter group {} is a default group and can't be modified.",
            group.name
        );
        return Err(Fault::invalid_value(message));
    }
    Ok(group)
}

fn named(kind: Kind, name: &str) -> Xml {
    let mut xml = Xml::default();
    xml.text(kind.name_parameter(), name);
    xml
}
