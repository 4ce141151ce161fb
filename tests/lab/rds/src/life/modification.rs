//! Reboots, and what changes on a running server.

use std::collections::BTreeSet;
use std::sync::Arc;

use lab_postgres::{Result, StopMode};
use tokio::sync::Mutex;

use super::{instance_failed, set_cluster_status, set_instance_status, start_writer};
use crate::engine::{self, Version};
use crate::lab::Lab;
use crate::state::{Category, Source, Values};
use crate::volume::Volume;

/// Restarts an instance. A writer's server starts anew with what its groups say; a reader has none of its own.
pub(crate) fn reboot(lab: &Arc<Lab>, instance: String) {
    lab.spawn(|lab| async move {
        lab.pause().await;
        let found = {
            let world = lab.world();
            world
                .instance(&instance)
                .and_then(|found| world.cluster(&found.cluster))
                .map(|cluster| {
                    (
                        cluster.identifier.clone(),
                        cluster.volume.clone(),
                        cluster.members.first() == Some(&instance),
                    )
                })
        };
        let Ok((cluster, volume, is_writer)) = found else {
            return;
        };
        let restarted = if is_writer {
            restart(&lab, &cluster, &volume).await
        } else {
            join(&lab, &instance);
            Ok(())
        };
        match restarted {
            Ok(()) => {
                set_instance_status(&lab, &instance, "available");
                lab.world().report(
                    Source::Instance,
                    &instance,
                    Category::Availability,
                    "DB instance restarted",
                );
            }
            Err(error) => instance_failed(&lab, &instance, &error),
        }
    });
}

async fn restart(lab: &Lab, cluster: &str, volume: &Mutex<Volume>) -> Result<()> {
    volume.lock().await.stop(StopMode::Fast).await?;
    start_writer(lab, cluster, false).await
}

/// A reader starts: it takes what its groups say now.
pub(super) fn join(lab: &Lab, instance: &str) {
    let mut world = lab.world();
    let desired = world
        .instance(instance)
        .and_then(|found| Ok(world.desired(world.cluster(&found.cluster)?, found)));
    if let (Ok(desired), Ok(found)) = (desired, world.instance_mut(instance)) {
        found.in_effect = Some(desired);
        found.wal_level_lags = false;
    }
}

/// After a cluster or an instance got another group: dynamic parameters of it take effect, the rest waits for a reboot.
pub(crate) fn adopt_groups(lab: &Arc<Lab>, cluster: String) {
    lab.spawn(|lab| async move {
        {
            let mut world = lab.world();
            let Ok(found) = world.cluster(&cluster) else { return };
            let Ok(version) = lab.engines.of(found.major()) else {
                return;
            };
            let desired: Vec<_> = world
                .members(found)
                .iter()
                .map(|member| world.desired(found, member))
                .collect();
            for (member, desired) in found.members.clone().into_iter().zip(desired) {
                let now = world
                    .instance_mut(&member)
                    .ok()
                    .and_then(|member| member.in_effect.as_mut());
                if let Some(now) = now {
                    adopt(version, &mut now.cluster_values, &desired.cluster_values);
                    adopt(version, &mut now.instance_values, &desired.instance_values);
                }
            }
        }
        reload(&lab, cluster.clone());
        lab.pause().await;
        let modifying = lab
            .world()
            .cluster(&cluster)
            .is_ok_and(|found| found.status == "modifying");
        if modifying {
            set_cluster_status(&lab, &cluster, "available");
        }
    });
}

/// Takes over the dynamic values.
fn adopt(version: &Version, now: &mut Values, desired: &Values) {
    let names: BTreeSet<String> = now.keys().chain(desired.keys()).cloned().collect();
    for name in names {
        if version
            .parameters
            .get(&name)
            .is_none_or(|parameter| parameter.is_static)
        {
            continue;
        }
        match desired.get(&name) {
            Some(value) => drop(now.insert(name, value.clone())),
            None => drop(now.remove(&name)),
        }
    }
}

/// Has a cluster's server read what is in effect.
pub(crate) fn reload(lab: &Arc<Lab>, cluster: String) {
    lab.spawn(|lab| async move {
        let Ok(volume) = lab.world().cluster(&cluster).map(|found| found.volume.clone()) else {
            return;
        };
        let mut volume = volume.lock().await;
        let configuration = {
            let world = lab.world();
            let Ok(found) = world.cluster(&cluster) else { return };
            let Some(writer) = world.members(found).first().copied() else {
                return;
            };
            let (Some(now), Ok(version)) = (&writer.in_effect, lab.engines.of(found.major())) else {
                return;
            };
            engine::configuration(version, &now.merged(), writer.wal_level_lags)
        };
        if let Err(error) = volume.reload(configuration) {
            tracing::warn!(cluster, %error, "the server has not read its new parameters");
        }
    });
}

/// Sets the master's password.
pub(crate) fn reset_password(lab: &Arc<Lab>, cluster: String, verifier: String) {
    lab.spawn(|lab| async move {
        let Ok(volume) = lab.world().cluster(&cluster).map(|found| found.volume.clone()) else {
            return;
        };
        lab.pause().await;
        let result = volume.lock().await.set_password(verifier).await;
        let mut world = lab.world();
        let Ok(found) = world.cluster_mut(&cluster) else { return };
        found.password_pending = false;
        found.status = "available";
        match result {
            Ok(()) => {
                let message = "Reset master credentials";
                world.report(Source::Cluster, &cluster, Category::ConfigurationChange, message);
            }
            Err(error) => world.report(Source::Cluster, &cluster, Category::Failure, error.to_string()),
        }
    });
}
