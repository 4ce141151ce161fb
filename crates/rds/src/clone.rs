//! Copy-on-write clones.
use std::collections::BTreeMap;

use aws_sdk_rds::types::ServerlessV2ScalingConfiguration;

use crate::{Cluster, Error, OWNER, Rds, tags};

/// What is cloned, and how the clone is called.
#[derive(Clone, Copy, Debug)]
pub struct CloneRequest<'a> {
    /// The cluster to clone.
    pub source: &'a Cluster,
    /// The clone's identifier.
    pub identifier: &'a str,
    /// The clone's parameter group, of the source's family.
    pub parameter_group: &'a str,
    /// The clone's tags.
    pub tags: &'a BTreeMap<String, String>,
}

impl Rds {
    /// Clones a cluster's volume. Everything is passed as the source has it: left out, the clone would get the default
    /// security group, another storage type, or be upgraded by RDS itself (`EngineLifecycleSupport`); and without
    /// `copy-on-write` it would be a full copy.
    ///
    /// # Errors
    /// As RDS answers. A clone that is there already and carries the same owner tag is none.
    pub async fn clone_cluster(&self, request: &CloneRequest<'_>) -> Result<(), Error> {
        let source = request.source;
        let serverless = source.serverless_capacity.map(|(low, high)| {
            ServerlessV2ScalingConfiguration::builder()
                .min_capacity(low)
                .max_capacity(high)
                .build()
        });
        let exports = (!source.log_exports.is_empty()).then(|| source.log_exports.clone());
        let groups = (!source.security_groups.is_empty()).then(|| source.security_groups.clone());
        let call = self
            .client
            .restore_db_cluster_to_point_in_time()
            .db_cluster_identifier(request.identifier)
            .source_db_cluster_identifier(&source.identifier)
            .restore_type("copy-on-write")
            .use_latest_restorable_time(true)
            .port(i32::from(source.endpoint.port))
            .db_cluster_parameter_group_name(request.parameter_group)
            .set_db_subnet_group_name(source.subnet_group.clone())
            .set_vpc_security_group_ids(groups)
            .set_storage_type(source.storage_type.clone())
            .set_network_type(source.network_type.clone())
            .enable_iam_database_authentication(source.iam_authentication)
            .copy_tags_to_snapshot(source.copy_tags_to_snapshot)
            .deletion_protection(false)
            .set_enable_cloudwatch_logs_exports(exports)
            .set_engine_lifecycle_support(source.engine_lifecycle_support.clone())
            .set_serverless_v2_scaling_configuration(serverless)
            .set_tags(Some(tags::to_sdk(request.tags)));
        match call
            .send()
            .await
            .map_err(Error::of("RestoreDBClusterToPointInTime", request.identifier))
        {
            Ok(_) => Ok(()),
            Err(error) if error.is_already_exists() => match self.cluster(request.identifier).await? {
                Some(clone) if clone.tags.contains_key(OWNER) && clone.tags.get(OWNER) == request.tags.get(OWNER) => {
                    Ok(())
                }
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Makes the instance of a clone. Where `parameter_group` is empty it gets the engine's default one.
    ///
    /// # Errors
    /// As RDS answers. An instance of this cluster that is there already is none.
    pub async fn create_writer(
        &self,
        cluster: &Cluster,
        identifier: &str,
        class: &str,
        parameter_group: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let group = (!parameter_group.is_empty()).then(|| parameter_group.to_owned());
        let call = self
            .client
            .create_db_instance()
            .db_instance_identifier(identifier)
            .db_cluster_identifier(&cluster.identifier)
            .engine(&cluster.engine)
            .db_instance_class(class)
            .set_db_parameter_group_name(group)
            .set_tags(Some(tags::to_sdk(tags)));
        match call
            .send()
            .await
            .map(drop)
            .map_err(Error::of("CreateDBInstance", identifier))
        {
            Err(error) if error.is_already_exists() => match self.instance(identifier).await? {
                Some(instance) if instance.cluster.as_ref() == Some(&cluster.identifier) => Ok(()),
                _ => Err(error),
            },
            result => result,
        }
    }
}
