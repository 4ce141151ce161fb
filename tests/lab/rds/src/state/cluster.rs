//! A database cluster as the API shows it.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{Tags, World, identifier};
use crate::protocol::{Request, Xml};
use crate::volume::Volume;

/// A cluster. Its server is reached through `volume`.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) identifier: String,
    pub(crate) engine: String,
    pub(crate) version: String,
    pub(crate) status: &'static str,
    /// `PendingModifiedValues.EngineVersion`.
    pub(crate) pending_version: Option<String>,
    /// `PendingModifiedValues.MasterUserPassword`: one is being set.
    pub(crate) password_pending: bool,
    pub(crate) resource_id: String,
    pub(crate) clone_group: String,
    pub(crate) master: String,
    pub(crate) database: Option<String>,
    pub(crate) address: Ipv4Addr,
    pub(crate) port: u16,
    pub(crate) group: String,
    /// Instances, the writer first.
    pub(crate) members: Vec<String>,
    pub(crate) created: Timestamp,
    pub(crate) attributes: Attributes,
    pub(crate) tags: Tags,
    /// Its servers' log files, also while the volume is busy.
    pub(crate) log_folder: PathBuf,
    pub(crate) volume: Arc<Mutex<Volume>>,
}

/// What is kept and shown, but changes nothing here.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "the API's own flags")]
pub(crate) struct Attributes {
    pub(crate) backup_retention: u16,
    pub(crate) copy_tags: bool,
    pub(crate) deletion_protection: bool,
    pub(crate) iam_authentication: bool,
    pub(crate) lifecycle: String,
    pub(crate) log_exports: Vec<String>,
    pub(crate) network_type: String,
    pub(crate) security_groups: Vec<String>,
    pub(crate) storage_type: String,
    pub(crate) subnet_group: String,
    pub(crate) capacity: Option<(String, String)>,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            backup_retention: 1,
            copy_tags: false,
            deletion_protection: false,
            iam_authentication: false,
            lifecycle: "open-source-rds-extended-support".into(),
            log_exports: Vec::new(),
            network_type: "IPV4".into(),
            security_groups: vec!["sg-0default".into()],
            storage_type: "aurora".into(),
            subnet_group: "default".into(),
            capacity: None,
        }
    }
}

impl Attributes {
    /// Takes over what a create, restore or modify request says.
    pub(crate) fn apply(&mut self, request: &Request) -> Result<(), crate::protocol::Fault> {
        let set = |target: &mut String, name: &str| {
            if let Some(text) = request.text(name) {
                text.clone_into(target);
            }
        };
        set(&mut self.lifecycle, "EngineLifecycleSupport");
        set(&mut self.network_type, "NetworkType");
        set(&mut self.storage_type, "StorageType");
        set(&mut self.subnet_group, "DBSubnetGroupName");
        self.backup_retention = request
            .number("BackupRetentionPeriod")?
            .unwrap_or(self.backup_retention);
        self.copy_tags = request.flag("CopyTagsToSnapshot")?.unwrap_or(self.copy_tags);
        self.deletion_protection = request.flag("DeletionProtection")?.unwrap_or(self.deletion_protection);
        let iam = request.flag("EnableIAMDatabaseAuthentication")?;
        self.iam_authentication = iam.unwrap_or(self.iam_authentication);
        let security_groups = request.texts("VpcSecurityGroupIds", "VpcSecurityGroupId");
        if !security_groups.is_empty() {
            self.security_groups = security_groups;
        }
        let exports = request.texts("EnableCloudwatchLogsExports", "member");
        if !exports.is_empty() {
            self.log_exports = exports;
        }
        let capacity = |name: &str| {
            request
                .text(&format!("ServerlessV2ScalingConfiguration.{name}"))
                .map(str::to_owned)
        };
        if let (Some(minimum), Some(maximum)) = (capacity("MinCapacity"), capacity("MaxCapacity")) {
            self.capacity = Some((minimum, maximum));
        }
        Ok(())
    }

    fn write(&self, xml: &mut Xml) {
        xml.text("BackupRetentionPeriod", self.backup_retention);
        xml.text("CopyTagsToSnapshot", self.copy_tags);
        xml.text("DeletionProtection", self.deletion_protection);
        xml.text("IAMDatabaseAuthenticationEnabled", self.iam_authentication);
        xml.text("EngineLifecycleSupport", &self.lifecycle);
        xml.texts("EnabledCloudwatchLogsExports", "member", &self.log_exports);
        xml.text("NetworkType", &self.network_type);
        xml.text("StorageType", &self.storage_type);
        xml.text("DBSubnetGroup", &self.subnet_group);
        xml.list(
            "VpcSecurityGroups",
            "VpcSecurityGroupMembership",
            &self.security_groups,
            |xml, group| {
                xml.text("VpcSecurityGroupId", group);
                xml.text("Status", "active");
            },
        );
        if let Some((minimum, maximum)) = &self.capacity {
            xml.element("ServerlessV2ScalingConfiguration", |xml| {
                xml.text("MinCapacity", minimum);
                xml.text("MaxCapacity", maximum);
            });
        }
    }
}

impl Cluster {
    pub(crate) fn arn(&self) -> String {
        identifier::arn("cluster", &self.identifier)
    }

    /// The major version, such as 17.
    pub(crate) fn major(&self) -> u16 {
        crate::engine::major(&self.version)
    }

    /// The fields of `DBCluster`.
    pub(crate) fn write(&self, xml: &mut Xml, world: &World) {
        xml.text("DBClusterIdentifier", &self.identifier);
        xml.text("DBClusterArn", self.arn());
        xml.text("DbClusterResourceId", &self.resource_id);
        xml.text("Status", self.status);
        xml.text("Engine", &self.engine);
        xml.text("EngineVersion", &self.version);
        xml.text("EngineMode", "provisioned");
        xml.text("Endpoint", self.address);
        xml.text("ReaderEndpoint", self.address);
        xml.text("Port", self.port);
        xml.text("MasterUsername", &self.master);
        xml.optional("DatabaseName", self.database.as_ref());
        xml.text("DBClusterParameterGroup", &self.group);
        xml.text("CloneGroupId", &self.clone_group);
        xml.text("ClusterCreateTime", self.created);
        xml.text("EarliestRestorableTime", self.created);
        xml.text("LatestRestorableTime", Timestamp::now());
        xml.text("AllocatedStorage", 1);
        xml.text("StorageEncrypted", false);
        xml.text("MultiAZ", false);
        xml.text("CrossAccountClone", false);
        xml.list(
            "DBClusterMembers",
            "DBClusterMember",
            world.members(self),
            |xml, member| {
                xml.text("DBInstanceIdentifier", &member.identifier);
                xml.text("IsClusterWriter", self.members.first() == Some(&member.identifier));
                xml.text(
                    "DBClusterParameterGroupStatus",
                    world.cluster_group_status(self, member),
                );
                xml.text("PromotionTier", member.promotion_tier);
            },
        );
        if self.pending_version.is_some() || self.password_pending {
            xml.element("PendingModifiedValues", |xml| {
                xml.optional("EngineVersion", self.pending_version.as_ref());
                xml.optional("MasterUserPassword", self.password_pending.then_some("****"));
            });
        }
        self.attributes.write(xml);
        write_tags(xml, &self.tags);
    }
}

/// A `TagList`.
pub(crate) fn write_tags(xml: &mut Xml, tags: &Tags) {
    xml.list("TagList", "Tag", tags, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}
