//! New clusters, clones and instances.

use std::sync::Arc;

use super::{cluster_failed, instance_failed, set_cluster_status, set_instance_status, start_writer};
use crate::lab::Lab;
use crate::state::{Category, Source};

/// Fills a new cluster's volume.
pub(crate) fn create_cluster(lab: &Arc<Lab>, cluster: String) {
    lab.spawn(|lab| async move {
        let Ok(volume) = lab.world().cluster(&cluster).map(|cluster| cluster.volume.clone()) else {
            return;
        };
        let initialized = volume.lock().await.initialize().await;
        lab.pause().await;
        match initialized {
            Ok(()) => created(&lab, &cluster),
            Err(error) => cluster_failed(&lab, &cluster, "failed", &error),
        }
    });
}

/// Copies the source's volume. No server runs on the copy until the clone gets its instance.
pub(crate) fn restore_cluster(lab: &Arc<Lab>, cluster: String, source: String) {
    lab.spawn(|lab| async move {
        let volumes = {
            let world = lab.world();
            world
                .cluster(&cluster)
                .and_then(|clone| Ok((clone.volume.clone(), world.cluster(&source)?.volume.clone())))
        };
        let Ok((volume, source_volume)) = volumes else { return };
        let cloned = volume.lock().await.clone_from(&*source_volume.lock().await).await;
        lab.pause().await;
        match cloned {
            Ok(held) => {
                tracing::info!(
                    cluster,
                    source,
                    milliseconds = held.as_millis(),
                    "cloned; the source stood still"
                );
                created(&lab, &cluster);
            }
            Err(error) => cluster_failed(&lab, &cluster, "cloning-failed", &error),
        }
    });
}

fn created(lab: &Arc<Lab>, cluster: &str) {
    set_cluster_status(lab, cluster, "available");
    lab.world()
        .report(Source::Cluster, cluster, Category::Creation, "DB cluster created");
}

/// Starts a cluster's server when the first instance comes; a further one joins it.
pub(crate) fn create_instance(lab: &Arc<Lab>, instance: String) {
    lab.spawn(|lab| async move {
        lab.pause().await;
        let Ok(cluster) = lab.world().instance(&instance).map(|instance| instance.cluster.clone()) else {
            return;
        };
        let is_writer = lab
            .world()
            .cluster(&cluster)
            .is_ok_and(|found| found.members.first() == Some(&instance));
        let started = if is_writer {
            start_writer(&lab, &cluster, false).await
        } else {
            Ok(())
        };
        if !is_writer {
            super::modification::join(&lab, &instance);
        }
        match started {
            Ok(()) => {
                set_instance_status(&lab, &instance, "available");
                lab.world()
                    .report(Source::Instance, &instance, Category::Creation, "DB instance created");
            }
            Err(error) => instance_failed(&lab, &instance, &error),
        }
    });
}
