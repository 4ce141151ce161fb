//! How the two sides are compared.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::validation;
use crate::api::{GoDuration, Quantity};

/// How every row of both sides is compared. It can't be turned off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VerificationSpec {
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
            parallelism: 4,
            on_difference: DifferencePolicy::default(),
            max_bytes_per_second: None,
            pause_above: None,
            accept_differences: Vec::new(),
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
