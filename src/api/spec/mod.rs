//! What the user wants.
mod application;
mod cutover;
mod databases;
mod source;
mod target;
mod verification;

pub use application::{
    ApplicationSpec, ConnectionKey, ConnectionKind, ConnectionRef, ConnectionRole, ValueFormat, WorkloadKind,
    WorkloadRef,
};
pub use cutover::{ApprovalSpec, CutoverSpec, FinalizePolicy, SoakSpec};
pub use databases::{
    DatabaseSpec, IdentityKind, OptimizationSpec, ReplicaIdentityPolicy, ReplicaIdentitySpec, ReplicationSpec,
    VacuumPolicy,
};
pub use source::{
    AwsSpec, CaBundleKind, CaBundleRef, CredentialsSpec, LogicalReplicationPolicy, LogicalReplicationSpec,
    RestartPolicy, SecretRef, SourceKind, SourceSpec,
};
pub use target::{ParameterGroupPolicy, ParameterGroupsSpec, TargetSpec};
pub use verification::{AcceptedDifference, DifferencePolicy, PauseAbove, VerificationDepth, VerificationSpec};

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::PostgresUpgradeStatus;
use super::validation;

/// What to upgrade, to which version, and for whom. One resource is one run, as with a Job: to try again, create another
/// one. Objects that it names lie in its own namespace.
#[derive(CustomResource, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pgupgrade.dev",
    version = "v1alpha1",
    kind = "PostgresUpgrade",
    plural = "postgresupgrades",
    singular = "postgresupgrade",
    shortname = "pgupgrade",
    shortname = "pgup",
    category = "databases",
    namespaced,
    status = "PostgresUpgradeStatus",
    derive = "PartialEq",
    doc = "Upgrades a running PostgreSQL database on Amazon Aurora to a new major version: clones it, upgrades the clone, \
           lets it catch up, and moves the application over.",
    selectable = ".spec.source.identifier",
    selectable = ".status.phase",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "From", type_ = "string", json_path = ".status.resolved.sourceEngineVersion"),
    printcolumn(name = "To", type_ = "string", json_path = ".status.resolved.targetEngineVersion"),
    printcolumn(name = "Lag", type_ = "string", json_path = ".status.replication.lag"),
    printcolumn(name = "Verified", type_ = "string", json_path = ".status.verification.progress"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Attempt", type_ = "integer", json_path = ".status.attempt", priority = 1),
    printcolumn(name = "Writer", type_ = "string", json_path = ".status.writer", priority = 1),
    printcolumn(name = "Gap", type_ = "string", json_path = ".status.cutover.writeGap", priority = 1),
    printcolumn(name = "Approval", type_ = "string", json_path = ".status.cutover.token", priority = 1),
    printcolumn(name = "Target", type_ = "string", json_path = ".status.resolved.targetIdentifier", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    validation = validation::name_fits_a_label(),
    validation = validation::frozen_by_preflight("target"),
    validation = validation::frozen_by_preflight_if_any("databases"),
    validation = validation::frozen_by_preflight("replication.replicaIdentityPolicy"),
    validation = validation::frozen_by_preflight("source.logicalReplication"),
    validation = validation::frozen_by_preflight_if_any("aws"),
    validation = validation::frozen_by_cutover("application"),
    validation = validation::frozen_by_cutover_if_any("source.endpointAliases"),
    validation = validation::frozen_by_cutover("cutover.deadline")
)]
#[serde(rename_all = "camelCase")]
pub struct PostgresUpgradeSpec {
    /// What is wanted by now: Upgraded (run), Aborted (give up, as long as the application was not moved), Finalized (end
    /// the soak). A state and not a command, so applying it again does no harm. It never goes back to Upgraded.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-validations" = validation::never_back_to_upgraded()))]
    pub desired_state: DesiredState,
    /// What becomes of clones that were never opened to the application: Delete or Retain. The source, and a clone that
    /// ever served the application, are never deleted.
    #[serde(default)]
    pub reclaim_policy: ReclaimPolicy,
    /// How many clones may be made in all before the run has failed.
    #[serde(default = "max_attempts")]
    #[schemars(range(min = 1, max = 10))]
    pub max_attempts: i32,
    /// Where on AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsSpec>,
    /// The database to leave.
    pub source: SourceSpec,
    /// The database to move to.
    pub target: TargetSpec,
    /// The databases of the cluster that are replicated; without it the one that has tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 1),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub databases: Vec<DatabaseSpec>,
    /// How changes flow from the source to the target.
    #[serde(default)]
    pub replication: ReplicationSpec,
    /// What is done to the upgraded clone before it catches up.
    #[serde(default)]
    pub optimization: OptimizationSpec,
    /// How both sides are compared.
    #[serde(default)]
    pub verification: VerificationSpec,
    /// What is moved from the source to the target.
    pub application: ApplicationSpec,
    /// When and how the application is moved.
    #[serde(default)]
    pub cutover: CutoverSpec,
    /// The time after the cutover in which the old database follows the new one.
    #[serde(default)]
    pub soak: SoakSpec,
}

fn max_attempts() -> i32 {
    3
}

/// What the user wants by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DesiredState {
    /// Run.
    #[default]
    Upgraded,
    /// Give up, as long as the application was not moved.
    Aborted,
    /// No (more) soaking. Approval of the cutover is still needed.
    Finalized,
}

/// What becomes of clones that never served the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReclaimPolicy {
    /// They are deleted.
    #[default]
    Delete,
    /// They stay, for whoever wants to look at them.
    Retain,
}
