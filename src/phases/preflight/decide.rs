//! From what was seen to what stands in the way. Pure: every unmet requirement at once, each with its fix.
use super::observation::{Aws, Connection, Database, Observation, Problem, Source, SourceCluster, Table};
use crate::api::{
    Finding, IdentityKind, LogicalReplicationPolicy, PostgresUpgradeSpec, ReplicaIdentityPolicy, RestartPolicy,
    Severity,
};
use crate::controller::names;
use crate::phases::upgrading::IDLE_SLOT_TIMEOUT;

/// Replication slots that one run needs on the source: of the stream, of the verification, and the copy of that which
/// it reads through.
const SLOTS: i64 = 3;
/// WAL senders that one run needs on the source.
const WAL_SENDERS: i64 = 1;

/// Every finding.
pub fn findings(spec: &PostgresUpgradeSpec, owner: &str, seen: &Observation) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(seen.aws.problems.iter().map(blocking));
    all.extend(seen.application.problems.iter().map(blocking));
    if let Some(cluster) = &seen.aws.cluster {
        all.extend(source_cluster(cluster, owner));
        all.extend(target(spec, owner, &seen.aws, cluster));
        if seen.application.problems.is_empty() {
            all.extend(connections(cluster, &seen.application.connections));
        }
    }
    if let Some(source) = &seen.source {
        all.extend(source.problems.iter().map(blocking));
        if source.problems.is_empty() {
            all.extend(server(spec, source));
            all.extend(databases(spec, &source.databases));
        }
    }
    all
}

fn finding(severity: Severity, reason: &str, object: impl Into<String>, message: impl Into<String>) -> Finding {
    Finding {
        reason: reason.to_owned(),
        severity,
        object: object.into(),
        message: message.into(),
    }
}

fn block(reason: &str, object: impl Into<String>, message: impl Into<String>) -> Finding {
    finding(Severity::Blocking, reason, object, message)
}

fn warn(reason: &str, object: impl Into<String>, message: impl Into<String>) -> Finding {
    finding(Severity::Warning, reason, object, message)
}

fn blocking(problem: &Problem) -> Finding {
    block(problem.reason, problem.object.clone(), problem.message.clone())
}

fn source_cluster(cluster: &SourceCluster, owner: &str) -> Vec<Finding> {
    let mut all = Vec::new();
    if cluster.engine != "aurora-postgresql" {
        all.push(block(
            "EngineNotSupported",
            "spec.source.identifier",
            format!("engine {} is not aurora-postgresql", cluster.engine),
        ));
    }
    if !cluster.available {
        all.push(block(
            "SourceNotAvailable",
            "spec.source.identifier",
            format!("the cluster is {}; wait until it is available", cluster.status),
        ));
    }
    if !cluster.has_writer {
        all.push(block(
            "SourceWithoutWriter",
            "spec.source.identifier",
            "the cluster has no writer instance; add one",
        ));
    }
    let namespace = owner.split('/').next().unwrap_or_default();
    let allowed = cluster.allowed_namespaces.as_deref().unwrap_or_default();
    if !allowed.split_whitespace().any(|allowed| allowed == namespace) {
        all.push(block(
            "NamespaceNotAllowed",
            "spec.source.identifier",
            format!(
                "the cluster's owner has not tagged it for this namespace; add the tag {}={}",
                names::ALLOWED_NAMESPACES,
                format!("{allowed} {namespace}").trim_start()
            ),
        ));
    }
    if let Some(other) = cluster.owner.as_deref().filter(|other| *other != owner) {
        all.push(block(
            "SourceOwnedByAnother",
            "spec.source.identifier",
            format!(
                "the cluster is tagged {}={other}: another PostgresUpgrade works on it; delete that one first",
                names::OWNER
            ),
        ));
    }
    all
}

fn target(spec: &PostgresUpgradeSpec, owner: &str, aws: &Aws, cluster: &SourceCluster) -> Vec<Finding> {
    let mut all = Vec::new();
    let wanted = &spec.target.engine_version;
    let valid = if aws.upgrade_targets.is_empty() {
        "none".to_owned()
    } else {
        aws.upgrade_targets.join(", ")
    };
    if names::major_number(wanted) <= names::major_number(&cluster.engine_version) {
        all.push(block(
            "TargetVersionNotNewer",
            "spec.target.engineVersion",
            format!(
                "{wanted} is not a newer major version than the source's {}; valid targets: {valid}",
                cluster.engine_version
            ),
        ));
    } else if aws.target_version.is_none()
        && !aws
            .problems
            .iter()
            .any(|problem| problem.object == "spec.target.engineVersion")
    {
        all.push(block(
            "TargetVersionNotValid",
            "spec.target.engineVersion",
            format!(
                "RDS does not upgrade {} to {wanted}; valid targets: {valid}",
                cluster.engine_version
            ),
        ));
    }
    if let Some(found) = &aws.target_owner
        && found != owner
    {
        all.push(block(
            "TargetIdentifierTaken",
            "spec.target.identifier",
            "a DB cluster of this identifier exists already; choose another one",
        ));
    }
    for (field, name, family) in &aws.named_groups {
        match (family, &aws.target_family) {
            (None, _) => all.push(block(
                "ParameterGroupNotFound",
                *field,
                format!("parameter group {name} does not exist"),
            )),
            (Some(family), Some(wanted)) if family != wanted => all.push(block(
                "ParameterGroupFamily",
                *field,
                format!("parameter group {name} is of family {family}; the target version needs {wanted}"),
            )),
            _ => {}
        }
    }
    let limited = aws.idle_slot_timeouts.iter().filter(|(_, _, value)| value != "0");
    all.extend(limited.map(|(field, name, value)| {
        block(
            "IdleSlotTimeout",
            *field,
            format!(
                "parameter group {name} sets {IDLE_SLOT_TIMEOUT} to {value}: the slots of the way back and of the comparison would be lost while the old database or the operator is away; set it to 0"
            ),
        )
    }));
    all
}

fn connections(cluster: &SourceCluster, connections: &[Connection]) -> Vec<Finding> {
    let mentioned = connections.iter().filter(|connection| !connection.mentions.is_empty()).map(|connection| {
        warn(
            "SourceMentioned",
            format!("Secret/{}", connection.name),
            format!(
                "{} name the source within a larger text, which is not rewritten; see that nothing reads the address from there",
                connection.mentions.join(", ")
            ),
        )
    });
    let unconnected = connections
        .iter()
        .filter(|connection| connection.keys.is_empty())
        .map(|connection| {
            block(
                "NoConnectionToSource",
                format!("Secret/{}", connection.name),
                format!(
                    "no value names the source {}:{}; name the right Secret, its key under keys, or the name used in it under source.endpointAliases",
                    cluster.host, cluster.port
                ),
            )
        });
    unconnected.chain(mentioned).collect()
}

fn server(spec: &PostgresUpgradeSpec, source: &Source) -> Vec<Finding> {
    let mut all = Vec::new();
    let allowed = &spec.source.logical_replication;
    let may_enable =
        allowed.policy == LogicalReplicationPolicy::Enable && allowed.restart == RestartPolicy::Immediately;
    if source.wal_level != "logical" && !may_enable {
        all.push(block(
            "WalLevelNotLogical",
            "spec.source.logicalReplication",
            format!(
                "wal_level is {}; set rds.logical_replication=1 in the cluster parameter group and reboot the writer, or allow it with policy: Enable and restart: Immediately",
                source.wal_level
            ),
        ));
    }
    if !source.fsync {
        all.push(block(
            "FsyncOff",
            "source",
            "fsync is off: no commit point would survive a crash; turn it on",
        ));
    }
    let too_few = |what: &str, (all, used): (i64, i64), needed: i64| {
        (all - used < needed).then(|| {
            block(
                "NotEnoughSlots",
                "source",
                format!("{what} is {all} and {used} are in use, {needed} more needed; raise it in the parameter group and reboot"),
            )
        })
    };
    all.extend(too_few("max_replication_slots", source.slots, SLOTS));
    all.extend(too_few("max_wal_senders", source.wal_senders, WAL_SENDERS));
    if source.idle_slot_timeout > 0 {
        all.push(block(
            "IdleSlotTimeout",
            "source",
            "idle_replication_slot_timeout would drop the slot while the clone is upgraded; set it to 0",
        ));
    }
    if !source.may_create_roles {
        all.push(block(
            "PermissionDenied",
            "source",
            "the administrator may not create roles; grant CREATEROLE",
        ));
    }
    if !source.may_replicate {
        all.push(block(
            "PermissionDenied",
            "source",
            "the administrator may not use replication slots; GRANT rds_replication to it",
        ));
    }
    if source.subscribing_denied {
        all.push(block(
            "PermissionDenied",
            "source",
            "the administrator may not create subscriptions, which reverse replication needs; GRANT pg_create_subscription to it (up to 15: rds_superuser)",
        ));
    }
    for slot in &source.other_slots {
        all.push(warn(
            "OtherSlots",
            format!("slot {slot}"),
            "a logical replication slot of somebody else: it stays on the old database; its consumer has to start anew on the new one",
        ));
    }
    for transaction in &source.prepared {
        all.push(block(
            "PreparedTransaction",
            "source",
            format!("prepared transaction {transaction} holds the slot's creation back; commit or roll it back"),
        ));
    }
    for subscription in &source.subscriptions {
        all.push(block(
            "SourceIsSubscriber",
            "source",
            format!("subscription {subscription} writes into the source past the fence; drop it first"),
        ));
    }
    if matches!(source.log_statement.as_str(), "ddl" | "mod" | "all") {
        all.push(warn(
            "StatementsLogged",
            "source",
            format!("log_statement is {}: CREATE SUBSCRIPTION puts the replication password into the log; its role is dropped at the end", source.log_statement),
        ));
    }
    all
}

fn databases(spec: &PostgresUpgradeSpec, databases: &[Database]) -> Vec<Finding> {
    let mut all = Vec::new();
    let with_tables: Vec<&Database> = databases
        .iter()
        .filter(|database| !database.tables.is_empty())
        .collect();
    if with_tables.len() > 1 {
        let names: Vec<&str> = with_tables.iter().map(|database| database.name.as_str()).collect();
        all.push(block(
            "SeveralDatabases",
            "source",
            format!(
                "{} have tables; only clusters with one such database can be upgraded so far",
                names.join(", ")
            ),
        ));
    }
    if with_tables.is_empty() {
        all.push(block(
            "NoTables",
            "source",
            "no database of the cluster has a user table: nothing to replicate; upgrade it in place",
        ));
    }
    for wanted in &spec.databases {
        if !databases.iter().any(|database| database.name == wanted.name) {
            all.push(block(
                "DatabaseNotFound",
                "spec.databases",
                format!("database {} does not exist or does not accept connections", wanted.name),
            ));
        }
    }
    for database in with_tables {
        all.extend(database_findings(spec, database));
    }
    all
}

fn database_findings(spec: &PostgresUpgradeSpec, database: &Database) -> Vec<Finding> {
    let mut all = Vec::new();
    if !database.may_create {
        all.push(block(
            "PermissionDenied",
            database.name.clone(),
            "the administrator may not create a schema here; GRANT CREATE ON DATABASE to it",
        ));
    }
    for publication in &database.publications_for_all_tables {
        all.push(block(
            "PublicationForAllTables",
            format!("{}: publication {publication}", database.name),
            "it would publish the marker tables too, which its subscribers lack: their apply would stop; make it a publication of named tables",
        ));
    }
    for trigger in &database.event_triggers {
        all.push(warn(
            "EventTrigger",
            format!("{}: event trigger {trigger}", database.name),
            "it fires for the schema, triggers and publication that are created for the upgrade; see that it lets them pass",
        ));
    }
    for index in &database.invalid_indexes {
        all.push(warn(
            "InvalidIndex",
            format!("{}: index {index}", database.name),
            "an invalid index is carried over as it is; drop or rebuild it",
        ));
    }
    if database.large_objects > 0 {
        all.push(block(
            "LargeObjects",
            database.name.clone(),
            format!(
                "{} large objects: logical replication does not carry them; move them into a bytea column",
                database.large_objects
            ),
        ));
    }
    let listed = |table: &Table| {
        spec.databases
            .iter()
            .filter(|wanted| wanted.name == database.name)
            .flat_map(|wanted| &wanted.replica_identities)
            .find(|identity| identity.table == table.name)
    };
    for identity in spec.databases.iter().flat_map(|wanted| &wanted.replica_identities) {
        if !database.tables.iter().any(|table| table.name == identity.table) {
            all.push(block(
                "TableNotFound",
                "spec.databases[].replicaIdentities",
                format!("table {} does not exist in {}", identity.table, database.name),
            ));
        }
    }
    for table in &database.tables {
        let object = format!("{}.{}", database.name, table.name);
        if !table.owned {
            all.push(block(
                "PermissionDenied",
                object.clone(),
                format!(
                    "the administrator may not act as the owner {}; GRANT {} TO it",
                    table.owner, table.owner
                ),
            ));
        }
        if table.unlogged {
            all.push(warn(
                "UnloggedTables",
                object,
                "unlogged: not replicated, stale or empty on the new side",
            ));
        } else if !table.partitioned {
            all.extend(identity(
                spec.replication.replica_identity_policy,
                table,
                listed(table),
                object,
            ));
        }
    }
    all
}

/// Publishing a table without a usable identity makes the source refuse the application's UPDATE and DELETE at once.
fn identity(
    policy: ReplicaIdentityPolicy,
    table: &Table,
    listed: Option<&crate::api::ReplicaIdentitySpec>,
    object: String,
) -> Option<Finding> {
    match listed.map(|listed| (listed.identity, listed.index.as_deref())) {
        Some((IdentityKind::Index, Some(index))) if !table.candidates.iter().any(|candidate| candidate == index) => {
            let fit = fit(table);
            Some(block(
                "ReplicaIdentityIndex",
                object,
                format!(
                    "index {index} can't be its replica identity (unique, not partial, not deferrable, NOT NULL columns that are not generated); fit: {fit}"
                ),
            ))
        }
        Some((IdentityKind::Full, _)) => full_impossible(table, object),
        Some(_) => None,
        None if table.identity_usable => None,
        None => match policy {
            ReplicaIdentityPolicy::SetIndex | ReplicaIdentityPolicy::SetIndexOrFull if !table.candidates.is_empty() => {
                None
            }
            ReplicaIdentityPolicy::SetIndexOrFull => full_impossible(table, object),
            _ if !table.generated_in_identity.is_empty() => {
                Some(generated(table, &table.generated_in_identity, object))
            }
            _ => Some(block(
                "NoReplicaIdentity",
                object,
                "no primary key or other replica identity: UPDATE and DELETE would be refused once it is published; add one, list it under databases[].replicaIdentities, or set replication.replicaIdentityPolicy",
            )),
        },
    }
}

fn full_impossible(table: &Table, object: String) -> Option<Finding> {
    if table.without_equality {
        return Some(block(
            "ReplicaIdentityFull",
            object,
            "a column's type has no equality (json, xml, point …): changes under REPLICA IDENTITY FULL can't be applied; add a key",
        ));
    }
    let columns = &table.generated_against_full;
    (!columns.is_empty()).then(|| generated(table, columns, object))
}

/// Publishing such a table for the way back makes the new database refuse the application's UPDATE and DELETE.
fn generated(table: &Table, columns: &[String], object: String) -> Finding {
    let fit = fit(table);
    block(
        "ReplicaIdentityGenerated",
        object,
        format!(
            "its replica identity would have generated columns ({}), which are not replicated: UPDATE and DELETE would be refused or could not be applied; use a unique index without them (ALTER TABLE … REPLICA IDENTITY USING INDEX, databases[].replicaIdentities, or replication.replicaIdentityPolicy: SetIndex), or add a primary key; fit: {fit}",
            columns.join(", ")
        ),
    )
}

/// The indexes that could be its replica identity.
fn fit(table: &Table) -> String {
    if table.candidates.is_empty() {
        "none".to_owned()
    } else {
        table.candidates.join(", ")
    }
}

#[cfg(test)]
mod tests;
