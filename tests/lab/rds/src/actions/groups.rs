//! Creating, describing and deleting parameter groups of both kinds.

use std::collections::BTreeMap;

use super::answers;
use crate::lab::Lab;
use crate::protocol::{Fault, Request, Xml};
use crate::state::{Group, World, identifier};

/// Which kind of parameter group an action is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Cluster,
    Instance,
}

impl Kind {
    /// What names begin with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Cluster => "DBCluster",
            Self::Instance => "DB",
        }
    }

    /// The parameter that names the group.
    pub(super) fn name_parameter(self) -> &'static str {
        match self {
            Self::Cluster => "DBClusterParameterGroupName",
            Self::Instance => "DBParameterGroupName",
        }
    }

    pub(super) fn groups(self, world: &World) -> &BTreeMap<String, Group> {
        match self {
            Self::Cluster => &world.cluster_groups,
            Self::Instance => &world.instance_groups,
        }
    }

    pub(super) fn groups_mut(self, world: &mut World) -> &mut BTreeMap<String, Group> {
        match self {
            Self::Cluster => &mut world.cluster_groups,
            Self::Instance => &mut world.instance_groups,
        }
    }

    /// The group that a request names.
    pub(super) fn find<'a>(self, world: &'a World, request: &Request) -> Result<&'a Group, Fault> {
        let name = request.required(self.name_parameter())?;
        self.groups(world)
            .get(&identifier::plain(name))
            .ok_or_else(|| Fault::group_not_found(name))
    }
}

pub(super) fn create(lab: &Lab, request: &Request, kind: Kind) -> Result<Xml, Fault> {
    let name = identifier::check(kind.name_parameter(), request.required(kind.name_parameter())?)?;
    let family = request.required("DBParameterGroupFamily")?;
    lab.engines.family(family)?;
    let group = Group {
        name: name.clone(),
        family: family.to_owned(),
        description: request.required("Description")?.to_owned(),
        settings: BTreeMap::new(),
        tags: answers::tags(request)?,
    };
    let mut world = lab.world();
    if kind.groups(&world).contains_key(&name) {
        return Err(Fault::new(
            "DBParameterGroupAlreadyExists",
            format!("Parameter group {name} already exists"),
        ));
    }
    let mut xml = Xml::default();
    xml.element(&format!("{}ParameterGroup", kind.prefix()), |xml| {
        group.write(xml, kind.prefix());
    });
    kind.groups_mut(&mut world).insert(name, group);
    Ok(xml)
}

pub(super) fn describe(lab: &Lab, request: &Request, kind: Kind) -> Result<Xml, Fault> {
    let world = lab.world();
    let found: Vec<&Group> = match request.text(kind.name_parameter()) {
        Some(_) => vec![kind.find(&world, request)?],
        None => kind.groups(&world).values().collect(),
    };
    let member = format!("{}ParameterGroup", kind.prefix());
    answers::list(request, (&format!("{member}s"), &member), found, |xml, group| {
        group.write(xml, kind.prefix());
    })
}

pub(super) fn delete(lab: &Lab, request: &Request, kind: Kind) -> Result<Xml, Fault> {
    let mut world = lab.world();
    let group = kind.find(&world, request)?;
    let name = group.name.clone();
    if group.is_default() {
        return Err(Fault::invalid_value(format!(
            "The parameter group {name} is a default group and can't be deleted."
        )));
    }
    let used = match kind {
        Kind::Cluster => world.clusters.values().any(|cluster| cluster.group == name),
        Kind::Instance => world.instances.values().any(|instance| instance.group == name),
    };
    if used {
        return Err(Fault::new(
            "InvalidDBParameterGroupState",
            format!(
                "One or more database instances are still members of this parameter group {name}, so the group cannot be \
                 deleted"
            ),
        ));
    }
    kind.groups_mut(&mut world).remove(&name);
    Ok(Xml::default())
}
