//! Names as SQL takes them.
use std::fmt;
use std::str::FromStr;

use postgres_protocol::escape::{escape_identifier, escape_literal};

/// The prefix of every object that this operator makes in a cluster-wide or schema-less name space.
pub(crate) const PREFIX: &str = "pgupgrade_";

/// A name in double quotes, with those inside it doubled.
#[must_use]
pub fn quote_identifier(name: &str) -> String {
    escape_identifier(name)
}

/// A string constant. One with backslashes becomes ` E'…'`, right under either `standard_conforming_strings`.
#[must_use]
pub fn quote_literal(value: &str) -> String {
    escape_literal(value)
}

/// The name of a relation with its schema. Its `Display` is quoted, fit for SQL, and parsed by `FromStr`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName {
    /// The schema.
    pub schema: String,
    /// The name within the schema.
    pub name: String,
}

impl QualifiedName {
    /// Puts a name together.
    #[must_use]
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// `schema.name` without quotes, for people.
    #[must_use]
    pub fn plain(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}.{}",
            quote_identifier(&self.schema),
            quote_identifier(&self.name)
        )
    }
}

/// A text that is no quoted name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a quoted name")]
pub struct NotQuoted(String);

/// Takes one quoted identifier from the front of `text`.
pub(crate) fn unquote(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text.strip_prefix('"')?;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, rest)),
        }
    }
}

impl FromStr for QualifiedName {
    type Err = NotQuoted;

    fn from_str(text: &str) -> Result<Self, NotQuoted> {
        let parsed = unquote(text).and_then(|(schema, rest)| {
            let (name, rest) = unquote(rest.strip_prefix('.')?)?;
            rest.is_empty().then_some(Self { schema, name })
        });
        parsed.ok_or_else(|| NotQuoted(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_survives_quoting() {
        for (schema, name, quoted) in [
            ("public", "orders", r#""public"."orders""#),
            ("a.b", "c", r#""a.b"."c""#),
            (r#"Sch"ema ';--"#, r#"""#, r#""Sch""ema ';--"."""""#),
            ("ü", "", r#""ü"."""#),
        ] {
            let it = QualifiedName::new(schema, name);
            assert_eq!(it.to_string(), quoted);
            assert_eq!(quoted.parse::<QualifiedName>().unwrap(), it);
        }
    }

    #[test]
    fn what_is_not_quoted_is_refused() {
        for text in ["", "a.b", r#""a""#, r#""a"."b"#, r#""a"."b"x"#, r#""a"b"."c""#] {
            assert!(text.parse::<QualifiedName>().is_err(), "{text}");
        }
    }
}
