//! What the operator says to Amazon RDS. The only crate that knows the AWS SDK; Aurora PostgreSQL clusters.
//!
//! Calls go through the standard credential chain and region; the SDK's own environment variables override the
//! endpoint. Every call has a deadline and the SDK's standard retries.
mod carry_over;
mod clone;
mod cluster;
mod error;
mod health;
mod instance;
mod parameter_groups;
mod parameters;
mod permissions;
mod reclaim;
mod refusal;
mod tags;
#[cfg(test)]
mod tests;
mod upgrade;
mod versions;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region};

pub use carry_over::carried_over;
pub use clone::CloneRequest;
pub use cluster::{Cluster, Endpoint, Member};
pub use error::{Error, Kind};
pub use health::Health;
pub use instance::Instance;
pub use parameter_groups::ParameterGroup;
pub use parameters::Parameter;
pub use permissions::ACTIONS;
pub use tags::OWNER;
pub use versions::UpgradeTarget;

/// RDS in one region. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rds {
    client: aws_sdk_rds::Client,
}

const CONNECT: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = Duration::from_secs(20);
const OPERATION: Duration = Duration::from_mins(1);

impl Rds {
    /// RDS as the environment says, in `region` or in the environment's own.
    pub async fn from_env(region: Option<&str>) -> Self {
        Self::load(loader(region)).await
    }

    async fn load(loader: ConfigLoader) -> Self {
        Self {
            client: aws_sdk_rds::Client::new(&loader.load().await),
        }
    }
}

fn loader(region: Option<&str>) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build();
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard());
    match region {
        Some(region) => loader.region(Region::new(region.to_owned())),
        None => loader,
    }
}
