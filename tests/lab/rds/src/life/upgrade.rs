//! A major version upgrade of a cluster.

use std::sync::Arc;

use lab_postgres::Result;

use super::{cluster_failed, set_all_statuses, set_cluster_status, start_writer};
use crate::lab::Lab;
use crate::state::{Category, Snapshot, Source};
use crate::volume::Upgraded;

/// What an accepted request asks for.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) cluster: String,
    /// The target's major version.
    pub(crate) target: u16,
    pub(crate) cluster_group: String,
    pub(crate) instance_group: Option<String>,
}

/// Upgrades a cluster. For a while it stays available at the old version, with the target in `PendingModifiedValues`.
pub(crate) fn upgrade(lab: &Arc<Lab>, plan: Plan) {
    lab.spawn(|lab| async move {
        lab.pause().await;
        lab.pause().await;
        set_all_statuses(&lab, &plan.cluster, "upgrading");
        let message = "Upgrade preparation in progress: Running online upgrade prechecks.";
        lab.world()
            .report(Source::Cluster, &plan.cluster, Category::Maintenance, message);
        let ended = match run(&lab, &plan).await {
            Ok(Upgraded::Done) => succeed(&lab, &plan).await,
            Ok(Upgraded::Refused(reason)) => refuse(&lab, &plan.cluster, &reason).await,
            Ok(Upgraded::Broken(reason)) => {
                lab.world()
                    .report(Source::Cluster, &plan.cluster, Category::Failure, reason);
                set_cluster_status(&lab, &plan.cluster, "upgrade_failed");
                Ok(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            cluster_failed(&lab, &plan.cluster, "upgrade_failed", &error);
        }
    });
}

async fn run(lab: &Arc<Lab>, plan: &Plan) -> Result<Upgraded> {
    let Ok((volume, target)) = lab
        .world()
        .cluster(&plan.cluster)
        .and_then(|found| Ok((found.volume.clone(), lab.engines.of(plan.target)?.binaries.clone())))
    else {
        return Ok(Upgraded::Refused("the cluster is gone".into()));
    };
    let mut volume = volume.lock().await;
    if volume.is_running()
        && let Some(reason) = volume.upgrade_obstacles().await?
    {
        return Ok(Upgraded::Refused(reason));
    }
    let version = target.version().to_owned();
    report(
        lab,
        plan,
        &format!("Database cluster engine {version} version upgrade started. Cluster remains online."),
    );
    lab.pause().await;
    report(lab, plan, "Database cluster upgrade is in progress.");
    // Logical slots move along from 17 on, and want this.
    volume
        .upgrade(&target, "-c wal_level=logical -c max_replication_slots=50")
        .await
}

/// Shows the new version with the new groups. Its server runs without logical replication until one more reboot, unless
/// a slot that came along forbids that.
async fn succeed(lab: &Arc<Lab>, plan: &Plan) -> Result<()> {
    let volume = {
        let mut world = lab.world();
        let Ok(found) = world.cluster(&plan.cluster) else {
            return Ok(());
        };
        let Ok(target) = lab.engines.of(plan.target) else {
            return Ok(());
        };
        let time = jiff::Timestamp::now().strftime("%Y-%m-%d-%H-%M").to_string();
        let (from, to) = (found.version.replace('.', "-"), target.version().replace('.', "-"));
        let snapshot = Snapshot::of(found, format!("preupgrade-{}-{from}-to-{to}-{time}", plan.cluster));
        let members = found.members.clone();
        world.snapshots.insert(snapshot.identifier.clone(), snapshot);
        for member in members {
            if let (Ok(member), Some(group)) = (world.instance_mut(&member), &plan.instance_group) {
                member.group.clone_from(group);
            }
        }
        let Ok(found) = world.cluster_mut(&plan.cluster) else {
            return Ok(());
        };
        target.version().clone_into(&mut found.version);
        found.group.clone_from(&plan.cluster_group);
        found.volume.clone()
    };
    let lags = lab.behaviour.extra_reboot_for_wal_level && !volume.lock().await.has_slots();
    start_writer(lab, &plan.cluster, lags).await?;
    let members = lab
        .world()
        .cluster(&plan.cluster)
        .map(|found| found.members.clone())
        .unwrap_or_default();
    for reader in members.iter().skip(1) {
        super::modification::join(lab, reader);
    }
    if volume.lock().await.is_running() {
        volume.lock().await.refurnish().await?;
    }
    if let Ok(found) = lab.world().cluster_mut(&plan.cluster) {
        found.pending_version = None;
    }
    report(lab, plan, "Database cluster engine major version has been upgraded.");
    lab.pause().await;
    set_all_statuses(lab, &plan.cluster, "available");
    Ok(())
}

/// Back to the old version: what remains is an event, and a log file.
async fn refuse(lab: &Arc<Lab>, cluster: &str, reason: &str) -> Result<()> {
    let Ok(volume) = lab.world().cluster(cluster).map(|found| found.volume.clone()) else {
        return Ok(());
    };
    if !volume.lock().await.is_running() {
        start_writer(lab, cluster, false).await?;
    }
    lab.pause().await;
    {
        let mut world = lab.world();
        let message = format!("Database cluster is in a state that cannot be upgraded: {reason}");
        world.report(Source::Cluster, cluster, Category::Maintenance, message);
        if let Ok(found) = world.cluster_mut(cluster) {
            found.pending_version = None;
        }
    }
    set_all_statuses(lab, cluster, "available");
    Ok(())
}

fn report(lab: &Lab, plan: &Plan, message: &str) {
    lab.world()
        .report(Source::Cluster, &plan.cluster, Category::Maintenance, message);
}
