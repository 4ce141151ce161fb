//! Aurora clusters as RDS describes them.
use std::collections::BTreeMap;

use aws_sdk_rds::types::{DbCluster, DbClusterMember};
use jiff::Timestamp;

use crate::{Error, Health, Instance, Rds, health, tags};

/// Host and port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The DNS name.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// An instance of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// The instance's identifier.
    pub identifier: String,
    /// Whether it is the writer.
    pub is_writer: bool,
    /// `in-sync` or `pending-reboot`: the state of the cluster's parameter group on this instance.
    pub parameter_group_status: String,
}

/// A cluster.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "RDS describes it so")]
pub struct Cluster {
    /// Its identifier.
    pub identifier: String,
    /// Its ARN.
    pub arn: String,
    /// An identifier that no rename changes.
    pub resource_id: String,
    /// As RDS words it.
    pub status: String,
    /// `aurora-postgresql`.
    pub engine: String,
    /// As `17.6`.
    pub engine_version: String,
    /// When it was made; a clone's own time, not its source's.
    pub created: Option<Timestamp>,
    /// The version that a modification under way leads to.
    pub pending_engine_version: Option<String>,
    /// Whether the master user's password is being changed.
    pub pending_master_password: bool,
    /// The master user.
    pub master_username: String,
    /// The writer endpoint.
    pub endpoint: Endpoint,
    /// The reader endpoint's host.
    pub reader_endpoint: Option<String>,
    /// The cluster's parameter group.
    pub parameter_group: String,
    /// Its instances.
    pub members: Vec<Member>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Shared by all clones of one volume.
    pub clone_group_id: Option<String>,
    /// The DB subnet group.
    pub subnet_group: Option<String>,
    /// VPC security groups.
    pub security_groups: Vec<String>,
    /// The key of encrypted storage; a clone always has its source's.
    pub kms_key: Option<String>,
    /// Days that automatic backups are kept; a clone has its source's.
    pub backup_retention_days: Option<i32>,
    /// `aurora` or `aurora-iopt1`.
    pub storage_type: Option<String>,
    /// `IPV4` or `DUAL`.
    pub network_type: Option<String>,
    /// Whether IAM database authentication is on.
    pub iam_authentication: bool,
    /// Whether the cluster can't be deleted.
    pub deletion_protection: bool,
    /// Whether snapshots get the cluster's tags.
    pub copy_tags_to_snapshot: bool,
    /// Log types that go to `CloudWatch`.
    pub log_exports: Vec<String>,
    /// Extended Support or not.
    pub engine_lifecycle_support: Option<String>,
    /// Serverless v2: lowest and highest capacity in ACU.
    pub serverless_capacity: Option<(f64, f64)>,
}

impl Cluster {
    /// What its status means.
    #[must_use]
    pub fn health(&self) -> Health {
        health::of(&self.status)
    }

    /// The identifier of the writer instance.
    #[must_use]
    pub fn writer(&self) -> Option<String> {
        self.members
            .iter()
            .find(|member| member.is_writer)
            .map(|member| member.identifier.clone())
    }

    /// Whether the cluster and all of its members (`members`, as [`Rds::members`] finds them) run `version` with nothing
    /// pending. A cluster stays `available` at the old version for a while after a new one was asked for, so
    /// `available` alone says nothing.
    #[must_use]
    pub fn settled(&self, members: &[Instance], version: &str) -> bool {
        self.health() == Health::Available
            && self.pending_engine_version.is_none()
            && !self.pending_master_password
            && self.engine_version == version
            && !members.is_empty()
            && members.len() == self.members.len()
            && members.iter().all(|member| member.settled(version))
    }
}

impl From<&DbClusterMember> for Member {
    fn from(member: &DbClusterMember) -> Self {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Self {
            identifier: text(member.db_instance_identifier()),
            is_writer: member.is_cluster_writer().unwrap_or_default(),
            parameter_group_status: text(member.db_cluster_parameter_group_status()),
        }
    }
}

impl From<&DbCluster> for Cluster {
    fn from(cluster: &DbCluster) -> Self {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let pending = cluster.pending_modified_values();
        let created = cluster
            .cluster_create_time()
            .and_then(|time| Timestamp::new(time.secs(), 0).ok());
        Self {
            created,
            pending_engine_version: pending.and_then(|values| values.engine_version()).map(str::to_owned),
            pending_master_password: pending.is_some_and(|values| values.master_user_password().is_some()),
            master_username: text(cluster.master_username()),
            kms_key: cluster.kms_key_id().map(str::to_owned),
            backup_retention_days: cluster.backup_retention_period(),
            identifier: text(cluster.db_cluster_identifier()),
            arn: text(cluster.db_cluster_arn()),
            resource_id: text(cluster.db_cluster_resource_id()),
            status: text(cluster.status()),
            engine: text(cluster.engine()),
            engine_version: text(cluster.engine_version()),
            endpoint: Endpoint {
                host: text(cluster.endpoint()),
                port: cluster.port().and_then(|port| u16::try_from(port).ok()).unwrap_or(5432),
            },
            reader_endpoint: cluster.reader_endpoint().map(str::to_owned),
            parameter_group: text(cluster.db_cluster_parameter_group()),
            members: cluster.db_cluster_members().iter().map(Member::from).collect(),
            tags: tags::from_sdk(cluster.tag_list()),
            clone_group_id: cluster.clone_group_id().map(str::to_owned),
            subnet_group: cluster.db_subnet_group().map(str::to_owned),
            security_groups: cluster
                .vpc_security_groups()
                .iter()
                .filter_map(|group| group.vpc_security_group_id().map(str::to_owned))
                .collect(),
            storage_type: cluster.storage_type().map(str::to_owned),
            network_type: cluster.network_type().map(str::to_owned),
            iam_authentication: cluster.iam_database_authentication_enabled().unwrap_or_default(),
            deletion_protection: cluster.deletion_protection().unwrap_or_default(),
            copy_tags_to_snapshot: cluster.copy_tags_to_snapshot().unwrap_or_default(),
            log_exports: cluster.enabled_cloudwatch_logs_exports().to_vec(),
            engine_lifecycle_support: cluster.engine_lifecycle_support().map(str::to_owned),
            serverless_capacity: cluster
                .serverless_v2_scaling_configuration()
                .and_then(|serverless| Some((serverless.min_capacity()?, serverless.max_capacity()?))),
        }
    }
}

impl Rds {
    /// A cluster; `None` where there is none of this identifier.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn cluster(&self, identifier: &str) -> Result<Option<Cluster>, Error> {
        let call = self.client.describe_db_clusters().db_cluster_identifier(identifier);
        match call.send().await.map_err(Error::of("DescribeDBClusters", identifier)) {
            Ok(answer) => Ok(answer.db_clusters().first().map(Cluster::from)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a cluster under another parameter group.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn modify_cluster_parameter_group(&self, cluster: &Cluster, group: &str) -> Result<(), Error> {
        let call = self
            .client
            .modify_db_cluster()
            .db_cluster_identifier(&cluster.identifier)
            .db_cluster_parameter_group_name(group)
            .apply_immediately(true);
        call.send()
            .await
            .map(drop)
            .map_err(Error::of("ModifyDBCluster", &cluster.identifier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_at_the_old_version_is_not_settled() {
        let cluster = |status: &str, version: &str, pending: Option<&str>| Cluster {
            status: status.to_owned(),
            engine_version: version.to_owned(),
            pending_engine_version: pending.map(str::to_owned),
            members: vec![Member::default()],
            ..Cluster::default()
        };
        let member = |status: &str, version: &str| Instance {
            status: status.to_owned(),
            engine_version: version.to_owned(),
            ..Instance::default()
        };
        let good = || vec![member("available", "18.6")];
        let two = Cluster {
            members: vec![Member::default(); 2],
            ..cluster("available", "18.6", None)
        };
        let password = Cluster {
            pending_master_password: true,
            ..cluster("available", "18.6", None)
        };
        let pending = Instance {
            pending_engine_version: Some("18.7".to_owned()),
            ..member("available", "18.6")
        };
        let table = [
            (cluster("available", "18.6", None), good(), true),
            (two.clone(), [good(), good()].concat(), true),
            (two.clone(), [good(), vec![member("available", "17.6")]].concat(), false),
            (two, good(), false),
            (password, good(), false),
            (
                cluster("available", "17.6", None),
                vec![member("available", "17.6")],
                false,
            ),
            (
                cluster("available", "17.6", Some("18.6")),
                vec![member("available", "17.6")],
                false,
            ),
            (cluster("available", "18.6", Some("18.7")), good(), false),
            (cluster("upgrading", "18.6", None), good(), false),
            (
                cluster("available", "18.6", None),
                vec![member("rebooting", "18.6")],
                false,
            ),
            (
                cluster("available", "18.6", None),
                vec![member("available", "17.6")],
                false,
            ),
            (cluster("available", "18.6", None), vec![pending], false),
            (cluster("available", "18.6", None), Vec::new(), false),
        ];
        for (cluster, members, expected) in table {
            assert_eq!(cluster.settled(&members, "18.6"), expected, "{cluster:?} {members:?}");
        }
    }
}
