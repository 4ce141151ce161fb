//! What the API shows: clusters, instances, parameter groups, snapshots, tags, events.

mod cluster;
mod event;
mod group;
pub(crate) mod identifier;
mod instance;
mod snapshot;

use std::collections::BTreeMap;

pub(crate) use cluster::Cluster;
pub(crate) use cluster::{Attributes, write_tags};
pub(crate) use event::{Category, Event, Source};
pub(crate) use group::{Group, Setting, Values, default_name};
pub(crate) use instance::{InEffect, Instance};
pub(crate) use snapshot::Snapshot;

use crate::protocol::Fault;

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// The account and region in all ARNs.
pub(crate) const ARN_PREFIX: &str = "arn:aws:rds:us-east-1:123456789012";

/// Everything, by identifier.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) cluster_groups: BTreeMap<String, Group>,
    pub(crate) instance_groups: BTreeMap<String, Group>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    pub(crate) events: Vec<Event>,
}

impl World {
    /// A cluster by identifier (in any case) or ARN.
    pub(crate) fn cluster(&self, identifier: &str) -> Result<&Cluster, Fault> {
        let name = identifier::plain(identifier);
        self.clusters
            .get(&name)
            .ok_or_else(|| Fault::cluster_not_found(identifier))
    }

    pub(crate) fn cluster_mut(&mut self, identifier: &str) -> Result<&mut Cluster, Fault> {
        let name = identifier::plain(identifier);
        self.clusters
            .get_mut(&name)
            .ok_or_else(|| Fault::cluster_not_found(identifier))
    }

    /// An instance by identifier or ARN.
    pub(crate) fn instance(&self, identifier: &str) -> Result<&Instance, Fault> {
        let name = identifier::plain(identifier);
        self.instances
            .get(&name)
            .ok_or_else(|| Fault::instance_not_found(identifier))
    }

    pub(crate) fn instance_mut(&mut self, identifier: &str) -> Result<&mut Instance, Fault> {
        let name = identifier::plain(identifier);
        self.instances
            .get_mut(&name)
            .ok_or_else(|| Fault::instance_not_found(identifier))
    }

    /// A cluster's instances, the writer first.
    pub(crate) fn members(&self, cluster: &Cluster) -> Vec<&Instance> {
        cluster
            .members
            .iter()
            .filter_map(|member| self.instances.get(member))
            .collect()
    }

    /// The values that a cluster's groups would give to one of its instances now.
    pub(crate) fn desired(&self, cluster: &Cluster, instance: &Instance) -> InEffect {
        let values = |groups: &BTreeMap<String, Group>, name: &str| {
            groups.get(name).map(group::Group::values).unwrap_or_default()
        };
        InEffect {
            cluster_group: cluster.group.clone(),
            cluster_values: values(&self.cluster_groups, &cluster.group),
            instance_group: instance.group.clone(),
            instance_values: values(&self.instance_groups, &instance.group),
        }
    }

    /// `DBClusterParameterGroupStatus` of a member.
    pub(crate) fn cluster_group_status(&self, cluster: &Cluster, instance: &Instance) -> &'static str {
        let desired = self.desired(cluster, instance);
        let Some(now) = &instance.in_effect else {
            return "in-sync";
        };
        let differs = now.cluster_group != desired.cluster_group || now.cluster_values != desired.cluster_values;
        if differs || instance.wal_level_lags {
            "pending-reboot"
        } else {
            "in-sync"
        }
    }

    /// `ParameterApplyStatus` of an instance's own group.
    pub(crate) fn instance_group_status(&self, instance: &Instance) -> &'static str {
        let Some(cluster) = self.clusters.get(&instance.cluster) else {
            return "in-sync";
        };
        let desired = self.desired(cluster, instance);
        let Some(now) = &instance.in_effect else {
            return "in-sync";
        };
        let differs = now.instance_group != desired.instance_group || now.instance_values != desired.instance_values;
        if differs { "pending-reboot" } else { "in-sync" }
    }

    /// The tags of whatever has this ARN.
    pub(crate) fn tags_mut(&mut self, arn: &str) -> Result<&mut Tags, Fault> {
        let rest = arn.strip_prefix(ARN_PREFIX).and_then(|rest| rest.strip_prefix(':'));
        let Some((kind, name)) = rest.and_then(|rest| rest.split_once(':')) else {
            return Err(Fault::invalid_value(format!("Invalid resource name: {arn}")));
        };
        let groups = |fault: Fault| move || fault;
        match kind {
            "cluster" => self.cluster_mut(name).map(|cluster| &mut cluster.tags),
            "db" => self.instance_mut(name).map(|instance| &mut instance.tags),
            "cluster-pg" => {
                let group = self.cluster_groups.get_mut(name).map(|group| &mut group.tags);
                group.ok_or_else(groups(Fault::group_not_found(name)))
            }
            "pg" => {
                let group = self.instance_groups.get_mut(name).map(|group| &mut group.tags);
                group.ok_or_else(groups(Fault::group_not_found(name)))
            }
            "cluster-snapshot" => {
                let snapshot = self.snapshots.get_mut(name).map(|snapshot| &mut snapshot.tags);
                snapshot.ok_or_else(groups(Fault::snapshot_not_found(name)))
            }
            _ => Err(Fault::invalid_value(format!("Invalid resource name: {arn}"))),
        }
    }

    /// Records an event of now.
    pub(crate) fn report(&mut self, source: Source, identifier: &str, category: Category, message: impl Into<String>) {
        let message = message.into();
        tracing::info!(identifier, message, "event");
        self.events.push(Event::now(source, identifier, category, message));
    }
}
