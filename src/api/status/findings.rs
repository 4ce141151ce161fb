//! What preflight found.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bounds;

/// What preflight found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FindingsStatus {
    /// How many stand in the way.
    pub blocking: i32,
    /// How many are only worth knowing.
    pub warnings: i32,
    /// The first 50 of them, those that stand in the way first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = bounds::FINDINGS))]
    pub items: Vec<Finding>,
}

impl FindingsStatus {
    /// Counts and sorts; everything that stands in the way comes first.
    #[must_use]
    pub fn of(mut items: Vec<Finding>) -> Self {
        items.sort_by_key(|finding| finding.severity);
        let count = |severity| items.iter().filter(|finding| finding.severity == severity).count();
        let number = |severity| i32::try_from(count(severity)).unwrap_or(i32::MAX);
        Self {
            blocking: number(Severity::Blocking),
            warnings: number(Severity::Warning),
            items,
        }
    }
}

/// One thing that preflight found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Machine-readable.
    #[schemars(length(max = bounds::REASON))]
    pub reason: String,
    /// Blocking, or Warning.
    pub severity: Severity,
    /// The field or object.
    #[schemars(length(max = bounds::NAME))]
    pub object: String,
    /// What is wrong and how to mend it.
    #[schemars(length(max = bounds::MESSAGE))]
    pub message: String,
}

/// How bad a finding is; the worse comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Severity {
    /// Nothing begins until it is mended.
    Blocking,
    /// Worth knowing.
    Warning,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocking_findings_come_first() {
        let finding = |reason: &str, severity| Finding {
            reason: reason.to_owned(),
            severity,
            object: String::new(),
            message: String::new(),
        };
        let found = FindingsStatus::of(vec![
            finding("a", Severity::Warning),
            finding("b", Severity::Blocking),
            finding("c", Severity::Warning),
            finding("d", Severity::Blocking),
        ]);
        assert_eq!((found.blocking, found.warnings), (2, 2));
        let reasons: Vec<&str> = found.items.iter().map(|item| item.reason.as_str()).collect();
        assert_eq!(reasons, ["b", "d", "a", "c"]);
    }
}
