//! An object of a database as the catalogs describe it.
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::text;

/// Every kind of object that the statements name.
const KINDS: &[&str] = &[
    "access method",
    "cast",
    "collation",
    "column",
    "comment",
    "configuration parameter",
    "constraint",
    "conversion",
    "database",
    "default privileges",
    "event trigger",
    "extension",
    "foreign data wrapper",
    "foreign server",
    "function",
    "index",
    "language",
    "operator",
    "operator class",
    "operator family",
    "policy",
    "publication",
    "relation",
    "role",
    "rule",
    "schema",
    "security label",
    "sequence",
    "setting",
    "statistics object",
    "subscription",
    "system grant",
    "tablespace",
    "text search configuration",
    "text search dictionary",
    "text search parser",
    "text search template",
    "transform",
    "trigger",
    "type",
    "user mapping",
];

/// The name of a kind.
pub(super) fn kind(name: &str) -> Option<&'static str> {
    KINDS.iter().find(|kind| **kind == name).copied()
}

/// What tells objects of one side apart, and pairs them with the other side's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: &'static str,
    /// Quoted where SQL needs it.
    pub(super) name: String,
}

/// What is known of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    /// What it belongs to and goes with.
    pub(super) parent: Option<Key>,
    /// What every object of its kind has in its version; `None` is NULL.
    pub(super) attributes: BTreeMap<Arc<str>, Option<Arc<str>>>,
    /// What an object may have or not: grants, options, settings.
    pub(super) entries: BTreeMap<Arc<str>, Arc<str>>,
}

impl Object {
    /// The value of an attribute, where its version has one.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_deref()
    }

    /// The value of an entry.
    pub(super) fn entry(&self, name: &str) -> Option<&str> {
        self.entries.get(name).map(|value| &**value)
    }
}

/// The columns of a row that name an object. Names come raw, so that it does not depend on the server's version which
/// of them are quoted; types and what is `described` come as the server quotes them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Naming<'a> {
    pub(super) schema: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) part: Option<&'a str>,
    pub(super) arguments: Option<&'a str>,
    pub(super) described: Option<&'a str>,
    pub(super) parent: Option<&'a str>,
    pub(super) parent_kind: Option<&'a str>,
}

impl Naming<'_> {
    /// The object's key.
    pub(super) fn key(&self, kind: &'static str) -> Key {
        if let Some(described) = self.described {
            let name = text::without_needless_quotes(described);
            return Key { kind, name };
        }
        let mut name = self.qualified(self.name.unwrap_or_default());
        if let Some(arguments) = self.arguments {
            name = format!("{name}({})", text::without_needless_quotes(arguments));
        }
        if let Some(part) = self.part {
            let part = text::quoted(part);
            name = match kind {
                "column" => format!("{name}.{part}"),
                _ => format!("{part} on {name}"),
            };
        }
        Key { kind, name }
    }

    /// The key of what the object belongs to.
    pub(super) fn parent_key(&self) -> Option<Key> {
        let name = self.parent.or_else(|| self.part.and(self.name))?;
        let kind = self.parent_kind.and_then(kind).unwrap_or("relation");
        let name = self.qualified(name);
        Some(Key { kind, name })
    }

    fn qualified(&self, name: &str) -> String {
        match self.schema {
            Some(schema) => format!("{}.{}", text::quoted(schema), text::quoted(name)),
            // Names without a schema that are no identifiers, such as `this database`, stay as they are.
            None => name.to_owned(),
        }
    }
}

/// Holds each text once: schemas repeat them by the thousand.
#[derive(Debug, Default)]
pub(super) struct Texts(HashSet<Arc<str>>);

impl Texts {
    /// The one copy of a text.
    pub(super) fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(found) = self.0.get(text) {
            return Arc::clone(found);
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_quoted_where_needed() {
        let naming = Naming {
            schema: Some("app"),
            name: Some("Weird \"T\""),
            part: Some("a.b"),
            ..Naming::default()
        };
        assert_eq!(naming.key("column").name, r#"app."Weird ""T"""."a.b""#);
        assert_eq!(naming.key("trigger").name, r#""a.b" on app."Weird ""T""""#);
        assert_eq!(naming.parent_key().unwrap().name, r#"app."Weird ""T""""#);
        let function = Naming {
            schema: Some("app"),
            name: Some("f"),
            arguments: Some("integer, app.\"json_table\""),
            ..Naming::default()
        };
        assert_eq!(function.key("function").name, "app.f(integer, app.json_table)");
    }
}
