//! Makes the source ready: logical replication where the spec allows it, the replication role, our schema, replica
//! identities. Every change is on record before it is made.
use std::collections::BTreeMap;
use std::time::Duration;

use kube::runtime::events::EventType;
use pgupgrade_postgres::connection::{Profile, Session};
use pgupgrade_postgres::tables::{self, ReplicaIdentity, Table};
use pgupgrade_postgres::{inspect, role};
use pgupgrade_rds::{Cluster, Health};

use crate::api::{
    DatabaseStatus, IdentityKind, Phase, ReplicaIdentityChange, ReplicaIdentityPolicy, SourceChanges, Writer,
};
use crate::controller::names;
use crate::controller::outcome::Outcome;
use crate::controller::record::Record;
use crate::controller::scope::Scope;
use crate::error::Error;

/// A reboot of the writer takes a minute or two.
const LIMIT: Duration = Duration::from_mins(15);

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    let record = Record::ensure(scope).await?;
    let identifier = scope.spec().source.identifier.clone();
    let Some(cluster) = scope.rds.cluster(&identifier).await? else {
        return Ok(Outcome::hold(
            "SourceNotFound",
            format!("DB cluster {identifier} does not exist any more"),
        ));
    };
    let tags = BTreeMap::from([(names::OWNER.to_owned(), scope.owner())]);
    if cluster.tags.get(names::OWNER) != Some(&scope.owner()) {
        scope.rds.add_tags(&cluster.arn, &tags).await?;
    }
    if let Some(outcome) = logical_replication(scope, &cluster).await? {
        return Ok(outcome);
    }
    scope.status.writer = Some(Writer::Source);
    let source = scope.source().await?;
    for database in scope.resolved()?.databases.clone() {
        let session = source.connect(&database, Profile::Act).await?;
        // Installs the schema, and refuses where another resource owns the source.
        scope.claim(&session).await?;
        role::ensure(&session, &Record::role(scope), &record.replication_password).await?;
        replica_identities(scope, &session, &database).await?;
    }
    Ok(Outcome::Advance(Phase::Capturing))
}

/// `wal_level = logical` on the writer, by a parameter group of our own and a reboot where the spec allows both.
async fn logical_replication(scope: &mut Scope, cluster: &Cluster) -> Result<Option<Outcome>, Error> {
    let poll = scope.context.settings.poll;
    let wait = |message: String| Ok(Some(Outcome::wait(poll, LIMIT, "PreparingSource", message)));
    if cluster.health() != Health::Available {
        return wait(format!("the source is {}", cluster.status));
    }
    let session = scope
        .source()
        .await?
        .connect(&scope.database()?, Profile::Observe)
        .await?;
    if inspect::server(&session).await?.wal_level == "logical" {
        return Ok(None);
    }
    let group = names::source_parameter_group(&scope.uid());
    if cluster.parameter_group != group {
        scope.status.source_changes = Some(SourceChanges {
            previous_parameter_group: Some(cluster.parameter_group.clone()),
            parameter_group: Some(group.clone()),
            rebooted_at: None,
        });
        scope.persist().await?;
        let family = scope
            .rds
            .parameter_group_family(&cluster.engine, &cluster.engine_version)
            .await?;
        let mut parameters = scope.rds.user_cluster_parameters(&cluster.parameter_group).await?;
        parameters.insert("rds.logical_replication".to_owned(), "1".to_owned());
        let tags = BTreeMap::from([(names::OWNER.to_owned(), scope.owner())]);
        scope
            .rds
            .ensure_cluster_parameter_group(&group, &family, "logical replication for pgupgrade", &tags, &parameters)
            .await?;
        scope.rds.modify_cluster_parameter_group(cluster, &group).await?;
        return wait(format!(
            "parameter group {group} with rds.logical_replication=1 takes the place of {}",
            cluster.parameter_group
        ));
    }
    let Some(writer) = cluster.writer() else {
        return wait("the source has no writer".to_owned());
    };
    scope.event(
        EventType::Warning,
        "SourceRebooted",
        format!("{writer} is rebooted for wal_level=logical, as the spec allows"),
    );
    scope.rds.reboot_instance(&writer).await?;
    wait(format!("{writer} is rebooted for wal_level=logical"))
}

/// Sets what the spec allows, after it has been written down what was there before.
async fn replica_identities(scope: &mut Scope, session: &Session, database: &str) -> Result<(), Error> {
    let all = tables::list(session).await?;
    let newest = names::major_number(&scope.spec().target.engine_version);
    let wanted: Vec<(&Table, ReplicaIdentity)> = all
        .iter()
        .filter(|table| table.needs_identity())
        .filter_map(|table| Some((table, identity(scope, database, table, newest)?)))
        .collect();
    let changes: Vec<ReplicaIdentityChange> = wanted
        .iter()
        .map(|(table, identity)| ReplicaIdentityChange {
            table: table.name.to_string(),
            before: table.replica_identity.to_string(),
            set: identity.to_string(),
        })
        .collect();
    match scope.status.databases.iter_mut().find(|status| status.name == database) {
        Some(status) => {
            for change in changes {
                if !status
                    .replica_identities
                    .iter()
                    .any(|known| known.table == change.table)
                {
                    status.replica_identities.push(change);
                }
            }
        }
        None => scope.status.databases.push(DatabaseStatus {
            name: database.to_owned(),
            replica_identities: changes,
            ..DatabaseStatus::default()
        }),
    }
    scope.persist().await?;
    for (table, identity) in &wanted {
        tables::set_replica_identity(session, &table.name, identity).await?;
    }
    Ok(())
}

/// What a table's replica identity has to become, if anything.
/// `newest`: the major version that publishes it on the way back.
fn identity(scope: &Scope, database: &str, table: &Table, newest: i32) -> Option<ReplicaIdentity> {
    let name = table.name.plain();
    let listed = scope
        .spec()
        .databases
        .iter()
        .filter(|wanted| wanted.name == database)
        .flat_map(|wanted| &wanted.replica_identities)
        .find(|identity| identity.table == name);
    let wanted = match listed {
        Some(listed) => match (listed.identity, &listed.index) {
            (IdentityKind::Index, Some(index)) => Some(ReplicaIdentity::Index(index.clone())),
            (IdentityKind::Full, _) => Some(ReplicaIdentity::Full),
            _ => None,
        },
        None if table.identity_usable(newest) => None,
        None => match (
            scope.spec().replication.replica_identity_policy,
            table.identity_candidates.first(),
        ) {
            (ReplicaIdentityPolicy::SetIndex | ReplicaIdentityPolicy::SetIndexOrFull, Some(index)) => {
                Some(ReplicaIdentity::Index(index.clone()))
            }
            (ReplicaIdentityPolicy::SetIndexOrFull, None) => Some(ReplicaIdentity::Full),
            _ => None,
        },
    };
    wanted.filter(|wanted| *wanted != table.replica_identity)
}
