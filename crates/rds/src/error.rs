//! What RDS can answer instead of doing it.
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};

/// A call that did not do what it was for.
#[derive(Debug, thiserror::Error)]
#[error("{operation} on {object}: {code}: {message}{}", advice(*kind, code, operation))]
pub struct Error {
    /// The RDS action.
    pub operation: &'static str,
    /// What it was about.
    pub object: String,
    /// The error code as on the wire; `Unreachable` where there was no answer, `Refused` where we did not ask.
    pub code: String,
    /// RDS's own words.
    pub message: String,
    kind: Kind,
}

/// What an error means for whoever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The object is not there.
    NotFound,
    /// The object is there already.
    AlreadyExists,
    /// The object is busy, or in use.
    InvalidState,
    /// The credentials are no good, or their role lacks a permission.
    AccessDenied,
    /// Too many calls, and the SDK's own retries did not help.
    Throttled,
    /// A value that RDS does not take.
    InvalidParameter,
    /// A quota is used up, or AWS has no capacity left.
    Exhausted,
    /// No answer, or one that RDS's own failure caused.
    Unavailable,
    /// We did not ask, since the object is somebody else's.
    Refused,
    /// Everything else.
    Other,
}

impl Error {
    /// For `map_err` on calls.
    pub(crate) fn of<E, R>(operation: &'static str, object: impl Into<String>) -> impl FnOnce(SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let object = object.into();
        move |error| {
            let code = error.code().unwrap_or("Unreachable").to_owned();
            let message = error.message().map_or_else(|| chain(&error), str::to_owned);
            Self {
                operation,
                object,
                kind: kind(&code),
                code,
                message,
            }
        }
    }

    /// Something that must not be touched.
    pub(crate) fn refused(operation: &'static str, object: impl Into<String>, message: impl Into<String>) -> Self {
        let (code, kind) = ("Refused".to_owned(), Kind::Refused);
        Self {
            operation,
            object: object.into(),
            code,
            message: message.into(),
            kind,
        }
    }

    /// What it means.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// An object that is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }

    /// An object that is there already.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.kind == Kind::AlreadyExists
    }

    /// An object that is busy with something else.
    #[must_use]
    pub fn is_invalid_state(&self) -> bool {
        self.kind == Kind::InvalidState
    }

    /// Credentials or permissions are missing.
    #[must_use]
    pub fn is_access_denied(&self) -> bool {
        self.kind == Kind::AccessDenied
    }

    /// Whether the same call may go well later with nobody doing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, Kind::InvalidState | Kind::Throttled | Kind::Unavailable)
    }
}

/// All that an error without an answer says, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Codes that say that it is the credentials that are wrong ("Common Error Types", RDS API reference).
const CREDENTIALS: [&str; 6] = [
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

fn kind(code: &str) -> Kind {
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized" | "OptInRequired" => {
            Kind::AccessDenied
        }
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" => Kind::Throttled,
        "Unreachable" | "InternalFailure" | "InternalError" | "ServiceUnavailable" | "RequestExpired" => {
            Kind::Unavailable
        }
        _ if CREDENTIALS.contains(&code) => Kind::AccessDenied,
        _ if code.contains("NotFound") => Kind::NotFound,
        _ if code.contains("AlreadyExists") => Kind::AlreadyExists,
        _ if code.contains("QuotaExceeded") || code.starts_with("Insufficient") => Kind::Exhausted,
        "DBInstanceNotReady" => Kind::InvalidState,
        _ if code.starts_with("InvalidDB") && code.contains("State") => Kind::InvalidState,
        _ if code.starts_with("InvalidParameter") || code == "ValidationError" || code == "MissingParameter" => {
            Kind::InvalidParameter
        }
        _ => Kind::Other,
    }
}

fn advice(kind: Kind, code: &str, operation: &str) -> String {
    match kind {
        Kind::AccessDenied if CREDENTIALS.contains(&code) => {
            "; check the AWS credentials of the operator's ServiceAccount".to_owned()
        }
        Kind::AccessDenied => {
            format!("; allow rds:{operation} on it in the policy of the operator's role (docs/iam-policy.json)")
        }
        Kind::InvalidState => "; tried again later".to_owned(),
        Kind::Throttled | Kind::Unavailable => {
            "; tried again later; check region, network and credentials if it lasts".to_owned()
        }
        Kind::Exhausted => "; raise the quota, free some of it or choose another instance class".to_owned(),
        Kind::InvalidParameter => "; correct the value".to_owned(),
        Kind::NotFound | Kind::AlreadyExists | Kind::Refused | Kind::Other => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_as_they_are_on_the_wire() {
        let table = [
            ("DBClusterNotFoundFault", Kind::NotFound),
            ("DBInstanceNotFound", Kind::NotFound),
            ("DBParameterGroupNotFound", Kind::NotFound),
            ("DBLogFileNotFoundFault", Kind::NotFound),
            ("DBClusterAlreadyExistsFault", Kind::AlreadyExists),
            ("DBInstanceAlreadyExists", Kind::AlreadyExists),
            ("InvalidDBClusterStateFault", Kind::InvalidState),
            ("InvalidDBInstanceState", Kind::InvalidState),
            ("InvalidDBParameterGroupState", Kind::InvalidState),
            ("DBInstanceNotReady", Kind::InvalidState),
            ("AccessDenied", Kind::AccessDenied),
            ("ExpiredToken", Kind::AccessDenied),
            ("InvalidParameterCombination", Kind::InvalidParameter),
            ("InvalidParameterValue", Kind::InvalidParameter),
            ("Throttling", Kind::Throttled),
            ("InternalFailure", Kind::Unavailable),
            ("DBClusterQuotaExceededFault", Kind::Exhausted),
            ("InsufficientDBInstanceCapacity", Kind::Exhausted),
            ("InvalidVPCNetworkStateFault", Kind::Other),
            ("InvalidRestoreFault", Kind::Other),
        ];
        for (code, expected) in table {
            assert_eq!(kind(code), expected, "{code}");
        }
    }

    #[test]
    fn a_missing_permission_is_named() {
        assert!(advice(Kind::AccessDenied, "AccessDenied", "RebootDBInstance").contains("rds:RebootDBInstance"));
        assert!(advice(Kind::AccessDenied, "ExpiredToken", "RebootDBInstance").contains("credentials"));
    }
}
