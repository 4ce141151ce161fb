//! What RDS can answer instead of doing it.
use aws_sdk_rds::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// A call that did not do what it was for.
#[derive(Debug, thiserror::Error)]
#[error("{operation} on {object}: {code}: {message}{advice}")]
pub struct Error {
    /// The RDS action.
    pub operation: &'static str,
    /// What it was about.
    pub object: String,
    /// The error code as on the wire; `Unreachable` where there was no answer.
    pub code: String,
    /// RDS's own words.
    pub message: String,
    advice: &'static str,
    kind: Kind,
}

/// What an error means for whoever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NotFound,
    AlreadyExists,
    InvalidState,
    AccessDenied,
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
            let message = error.message().map_or_else(|| DisplayErrorContext(&error).to_string(), str::to_owned);
            let kind = kind(&code);
            Self { operation, object, advice: advice(kind), code, message, kind }
        }
    }

    /// Something that must not be touched.
    pub(crate) fn refused(operation: &'static str, object: impl Into<String>, message: impl Into<String>) -> Self {
        let kind = Kind::Other;
        Self { operation, object: object.into(), code: "Refused".to_owned(), message: message.into(), advice: "", kind }
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

    /// The operator's role lacks a permission.
    #[must_use]
    pub fn is_access_denied(&self) -> bool {
        self.kind == Kind::AccessDenied
    }
}

fn kind(code: &str) -> Kind {
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => Kind::AccessDenied,
        _ if code.contains("NotFound") => Kind::NotFound,
        _ if code.contains("AlreadyExists") => Kind::AlreadyExists,
        _ if code.starts_with("Invalid") && code.contains("State") => Kind::InvalidState,
        _ => Kind::Other,
    }
}

fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::AccessDenied => "; allow the action in the IAM policy of the operator's role (docs/iam-policy.json)",
        Kind::InvalidState => "; tried again when it is available",
        _ => "",
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
            ("DBClusterAlreadyExistsFault", Kind::AlreadyExists),
            ("DBInstanceAlreadyExists", Kind::AlreadyExists),
            ("InvalidDBClusterStateFault", Kind::InvalidState),
            ("InvalidDBInstanceState", Kind::InvalidState),
            ("InvalidDBParameterGroupState", Kind::InvalidState),
            ("AccessDenied", Kind::AccessDenied),
            ("InvalidParameterCombination", Kind::Other),
            ("Throttling", Kind::Other),
        ];
        for (code, expected) in table {
            assert_eq!(kind(code), expected, "{code}");
        }
    }
}
