//! What stands in the way of an upgrade, in a form that can be listed.

/// Something about an object that only its owner can mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Machine-readable, in upper camel case.
    pub reason: &'static str,
    /// `kind/name`.
    pub object: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl Problem {
    pub(super) fn new(reason: &'static str, object: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason,
            object: object.into(),
            message: message.into(),
        }
    }
}
