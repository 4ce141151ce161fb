//! What all reconciles share.
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use pgupgrade_rds::Rds;
use tokio::sync::Mutex;

use super::tasks::Tasks;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::verification::Comparisons;

/// The field manager of everything that the operator applies.
pub const FIELD_MANAGER: &str = "pgupgrade";

/// How this operator runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's own namespace, where the Lease and the records are.
    pub namespace: String,
    /// Who this process is among the replicas.
    pub identity: String,
    /// How often something that AWS or PostgreSQL does is looked at.
    pub poll: Duration,
    /// The region for resources that name none; `None`: as the AWS environment says.
    pub region: Option<String>,
    /// How long a leader that is silent is believed to live.
    pub lease: Duration,
    /// Which Kubernetes cluster this is, for the owner row: two clusters may synchronise the same manifest.
    pub cluster: String,
    /// The certificates of Amazon RDS, for resources that name no bundle.
    pub ca_bundle: PathBuf,
}

impl Settings {
    /// The certificates of Amazon RDS.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn read_ca_bundle(&self) -> Result<Vec<u8>, Error> {
        std::fs::read(&self.ca_bundle).map_err(|source| Error::CaBundle {
            path: self.ca_bundle.clone(),
            source,
        })
    }
}

/// What all reconciles share.
pub struct Context {
    /// The Kubernetes API, as the operator's ServiceAccount.
    pub client: Client,
    /// Publishes events.
    pub recorder: Recorder,
    /// How this operator runs.
    pub settings: Settings,
    /// Work that goes on between reconciles.
    pub tasks: Tasks,
    /// What the comparisons of this process have found.
    pub comparisons: Comparisons,
    /// What `/metrics` tells.
    pub metrics: Arc<Metrics>,
    rds: Mutex<HashMap<Option<String>, Rds>>,
}

impl Context {
    /// A context with no work under way.
    #[must_use]
    pub fn new(client: Client, settings: Settings, metrics: Arc<Metrics>) -> Self {
        let reporter = Reporter {
            controller: FIELD_MANAGER.to_owned(),
            instance: Some(settings.identity.clone()),
        };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            settings,
            tasks: Tasks::default(),
            comparisons: Comparisons::default(),
            metrics,
            rds: Mutex::default(),
        }
    }

    /// The client of a region's RDS; `None` for the operator's own region.
    pub async fn rds(&self, region: Option<&str>) -> Rds {
        let region = region.map(str::to_owned).or_else(|| self.settings.region.clone());
        let mut clients = self.rds.lock().await;
        if let Some(rds) = clients.get(&region) {
            return rds.clone();
        }
        let rds = Rds::from_env(region.as_deref()).await;
        clients.insert(region, rds.clone());
        rds
    }
}
