//! The cutover and the time after it.
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bounds;
use crate::api::{GoDuration, WorkloadKind};

/// One try to cut over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CutoverStatus {
    /// Its number within the attempt, from 1. A new number is a new token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i32>,
    /// Forward, or Reverse (a rollback: the same steps with the sides swapped).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Offered, Running, `WentBack`, Committed or Opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<CutoverState>,
    /// What approves it: copy it to spec.cutover.approval.token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    pub token: Option<String>,
    /// The approval that was used up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalStatus>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub started_at: Option<MicroTime>,
    /// Until when it must have committed; after that the old database takes writes again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub deadline: Option<MicroTime>,
    /// What ran before, written before the first of them is taken down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::WORKLOADS))]
    pub workloads: Vec<WorkloadStatus>,
    /// The steps that ran, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::STEPS))]
    pub steps: Vec<StepStatus>,
    /// The commit, copied from the fence row in the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitStatus>,
    /// From the end of the first Pod until the first commit on the new database, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_gap_millis: Option<i64>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_gap: Option<GoDuration>,
    /// Why it went back, or can't start.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::MESSAGE))]
    pub reason: Option<String>,
}

/// Which way the application is moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Direction {
    /// From the source to the target.
    #[default]
    Forward,
    /// From the target to the source.
    Reverse,
}

/// How far a cutover is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CutoverState {
    /// It waits for its approval.
    Offered,
    /// It is under way and can still go back.
    Running,
    /// It went back: the old database takes writes.
    WentBack,
    /// It was decided: the way is forward only.
    Committed,
    /// The application runs on the other side.
    Opened,
}

/// The approval that was used up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApprovalStatus {
    /// The token.
    #[schemars(length(max = 24))]
    pub token: String,
    /// Spec, or Annotation.
    pub via: ApprovalSource,
    /// Who applied the field, as the API server recorded it; a person's name is only in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub field_manager: Option<String>,
    /// When it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub observed_at: Option<Time>,
    /// Its comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub comment: Option<String>,
}

/// Where an approval was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApprovalSource {
    /// `spec.cutover.approval`.
    #[default]
    Spec,
    /// The annotation.
    Annotation,
}

/// A workload before it was taken down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadStatus {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    #[schemars(length(max = bounds::NAME))]
    pub name: String,
    /// How many replicas it had.
    pub replicas: i32,
}

/// A step that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// Which.
    pub name: CutoverStep,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub started_at: Option<MicroTime>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_millis: Option<i64>,
}

/// The steps of a cutover, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CutoverStep {
    /// Everything that must hold before it starts.
    Gate,
    /// Guard triggers, the reverse publication, slot and subscription.
    Prepare,
    /// The application is taken down.
    Quiesce,
    /// The source refuses writes.
    Fence,
    /// The target has everything that was written.
    Drain,
    /// Both sides are equal.
    Verdict,
    /// Sequences, and replication the other way round.
    Turn,
    /// The one transaction that decides.
    Commit,
    /// The target accepts writes and the application returns.
    Open,
}

impl CutoverStep {
    /// Its name in status, events and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "Gate",
            Self::Prepare => "Prepare",
            Self::Quiesce => "Quiesce",
            Self::Fence => "Fence",
            Self::Drain => "Drain",
            Self::Verdict => "Verdict",
            Self::Turn => "Turn",
            Self::Commit => "Commit",
            Self::Open => "Open",
        }
    }
}

/// The commit, copied from the fence row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CommitStatus {
    /// The epoch of the leader that committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub at: Option<MicroTime>,
    /// The position of the fence in the source's WAL.
    #[serde(rename = "fenceLSN", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 17))]
    pub fence_lsn: Option<String>,
    /// The database whose row decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub decided_by: Option<String>,
}

/// The time after the cutover.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SoakStatus {
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub ends_at: Option<Time>,
    /// WAL of the new database that the old one has not confirmed yet, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverse_lag_bytes: Option<i64>,
    /// When the way back was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub finalized_at: Option<Time>,
}
