//! Deletion of what was made for an upgrade, and of nothing else.
use aws_sdk_rds::types::Filter;

use crate::{Cluster, Error, OWNER, Rds};

impl Rds {
    /// Deletes a cluster that carries this owner tag, with its instances, without a final snapshot, and in spite of a
    /// deletion protection. What is gone, going or busy is no error: call it until [`Rds::cluster`] finds nothing.
    ///
    /// # Errors
    /// As RDS answers, or where the owner is another.
    pub async fn delete_cluster(&self, cluster: &Cluster, owner: &str) -> Result<(), Error> {
        if cluster.tags.get(OWNER).map(String::as_str) != Some(owner) {
            let message = format!("its tag {OWNER} is not {owner}");
            return Err(Error::refused("DeleteDBCluster", &cluster.identifier, message));
        }
        if cluster.deletion_protection {
            let call = self
                .client
                .modify_db_cluster()
                .db_cluster_identifier(&cluster.identifier);
            let call = call.deletion_protection(false).apply_immediately(true);
            gone(
                call.send()
                    .await
                    .map(drop)
                    .map_err(Error::of("ModifyDBCluster", &cluster.identifier)),
            )?;
        }
        for member in &cluster.members {
            let call = self
                .client
                .delete_db_instance()
                .db_instance_identifier(&member.identifier)
                .skip_final_snapshot(true);
            gone(
                call.send()
                    .await
                    .map(drop)
                    .map_err(Error::of("DeleteDBInstance", &member.identifier)),
            )?;
        }
        let call = self
            .client
            .delete_db_cluster()
            .db_cluster_identifier(&cluster.identifier)
            .skip_final_snapshot(true);
        gone(
            call.send()
                .await
                .map(drop)
                .map_err(Error::of("DeleteDBCluster", &cluster.identifier)),
        )
    }

    /// Deletes a cluster parameter group that carries this owner tag.
    ///
    /// # Errors
    /// As RDS answers, in use for instance, or where the owner is another.
    pub async fn delete_cluster_parameter_group(&self, name: &str, owner: &str) -> Result<(), Error> {
        let Some(group) = self.cluster_parameter_group(name).await? else {
            return Ok(());
        };
        self.ours(
            "DeleteDBClusterParameterGroup",
            name,
            &group.arn,
            Some(&owner.to_owned()),
        )
        .await?;
        let call = self
            .client
            .delete_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(name);
        found(
            call.send()
                .await
                .map(drop)
                .map_err(Error::of("DeleteDBClusterParameterGroup", name)),
        )
    }

    /// The same for an instance parameter group.
    ///
    /// # Errors
    /// As [`Rds::delete_cluster_parameter_group`].
    pub async fn delete_db_parameter_group(&self, name: &str, owner: &str) -> Result<(), Error> {
        let Some(group) = self.db_parameter_group(name).await? else {
            return Ok(());
        };
        self.ours("DeleteDBParameterGroup", name, &group.arn, Some(&owner.to_owned()))
            .await?;
        let call = self.client.delete_db_parameter_group().db_parameter_group_name(name);
        found(
            call.send()
                .await
                .map(drop)
                .map_err(Error::of("DeleteDBParameterGroup", name)),
        )
    }

    /// Deletes the manual snapshots that a cluster's upgrade left (`preupgrade-<cluster>-…`): they cost, and count
    /// towards the quota.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn delete_preupgrade_snapshots(&self, cluster: &Cluster) -> Result<(), Error> {
        let filter = Filter::builder()
            .name("db-cluster-id")
            .values(&cluster.identifier)
            .build();
        let call = self
            .client
            .describe_db_cluster_snapshots()
            .filters(filter)
            .snapshot_type("manual");
        let pages = call
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await;
        let snapshots = pages.map_err(Error::of("DescribeDBClusterSnapshots", &cluster.identifier))?;
        let prefix = format!("preupgrade-{}-", cluster.identifier);
        let ours = snapshots
            .iter()
            .filter(|snapshot| snapshot.db_cluster_identifier() == Some(&cluster.identifier));
        for name in ours.filter_map(|snapshot| snapshot.db_cluster_snapshot_identifier()) {
            if name.starts_with(&prefix) {
                let call = self
                    .client
                    .delete_db_cluster_snapshot()
                    .db_cluster_snapshot_identifier(name);
                gone(
                    call.send()
                        .await
                        .map(drop)
                        .map_err(Error::of("DeleteDBClusterSnapshot", name)),
                )?;
            }
        }
        Ok(())
    }
}

/// Gone, or going already.
fn gone(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_not_found() || error.is_invalid_state() => Ok(()),
        result => result,
    }
}

fn found(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        result => result,
    }
}
