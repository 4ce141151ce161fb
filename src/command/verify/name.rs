//! Names of tables as people write them.
use pgupgrade_postgres::QualifiedName;

/// Reads `schema.name` as SQL does: without quotes in small letters.
pub(super) fn table_name(text: &str) -> Result<QualifiedName, String> {
    let mut rest = text;
    let mut parts = Vec::new();
    loop {
        let (part, after) = identifier(rest).ok_or_else(|| {
            format!("{text} is no table name: schema.name, or \"Schema\".\"Name\" where SQL needs quotes")
        })?;
        parts.push(part);
        match after.strip_prefix('.') {
            Some(after) => rest = after,
            None if after.is_empty() => break,
            None => return Err(format!("{after} is too much in {text}")),
        }
    }
    match <[String; 2]>::try_from(parts) {
        Ok([schema, name]) => Ok(QualifiedName { schema, name }),
        Err(_) => Err(format!("{text} has to name a schema and a table in it: schema.name")),
    }
}

/// One identifier, and what follows it.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let part = |character: char| character.is_alphanumeric() || character == '_' || character == '$';
        let end = text.find(|character| !part(character)).unwrap_or(text.len());
        let starts = text.chars().next()?;
        return (end > 0 && !starts.is_ascii_digit() && starts != '$')
            .then(|| (text[..end].to_ascii_lowercase(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return (!name.is_empty()).then_some((name, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tables_are_named_as_in_sql() {
        for (text, schema, name) in [
            ("public.Orders", "public", "orders"),
            (r#"public."Orders""#, "public", "Orders"),
            (r#""Sch.ema"."a""b; --""#, "Sch.ema", r#"a"b; --"#),
            ("größe._a$1", "größe", "_a$1"),
        ] {
            assert_eq!(table_name(text).unwrap(), QualifiedName::new(schema, name));
        }
        for text in [
            "", "orders", "a.b.c", "a.", ".b", "a.b c", "a.1b", r#"a."b"#, r#"a."""#, "a.b;",
        ] {
            assert!(table_name(text).is_err(), "{text}");
        }
    }
}
