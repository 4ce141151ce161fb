//! What is replicated and how, and what the upgraded clone needs before that.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{Quantity, validation};

/// A database of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseSpec {
    /// Its name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// How rows of tables without a primary key are told apart. What is changed for it is put back at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 256),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["table"])
    )]
    pub replica_identities: Vec<ReplicaIdentitySpec>,
}

/// How rows of one table are told apart.
/// <https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-REPLICA-IDENTITY>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(
    description = "How rows of one table are told apart.",
    extend("x-kubernetes-validations" = validation::index_with_identity())
)]
pub struct ReplicaIdentitySpec {
    /// The table with its schema, as in public.audit.
    #[schemars(length(min = 3, max = 129), regex(pattern = validation::QUALIFIED_TABLE))]
    pub table: String,
    /// Index: by a unique index. Full: by all columns. `InsertOnly`: nothing is changed, because you promise that rows are
    /// never updated or deleted.
    pub identity: IdentityKind,
    /// The unique index, without its schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub index: Option<String>,
}

/// How rows of one table are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IdentityKind {
    /// By a unique index over NOT NULL columns.
    Index,
    /// By all columns.
    Full,
    /// Not at all: the user promises that rows are never updated or deleted.
    InsertOnly,
}

/// How changes flow from the source to the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicationSpec {
    /// What may be done to tables without a usable replica identity that are not listed under databases. Require: nothing,
    /// preflight names them. `SetIndex`: a suitable unique index is used. `SetIndexOrFull`: without one, all columns are.
    pub replica_identity_policy: ReplicaIdentityPolicy,
    /// How much WAL the replication slots may hold back on the source. Over it the attempt is given up and its slots are
    /// dropped: the source comes first.
    #[serde(rename = "maxRetainedWAL")]
    pub max_retained_wal: Quantity,
}

impl Default for ReplicationSpec {
    fn default() -> Self {
        Self {
            replica_identity_policy: ReplicaIdentityPolicy::default(),
            max_retained_wal: Quantity::gibibytes(64),
        }
    }
}

/// What may be done to tables without a usable replica identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReplicaIdentityPolicy {
    /// Nothing: preflight names them.
    #[default]
    Require,
    /// A suitable unique index becomes the identity.
    SetIndex,
    /// As `SetIndex`, and without such an index all columns.
    SetIndexOrFull,
}

/// What is done to the upgraded clone before it catches up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OptimizationSpec {
    /// Skip, or Vacuum: VACUUM of all tables. Missing statistics are always collected.
    pub vacuum: VacuumPolicy,
}

/// Whether the upgraded clone is vacuumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VacuumPolicy {
    /// No.
    #[default]
    Skip,
    /// All its tables.
    Vacuum,
}
