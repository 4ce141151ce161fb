//! Major upgrades.
use crate::{Cluster, Error, Rds};

impl Rds {
    /// Asks for a major upgrade under new parameter groups. RDS prechecks it first; a refusal is no error of this call,
    /// see [`Rds::upgrade_failure`]. The groups need one more reboot after it before all of their values are in effect.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn upgrade_cluster(
        &self,
        cluster: &Cluster,
        version: &str,
        cluster_group: &str,
        instance_group: &str,
    ) -> Result<(), Error> {
        let call = self
            .client
            .modify_db_cluster()
            .db_cluster_identifier(&cluster.identifier)
            .engine_version(version)
            .allow_major_version_upgrade(true)
            .db_cluster_parameter_group_name(cluster_group)
            .db_instance_parameter_group_name(instance_group)
            .apply_immediately(true);
        call.send()
            .await
            .map(drop)
            .map_err(Error::of("ModifyDBCluster", &cluster.identifier))
    }
}
