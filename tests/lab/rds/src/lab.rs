//! What all actions share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lab_postgres::{Authority, StopMode};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::Engines;
use crate::state::{Group, World, default_name};

/// The whole of the local RDS behind its HTTP server.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) engines: Engines,
    pub(crate) authority: Authority,
    pub(crate) folder: PathBuf,
    pub(crate) behaviour: Behaviour,
    world: Mutex<World>,
    volumes: AtomicU32,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// How it imitates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behaviour {
    pub(crate) state_delay: Duration,
    pub(crate) aurora: bool,
    pub(crate) extra_reboot_for_wal_level: bool,
}

impl Lab {
    pub(crate) fn new(engines: Engines, authority: Authority, folder: PathBuf, behaviour: Behaviour) -> Self {
        let mut world = World::default();
        for version in engines.all() {
            let family = version.family();
            world
                .cluster_groups
                .insert(default_name(&family), Group::default_of(&family));
            world
                .instance_groups
                .insert(default_name(&family), Group::default_of(&family));
        }
        Self {
            engines,
            authority,
            folder,
            behaviour,
            world: Mutex::new(world),
            volumes: AtomicU32::new(1),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }
    }

    /// The state. Never held across an await.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A folder for a new volume; its name is short, since sockets want short paths.
    pub(crate) fn volume_folder(&self) -> PathBuf {
        self.folder
            .join(format!("v{}", self.volumes.fetch_add(1, Ordering::Relaxed)))
    }

    /// Does something in the background until it is done or the lab stops.
    pub(crate) fn spawn<F: Future<Output = ()> + Send + 'static>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> F) {
        let (stopping, work) = (self.stopping.clone(), work(self.clone()));
        self.tasks.spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// The time that a change of state takes.
    pub(crate) async fn pause(&self) {
        tokio::time::sleep(self.behaviour.state_delay).await;
    }

    /// Ends background work.
    pub(crate) fn cancel(&self) {
        self.stopping.cancel();
    }

    /// Ends background work and all servers.
    pub(crate) async fn stop(&self) {
        self.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let volumes: Vec<_> = self
            .world()
            .clusters
            .values()
            .map(|cluster| cluster.volume.clone())
            .collect();
        for volume in volumes {
            if let Err(error) = volume.lock().await.stop(StopMode::Immediate).await {
                tracing::warn!(%error, "a server may be left");
            }
        }
    }
}
