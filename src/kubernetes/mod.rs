//! The application's objects: the Secrets that hold its connection and the Deployments that use it.
mod connection_value;
pub mod connections;
mod error;
pub mod permissions;
pub mod pods;
mod problem;
pub mod secrets;
pub mod workloads;

pub use error::Error;
pub use problem::Problem;

/// The field manager of what the operator writes on the application's objects.
const FIELD_MANAGER: &str = "pgupgrade";
/// Annotation on a workload: which `PostgresUpgrade` took it down, as `namespace/name/uid`.
pub const OWNER_ANNOTATION: &str = "pgupgrade.dev/owner";
/// Annotation on a workload: how many replicas it had before it was taken down.
pub const REPLICAS_ANNOTATION: &str = "pgupgrade.dev/replicas";
