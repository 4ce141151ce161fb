//! Cluster snapshots: only that they exist.

use jiff::Timestamp;

use super::cluster::write_tags;
use super::{Cluster, Tags, identifier};
use crate::protocol::Xml;

/// A manual snapshot of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) identifier: String,
    pub(crate) cluster: String,
    resource_id: String,
    engine: String,
    version: String,
    master: String,
    port: u16,
    created: Timestamp,
    cluster_created: Timestamp,
    pub(crate) tags: Tags,
}

impl Snapshot {
    pub(crate) fn of(cluster: &Cluster, identifier: String) -> Self {
        Self {
            identifier,
            cluster: cluster.identifier.clone(),
            resource_id: cluster.resource_id.clone(),
            engine: cluster.engine.clone(),
            version: cluster.version.clone(),
            master: cluster.master.clone(),
            port: cluster.port,
            created: Timestamp::now(),
            cluster_created: cluster.created,
            tags: if cluster.attributes.copy_tags {
                cluster.tags.clone()
            } else {
                Tags::new()
            },
        }
    }

    /// The fields of `DBClusterSnapshot`.
    pub(crate) fn write(&self, xml: &mut Xml) {
        xml.text("DBClusterSnapshotIdentifier", &self.identifier);
        xml.text(
            "DBClusterSnapshotArn",
            identifier::arn("cluster-snapshot", &self.identifier),
        );
        xml.text("DBClusterIdentifier", &self.cluster);
        xml.text("DbClusterResourceId", &self.resource_id);
        xml.text("Engine", &self.engine);
        xml.text("EngineVersion", &self.version);
        xml.text("MasterUsername", &self.master);
        xml.text("Port", self.port);
        xml.text("SnapshotCreateTime", self.created);
        xml.text("ClusterCreateTime", self.cluster_created);
        xml.text("SnapshotType", "manual");
        xml.text("Status", "available");
        xml.text("PercentProgress", 100);
        xml.text("AllocatedStorage", 1);
        xml.text("StorageEncrypted", false);
        write_tags(xml, &self.tags);
    }
}
