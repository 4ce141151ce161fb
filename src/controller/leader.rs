//! Only the holder of the Lease acts.
use std::time::Duration;

use kube::Client;
use kube_lease_manager::LeaseManagerBuilder;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::context::Settings;
use crate::error::Error;

/// The Lease's name.
pub const LEASE: &str = "pgupgrade";

/// Leadership of this process.
#[derive(Debug)]
pub struct Leadership {
    held: watch::Receiver<bool>,
    manager: JoinHandle<()>,
}

impl Leadership {
    /// Takes part in the election.
    ///
    /// # Errors
    /// Where the Lease can't be read or created.
    pub async fn seek(client: Client, settings: &Settings) -> Result<Self, Error> {
        let failed = |error: kube_lease_manager::LeaseManagerError| Error::Lease {
            lease: format!("{}/{LEASE}", settings.namespace),
            message: error.to_string(),
        };
        let manager = LeaseManagerBuilder::new(client, LEASE)
            .with_namespace(&settings.namespace)
            .with_identity(&settings.identity)
            .with_duration(settings.lease.as_secs())
            .with_grace(settings.lease.as_secs() / 3)
            .build()
            .await
            .map_err(failed)?;
        let (held, task) = manager.watch().await;
        let manager = tokio::spawn(async move {
            match task.await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::error!(%error, "leader election ended"),
                Err(error) => tracing::error!(%error, "leader election died"),
            }
        });
        Ok(Self { held, manager })
    }

    /// Returns when this process leads.
    ///
    /// # Errors
    /// Where the election ended.
    pub async fn won(&mut self) -> Result<(), Error> {
        self.becomes(true).await
    }

    /// Returns when this process no longer leads.
    ///
    /// # Errors
    /// Where the election ended, which ends the leadership too.
    pub async fn lost(&mut self) -> Result<(), Error> {
        self.becomes(false).await
    }

    async fn becomes(&mut self, wanted: bool) -> Result<(), Error> {
        let ended = |error: watch::error::RecvError| Error::Lease {
            lease: LEASE.to_owned(),
            message: error.to_string(),
        };
        self.held
            .wait_for(|held| *held == wanted)
            .await
            .map(drop)
            .map_err(ended)
    }

    /// Gives the Lease back, so that another replica leads at once.
    pub async fn release(self) {
        drop(self.held);
        if tokio::time::timeout(Duration::from_secs(5), self.manager)
            .await
            .is_err()
        {
            tracing::warn!("the Lease was not released in time; it expires by itself");
        }
    }
}
