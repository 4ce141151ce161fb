//! Only the holder of the Lease acts.
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use kube_lease_manager::LeaseManagerBuilder;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::context::Settings;
use crate::error::Error;

/// The Lease's name.
pub const LEASE: &str = "pgupgrade";

/// Leadership of this process.
#[derive(Debug)]
pub struct Leadership {
    held: watch::Receiver<bool>,
    manager: JoinHandle<()>,
    leases: Api<Lease>,
    identity: String,
    lease: Duration,
}

/// Returns when somebody else holds the Lease, or when that could not be looked up for most of its duration.
async fn unconfirmed(leases: &Api<Lease>, identity: &str, lease: Duration) {
    let mut confirmed = Instant::now();
    while confirmed.elapsed() < lease * 2 / 3 {
        tokio::time::sleep(lease / 6).await;
        let Ok(Ok(found)) = tokio::time::timeout(lease / 3, leases.get(LEASE)).await else {
            continue;
        };
        let holder = found.spec.and_then(|spec| spec.holder_identity);
        if holder.as_deref() != Some(identity) {
            return;
        }
        confirmed = Instant::now();
    }
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
        let leases = Api::namespaced(client.clone(), &settings.namespace);
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
        Ok(Self {
            held,
            manager,
            leases,
            identity: settings.identity.clone(),
            lease: settings.lease,
        })
    }

    /// Returns when this process leads.
    ///
    /// # Errors
    /// Where the election ended.
    pub async fn won(&mut self) -> Result<(), Error> {
        self.becomes(true).await
    }

    /// Returns when this process no longer leads, or can't know: the election itself doesn't notice that the API server
    /// has stopped to answer, while another replica may hold the Lease by then.
    ///
    /// # Errors
    /// Where the election ended, which ends the leadership too.
    pub async fn lost(&mut self) -> Result<(), Error> {
        let (leases, identity, lease) = (self.leases.clone(), self.identity.clone(), self.lease);
        tokio::select! {
            lost = self.becomes(false) => lost,
            () = unconfirmed(&leases, &identity, lease) => Ok(()),
        }
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
