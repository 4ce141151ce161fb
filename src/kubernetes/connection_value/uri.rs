//! Connection URIs and JDBC URLs.
use std::ops::Range;

use super::{Doubt, Format, Place, Value, host_list, trimmed};

const USERINFO: Doubt = "clients disagree on where the password ends and the host begins; percent-encode @ / ? # in it";
const OPTIONS: Doubt = "its options name a host or port too; name them before the / only";
/// Options that send a client elsewhere than to the hosts before the path (libpq, pgjdbc).
const HOST_OPTIONS: [&str; 5] = ["host", "hostaddr", "port", "pghost", "pgport"];
/// Schemes of libpq and of what is built on other drivers (`PostGIS` adapters, Elixir's Ecto).
const SCHEMES: [&str; 4] = ["postgresql", "postgres", "postgis", "ecto"];

/// A URI: scheme, optional user and password, hosts, path, options.
pub(super) fn parse(text: &str) -> Option<Value> {
    let (inner, offset) = trimmed(text);
    let start = offset + uri_start(inner)?;
    let end = offset + inner.len();
    if inner
        .chars()
        .any(|character| character.is_whitespace() || character.is_control())
    {
        return None;
    }
    let libpq = libpq_hosts(text, start..end);
    let rfc = rfc_hosts(text, start..end);
    let mut places = decoded(host_list::places(text, libpq.clone()));
    let mut doubt = None;
    if libpq != rfc {
        doubt = Some(USERINFO);
        places.extend(decoded(host_list::places(text, rfc)));
    }
    finish(text, Format::Uri, places, doubt, libpq.end..end)
}

/// A JDBC URL. It has no user and password before the hosts.
pub(super) fn parse_jdbc(text: &str) -> Option<Value> {
    let (inner, offset) = trimmed(text);
    let start = offset + jdbc_start(inner)?;
    let end = offset + inner.len();
    if inner.chars().any(char::is_control) {
        return None;
    }
    let hosts = start..first_of(text, start..end, &['/', '?']);
    let places = decoded(host_list::places(text, hosts.clone()));
    finish(text, Format::JdbcUrl, places, None, hosts.end..end)
}

fn finish(
    text: &str,
    format: Format,
    mut places: Vec<Place>,
    mut doubt: Option<Doubt>,
    tail: Range<usize>,
) -> Option<Value> {
    let options = option_places(text, tail);
    if !options.is_empty() {
        doubt = doubt.or(Some(OPTIONS));
        places.extend(options);
    }
    (!places.is_empty()).then_some(Value { format, places, doubt })
}

/// Where the part after `://` begins.
fn uri_start(text: &str) -> Option<usize> {
    let end = text.find("://")?;
    let scheme = text.get(..end)?.to_ascii_lowercase();
    let scheme = scheme.strip_prefix("r2dbc:").unwrap_or(&scheme);
    let scheme = scheme.strip_prefix("pool:").unwrap_or(scheme);
    let (base, driver) = scheme.split_once('+').unwrap_or((scheme, "none"));
    let is_word = driver.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (SCHEMES.contains(&base) && is_word).then_some(end + 3)
}

/// Where the part after `jdbc:postgresql://` begins; wrappers stand between the two.
fn jdbc_start(text: &str) -> Option<usize> {
    let end = text.find("://")?;
    let scheme = text.get(..end)?.to_ascii_lowercase();
    let wrappers = scheme.strip_prefix("jdbc:")?.strip_suffix("postgresql")?;
    let is_wrapper = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b':';
    let whole = wrappers.is_empty() || wrappers.ends_with(':');
    (whole && wrappers.bytes().all(is_wrapper)).then_some(end + 3)
}

/// The hosts as libpq sees them (`conninfo_uri_parse_options` in `fe-connect.c`): behind the first `@` before the first
/// `/`, up to `/` or `?`.
fn libpq_hosts(text: &str, part: Range<usize>) -> Range<usize> {
    let look_ahead = first_of(text, part.clone(), &['@', '/']);
    let start = if text[look_ahead..].starts_with('@') && look_ahead < part.end {
        look_ahead + 1
    } else {
        part.start
    };
    start..first_of(text, start..part.end, &['/', '?'])
}

/// The hosts as RFC 3986 and most drivers see them: the authority ends at `/`, `?` or `#`, the user at its last `@`.
fn rfc_hosts(text: &str, part: Range<usize>) -> Range<usize> {
    let end = first_of(text, part.clone(), &['/', '?', '#']);
    let start = text[part.start..end]
        .rfind('@')
        .map_or(part.start, |at| part.start + at + 1);
    start..end
}

fn first_of(text: &str, part: Range<usize>, characters: &[char]) -> usize {
    text[part.clone()]
        .find(characters)
        .map_or(part.end, |at| part.start + at)
}

/// The servers that options name, to know whether the source is among them. They are never replaced.
fn option_places(text: &str, tail: Range<usize>) -> Vec<Place> {
    let Some(question) = text[tail.clone()].find('?') else {
        return Vec::new();
    };
    let mut start = tail.start + question + 1;
    let mut places = Vec::new();
    for option in text[start..tail.end].split('&') {
        if let Some((name, value)) = option.split_once('=')
            && HOST_OPTIONS.contains(&percent_decoded(name).to_ascii_lowercase().as_str())
        {
            let value_start = start + name.len() + 1;
            places.extend(decoded(host_list::places(text, value_start..value_start + value.len())));
        }
        start += option.len() + 1;
    }
    places
}

fn decoded(places: Option<Vec<Place>>) -> Vec<Place> {
    let mut places = places.unwrap_or_default();
    for place in &mut places {
        place.name = percent_decoded(&place.name);
    }
    places
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escape = (byte == b'%').then(|| tail.get(..2)).flatten();
        let code = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
