//! Streams, their cut, lag, and what was compared.
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use pgupgrade_verify::FeedNames;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bounds;
use crate::api::{GoDuration, VerificationDepth};

/// A database that is replicated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabaseStatus {
    /// Its name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// What its changes flow through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::STREAMS))]
    pub streams: Vec<StreamStatus>,
    /// What tells of the rows that change while both sides are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationSlotStatus>,
    /// The same on the target, where both sides are compared in the reverse direction after the cutover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverse_verification: Option<VerificationSlotStatus>,
    /// Replica identities that were changed, with what they were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::IDENTITIES))]
    pub replica_identities: Vec<ReplicaIdentityChange>,
}

/// A slot that tells of changed rows, and its publication. Both are here before they are made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VerificationSlotStatus {
    /// The publication.
    #[schemars(length(max = 63))]
    pub publication: String,
    /// The replication slot.
    #[schemars(length(max = 63))]
    pub slot: String,
}

impl VerificationSlotStatus {
    /// As the comparison takes them.
    #[must_use]
    pub fn names(&self) -> FeedNames {
        FeedNames {
            slot: self.slot.clone(),
            publication: self.publication.clone(),
        }
    }
}

/// A publication, a slot and a subscription, forward and in reverse. Every identifier is here before what it names is
/// made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StreamStatus {
    /// Its name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// The publication on the source.
    #[schemars(length(max = 63))]
    pub publication: String,
    /// The replication slot on the source.
    #[schemars(length(max = 63))]
    pub slot: String,
    /// The subscription on the target.
    #[schemars(length(max = 63))]
    pub subscription: String,
    /// The publication on the target, for the way back.
    #[schemars(length(max = 63))]
    pub reverse_publication: String,
    /// The replication slot on the target, for the way back.
    #[schemars(length(max = 63))]
    pub reverse_slot: String,
    /// The subscription on the source, for the way back.
    #[schemars(length(max = 63))]
    pub reverse_subscription: String,
    /// How many tables it carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<i32>,
    /// How it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StreamState>,
    /// WAL that the target has not confirmed yet, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<i64>,
    /// Where the clone's data ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutStatus>,
}

/// How a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StreamState {
    /// Publication and slot are there.
    Created,
    /// The target is behind.
    CatchingUp,
    /// The target follows.
    Streaming,
    /// The subscription is disabled.
    Disabled,
    /// The slot is gone or was invalidated.
    SlotLost,
    /// The target can't apply a change.
    ApplyError,
}

/// Where the clone's data ends: the position from which the target needs changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CutStatus {
    /// The end of the clone's last commit in the source's WAL.
    #[schemars(length(max = 17))]
    pub lsn: String,
    /// The transaction of that commit (xid8, hence a string).
    #[serde(rename = "transactionID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub transaction_id: Option<String>,
    /// What says so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::EVIDENCE))]
    pub evidence: Vec<Evidence>,
}

/// What one witness says about the cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Who says it.
    pub witness: CutWitness,
    /// The position that it names.
    #[schemars(length(max = 17))]
    pub lsn: String,
}

/// Who says where the clone's data ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CutWitness {
    /// The clone's own copy of the replication slot.
    CloneSlot,
    /// `aurora_volume_logical_start_lsn()` on the clone.
    AuroraVolumeLogicalStartLSN,
}

/// A replica identity that was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaIdentityChange {
    /// The table with its schema.
    #[schemars(length(max = 129))]
    pub table: String,
    /// What it was, in the words of ALTER TABLE … REPLICA IDENTITY.
    #[schemars(length(max = bounds::NAME))]
    pub before: String,
    /// What it is until the end.
    #[schemars(length(max = bounds::NAME))]
    pub set: String,
}

/// How far behind the target is, all streams together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicationStatus {
    /// The time that it needs to catch up, at the measured rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<GoDuration>,
    /// WAL that the target has not confirmed yet, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<i64>,
    /// The measured rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply_bytes_per_second: Option<i64>,
    /// WAL that the slots hold back on the source, in bytes.
    #[serde(rename = "retainedWALBytes", skip_serializing_if = "Option::is_none")]
    pub retained_wal_bytes: Option<i64>,
    /// WAL that the target had confirmed at that time, in bytes from the start of the source's WAL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_bytes: Option<i64>,
    /// When these figures were taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub sampled_at: Option<MicroTime>,
}

/// How much was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VerificationStatus {
    /// How much is compared by now: Changed, the rows that changed since the clone was made; Full, every row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<VerificationDepth>,
    /// The share of rows, as in 97%.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub progress: Option<String>,
    /// Rows compared on both sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_verified: Option<i64>,
    /// Tables compared on both sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables_verified: Option<i64>,
    /// Tables that differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<i64>,
    /// When the last comparison ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub last_verified_at: Option<Time>,
    /// What the comparison of the whole data after the cutover found: Equal (as of the fence), `EqualLive` (the operator
    /// was restarted meanwhile: every row was seen in one state on both sides while the application wrote on the new
    /// database and that flowed back), Different, Lost (neither came to its end). Absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_proof: Option<PinnedProof>,
    /// Tables that differ or are undecided, the worst first; all are in the report.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::WORST_TABLES))]
    pub worst_tables: Vec<WorstTable>,
}

/// An object in the resource's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReportReference {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// What the comparison of the data after the cutover found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PinnedProof {
    /// Every row of both sides was the same as of the fence.
    Equal,
    /// The snapshots of the fence were gone, and every row was seen in one state on both sides after it, while the
    /// application wrote on the new database and reverse replication carried that back. What it overwrote before that
    /// is not compared as it was.
    EqualLive,
    /// Rows differ.
    Different,
    /// The snapshots of the fence were gone, and no comparison in the reverse direction came to its end.
    Lost,
}

/// A table that differs or is undecided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorstTable {
    /// The table with its schema.
    #[schemars(length(max = bounds::NAME))]
    pub name: String,
    /// Its rows on the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<i64>,
    /// Rows that differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<i64>,
    /// Which, or why it is undecided.
    #[schemars(length(max = bounds::NAME))]
    pub message: String,
}
