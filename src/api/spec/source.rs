//! The database to leave, and how it is reached.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::validation;

/// Where on AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsSpec {
    /// The region of source and target; without it the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = validation::AWS_REGION))]
    pub region: Option<String>,
}

/// The database to leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceSpec {
    /// What it is, in AWS's own word: DBCluster (Aurora).
    #[serde(default)]
    pub kind: SourceKind,
    /// Its identifier on RDS.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = validation::DB_IDENTIFIER),
        extend("x-kubernetes-validations" = validation::immutable("source.identifier"))
    )]
    pub identifier: String,
    /// The administrator's name and password.
    pub credentials: CredentialsSpec,
    /// The certificates that the server's own must lead to; without it the bundle of Amazon RDS. Connections are always
    /// encrypted, and the server's name is always checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<CaBundleRef>,
    /// DNS names of your own that lead to this source: values that name one of them are rewritten too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 253), regex(pattern = validation::DNS_NAME)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub endpoint_aliases: Vec<String>,
    /// What may be done to the source to make logical replication possible.
    #[serde(default)]
    pub logical_replication: LogicalReplicationSpec,
}

/// What the source is, in AWS's own word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SourceKind {
    /// An Aurora cluster.
    #[default]
    DBCluster,
}

/// The administrator's name and password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsSpec {
    /// The Secret that has them. It is read at every use, so both may rotate.
    pub secret_ref: SecretRef,
}

/// A Secret with a name and a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = validation::OBJECT_NAME))]
    pub name: String,
    /// The key of the user's name.
    #[serde(default = "username_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = validation::DATA_KEY))]
    pub username_key: String,
    /// The key of the password.
    #[serde(default = "password_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = validation::DATA_KEY))]
    pub password_key: String,
}

fn username_key() -> String {
    "username".to_owned()
}

fn password_key() -> String {
    "password".to_owned()
}

/// Where the certificates are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaBundleRef {
    /// `ConfigMap` or Secret.
    #[serde(default)]
    pub kind: CaBundleKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = validation::OBJECT_NAME))]
    pub name: String,
    /// The key of the PEM text.
    #[serde(default = "ca_bundle_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = validation::DATA_KEY))]
    pub key: String,
}

fn ca_bundle_key() -> String {
    "ca.crt".to_owned()
}

/// What holds the certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CaBundleKind {
    /// A `ConfigMap`.
    #[default]
    ConfigMap,
    /// A Secret.
    Secret,
}

/// What may be done to the source to make logical replication possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validation::restart_needs_enable()))]
pub struct LogicalReplicationSpec {
    /// Require: it must be on already. Enable: the cluster gets a parameter group with `rds.logical_replication`, undone at
    /// the end.
    #[serde(default)]
    pub policy: LogicalReplicationPolicy,
    /// Whether the source's writer may be rebooted for it: Never, or Immediately.
    #[serde(default)]
    pub restart: RestartPolicy,
}

/// Whether the operator turns logical replication on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LogicalReplicationPolicy {
    /// It must be on already.
    #[default]
    Require,
    /// It is turned on where it is off.
    Enable,
}

/// When the source's writer may be rebooted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RestartPolicy {
    /// Not at all: preflight says what to do.
    #[default]
    Never,
    /// As soon as it is needed.
    Immediately,
}
