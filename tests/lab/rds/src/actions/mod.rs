//! The actions of the API.

mod answers;
mod clusters;
mod events;
mod groups;
mod instances;
mod logs;
mod modify_cluster;
mod parameters;
mod restore;
mod snapshots;
mod tags;
mod versions;

use std::sync::Arc;

use crate::lab::Lab;
use crate::protocol::{Fault, Request, Xml};
use groups::Kind;

/// Does what a request asks for and returns the content of its result element.
pub(crate) async fn perform(lab: &Arc<Lab>, action: &str, request: &Request) -> Result<Xml, Fault> {
    match action {
        "AddTagsToResource" => tags::add(lab, request),
        "CreateDBCluster" => clusters::create(lab, request),
        "CreateDBClusterParameterGroup" => groups::create(lab, request, Kind::Cluster),
        "CreateDBInstance" => instances::create(lab, request),
        "CreateDBParameterGroup" => groups::create(lab, request, Kind::Instance),
        "DeleteDBCluster" => clusters::delete(lab, request),
        "DeleteDBClusterParameterGroup" => groups::delete(lab, request, Kind::Cluster),
        "DeleteDBClusterSnapshot" => snapshots::delete(lab, request),
        "DeleteDBInstance" => instances::delete(lab, request),
        "DeleteDBParameterGroup" => groups::delete(lab, request, Kind::Instance),
        "DescribeDBClusterParameterGroups" => groups::describe(lab, request, Kind::Cluster),
        "DescribeDBClusterParameters" => parameters::describe(lab, request, Kind::Cluster),
        "DescribeDBClusterSnapshots" => snapshots::describe(lab, request),
        "DescribeDBClusters" => clusters::describe(lab, request),
        "DescribeDBEngineVersions" => versions::describe(lab, request),
        "DescribeDBInstances" => instances::describe(lab, request),
        "DescribeDBLogFiles" => logs::describe(lab, request),
        "DescribeDBParameterGroups" => groups::describe(lab, request, Kind::Instance),
        "DescribeDBParameters" => parameters::describe(lab, request, Kind::Instance),
        "DescribeEngineDefaultClusterParameters" | "DescribeEngineDefaultParameters" => {
            parameters::defaults(lab, request)
        }
        "DescribeEvents" => events::describe(lab, request),
        "DescribeOrderableDBInstanceOptions" => versions::orderable(lab, request),
        "DescribePendingMaintenanceActions" => Ok(versions::pending_maintenance()),
        "DownloadDBLogFilePortion" => logs::download(lab, request),
        "ListTagsForResource" => tags::list(lab, request),
        "ModifyDBCluster" => modify_cluster::modify(lab, request),
        "ModifyDBClusterParameterGroup" => parameters::modify(lab, request, Kind::Cluster).await,
        "ModifyDBInstance" => instances::modify(lab, request),
        "ModifyDBParameterGroup" => parameters::modify(lab, request, Kind::Instance).await,
        "RebootDBInstance" => instances::reboot(lab, request),
        "RemoveTagsFromResource" => tags::remove(lab, request),
        "ResetDBClusterParameterGroup" => parameters::reset(lab, request, Kind::Cluster),
        "ResetDBParameterGroup" => parameters::reset(lab, request, Kind::Instance),
        "RestoreDBClusterToPointInTime" => restore::to_point_in_time(lab, request),
        other => {
            let message = format!("The action {other} is not valid for this web service.");
            Err(Fault::new("InvalidAction", message))
        }
    }
}
