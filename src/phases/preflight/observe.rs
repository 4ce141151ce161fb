//! Looks at AWS, at the namespace and at the source, and changes nothing.
use std::collections::BTreeMap;

use pgupgrade_postgres::connection::{Connector, Profile};
use pgupgrade_postgres::{fence, inspect, owner, tables};
use pgupgrade_rds::{Cluster, Health};

use super::observation::{
    Application, Aws, Connection, Database, Fence, Observation, Problem, Source, SourceCluster, Table,
};
use crate::api::ParameterGroupPolicy;
use crate::controller::names;
use crate::controller::scope::Scope;
use crate::controller::scope::key_specs;
use crate::error::Error;
use crate::kubernetes::connections::{self, Endpoints, Points};
use crate::kubernetes::{permissions, secrets, workloads};
use crate::phases::upgrading::IDLE_SLOT_TIMEOUT;
use crate::verification::report;

/// Looks at everything.
///
/// # Errors
/// What a later look may find gone; what is wrong for good is in the observation.
pub async fn observe(scope: &Scope) -> Result<Observation, Error> {
    let mut aws = Aws::default();
    let cluster = source_cluster(scope, &mut aws).await?;
    if let Some(cluster) = &cluster {
        target(scope, cluster, &mut aws).await?;
    }
    let mut problems = Vec::new();
    let source = match &aws.cluster {
        Some(cluster) => source(scope, cluster, &mut problems).await?,
        None => None,
    };
    let fence = source.as_ref().and_then(|source| source.fence.as_ref());
    let application = application(scope, aws.cluster.as_ref(), fence, problems).await?;
    Ok(Observation {
        aws,
        application,
        source,
    })
}

fn problem(reason: &'static str, object: impl Into<String>, message: impl Into<String>) -> Problem {
    Problem {
        reason,
        object: object.into(),
        message: message.into(),
    }
}

async fn source_cluster(scope: &Scope, aws: &mut Aws) -> Result<Option<Cluster>, Error> {
    let identifier = &scope.spec().source.identifier;
    match scope.rds.cluster(identifier).await {
        Ok(Some(cluster)) => {
            aws.cluster = Some(SourceCluster {
                arn: cluster.arn.clone(),
                resource_id: cluster.resource_id.clone(),
                engine: cluster.engine.clone(),
                engine_version: cluster.engine_version.clone(),
                status: cluster.status.clone(),
                available: cluster.health() == Health::Available,
                host: cluster.endpoint.host.clone(),
                reader_host: cluster.reader_endpoint.clone(),
                port: cluster.endpoint.port,
                has_writer: cluster.writer().is_some(),
                owner: cluster.tags.get(names::OWNER).cloned(),
                allowed_namespaces: cluster.tags.get(names::ALLOWED_NAMESPACES).cloned(),
            });
            Ok(Some(cluster))
        }
        Ok(None) => {
            let message = format!(
                "no DB cluster {identifier} in this account and region; correct source.identifier or aws.region"
            );
            aws.problems
                .push(problem("SourceNotFound", "spec.source.identifier", message));
            Ok(None)
        }
        Err(error) if error.is_access_denied() => {
            aws.problems.push(problem("PermissionDenied", "AWS", error.to_string()));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

async fn target(scope: &Scope, cluster: &Cluster, aws: &mut Aws) -> Result<(), Error> {
    let spec = &scope.spec().target;
    let (engine, version) = (&cluster.engine, &cluster.engine_version);
    let targets = scope.rds.upgrade_targets(engine, version).await?;
    aws.upgrade_targets = targets
        .iter()
        .filter(|target| target.is_major)
        .map(|target| target.version.clone())
        .collect();
    aws.target_version = scope
        .rds
        .resolve_target_version(engine, version, &spec.engine_version)
        .await?;
    if let Some(target) = &aws.target_version {
        aws.target_family = Some(scope.rds.parameter_group_family(engine, target).await?);
    }
    let identifier = scope.target_identifier(aws.target_version.as_deref());
    if let Some(found) = scope.rds.cluster(&identifier).await? {
        aws.target_owner = Some(found.tags.get(names::OWNER).cloned().unwrap_or_default());
    }
    if spec.parameter_groups.policy == ParameterGroupPolicy::Existing {
        named_groups(scope, aws).await?;
    }
    Ok(())
}

/// The groups that the spec names, and what matters in them.
async fn named_groups(scope: &Scope, aws: &mut Aws) -> Result<(), Error> {
    let named = &scope.spec().target.parameter_groups;
    if let Some(name) = &named.db_cluster_parameter_group_name {
        let family = scope.rds.cluster_parameter_group(name).await?.map(|group| group.family);
        let set = match &family {
            Some(_) => scope.rds.user_cluster_parameters(name).await?,
            None => BTreeMap::new(),
        };
        let field = "spec.target.parameterGroups.dbClusterParameterGroupName";
        add_group(aws, field, name, family, &set);
    }
    if let Some(name) = &named.db_parameter_group_name {
        let family = scope.rds.db_parameter_group(name).await?.map(|group| group.family);
        let set = match &family {
            Some(_) => scope.rds.user_db_parameters(name).await?,
            None => BTreeMap::new(),
        };
        let field = "spec.target.parameterGroups.dbParameterGroupName";
        add_group(aws, field, name, family, &set);
    }
    Ok(())
}

/// Takes note of a group that the spec names, and of what is set in it.
fn add_group(aws: &mut Aws, field: &'static str, name: &str, family: Option<String>, set: &BTreeMap<String, String>) {
    let timeout = set.get(IDLE_SLOT_TIMEOUT).cloned();
    aws.idle_slot_timeouts
        .extend(timeout.map(|value| (field, name.to_owned(), value)));
    aws.named_groups.push((field, name.to_owned(), family));
}

/// Missing Secrets and keys are the application's problems; a source that does not answer is the source's.
async fn source(scope: &Scope, cluster: &SourceCluster, problems: &mut Vec<Problem>) -> Result<Option<Source>, Error> {
    let connector = match scope.connector(&cluster.host, cluster.port).await {
        Ok(connector) => connector,
        Err(Error::Kubernetes(error)) => match error.problem() {
            Some(found) => {
                problems.push(found.into());
                return Ok(None);
            }
            None => return Err(error.into()),
        },
        Err(error @ Error::CaBundle { .. }) => {
            problems.push(problem("CaBundleMissing", "spec.source.caBundleRef", error.to_string()));
            return Ok(None);
        }
        Err(Error::Postgres(error)) => {
            problems.push(problem("CaBundleInvalid", "spec.source.caBundleRef", error.to_string()));
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut source = Source::default();
    let session = match connector.connect("postgres", Profile::Observe).await {
        Ok(session) => session,
        Err(error) => {
            source.problems.push(unreachable(&error));
            return Ok(Some(source));
        }
    };
    server(&session, &mut source).await?;
    for name in inspect::databases(&session)
        .await?
        .into_iter()
        .filter(inspect::Database::may_hold_tables)
    {
        match database(scope, &connector, &name.name, &mut source).await {
            Ok(database) => source.databases.push(database),
            Err(Error::Postgres(error)) => {
                let message = format!("database {} can't be looked at: {error}", name.name);
                source
                    .problems
                    .push(problem("DatabaseUnreadable", name.name.clone(), message));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Some(source))
}

fn unreachable(error: &pgupgrade_postgres::Error) -> Problem {
    use pgupgrade_postgres::Error as Postgres;
    match error {
        Postgres::Untrusted { .. } => problem("CertificateNotTrusted", "spec.source.caBundleRef", error.to_string()),
        Postgres::PasswordRefused { .. } => problem(
            "PasswordRefused",
            "spec.source.credentials.secretRef",
            error.to_string(),
        ),
        _ => problem("SourceUnreachable", "spec.source.identifier", error.to_string()),
    }
}

async fn server(session: &pgupgrade_postgres::connection::Session, source: &mut Source) -> Result<(), Error> {
    let facts = inspect::server(session).await?;
    let role = inspect::own_role(session).await?;
    source.wal_level = facts.wal_level;
    source.fsync = facts.fsync;
    source.log_statement = facts.log_statement;
    source.slots = (facts.max_replication_slots, facts.replication_slots_used);
    source.wal_senders = (facts.max_wal_senders, facts.wal_senders_used);
    source.idle_slot_timeout = facts.idle_replication_slot_timeout.unwrap_or_default();
    source.may_create_roles = role.may_create_roles();
    source.may_replicate = role.may_replicate();
    source.subscribing_denied = !role.may_subscribe();
    // Without logical decoding there are no logical slots, and Aurora has no WAL positions to ask for.
    if source.wal_level == "logical" {
        source.other_slots = inspect::foreign_slots(session).await?;
    }
    source.prepared = inspect::prepared_transactions(session)
        .await?
        .into_iter()
        .map(|prepared| prepared.gid)
        .collect();
    Ok(())
}

async fn database(scope: &Scope, connector: &Connector, name: &str, source: &mut Source) -> Result<Database, Error> {
    let session = connector.connect(name, Profile::Observe).await?;
    let tables = tables::list(&session).await?;
    let newest = names::major_number(&scope.spec().target.engine_version);
    if let Some(row) = owner::read(&session).await? {
        source.owner = Some((row.resource, row.uid));
    }
    if let Some(row) = fence::read(&session).await?
        && row.state == fence::State::Closed
    {
        let target = row.target.unwrap_or_default();
        let target_version = target_version(scope, &target, name).await;
        source.fence = Some(Fence {
            closed: true,
            target,
            target_version,
        });
    }
    source.subscriptions.extend(
        inspect::subscriptions(&session)
            .await?
            .into_iter()
            .map(|subscription| subscription.name),
    );
    Ok(Database {
        name: name.to_owned(),
        large_objects: inspect::large_objects(&session).await?,
        publications_for_all_tables: inspect::publications_for_all_tables(&session).await?,
        event_triggers: inspect::event_triggers(&session).await?,
        replica_writers: inspect::replica_writers(&session).await?,
        invalid_indexes: inspect::invalid_indexes(&session)
            .await?
            .iter()
            .map(ToString::to_string)
            .collect(),
        may_create: inspect::may_create_schema(&session).await?,
        tables: tables.into_iter().map(|found| table(found, newest)).collect(),
    })
}

/// `newest`: the major version that publishes it on the way back.
fn table(table: tables::Table, newest: i32) -> Table {
    Table {
        identity_usable: table.identity_usable(newest),
        generated_in_identity: table.generated_in_identity(newest).to_vec(),
        generated_against_full: table.generated_against_full(newest).to_vec(),
        name: table.name.plain(),
        unlogged: table.is_unlogged(),
        without_equality: table.has_column_without_equality,
        owned: table.may_act_as_owner,
        partitioned: table.is_partitioned(),
        owner: table.owner,
        candidates: table.identity_candidates,
    }
}

/// The major version of the database that the fence row names, asked of itself.
async fn target_version(scope: &Scope, target: &str, database: &str) -> Option<String> {
    let (host, port) = target.rsplit_once(':')?;
    let connector = scope.connector(host, port.parse().ok()?).await.ok()?;
    let session = connector.connect(database, Profile::Observe).await.ok()?;
    let facts = inspect::server(&session).await.ok()?;
    Some((facts.version_num / 10_000).to_string())
}

async fn application(
    scope: &Scope,
    cluster: Option<&SourceCluster>,
    fence: Option<&Fence>,
    problems: Vec<Problem>,
) -> Result<Application, Error> {
    let (client, namespace) = (&scope.context.client, scope.namespace());
    let mut seen = Application {
        problems,
        connections: Vec::new(),
    };
    for connection in &scope.spec().application.connections {
        let secret = match secrets::read(client, &namespace, &connection.name).await {
            Ok(secret) => secret,
            Err(error) => {
                seen.problems.push(error.problem().ok_or(error)?.into());
                continue;
            }
        };
        seen.problems
            .extend(secrets::problems(&secret).into_iter().map(Problem::from));
        let Some(cluster) = cluster else { continue };
        let source = endpoints(scope, &cluster.host, cluster.reader_host.as_deref(), cluster.port);
        let (data, keys) = (secrets::data(&secret), key_specs(connection));
        let on_target = fence
            .and_then(|fence| fence.target.rsplit_once(':'))
            .is_some_and(|(host, port)| {
                let target = Endpoints {
                    writer: host.to_owned(),
                    reader: None,
                    port: port.parse().unwrap_or_default(),
                    aliases: Vec::new(),
                };
                connections::points_at(&data, &keys, &source, &target) == Points::Target
            });
        let mut found = Vec::new();
        match connections::find(&data, &keys, &source) {
            Ok(keys) => found.extend(keys.into_iter().map(|found| found.key)),
            Err(problems) => {
                seen.problems.extend(
                    problems
                        .iter()
                        .map(|problem| Problem::from(problem.problem(&connection.name))),
                );
            }
        }
        let mentions = connections::mentions(&data, &keys, &source);
        seen.connections.push(Connection {
            mentions,
            name: connection.name.clone(),
            keys: found,
            on_target,
        });
    }
    for reference in &scope.spec().application.workloads {
        let autoscalers = workloads::autoscaler_problems(client, &namespace, &reference.name).await?;
        seen.problems.extend(autoscalers.into_iter().map(Problem::from));
        match workloads::read(client, &namespace, &reference.name).await {
            Ok(workload) => {
                seen.problems.extend(
                    workloads::problems(&workload, &scope.owner())
                        .into_iter()
                        .map(Problem::from),
                );
            }
            Err(error) => seen.problems.push(error.problem().ok_or(error)?.into()),
        }
    }
    let mut needed = Vec::new();
    for connection in &scope.spec().application.connections {
        needed.extend(permissions::for_connection(&connection.name));
    }
    for workload in &scope.spec().application.workloads {
        needed.extend(permissions::for_workload(&workload.name));
    }
    needed.extend(permissions::for_report(&report::name(&scope.name())));
    let missing = permissions::missing(client, &namespace, &needed).await?;
    for problem in missing.into_iter().map(Problem::from) {
        if !seen.problems.contains(&problem) {
            seen.problems.push(problem);
        }
    }
    Ok(seen)
}

fn endpoints(scope: &Scope, writer: &str, reader: Option<&str>, port: u16) -> Endpoints {
    Endpoints {
        writer: writer.to_owned(),
        reader: reader.map(str::to_owned),
        port,
        aliases: scope.spec().source.endpoint_aliases.clone(),
    }
}

impl From<crate::kubernetes::Problem> for Problem {
    fn from(problem: crate::kubernetes::Problem) -> Self {
        Self {
            reason: problem.reason,
            object: problem.object,
            message: problem.message,
        }
    }
}
