//! Instances of a cluster.
use aws_sdk_rds::types::DbInstance;

use crate::{Cluster, Error, Health, Rds, health};

/// An instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Its identifier.
    pub identifier: String,
    /// The cluster that it is a member of.
    pub cluster: Option<String>,
    /// As RDS words it.
    pub status: String,
    /// As `db.r8g.xlarge`.
    pub class: String,
    /// As `17.6`.
    pub engine_version: String,
    /// The version that a modification under way leads to.
    pub pending_engine_version: Option<String>,
    /// Its parameter group.
    pub parameter_group: String,
    /// `in-sync`, `pending-reboot`, …
    pub parameter_apply_status: String,
    /// Failover order.
    pub promotion_tier: Option<i32>,
}

impl Instance {
    /// What its status means.
    #[must_use]
    pub fn health(&self) -> Health {
        health::of(&self.status)
    }

    /// Whether it runs `version` with no other one pending.
    #[must_use]
    pub(crate) fn settled(&self, version: &str) -> bool {
        self.health() == Health::Available && self.engine_version == version && self.pending_engine_version.is_none()
    }
}

impl From<&DbInstance> for Instance {
    fn from(instance: &DbInstance) -> Self {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let group = instance.db_parameter_groups().first();
        let pending = instance.pending_modified_values();
        Self {
            identifier: text(instance.db_instance_identifier()),
            cluster: instance.db_cluster_identifier().map(str::to_owned),
            pending_engine_version: pending.and_then(|values| values.engine_version()).map(str::to_owned),
            status: text(instance.db_instance_status()),
            class: text(instance.db_instance_class()),
            engine_version: text(instance.engine_version()),
            parameter_group: text(group.and_then(|group| group.db_parameter_group_name())),
            parameter_apply_status: text(group.and_then(|group| group.parameter_apply_status())),
            promotion_tier: instance.promotion_tier(),
        }
    }
}

impl Rds {
    /// An instance; `None` where there is none of this identifier.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn instance(&self, identifier: &str) -> Result<Option<Instance>, Error> {
        let call = self.client.describe_db_instances().db_instance_identifier(identifier);
        match call.send().await.map_err(Error::of("DescribeDBInstances", identifier)) {
            Ok(answer) => Ok(answer.db_instances().first().map(Instance::from)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All instances of a cluster.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn members(&self, cluster: &Cluster) -> Result<Vec<Instance>, Error> {
        let mut members = Vec::new();
        for member in &cluster.members {
            members.extend(self.instance(&member.identifier).await?);
        }
        Ok(members)
    }

    /// Reboots an instance. One that is busy already is left alone, so look again. A reboot of the writer does not reboot
    /// readers ("Rebooting an Aurora DB cluster", Aurora user guide).
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn reboot_instance(&self, identifier: &str) -> Result<(), Error> {
        let call = self.client.reboot_db_instance().db_instance_identifier(identifier);
        match call
            .send()
            .await
            .map(drop)
            .map_err(Error::of("RebootDBInstance", identifier))
        {
            Err(error) if error.is_invalid_state() => Ok(()),
            result => result,
        }
    }
}
