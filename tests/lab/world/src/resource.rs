//! The `PostgresUpgrade` of the shop, seen from outside.
use std::time::Duration;

use kube::api::{Api, Patch, PatchParams, PostParams};
use pgupgrade::api::{Phase, PostgresUpgrade, PostgresUpgradeStatus};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::objects::path;
use crate::{Error, NAMESPACE, World};

/// A handle on one resource.
#[derive(Clone)]
pub struct Upgrade {
    api: Api<PostgresUpgrade>,
    /// Its name.
    pub name: String,
}

impl World {
    /// The example manifest, which `deploy/examples/shop.yaml` is, as JSON.
    ///
    /// # Errors
    /// Where kubectl can't read it.
    pub async fn example(&self) -> Result<Value, Error> {
        let file = path("deploy/examples/shop.yaml");
        let text = self
            .kubectl(&["create", "--dry-run=client", "-o", "json", "-f", &file])
            .await?;
        serde_json::from_str(&text).map_err(|error| Error::Unexpected(format!("{file}: {error}")))
    }

    /// Creates a resource from a manifest.
    ///
    /// # Errors
    /// Where the API server refuses it.
    pub async fn create(&self, manifest: Value) -> Result<Upgrade, Error> {
        let api: Api<PostgresUpgrade> = Api::namespaced(self.client.clone(), NAMESPACE);
        let object: PostgresUpgrade =
            serde_json::from_value(manifest).map_err(|error| Error::Unexpected(error.to_string()))?;
        let created = api.create(&PostParams::default(), &object).await?;
        Ok(Upgrade {
            api,
            name: created.metadata.name.unwrap_or_default(),
        })
    }

    /// A handle on a resource that is there.
    #[must_use]
    pub fn upgrade(&self, name: &str) -> Upgrade {
        Upgrade {
            api: Api::namespaced(self.client.clone(), NAMESPACE),
            name: name.to_owned(),
        }
    }
}

impl Upgrade {
    /// The object.
    ///
    /// # Errors
    /// Where it is gone.
    pub async fn get(&self) -> Result<PostgresUpgrade, Error> {
        Ok(self.api.get(&self.name).await?)
    }

    /// Its status.
    ///
    /// # Errors
    /// Where it is gone.
    pub async fn status(&self) -> Result<PostgresUpgradeStatus, Error> {
        Ok(self.get().await?.status.unwrap_or_default())
    }

    /// Waits until the status is as wanted, and returns it.
    ///
    /// # Errors
    /// Where that takes longer than `limit`; with the last message.
    pub async fn wait_for(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&PostgresUpgradeStatus) -> bool,
    ) -> Result<PostgresUpgradeStatus, Error> {
        let until = Instant::now() + limit;
        loop {
            let status = self.status().await?;
            if wanted(&status) {
                return Ok(status);
            }
            if Instant::now() > until {
                let seen = format!("{}: {}", status.phase.name(), status.message.unwrap_or_default());
                return Err(Error::Deadline {
                    what: what.to_owned(),
                    waited: limit,
                    seen,
                });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for a phase, or for a later one.
    ///
    /// # Errors
    /// As [`Upgrade::wait_for`].
    pub async fn reaches(&self, phase: Phase, limit: Duration) -> Result<PostgresUpgradeStatus, Error> {
        self.wait_for(phase.name(), limit, |status| status.phase >= phase).await
    }

    /// Approves with a token by annotation.
    ///
    /// # Errors
    /// Where the API server refuses.
    pub async fn approve(&self, token: &str) -> Result<(), Error> {
        self.patch(json!({ "metadata": { "annotations": { "pgupgrade.dev/approve": token } } }))
            .await
    }

    /// Changes it by a merge patch.
    ///
    /// # Errors
    /// Where the API server refuses.
    pub async fn patch(&self, patch: Value) -> Result<(), Error> {
        self.api
            .patch(&self.name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// Deletes it and waits until it is gone.
    ///
    /// # Errors
    /// Where that takes longer than `limit`.
    pub async fn delete(&self, limit: Duration) -> Result<(), Error> {
        self.api.delete(&self.name, &kube::api::DeleteParams::default()).await?;
        let until = Instant::now() + limit;
        while let Some(object) = self.api.get_opt(&self.name).await? {
            if Instant::now() > until {
                let seen = object.status.and_then(|status| status.message).unwrap_or_default();
                return Err(Error::Deadline {
                    what: format!("{} to be gone", self.name),
                    waited: limit,
                    seen,
                });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}
