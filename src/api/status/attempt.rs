//! Attempts: clones and the names derived from them.
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EndpointStatus, bounds};

/// An attempt. Every identifier is here before what it names is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AttemptStatus {
    /// Its number, from 1.
    pub number: i32,
    /// Running, Abandoned, Failed or Succeeded.
    pub outcome: AttemptOutcome,
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::REASON))]
    pub reason: Option<String>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub finished_at: Option<Time>,
    /// The identifier of its clone.
    #[schemars(length(max = bounds::NAME))]
    pub target_identifier: String,
    /// The ARN of its clone.
    #[serde(rename = "targetARN", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::NAME))]
    pub target_arn: Option<String>,
    /// Where its clone accepts writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_endpoint: Option<EndpointStatus>,
    /// Where its clone can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_reader_endpoint: Option<EndpointStatus>,
    /// The cluster parameter group of the old version, under which the clone starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::NAME))]
    pub clone_parameter_group: Option<String>,
    /// The cluster parameter group of the new version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::NAME))]
    pub cluster_parameter_group: Option<String>,
    /// The instance parameter group of the new version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::NAME))]
    pub instance_parameter_group: Option<String>,
    /// When the upgrade of the clone was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub upgrade_started_at: Option<Time>,
    /// Whether its clone was deleted (false: kept, as `reclaimPolicy` says); absent until that is decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reclaimed: Option<bool>,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AttemptOutcome {
    /// It is under way.
    #[default]
    Running,
    /// Another attempt follows it.
    Abandoned,
    /// It was the last one.
    Failed,
    /// The user ended it.
    Aborted,
    /// The application runs on its clone.
    Succeeded,
}
