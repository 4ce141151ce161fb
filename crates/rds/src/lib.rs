//! What the operator says to Amazon RDS. The only crate that knows the AWS SDK; Aurora PostgreSQL clusters.
//!
//! Calls go through the standard credential chain and region; the SDK's own environment variables override the
//! endpoint. Every call has a deadline and the SDK's standard retries.
mod clone;
mod cluster;
mod error;
mod health;
mod instance;
mod parameters;
mod permissions;
mod reclaim;
mod tags;
mod upgrade;
mod versions;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};

pub use clone::CloneRequest;
pub use cluster::{Cluster, Endpoint, Member};
pub use error::Error;
pub use health::Health;
pub use instance::Instance;
pub use parameters::{Parameter, ParameterGroup, carried_over};
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
const OPERATION: Duration = Duration::from_secs(60);

impl Rds {
    /// RDS as the environment says, in `region` or in the environment's own.
    pub async fn from_env(region: Option<&str>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        Self { client: aws_sdk_rds::Client::new(&loader.load().await) }
    }
}
