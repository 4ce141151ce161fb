//! What a person sees who watches the resource.
use std::time::Duration;

use lab_world::{Error, Upgrade, World};
use pgupgrade::api::PostgresUpgradeStatus;
use tokio::time::Instant;

/// Prints a line for everything new in the status.
pub struct Lines<'a> {
    world: &'a World,
    upgrade: &'a Upgrade,
}

impl<'a> Lines<'a> {
    /// Watches this resource.
    pub fn new(world: &'a World, upgrade: &'a Upgrade) -> Self {
        Self { world, upgrade }
    }

    /// Prints until the status is as wanted.
    pub async fn until(
        &self,
        limit: Duration,
        say: &impl Fn(&str),
        wanted: impl Fn(&PostgresUpgradeStatus) -> bool,
    ) -> Result<PostgresUpgradeStatus, Error> {
        let until = Instant::now() + limit;
        let mut last = (None, None);
        loop {
            let status = self.upgrade.status().await?;
            let new = (Some(status.phase), status.message.clone());
            if new != last {
                if new.0 != last.0 {
                    self.columns(say).await;
                }
                say(&format!(
                    "  {:<16} {}",
                    status.phase.name(),
                    status.message.as_deref().unwrap_or_default()
                ));
                last = new;
            }
            if wanted(&status) {
                return Ok(status);
            }
            if Instant::now() > until {
                let seen = status.message.unwrap_or_default();
                return Err(Error::Deadline {
                    what: "the upgrade".to_owned(),
                    waited: limit,
                    seen,
                });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The line that kubectl prints.
    async fn columns(&self, say: &impl Fn(&str)) {
        let arguments = ["-n", "shop", "get", "pgupgrade", &self.upgrade.name, "--no-headers"];
        if let Ok(line) = self.world.kubectl(&arguments).await {
            say(line.trim_end());
        }
    }
}
