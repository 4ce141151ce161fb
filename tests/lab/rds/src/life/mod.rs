//! What goes on in the background after an action was accepted.

mod creation;
mod deletion;
mod modification;
mod upgrade;

use std::sync::Arc;

use lab_postgres::Result;

pub(crate) use creation::{create_cluster, create_instance, restore_cluster};
pub(crate) use deletion::{delete_cluster, delete_instance};
pub(crate) use modification::{adopt_groups, reboot, reload, reset_password};
pub(crate) use upgrade::{Plan, upgrade};

use crate::engine::{self, Engines};
use crate::lab::Lab;
use crate::state::{Category, Source, Values, World};

/// What a cluster's writer is to run with.
struct Start {
    writer: String,
    configuration: Values,
}

/// Takes the groups' values as those in effect at a start of the writer.
fn prepare_start(world: &mut World, engines: &Engines, cluster: &str, wal_level_lags: bool) -> Option<Start> {
    let cluster = world.clusters.get(cluster)?;
    let writer = world.members(cluster).first()?.identifier.clone();
    let desired = world.desired(cluster, world.instances.get(&writer)?);
    let version = engines.of(cluster.major()).ok()?;
    let merged = desired.merged();
    let wants_logical = merged
        .get("rds.logical_replication")
        .is_some_and(|value| engine::is_on(value));
    let lags = wal_level_lags && wants_logical;
    let configuration = engine::configuration(version, &merged, lags);
    let instance = world.instances.get_mut(&writer)?;
    instance.in_effect = Some(desired);
    instance.wal_level_lags = lags;
    Some(Start { writer, configuration })
}

/// Starts the server of a cluster's writer.
async fn start_writer(lab: &Lab, cluster: &str, wal_level_lags: bool) -> Result<()> {
    let (start, volume) = {
        let mut world = lab.world();
        let start = prepare_start(&mut world, &lab.engines, cluster, wal_level_lags);
        (start, world.clusters.get(cluster).map(|cluster| cluster.volume.clone()))
    };
    let (Some(start), Some(volume)) = (start, volume) else {
        return Ok(());
    };
    tracing::debug!(cluster, writer = start.writer, "starting");
    volume.lock().await.start(start.configuration).await
}

fn set_cluster_status(lab: &Lab, cluster: &str, status: &'static str) {
    if let Ok(cluster) = lab.world().cluster_mut(cluster) {
        tracing::info!(cluster = cluster.identifier, status, "status");
        cluster.status = status;
    }
}

fn set_instance_status(lab: &Lab, instance: &str, status: &'static str) {
    if let Ok(instance) = lab.world().instance_mut(instance) {
        tracing::info!(instance = instance.identifier, status, "status");
        instance.status = status;
    }
}

/// Sets the status of a cluster and of all its instances.
fn set_all_statuses(lab: &Lab, cluster: &str, status: &'static str) {
    let members = lab
        .world()
        .cluster(cluster)
        .map(|cluster| cluster.members.clone())
        .unwrap_or_default();
    set_cluster_status(lab, cluster, status);
    for member in members {
        set_instance_status(lab, &member, status);
    }
}

/// Records that something failed that on AWS would not; the lab's log has the reason too.
fn cluster_failed(lab: &Arc<Lab>, cluster: &str, status: &'static str, error: &lab_postgres::Error) {
    tracing::error!(cluster, %error, "failed");
    set_cluster_status(lab, cluster, status);
    lab.world()
        .report(Source::Cluster, cluster, Category::Failure, error.to_string());
}

fn instance_failed(lab: &Arc<Lab>, instance: &str, error: &lab_postgres::Error) {
    tracing::error!(instance, %error, "failed");
    set_instance_status(lab, instance, "failed");
    lab.world()
        .report(Source::Instance, instance, Category::Failure, error.to_string());
}
