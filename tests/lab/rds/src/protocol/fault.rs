//! Refusals, with the codes of the API reference.

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl Fault {
    /// A refusal with status 400.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            status: 400,
            message: message.into(),
        }
    }

    fn not_found(code: &'static str, message: String) -> Self {
        Self {
            code,
            status: 404,
            message,
        }
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self {
            code: "InternalFailure",
            status: 500,
            message: message.into(),
        }
    }

    pub(crate) fn invalid_value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    pub(crate) fn combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    pub(crate) fn cluster_not_found(identifier: &str) -> Self {
        Self::not_found("DBClusterNotFoundFault", format!("DBCluster {identifier} not found."))
    }

    pub(crate) fn cluster_state(message: impl Into<String>) -> Self {
        Self::new("InvalidDBClusterStateFault", message)
    }

    pub(crate) fn instance_not_found(identifier: &str) -> Self {
        Self::not_found("DBInstanceNotFound", format!("DBInstance {identifier} not found."))
    }

    pub(crate) fn instance_state(message: impl Into<String>) -> Self {
        Self::new("InvalidDBInstanceState", message)
    }

    /// What actions on parameter groups say, cluster groups included.
    pub(crate) fn group_not_found(name: &str) -> Self {
        Self::not_found(
            "DBParameterGroupNotFound",
            format!("DBParameterGroup not found: {name}"),
        )
    }

    /// What restore and modify of a cluster say.
    pub(crate) fn cluster_group_not_found(name: &str) -> Self {
        Self::not_found(
            "DBClusterParameterGroupNotFound",
            format!("DBClusterParameterGroup not found: {name}"),
        )
    }

    pub(crate) fn snapshot_not_found(identifier: &str) -> Self {
        Self::not_found(
            "DBClusterSnapshotNotFoundFault",
            format!("DBClusterSnapshot {identifier} not found."),
        )
    }

    pub(crate) fn log_file_not_found(name: &str) -> Self {
        Self::not_found(
            "DBLogFileNotFoundFault",
            format!("DBLog File: {name}, is not found on the DB instance"),
        )
    }
}
