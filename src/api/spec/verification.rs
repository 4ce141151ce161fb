//! How the two sides are compared.
use pgupgrade_verify::Depth;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::validation;
use crate::api::{GoDuration, Quantity};

/// How every row of both sides is compared. It can't be turned off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VerificationSpec {
    /// How much is compared before the cutover: Full, every row; Changed, the rows that changed since the clone was made,
    /// and every row of the tables of which these can't be told. Every row is compared after the cutover in any case.
    pub depth: VerificationDepth,
    /// Sessions on each side that read at the same time.
    #[schemars(range(min = 1, max = 64))]
    pub parallelism: i32,
    /// What follows a difference: `NextAttempt` drops the clone and begins anew, Hold keeps everything for a person to
    /// look at.
    pub on_difference: DifferencePolicy,
    /// Read no more than this many bytes in a second, of both sides together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes_per_second: Option<Quantity>,
    /// Wait while the source is busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_above: Option<PauseAbove>,
    /// Tables whose differences are known and accepted. Recorded in the status.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["table"])
    )]
    pub accept_differences: Vec<AcceptedDifference>,
}

impl Default for VerificationSpec {
    fn default() -> Self {
        Self {
            depth: VerificationDepth::default(),
            parallelism: 4,
            on_difference: DifferencePolicy::default(),
            max_bytes_per_second: None,
            pause_above: None,
            accept_differences: Vec::new(),
        }
    }
}

/// How much is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VerificationDepth {
    /// The rows that changed since the clone was made.
    Changed,
    /// Every row.
    #[default]
    Full,
}

impl From<VerificationDepth> for Depth {
    fn from(depth: VerificationDepth) -> Self {
        match depth {
            VerificationDepth::Changed => Self::Changed,
            VerificationDepth::Full => Self::Full,
        }
    }
}

impl From<Depth> for VerificationDepth {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::Changed => Self::Changed,
            Depth::Full => Self::Full,
        }
    }
}

/// What follows a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DifferencePolicy {
    /// The clone is given up, and another one is made, up to `maxAttempts`.
    #[default]
    NextAttempt,
    /// Nothing, until a person has looked.
    Hold,
}

/// When the source is too busy to be read beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PauseAbove {
    /// More sessions than this are active.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub active_sessions: Option<i32>,
    /// A standby or subscriber is behind by more than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_lag: Option<GoDuration>,
}

/// A table that may differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedDifference {
    /// The table with its schema, as in `public.audit`, without quotes.
    #[schemars(length(min = 3, max = 128), regex(pattern = validation::QUALIFIED_TABLE))]
    pub table: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub comment: Option<String>,
}
