//! The end of instances and clusters.

use std::sync::Arc;

use lab_postgres::StopMode;

use super::start_writer;
use crate::lab::Lab;
use crate::state::{Category, Source};

/// Removes an instance. Without the writer the next instance becomes it; without any the server stops.
pub(crate) fn delete_instance(lab: &Arc<Lab>, instance: String) {
    lab.spawn(|lab| async move {
        lab.pause().await;
        let Ok(cluster) = lab.world().instance(&instance).map(|instance| instance.cluster.clone()) else {
            return;
        };
        let found = lab
            .world()
            .cluster(&cluster)
            .map(|found| (found.volume.clone(), found.members.clone()));
        let Ok((volume, members)) = found else { return };
        let was_writer = members.first() == Some(&instance);
        if was_writer && let Err(error) = volume.lock().await.stop(StopMode::Fast).await {
            tracing::warn!(instance, %error, "stopped by force");
        }
        {
            let mut world = lab.world();
            if let Ok(found) = world.cluster_mut(&cluster) {
                found.members.retain(|member| *member != instance);
            }
            world.instances.remove(&instance);
            world.report(Source::Instance, &instance, Category::Deletion, "DB instance deleted");
        }
        if was_writer
            && members.len() > 1
            && let Err(error) = start_writer(&lab, &cluster, false).await
        {
            super::cluster_failed(&lab, &cluster, "failed", &error);
        }
    });
}

/// Removes a cluster without instances, and its folder.
pub(crate) fn delete_cluster(lab: &Arc<Lab>, cluster: String) {
    lab.spawn(|lab| async move {
        lab.pause().await;
        let Ok(volume) = lab.world().cluster(&cluster).map(|found| found.volume.clone()) else {
            return;
        };
        if let Err(error) = volume.lock().await.destroy().await {
            tracing::warn!(cluster, %error, "stopped by force");
        }
        let mut world = lab.world();
        world.clusters.remove(&cluster);
        world.report(Source::Cluster, &cluster, Category::Deletion, "DB cluster deleted");
    });
}
