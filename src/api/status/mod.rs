//! What the operator reports. A cache: the fence row in the source is the truth.
//!
//! Only the conditions are a list map: with one writer, atomic lists keep `managedFields` small.
mod attempt;
mod bounds;
mod cutover;
mod findings;
mod replication;
mod resolved;

pub use attempt::{AttemptOutcome, AttemptStatus};
pub use cutover::{
    ApprovalSource, ApprovalStatus, CommitStatus, CutoverState, CutoverStatus, CutoverStep, Direction, SoakStatus,
    StepStatus, WorkloadStatus,
};
pub use findings::{Finding, FindingsStatus, Severity};
pub use replication::{
    CutStatus, CutWitness, DatabaseStatus, Evidence, PinnedProof, ReplicaIdentityChange, ReplicationStatus,
    ReportReference, StreamState, StreamStatus, VerificationSlotStatus, VerificationStatus, WorstTable,
};
pub use resolved::{EndpointStatus, ResolvedConnection, ResolvedStatus, ResolvedWorkload, SourceChanges};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Phase;

/// What the operator reports. Conditions are the contract; the phase is where it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PostgresUpgradeStatus {
    /// The generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the upgrade is.
    #[schemars(schema_with = "bounds::phase")]
    pub phase: Phase,
    /// One line: what happens, what it waits for, and what you can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::MESSAGE))]
    pub message: Option<String>,
    /// The attempt under way. An attempt is a clone and the names derived from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    /// Which side accepts writes of the application: Source, Target, or None while it is fenced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writer: Option<Writer>,
    /// Why it waits, and since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<WaitStatus>,
    /// The phases that ran, the newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::PHASES))]
    pub phases: Vec<PhaseRecord>,
    /// The inputs as they were found. Its presence freezes the parts of the spec that they come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<ResolvedStatus>,
    /// What preflight found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<FindingsStatus>,
    /// What was changed on the source and has to be put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_changes: Option<SourceChanges>,
    /// The attempts, the newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::ATTEMPTS))]
    pub attempts: Vec<AttemptStatus>,
    /// The databases that are replicated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::DATABASES))]
    pub databases: Vec<DatabaseStatus>,
    /// How far behind the target is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication: Option<ReplicationStatus>,
    /// How much was compared, and what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationStatus>,
    /// The `ConfigMap` with what is known of every table: JSON, compressed, under the key `report.json.gz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_ref: Option<ReportReference>,
    /// The cutover on offer, under way or done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cutover: Option<CutoverStatus>,
    /// The time after the cutover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soak: Option<SoakStatus>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub completed_at: Option<Time>,
    /// What is true of the upgrade.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounds::conditions")]
    pub conditions: Vec<Condition>,
}

/// Which side accepts writes of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Writer {
    /// The old database.
    Source,
    /// The new one.
    Target,
    /// Neither: the source is fenced and the cutover not committed yet.
    None,
}

/// Why it waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WaitStatus {
    /// Machine-readable.
    #[schemars(length(max = bounds::REASON))]
    pub reason: String,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub since: Option<Time>,
}

/// A phase that ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PhaseRecord {
    /// Its name.
    #[schemars(schema_with = "bounds::phase")]
    pub name: Phase,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub finished_at: Option<Time>,
}
