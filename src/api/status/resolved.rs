//! The inputs as preflight found them, and what was changed on the source.
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bounds;
use crate::api::{ConnectionKind, WorkloadKind};

/// The inputs as they were found. Names only, never values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResolvedStatus {
    /// A hash over the spec that preflight saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub spec_hash: Option<String>,
    /// The source's ARN.
    #[serde(rename = "sourceARN", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::NAME))]
    pub source_arn: Option<String>,
    /// The source's identifier that no other cluster ever gets (`DbClusterResourceId`).
    #[serde(rename = "sourceResourceID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::NAME))]
    pub source_resource_id: Option<String>,
    /// The database engine, in AWS's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub engine: Option<String>,
    /// The version of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub source_engine_version: Option<String>,
    /// The version of the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub target_engine_version: Option<String>,
    /// The identifier of the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::NAME))]
    pub target_identifier: Option<String>,
    /// Where the source accepts writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_endpoint: Option<EndpointStatus>,
    /// Where the source's replicas answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_reader_endpoint: Option<EndpointStatus>,
    /// The databases that are replicated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::DATABASES), inner(length(max = 63)))]
    pub databases: Vec<String>,
    /// What holds the address, and the keys whose values name the source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::CONNECTIONS))]
    pub connections: Vec<ResolvedConnection>,
    /// What runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::WORKLOADS))]
    pub workloads: Vec<ResolvedWorkload>,
}

/// Where a database answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointStatus {
    /// Its DNS name.
    #[schemars(length(max = bounds::NAME))]
    pub host: String,
    /// Its port.
    #[schemars(with = "i32", range(min = 0, max = 65535))]
    pub port: u16,
}

/// What holds the address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResolvedConnection {
    /// Its kind.
    pub kind: ConnectionKind,
    /// Its name.
    #[schemars(length(max = bounds::NAME))]
    pub name: String,
    /// The keys whose values name the source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::KEYS), inner(length(max = 253)))]
    pub keys: Vec<String>,
}

/// What runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResolvedWorkload {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    #[schemars(length(max = bounds::NAME))]
    pub name: String,
}

/// What was changed on the source and has to be put back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceChanges {
    /// The cluster parameter group that the source had.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::NAME))]
    pub previous_parameter_group: Option<String>,
    /// The cluster parameter group that it got from us.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = bounds::NAME))]
    pub parameter_group: Option<String>,
    /// When its writer was rebooted by us.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::time")]
    pub rebooted_at: Option<Time>,
}
