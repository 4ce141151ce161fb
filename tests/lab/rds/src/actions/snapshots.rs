//! Cluster snapshots, as upgrades and deletions leave them.

use super::answers;
use crate::lab::Lab;
use crate::protocol::{Fault, Request, Xml};
use crate::state::{Snapshot, identifier};

pub(super) fn describe(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let world = lab.world();
    if let Some(name) = request.text("DBClusterSnapshotIdentifier")
        && !world.snapshots.contains_key(&identifier::plain(name))
    {
        return Err(Fault::snapshot_not_found(name));
    }
    let is = |wanted: Option<&str>, value: &str| wanted.is_none_or(|wanted| identifier::plain(wanted) == value);
    let kind_is_manual = request.text("SnapshotType").is_none_or(|kind| kind == "manual");
    let filters = request.filters()?;
    let mut shown: Vec<&Snapshot> = Vec::new();
    for snapshot in world.snapshots.values().filter(|_| kind_is_manual) {
        let value_of = |name: &str| match name {
            "db-cluster-id" => Some(snapshot.cluster.as_str()),
            "db-cluster-snapshot-id" => Some(snapshot.identifier.as_str()),
            "snapshot-type" => Some("manual"),
            _ => None,
        };
        let named = is(request.text("DBClusterIdentifier"), &snapshot.cluster)
            && is(request.text("DBClusterSnapshotIdentifier"), &snapshot.identifier);
        if named && answers::matches(&filters, value_of)? {
            shown.push(snapshot);
        }
    }
    answers::list(
        request,
        ("DBClusterSnapshots", "DBClusterSnapshot"),
        shown,
        |xml, snapshot| snapshot.write(xml),
    )
}

pub(super) fn delete(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let name = request.required("DBClusterSnapshotIdentifier")?;
    let removed = lab.world().snapshots.remove(&identifier::plain(name));
    let snapshot = removed.ok_or_else(|| Fault::snapshot_not_found(name))?;
    let mut xml = Xml::default();
    xml.element("DBClusterSnapshot", |xml| snapshot.write(xml));
    Ok(xml)
}
