//! A database instance as the API shows it.

use jiff::Timestamp;

use super::cluster::write_tags;
use super::{Tags, Values, World, identifier};
use crate::protocol::Xml;

/// An instance of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) identifier: String,
    pub(crate) cluster: String,
    pub(crate) class: String,
    pub(crate) status: &'static str,
    pub(crate) group: String,
    pub(crate) resource_id: String,
    pub(crate) promotion_tier: u8,
    pub(crate) created: Timestamp,
    /// What it runs with, once it runs.
    pub(crate) in_effect: Option<InEffect>,
    /// The parameter groups ask for logical replication, but it runs without until the next reboot.
    pub(crate) wal_level_lags: bool,
    pub(crate) tags: Tags,
}

/// The parameter groups and values that an instance runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InEffect {
    pub(crate) cluster_group: String,
    pub(crate) cluster_values: Values,
    pub(crate) instance_group: String,
    pub(crate) instance_values: Values,
}

impl InEffect {
    /// Values by name; the cluster group's come first.
    pub(crate) fn merged(&self) -> Values {
        self.instance_values
            .clone()
            .into_iter()
            .chain(self.cluster_values.clone())
            .collect()
    }
}

impl Instance {
    pub(crate) fn arn(&self) -> String {
        identifier::arn("db", &self.identifier)
    }

    /// The fields of `DBInstance`. There is no endpoint before the instance has one.
    pub(crate) fn write(&self, xml: &mut Xml, world: &World) {
        xml.text("DBInstanceIdentifier", &self.identifier);
        xml.text("DBInstanceArn", self.arn());
        xml.text("DbiResourceId", &self.resource_id);
        xml.text("DBInstanceClass", &self.class);
        xml.text("DBInstanceStatus", self.status);
        xml.text("DBClusterIdentifier", &self.cluster);
        xml.text("InstanceCreateTime", self.created);
        xml.text("PromotionTier", self.promotion_tier);
        xml.text("AvailabilityZone", "us-east-1a");
        xml.text("MultiAZ", false);
        xml.text("PubliclyAccessible", false);
        xml.text("AutoMinorVersionUpgrade", false);
        xml.text("CACertificateIdentifier", "rds-ca-rsa2048-g1");
        xml.text("MonitoringInterval", 0);
        xml.list("DBParameterGroups", "DBParameterGroup", [&self.group], |xml, group| {
            xml.text("DBParameterGroupName", group);
            xml.text("ParameterApplyStatus", world.instance_group_status(self));
        });
        if let Some(cluster) = world.clusters.get(&self.cluster) {
            xml.text("Engine", &cluster.engine);
            xml.text("EngineVersion", &cluster.version);
            xml.text("MasterUsername", &cluster.master);
            xml.optional("DBName", cluster.database.as_ref());
            xml.text("StorageType", &cluster.attributes.storage_type);
            xml.text("StorageEncrypted", false);
            if self.in_effect.is_some() {
                xml.element("Endpoint", |xml| {
                    xml.text("Address", cluster.address);
                    xml.text("Port", cluster.port);
                    xml.text("HostedZoneId", "Z2R2ITUGPM61AM");
                });
            }
        }
        write_tags(xml, &self.tags);
    }
}
