//! `CreateDBCluster`, `DescribeDBClusters`, `DeleteDBCluster`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::answers;
use crate::engine::{ENGINE, Version};
use crate::lab::Lab;
use crate::life;
use crate::protocol::{Fault, Request, Xml};
use crate::state::{Attributes, Cluster, Snapshot, World, default_name, identifier};
use crate::volume::{Master, Volume};

pub(super) fn create(lab: &Arc<Lab>, request: &Request) -> Result<Xml, Fault> {
    let name = identifier::check("DBClusterIdentifier", request.required("DBClusterIdentifier")?)?;
    check_engine(request)?;
    let version = match request.text("EngineVersion") {
        Some(version) => lab.engines.named(version)?,
        None => lab.engines.default()?,
    };
    let master = Master {
        name: request.required("MasterUsername")?.to_owned(),
        verifier: Some(answers::verifier(request.required("MasterUserPassword")?)?),
    };
    let mut world = lab.world();
    check_new(&world, &name)?;
    let group = group_for(&world, request, version)?;
    let database = request.text("DatabaseName").map(str::to_owned);
    let mut attributes = Attributes::default();
    attributes.apply(request)?;
    let cluster = Cluster {
        attributes,
        tags: answers::tags(request)?,
        ..build(lab, &world, version, &name, request, group, master, database)?
    };
    let answer = answers::cluster(&world, &cluster);
    world.clusters.insert(name.clone(), cluster);
    drop(world);
    life::create_cluster(lab, name);
    Ok(answer)
}

fn check_engine(request: &Request) -> Result<(), Fault> {
    match request.required("Engine")? {
        ENGINE => Ok(()),
        other => Err(Fault::invalid_value(format!("Invalid DB engine: {other}"))),
    }
}

/// Refuses a name that is taken.
pub(super) fn check_new(world: &World, name: &str) -> Result<(), Fault> {
    if world.clusters.contains_key(name) {
        return Err(Fault::new("DBClusterAlreadyExistsFault", "DB Cluster already exists"));
    }
    Ok(())
}

/// The parameter group that a request names, of the version's family; else the default one.
pub(super) fn group_for(world: &World, request: &Request, version: &Version) -> Result<String, Fault> {
    let Some(name) = request.text("DBClusterParameterGroupName") else {
        return Ok(default_name(&version.family()));
    };
    let group = world.cluster_groups.get(&identifier::plain(name));
    let group = group.ok_or_else(|| Fault::cluster_group_not_found(name))?;
    check_family(&group.name, &group.family, version)?;
    Ok(group.name.clone())
}

/// Refuses a parameter group of another family.
pub(super) fn check_family(group: &str, family: &str, version: &Version) -> Result<(), Fault> {
    if family == version.family() {
        return Ok(());
    }
    Err(Fault::combination(format!(
        "The Parameter Group {group} with DBParameterGroupFamily {family} can't be used for this instance. Please use \
         a Parameter Group with DBParameterGroupFamily {}",
        version.family()
    )))
}

/// A cluster that is being created, on an address of its own.
#[allow(clippy::too_many_arguments, reason = "each is one field of what is built")]
pub(super) fn build(
    lab: &Lab,
    world: &World,
    version: &Version,
    name: &str,
    request: &Request,
    group: String,
    master: Master,
    database: Option<String>,
) -> Result<Cluster, Fault> {
    let port: u16 = request.number("Port")?.unwrap_or(5432);
    let taken: Vec<Ipv4Addr> = world.clusters.values().map(|cluster| cluster.address).collect();
    let address = crate::address::free(port, &taken)?;
    let (owner, content) = (master.name.clone(), (master, database.clone(), lab.behaviour.aurora));
    let volume = Volume::new(
        &version.binaries,
        &lab.volume_folder(),
        (address, port),
        &lab.authority,
        content,
    );
    let volume = volume.map_err(|error| Fault::internal(error.to_string()))?;
    Ok(Cluster {
        identifier: name.to_owned(),
        engine: ENGINE.to_owned(),
        version: version.version().to_owned(),
        status: "creating",
        pending_version: None,
        password_pending: false,
        resource_id: identifier::resource_id("cluster"),
        clone_group: identifier::uuid(),
        master: owner,
        database,
        address,
        port,
        group,
        members: Vec::new(),
        created: Timestamp::now(),
        attributes: Attributes::default(),
        tags: answers::tags(request)?,
        log_folder: volume.log_folder(),
        volume: Arc::new(Mutex::new(volume)),
    })
}

pub(super) fn describe(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let world = lab.world();
    let found: Vec<&Cluster> = match request.text("DBClusterIdentifier") {
        Some(identifier) => vec![world.cluster(identifier)?],
        None => world.clusters.values().collect(),
    };
    let filters = request.filters()?;
    let mut shown = Vec::new();
    for cluster in found {
        let value_of = |name: &str| match name {
            "clone-group-id" => Some(cluster.clone_group.as_str()),
            "db-cluster-id" => Some(cluster.identifier.as_str()),
            "db-cluster-resource-id" => Some(cluster.resource_id.as_str()),
            "engine" => Some(cluster.engine.as_str()),
            _ => None,
        };
        if answers::matches(&filters, value_of)? {
            shown.push(cluster);
        }
    }
    answers::list(request, ("DBClusters", "DBCluster"), shown, |xml, cluster| {
        cluster.write(xml, &world);
    })
}

pub(super) fn delete(lab: &Arc<Lab>, request: &Request) -> Result<Xml, Fault> {
    let mut world = lab.world();
    let cluster = world.cluster(request.required("DBClusterIdentifier")?)?;
    let name = cluster.identifier.clone();
    if cluster.attributes.deletion_protection {
        let message = "Cannot delete protected Cluster, please disable deletion protection and try again.";
        return Err(Fault::combination(message));
    }
    let in_use = world.members(cluster).iter().any(|member| member.status != "deleting");
    if in_use {
        let message = "Cluster cannot be deleted, it still contains DB instances in non-deleting state.";
        return Err(Fault::cluster_state(message));
    }
    if matches!(cluster.status, "deleting" | "upgrading" | "creating") {
        return Err(unavailable(cluster));
    }
    match (
        request.flag("SkipFinalSnapshot")?.unwrap_or_default(),
        request.text("FinalDBSnapshotIdentifier"),
    ) {
        (true, None) => {}
        (true, Some(_)) => {
            return Err(Fault::combination(
                "FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot.",
            ));
        }
        (false, None) => {
            return Err(Fault::combination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
            ));
        }
        (false, Some(last)) => {
            let snapshot = Snapshot::of(cluster, identifier::check("FinalDBSnapshotIdentifier", last)?);
            world.snapshots.insert(snapshot.identifier.clone(), snapshot);
        }
    }
    world.cluster_mut(&name)?.status = "deleting";
    let answer = answers::cluster(&world, world.cluster(&name)?);
    drop(world);
    life::delete_cluster(lab, name);
    Ok(answer)
}

/// The refusal for a cluster that is busy.
pub(super) fn unavailable(cluster: &Cluster) -> Fault {
    let (name, status) = (&cluster.identifier, cluster.status);
    Fault::cluster_state(format!(
        "DB cluster {name} is not in the available state; its status is {status}."
    ))
}
