//! The shop's application, and the writer that nobody scales down.
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use lab_ledger::judge::{Verdict, judge};
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::source::{APPLICATION, APPLICATION_PASSWORD, SOURCE};
use crate::{Error, NAMESPACE, World, program};

/// Replicas of the application.
pub const PODS: i32 = 3;

const LIMIT: Duration = Duration::from_mins(1);

/// Writes straight to the old database until it is ended.
pub struct Rogue(Child);

impl World {
    /// Scales the application, and waits until it is there or gone.
    ///
    /// # Errors
    /// Where that takes too long.
    pub async fn scale_application(&self, replicas: i32) -> Result<(), Error> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), NAMESPACE);
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        deployments
            .patch_scale("shop-api", &PatchParams::default(), &patch)
            .await?;
        let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        let until = Instant::now() + LIMIT;
        loop {
            let deployment = deployments.get("shop-api").await?;
            let ready = deployment
                .status
                .as_ref()
                .and_then(|status| status.ready_replicas)
                .unwrap_or_default();
            let there = pods
                .list(&kube::api::ListParams::default().labels("app=shop-api"))
                .await?
                .items
                .len();
            if ready == replicas && there == usize::try_from(replicas).unwrap_or_default() {
                return Ok(());
            }
            if Instant::now() > until {
                let seen = format!("{ready} ready, {there} Pods");
                return Err(Error::Deadline {
                    what: format!("{replicas} Pods of shop-api"),
                    waited: LIMIT,
                    seen,
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts the rogue writer against the source.
    ///
    /// # Errors
    /// Where it can't be started.
    pub async fn start_rogue(&self) -> Result<Rogue, Error> {
        let log_path = self.dir().join("rogue.log");
        let log = std::fs::File::create(&log_path).map_err(Error::file(&log_path))?;
        let mut command = Command::new("setpriv");
        command
            .arg("--pdeathsig=KILL")
            .arg("--")
            .arg(program("ledger")?)
            .arg("rogue");
        command
            .env("DATABASE_URL", self.application_uri(SOURCE).await?)
            .env("DATABASE_CA", self.ca_file())
            .env("LEDGER_DIR", self.ledger.path())
            .env("LEDGER_RATE", "50")
            .env("LEDGER_CONNECTIONS", "2")
            .env("POD_NAME", "rogue")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        Ok(Rogue(command.spawn().map_err(Error::file(Path::new("setpriv")))?))
    }

    /// Judges what a cluster holds. All writers must have ended.
    ///
    /// # Errors
    /// Where it can't be read.
    pub async fn judge(&self, cluster: &str) -> Result<Verdict, Error> {
        let client = self.connect(cluster, APPLICATION, APPLICATION_PASSWORD).await?;
        client.batch_execute("SET statement_timeout = 0").await?;
        Ok(judge(&self.ledger, &client).await?)
    }
}

impl Rogue {
    /// Ends it and waits until it has written down what it knows.
    ///
    /// # Errors
    /// Where it can't be waited for.
    pub async fn stop(mut self) -> Result<(), Error> {
        if let Some(pid) = self.0.id() {
            let mut command = Command::new("kill");
            command.arg("-TERM").arg(pid.to_string());
            command.status().await.map_err(Error::file(Path::new("kill")))?;
        }
        self.0.wait().await.map(drop).map_err(Error::file(Path::new("ledger")))
    }
}
