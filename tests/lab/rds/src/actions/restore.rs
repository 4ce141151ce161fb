//! `RestoreDBClusterToPointInTime`.

use std::sync::Arc;

use super::{answers, clusters};
use crate::lab::Lab;
use crate::life;
use crate::protocol::{Fault, Request, Xml};
use crate::state::{Attributes, Cluster, identifier};
use crate::volume::Master;

pub(super) fn to_point_in_time(lab: &Arc<Lab>, request: &Request) -> Result<Xml, Fault> {
    let name = identifier::check("DBClusterIdentifier", request.required("DBClusterIdentifier")?)?;
    check_moment(request)?;
    let mut world = lab.world();
    let source = world.cluster(request.required("SourceDBClusterIdentifier")?)?.clone();
    clusters::check_new(&world, &name)?;
    if matches!(source.status, "creating" | "deleting" | "upgrading") {
        return Err(clusters::unavailable(&source));
    }
    let version = lab.engines.of(source.major())?;
    let group = clusters::group_for(&world, request, version)?;
    // Password and databases come with the volume.
    let master = Master {
        name: source.master.clone(),
        verifier: None,
    };
    let built = clusters::build(
        lab,
        &world,
        version,
        &name,
        request,
        group,
        master,
        source.database.clone(),
    )?;
    let mut attributes = Attributes {
        backup_retention: source.attributes.backup_retention,
        ..Attributes::default()
    };
    attributes.apply(request)?;
    let cluster = Cluster {
        clone_group: source.clone_group.clone(),
        attributes,
        ..built
    };
    let answer = answers::cluster(&world, &cluster);
    world.clusters.insert(name.clone(), cluster);
    drop(world);
    life::restore_cluster(lab, name, source.identifier);
    Ok(answer)
}

fn check_moment(request: &Request) -> Result<(), Fault> {
    let latest = request.flag("UseLatestRestorableTime")?.unwrap_or_default();
    match (latest, request.text("RestoreToTime"), request.text("RestoreType")) {
        (true, Some(_), _) => Err(Fault::combination(
            "Only one of UseLatestRestorableTime and RestoreToTime can be specified.",
        )),
        (false, None, _) => Err(Fault::combination(
            "Either UseLatestRestorableTime or RestoreToTime must be specified.",
        )),
        (false, Some(_), Some("copy-on-write")) => Err(Fault::combination(
            "RestoreToTime cannot be specified for a copy-on-write restore.",
        )),
        (false, Some(_), _) => Err(Fault::invalid_value("Only UseLatestRestorableTime is served here.")),
        (true, None, None | Some("copy-on-write" | "full-copy")) => check_insights(request),
        (true, None, Some(other)) => Err(Fault::invalid_value(format!("Invalid restore type: {other}"))),
    }
}

fn check_insights(request: &Request) -> Result<(), Fault> {
    for name in ["EnablePerformanceInsights", "MonitoringInterval", "MonitoringRoleArn"] {
        if request.text(name).is_some() {
            return Err(Fault::combination(format!(
                "{name} can be specified only when restoring from a source Aurora Limitless DB cluster"
            )));
        }
    }
    Ok(())
}
