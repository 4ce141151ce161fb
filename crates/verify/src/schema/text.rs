//! Texts that PostgreSQL makes of what it stores, and how they are compared and shown.

/// Separates the items of a list: no name that people use holds it.
pub(super) const SEPARATOR: char = '\u{1f}';

/// As much of a value as is shown.
const SHOWN: usize = 90;

/// An identifier, in quotes unless it is made of lower-case letters, digits and underscores.
pub(super) fn quoted(name: &str) -> String {
    if is_plain(name) {
        return name.to_owned();
    }
    pgupgrade_postgres::quote_identifier(name)
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name
            .chars()
            .all(|each| each.is_ascii_lowercase() || each.is_ascii_digit() || each == '_')
}

/// Part of an SQL text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An identifier or key word; one in quotes that would need none is the same as without.
    Word(&'a str),
    /// A string constant with its quotes.
    Literal(&'a str),
    /// Anything else but white space.
    Other(char),
}

/// Splits an SQL text of `ruleutils.c`, which holds no comments and no dollar quotes.
pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => quoted_length(rest, first, found.last() == Some(&Token::Word("E"))),
            _ if is_word(first) => rest.find(|each| !is_word(each)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        match first {
            '"' => found.push(Token::Word(unquoted(token))),
            '\'' => found.push(Token::Literal(token)),
            _ if is_word(first) => found.push(Token::Word(token)),
            _ if first.is_whitespace() => {}
            _ => found.push(Token::Other(first)),
        }
        rest = after;
    }
    found
}

fn is_word(each: char) -> bool {
    each.is_alphanumeric() || each == '_' || each == '$'
}

/// The length of what is in quotes, up to the quote that is neither doubled nor escaped.
fn quoted_length(text: &str, quote: char, escapes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, each)) = characters.next() {
        if each == '\\' && escapes {
            characters.next();
        } else if each == quote && characters.next_if(|next| next.1 == quote).is_none() {
            return at + quote.len_utf8();
        }
    }
    text.len()
}

fn unquoted(token: &str) -> &str {
    let inner = token.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| is_plain(inner)).unwrap_or(token)
}

/// The text without quotes around identifiers of lower-case letters, digits and underscores: which of those are
/// quoted depends on the key words of the server's version.
pub(super) fn without_needless_quotes(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\'']) {
        let (before, from) = rest.split_at(at);
        let quote = if from.starts_with('"') { '"' } else { '\'' };
        let (token, after) = from.split_at(quoted_length(from, quote, before.ends_with('E')));
        result.push_str(before);
        result.push_str(if quote == '"' { unquoted(token) } else { token });
        rest = after;
    }
    result + rest
}

/// `attribute: … on the source, … on the target`.
pub(super) fn sentence(attribute: &str, source: Option<&str>, target: Option<&str>) -> String {
    if is_secret(attribute) || matches!(attribute, "source" | "content") {
        let state = match (source, target) {
            (Some(_), None) => "none on the target",
            (None, Some(_)) => "none on the source",
            _ if is_secret(attribute) => "differs (not shown)",
            _ => "differs",
        };
        return format!("{attribute}: {state}");
    }
    let start = match (source, target) {
        (Some(source), Some(target)) => common_prefix(source, target),
        _ => 0,
    };
    let show = |value: Option<&str>| value.map_or_else(|| "none".to_owned(), |value| excerpt(value, start));
    format!(
        "{attribute}: {} on the source, {} on the target",
        show(source),
        show(target)
    )
}

/// Whether the value of an option or setting is for nobody's eyes; the statements hash those of foreign servers.
fn is_secret(attribute: &str) -> bool {
    let attribute = attribute.to_ascii_lowercase();
    attribute != "password valid until"
        && attribute != "password required"
        && ["password", "secret", "token", "key"]
            .iter()
            .any(|word| attribute == *word || (attribute.starts_with("option ") && attribute.contains(word)))
}

/// Bytes that two texts have in common at their beginning.
fn common_prefix(a: &str, b: &str) -> usize {
    let pairs = a.char_indices().zip(b.chars());
    let mut different = pairs.skip_while(|((_, a), b)| a == b);
    different.next().map_or_else(|| a.len().min(b.len()), |((at, _), _)| at)
}

/// A value, or as much of it around a place as fits.
fn excerpt(value: &str, place: usize) -> String {
    let shown: String = value
        .replace(SEPARATOR, ", ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    if shown.chars().count() <= SHOWN {
        return if shown.is_empty() { "empty".to_owned() } else { shown };
    }
    let before = value.get(..place).unwrap_or_default();
    let skipped = before.chars().count().saturating_sub(SHOWN / 3);
    let part: String = value.chars().skip(skipped).take(SHOWN).collect();
    let part = part.replace(SEPARATOR, ", ");
    let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
    let head = if skipped > 0 { "…" } else { "" };
    let tail = if value.chars().count() > skipped + SHOWN {
        "…"
    } else {
        ""
    };
    format!("{head}{part}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_tokens() {
        let found = tokens(r#"SELECT "a", "B c".d FROM x WHERE e = 'it''s' OR f ~ E'\\'' "g' "#);
        let words = [
            Token::Word("SELECT"),
            Token::Word("a"),
            Token::Other(','),
            Token::Word("\"B c\""),
            Token::Other('.'),
            Token::Word("d"),
        ];
        assert_eq!(found.get(..6), Some(words.as_slice()));
        assert!(found.contains(&Token::Literal("'it''s'")), "{found:?}");
        assert_eq!(found.last(), Some(&Token::Literal(r#"'\\'' "g'"#)), "{found:?}");
    }

    #[test]
    fn only_needless_quotes_go() {
        for (text, expected) in [
            (r#"a."json_table"(x)"#, "a.json_table(x)"),
            (r#""Upper"."wi""th""#, r#""Upper"."wi""th""#),
            (r#"'"a"'::text"#, r#"'"a"'::text"#),
            (r#"E'\'"a"', "b""#, r#"E'\'"a"', b"#),
            ("", ""),
        ] {
            assert_eq!(without_needless_quotes(text), expected);
        }
    }

    #[test]
    fn a_sentence_shows_where_values_differ_and_no_secrets() {
        for (attribute, source, target, expected) in [
            (
                "valid",
                Some("true"),
                Some("false"),
                "valid: true on the source, false on the target",
            ),
            (
                "default",
                None,
                Some("0"),
                "default: none on the source, 0 on the target",
            ),
            (
                "option password",
                Some("a"),
                Some("b"),
                "option password: differs (not shown)",
            ),
            (
                "option password",
                Some("a"),
                None,
                "option password: none on the target",
            ),
            ("source", Some("a"), Some("b"), "source: differs"),
            (
                "labels",
                Some("a\u{1f}b"),
                Some("b\u{1f}a"),
                "labels: a, b on the source, b, a on the target",
            ),
        ] {
            assert_eq!(sentence(attribute, source, target), expected);
        }
        let long = |end: &str| format!("{}{end}{}", "é word ".repeat(60), "x".repeat(200));
        let shown = sentence("definition", Some(&long("ONE")), Some(&long("TWO")));
        assert!(
            shown.contains("ONE") && shown.contains("TWO") && shown.len() < 320,
            "{shown}"
        );
    }
}
