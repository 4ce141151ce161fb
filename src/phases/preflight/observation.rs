//! What preflight looks at, as plain data.

/// Everything that preflight has seen. Each part that could not be seen carries the problem instead.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// What RDS says.
    pub aws: Aws,
    /// What the objects in the namespace are like.
    pub application: Application,
    /// What the source says. `None`: it was not asked, for want of an address or of credentials.
    pub source: Option<Source>,
}

/// A problem found while looking, which a pure decision would only repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Machine-readable.
    pub reason: &'static str,
    /// What it is about: an AWS identifier, `kind/name`, a field of the spec, `database.schema.table`.
    pub object: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

/// What RDS says.
#[derive(Clone, Debug, Default)]
pub struct Aws {
    /// Calls that failed or found nothing.
    pub problems: Vec<Problem>,
    /// The source cluster.
    pub cluster: Option<SourceCluster>,
    /// Whose the cluster with the target's identifier is, where there is one; empty: nobody's that we know.
    pub target_owner: Option<String>,
    /// The newest version that the wish resolves to.
    pub target_version: Option<String>,
    /// Versions that the source can be upgraded to.
    pub upgrade_targets: Vec<String>,
    /// The parameter group family of the target version.
    pub target_family: Option<String>,
    /// Families of the groups that the spec names, with their names; `None`: there is no such group.
    pub named_groups: Vec<(&'static str, String, Option<String>)>,
    /// What groups that the spec names set `idle_replication_slot_timeout` to: the spec's field, the group, the value.
    pub idle_slot_timeouts: Vec<(&'static str, String, String)>,
}

/// The source cluster.
#[derive(Clone, Debug, Default)]
pub struct SourceCluster {
    /// Its ARN.
    pub arn: String,
    /// Its resource id, which no rename changes.
    pub resource_id: String,
    /// `aurora-postgresql`.
    pub engine: String,
    /// As `17.11`.
    pub engine_version: String,
    /// As RDS words it.
    pub status: String,
    /// Whether it is available.
    pub available: bool,
    /// Its writer endpoint.
    pub host: String,
    /// Its reader endpoint.
    pub reader_host: Option<String>,
    /// The port of both.
    pub port: u16,
    /// Whether it has a writer instance.
    pub has_writer: bool,
    /// The owner tag.
    pub owner: Option<String>,
    /// The tag with which its owner consents: the namespaces that may upgrade it, separated by spaces.
    pub allowed_namespaces: Option<String>,
}

/// What the objects in the namespace are like.
#[derive(Clone, Debug, Default)]
pub struct Application {
    /// Missing objects, missing permissions, objects that can't be used.
    pub problems: Vec<Problem>,
    /// The keys whose values name the source, by Secret.
    pub connections: Vec<Connection>,
}

/// One Secret of the application.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// Keys whose values name the source.
    pub keys: Vec<String>,
    /// Keys whose values name the source within a larger text, which stays as it is.
    pub mentions: Vec<String>,
    /// Whether its values name the database that the fence row calls the new one.
    pub on_target: bool,
}

/// What the source says.
#[allow(clippy::struct_excessive_bools)] // facts about a server, not states of it
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// It can't be reached, refuses the password, or shows another CA's certificate.
    pub problems: Vec<Problem>,
    /// `wal_level`.
    pub wal_level: String,
    /// `fsync`.
    pub fsync: bool,
    /// `log_statement`.
    pub log_statement: String,
    /// Replication slots: all, in use.
    pub slots: (i64, i64),
    /// WAL senders: all, in use.
    pub wal_senders: (i64, i64),
    /// 18: `idle_replication_slot_timeout` in seconds.
    pub idle_slot_timeout: i64,
    /// Whether the administrator may make roles.
    pub may_create_roles: bool,
    /// Whether the administrator may make and read replication slots.
    pub may_replicate: bool,
    /// Whether the administrator may not create subscriptions, which the way back needs on the source.
    pub subscribing_denied: bool,
    /// Logical replication slots of others.
    pub other_slots: Vec<String>,
    /// Databases, and what is in them.
    pub databases: Vec<Database>,
    /// Prepared transactions.
    pub prepared: Vec<String>,
    /// Subscriptions on the source: it is a subscriber itself.
    pub subscriptions: Vec<String>,
    /// The owner row, where there is one: whose, and the uid.
    pub owner: Option<(String, String)>,
    /// The fence row, where there is one.
    pub fence: Option<Fence>,
}

/// The fence row.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    /// Whether it is closed for good.
    pub closed: bool,
    /// `host:port` of the new database.
    pub target: String,
    /// The major version of the database that it names, where that could be found.
    pub target_version: Option<String>,
}

/// One database of the source.
#[derive(Clone, Debug, Default)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its user tables.
    pub tables: Vec<Table>,
    /// How many large objects it holds.
    pub large_objects: i64,
    /// Publications FOR ALL TABLES.
    pub publications_for_all_tables: Vec<String>,
    /// Event triggers that are enabled.
    pub event_triggers: Vec<String>,
    /// Indexes that are not valid.
    pub invalid_indexes: Vec<String>,
    /// Whether the administrator may create a schema in it.
    pub may_create: bool,
}

/// One user table, as far as it matters to preflight.
#[allow(clippy::struct_excessive_bools)] // facts about a table, not states of it
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// `schema.table`.
    pub name: String,
    /// Whether its changes can be replicated, deletes and updates included.
    pub identity_usable: bool,
    /// Unique indexes that could serve as replica identity.
    pub candidates: Vec<String>,
    /// Generated columns for which its replica identity can't be used.
    pub generated_in_identity: Vec<String>,
    /// Generated columns for which FULL can't be used.
    pub generated_against_full: Vec<String>,
    /// Unlogged: not replicated.
    pub unlogged: bool,
    /// Columns of a type without equality: FULL can't be applied.
    pub without_equality: bool,
    /// Whether the administrator may act as its owner.
    pub owned: bool,
    /// Its owner.
    pub owner: String,
    /// A partitioned table has no rows of its own.
    pub partitioned: bool,
}
