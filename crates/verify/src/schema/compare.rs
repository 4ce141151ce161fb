//! The comparison of two fingerprints.
use std::collections::BTreeSet;
use std::sync::Arc;

use super::object::{Key, Object};
use super::rules::{self, Difference, Judgement};
use super::{Finding, Fingerprint, Severity, text};

/// Kinds that are nothing but their entries: where there are none, there is no object.
const ENTRIES_ONLY: [&str; 3] = ["configuration parameter", "setting", "system grant"];

/// An entry that says why something can't be read, in place of what can't.
const NOT_READABLE: &str = "not readable";

impl Fingerprint {
    /// What differs on the target, in the order of kinds and names. What belongs to a missing object is not listed by
    /// itself. Findings that two versions explain are benign, and all others say that the target is not the source.
    #[must_use]
    pub fn compare(&self, target: &Self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let keys: BTreeSet<&Key> = self.objects.keys().chain(target.objects.keys()).collect();
        let nothing = Object::default();
        for key in keys {
            let substitute = ENTRIES_ONLY.contains(&key.kind).then_some(&nothing);
            match (
                self.objects.get(key).or(substitute),
                target.objects.get(key).or(substitute),
            ) {
                (Some(source), Some(on_target)) => both(self, target, key, (source, on_target), &mut findings),
                (source, on_target) => findings.extend(one(self, target, key, (source, on_target))),
            }
        }
        findings.extend(self.large_objects.compare(&target.large_objects));
        let unread: BTreeSet<_> = self.unread.iter().chain(&target.unread).collect();
        findings.extend(unread.into_iter().map(|(kind, object, detail)| Finding {
            kind,
            object: (*object).to_owned(),
            detail: detail.clone(),
            severity: Severity::NotReadable,
        }));
        findings
    }

    fn has(&self, parent: Option<&Key>) -> bool {
        parent.is_none_or(|parent| self.objects.contains_key(parent))
    }
}

/// An object that one side has.
fn one(
    source: &Fingerprint,
    target: &Fingerprint,
    key: &Key,
    (on_source, on_target): (Option<&Object>, Option<&Object>),
) -> Option<Finding> {
    let (object, other, detail) = match (on_source, on_target) {
        (Some(object), _) => (object, target, "missing on the target"),
        (None, object) => (object?, source, "only on the target"),
    };
    if !other.has(object.parent.as_ref()) {
        return None;
    }
    let difference = Difference {
        source,
        target,
        key,
        attribute: None,
        values: (on_source.map(|_| ""), on_target.map(|_| "")),
    };
    finding(&difference, detail.to_owned())
}

/// An object that both sides have.
fn both(
    source: &Fingerprint,
    target: &Fingerprint,
    key: &Key,
    (on_source, on_target): (&Object, &Object),
    findings: &mut Vec<Finding>,
) {
    let mut differ = |attribute: &str, values: (Option<&str>, Option<&str>)| {
        let difference = Difference {
            source,
            target,
            key,
            attribute: Some(attribute),
            values,
        };
        findings.extend(finding(&difference, text::sentence(attribute, values.0, values.1)));
    };
    for (attribute, value) in &on_source.attributes {
        // An attribute that one version does not know is no difference.
        if let Some(other) = on_target.attributes.get(attribute).filter(|other| *other != value) {
            differ(attribute, (value.as_deref(), other.as_deref()));
        }
    }
    let unread = on_source.entry(NOT_READABLE).or(on_target.entry(NOT_READABLE));
    let names: BTreeSet<&Arc<str>> = on_source.entries.keys().chain(on_target.entries.keys()).collect();
    for name in names {
        let values = (on_source.entry(name), on_target.entry(name));
        let hidden = unread.is_some() && (&**name == NOT_READABLE || name.starts_with("option "));
        if values.0 != values.1 && !hidden {
            differ(name, values);
        }
    }
    findings.extend(unread.map(|reason| Finding {
        kind: key.kind,
        object: key.name.clone(),
        detail: format!("{NOT_READABLE}: {reason}"),
        severity: Severity::NotReadable,
    }));
}

fn finding(difference: &Difference<'_>, detail: String) -> Option<Finding> {
    let severity = match rules::judge(difference) {
        Judgement::Same => return None,
        Judgement::Benign(reason) => Severity::Benign(reason),
        Judgement::Different => Severity::Different,
    };
    Some(Finding {
        kind: difference.key.kind,
        object: difference.key.name.clone(),
        detail,
        severity,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::object::Naming;

    #[test]
    fn what_goes_with_a_missing_table_is_not_listed() {
        let table = Naming {
            schema: Some("app"),
            name: Some("t"),
            ..Naming::default()
        };
        let column = Naming {
            part: Some("c"),
            ..table
        };
        let mut source = Fingerprint::default();
        source.objects.insert(table.key("relation"), Object::default());
        let object = Object {
            parent: column.parent_key(),
            ..Object::default()
        };
        source.objects.insert(column.key("column"), object);
        let found = source.compare(&Fingerprint::default());
        let [finding] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(finding.to_string(), "relation app.t: missing on the target");
        let found = Fingerprint::default().compare(&source);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(source.compare(&source.clone()).is_empty());
    }

    #[test]
    fn what_one_side_may_not_read_is_said_once_and_not_compared() {
        let mapping = |entries: &[(&str, &str)]| Fingerprint::of(17, &[("user mapping", "of a", &[], entries)]);
        let source = mapping(&[("user", "a"), ("option user", "x"), ("option password", "y")]);
        let target = mapping(&[("user", "b"), ("not readable", "shown to the owner")]);
        let found: Vec<(String, Severity)> = source
            .compare(&target)
            .into_iter()
            .map(|found| (found.detail, found.severity))
            .collect();
        let expected = [
            ("user: a on the source, b on the target", Severity::Different),
            ("not readable: shown to the owner", Severity::NotReadable),
        ];
        assert_eq!(found, expected.map(|(detail, severity)| (detail.to_owned(), severity)));
    }
}
