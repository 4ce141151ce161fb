//! When and how the application is moved, and the time after that.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{GoDuration, validation};

/// When and how the application is moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CutoverSpec {
    /// The approval of one cutover. It must be there when the cutover starts, and is used up then; taking it away before
    /// withdraws it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalSpec>,
    /// How long it may take from the first Pod's end to the commit point, 10s to 30m. Over it the old database takes
    /// writes again and the Pods return.
    #[schemars(extend("x-kubernetes-validations" = validation::between("10s", "30m")))]
    pub deadline: GoDuration,
    /// The cutover starts only when the target is at most this far behind, 100ms to 5m.
    #[schemars(extend("x-kubernetes-validations" = validation::between("100ms", "5m")))]
    pub max_lag: GoDuration,
    /// The cutover starts only when no transaction on the source is older, 1s to 1h.
    #[schemars(extend("x-kubernetes-validations" = validation::between("1s", "1h")))]
    pub max_transaction_age: GoDuration,
}

impl Default for CutoverSpec {
    fn default() -> Self {
        Self {
            approval: None,
            deadline: GoDuration::from_secs(120),
            max_lag: GoDuration::from_secs(5),
            max_transaction_age: GoDuration::from_secs(30),
        }
    }
}

/// The approval of one cutover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalSpec {
    /// Copied from status.cutover.token.
    #[schemars(length(max = 24), regex(pattern = validation::TOKEN))]
    pub token: String,
    /// Free text for the report, such as the number of the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub comment: Option<String>,
}

/// The time after the cutover in which the old database follows the new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SoakSpec {
    /// How long it lasts, 0s to 720h.
    #[schemars(extend("x-kubernetes-validations" = validation::between("0s", "720h")))]
    pub duration: GoDuration,
    /// Automatic: it ends when its time is up. Manual: it ends with desiredState: Finalized.
    pub finalize_policy: FinalizePolicy,
}

impl Default for SoakSpec {
    fn default() -> Self {
        Self {
            duration: GoDuration::from_secs(72 * 3600),
            finalize_policy: FinalizePolicy::default(),
        }
    }
}

/// What ends the soak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FinalizePolicy {
    /// The end of its time.
    #[default]
    Automatic,
    /// `desiredState: Finalized`.
    Manual,
}
