//! What is moved from the source to the target.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{GoDuration, validation};

/// What is moved from the source to the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationSpec {
    /// What holds the database's address.
    #[schemars(
        length(min = 1, max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kind", "name"])
    )]
    pub connections: Vec<ConnectionRef>,
    /// What runs: taken down together before the move, brought up together after it.
    #[schemars(
        length(min = 1, max = 24),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kind", "name"])
    )]
    pub workloads: Vec<WorkloadRef>,
    /// How long workloads may take until they are ready after the move, 10s to 1h. Longer is reported and never undone.
    #[serde(default = "ready_timeout")]
    #[schemars(extend("x-kubernetes-validations" = validation::between("10s", "1h")))]
    pub ready_timeout: GoDuration,
}

fn ready_timeout() -> GoDuration {
    GoDuration::from_secs(300)
}

/// What holds the database's address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionRef {
    /// Secret.
    #[serde(default)]
    pub kind: ConnectionKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = validation::OBJECT_NAME))]
    pub name: String,
    /// The keys whose values are rewritten; without it all whose value names an endpoint of the source. Of a value only
    /// host and port change, and one that does not name the source is never written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"])
    )]
    pub keys: Vec<ConnectionKey>,
}

/// The kind of what holds the database's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConnectionKind {
    /// A Secret.
    #[default]
    Secret,
}

/// A key whose value is rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionKey {
    /// The key.
    #[schemars(length(min = 1, max = 253), regex(pattern = validation::DATA_KEY))]
    pub key: String,
    /// What its value looks like: Host, Port, `HostPort` (host:port), URI (postgresql://…), JDBCURL (jdbc:postgresql://…) or
    /// `KeywordValue` (host=… port=…).
    pub format: ValueFormat,
    /// Which endpoint of the target it gets: Writer or Reader.
    #[serde(default)]
    pub role: ConnectionRole,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ValueFormat {
    /// A host name alone.
    Host,
    /// A port alone.
    Port,
    /// `host:port`.
    HostPort,
    /// `postgresql://…`.
    #[serde(rename = "URI")]
    Uri,
    /// `jdbc:postgresql://…`.
    #[serde(rename = "JDBCURL")]
    JdbcUrl,
    /// `host=… port=…`, as libpq takes it.
    KeywordValue,
}

/// Which endpoint of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConnectionRole {
    /// The one that accepts writes.
    #[default]
    Writer,
    /// The one of the replicas.
    Reader,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadRef {
    /// Deployment.
    #[serde(default)]
    pub kind: WorkloadKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = validation::OBJECT_NAME))]
    pub name: String,
}

/// The kind of what runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkloadKind {
    /// A Deployment.
    #[default]
    Deployment,
}
