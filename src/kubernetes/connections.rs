//! Which values of a connection Secret name a database, and the same values with another one. Pure.
//!
//! Only the host and the port of values that name the source are ever replaced: whoever writes a `PostgresUpgrade` can't
//! make the operator put anything else into a Secret, or put it anywhere else.
mod problem;

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;

pub use super::connection_value::{Endpoints, Format, Role};
use super::connection_value::{Standing, Value, parse, recognise};
pub use problem::KeyProblem;

/// The data of a Secret: values by key.
pub type Data = BTreeMap<String, Vec<u8>>;

/// A key that the user has spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// The key.
    pub key: String,
    /// How its value names the server; `None`: found out.
    pub format: Option<Format>,
    /// Which endpoint of the new database it shall name; `None`: the one that it names now.
    pub role: Option<Role>,
}

/// A key whose value names the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The key.
    pub key: String,
    /// How its value names the server.
    pub format: Format,
    /// Which endpoint of the new database it will name.
    pub role: Role,
}

/// One value to be replaced. Its `Debug` shows no value.
#[derive(Clone, Debug)]
pub struct Change {
    /// The key.
    pub key: String,
    /// How its value names the server.
    pub format: Format,
    /// Which endpoint of the new database it will name.
    pub role: Role,
    /// The value as it is.
    pub old_value: SecretString,
    /// The value as it shall be.
    pub new_value: SecretString,
}

/// What is to be done with one Secret.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Values to be replaced.
    pub changes: Vec<Change>,
    /// Keys whose values name the new database already.
    pub already: Vec<String>,
    /// Keys whose values name the source somewhere inside of a larger text. They stay as they are.
    pub mentions: Vec<String>,
}

/// Which database a Secret's values name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Points {
    /// The source only.
    Source,
    /// The target only.
    Target,
    /// Both.
    Mixed,
    /// None of the two.
    Neither,
}

/// The keys whose values name the source, for when the new database does not exist yet. Without `keys` they are found;
/// with them only these are looked at.
///
/// # Errors
/// Every key that can't be handled.
pub fn find(data: &Data, keys: &[KeySpec], from: &Endpoints) -> Result<Vec<Found>, Vec<KeyProblem>> {
    let seen = look(data, keys, from, None)?;
    let found = |named: &Named| Found {
        key: named.key.to_owned(),
        format: named.format,
        role: named.role,
    };
    Ok(seen.named.iter().map(found).collect())
}

/// Keys whose values name the source by its full name without being handled: a file, or a second time in an option. A
/// single word is not looked for: it may mean anything.
#[must_use]
pub fn mentions(data: &Data, keys: &[KeySpec], from: &Endpoints) -> Vec<String> {
    let handled = |key: &String| keys.is_empty() || keys.iter().any(|spec| spec.key == *key);
    let mentioned = |(key, bytes): &(&String, &Vec<u8>)| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return false;
        };
        let value = recognise(text).filter(|_| handled(key));
        let mut rest = text.to_ascii_lowercase();
        for span in value.iter().flat_map(Value::spans) {
            rest.replace_range(span.clone(), &" ".repeat(span.len()));
        }
        from.names()
            .filter(|name| name.contains(['.', ':']))
            .any(|name| has_word(&rest, &name.to_ascii_lowercase()))
    };
    data.iter().filter(mentioned).map(|(key, _)| key.clone()).collect()
}

/// What is to be replaced so that the values name `to` where they name `from`. A value that names `to` already is left.
///
/// # Errors
/// Every key that can't be handled; nothing must be changed then.
pub fn plan(data: &Data, keys: &[KeySpec], from: &Endpoints, to: &Endpoints) -> Result<Plan, Vec<KeyProblem>> {
    let seen = look(data, keys, from, Some(to))?;
    let mut plan = Plan {
        already: seen.already,
        mentions: mentions(data, keys, from),
        ..Plan::default()
    };
    let mut problems = Vec::new();
    for named in seen.named {
        let new_value = match &named.value {
            None => Some(named.text.replace(&from.port.to_string(), &to.port.to_string())),
            Some(value) => value.rewritten(named.text, named.wanted, from, to),
        };
        match new_value {
            None => problems.push(KeyProblem::NoReader {
                key: named.key.to_owned(),
            }),
            Some(new_value) if new_value == named.text => plan.already.push(named.key.to_owned()),
            Some(new_value) => plan.changes.push(Change {
                key: named.key.to_owned(),
                format: named.format,
                role: named.role,
                old_value: SecretString::from(named.text),
                new_value: SecretString::from(new_value),
            }),
        }
    }
    plan.already.sort();
    if problems.is_empty() { Ok(plan) } else { Err(problems) }
}

/// Which of the two databases the values name. Ports alone say nothing.
#[must_use]
pub fn points_at(data: &Data, keys: &[KeySpec], source: &Endpoints, target: &Endpoints) -> Points {
    let looked_at = |key: &String| keys.is_empty() || keys.iter().any(|spec| spec.key == *key);
    let format = |key: &String| keys.iter().find(|spec| spec.key == *key).and_then(|spec| spec.format);
    let (mut at_source, mut at_target) = (false, false);
    for (key, bytes) in data.iter().filter(|(key, _)| looked_at(key)) {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let Some(value) = format(key).map_or_else(|| recognise(text), |format| parse(text, format)) else {
            continue;
        };
        if keys.is_empty() && value.is_one_word() && !is_for_a_host(key) {
            continue;
        }
        let names = |database: &Endpoints| {
            matches!(
                value.standing(database, None),
                Standing::Names(_) | Standing::NamesOthersToo
            )
        };
        at_source |= names(source) && !names(target);
        at_target |= names(target);
    }
    match (at_source, at_target) {
        (true, true) => Points::Mixed,
        (true, false) => Points::Source,
        (false, true) => Points::Target,
        (false, false) => Points::Neither,
    }
}

/// A key that names the source. No `Debug`: it holds a value.
struct Named<'a> {
    key: &'a str,
    text: &'a str,
    format: Format,
    /// What it will name.
    role: Role,
    /// What the user wants it to name.
    wanted: Option<Role>,
    /// `None`: a port.
    value: Option<Value>,
}

#[derive(Default)]
struct Seen<'a> {
    named: Vec<Named<'a>>,
    already: Vec<String>,
}

fn look<'a>(
    data: &'a Data,
    keys: &'a [KeySpec],
    from: &Endpoints,
    to: Option<&Endpoints>,
) -> Result<Seen<'a>, Vec<KeyProblem>> {
    let mut seen = Seen::default();
    let mut problems = Vec::new();
    let mut sort = |result: Result<Sorted<'a>, KeyProblem>| match result {
        Ok(Sorted::Named(named)) => seen.named.push(named),
        Ok(Sorted::Already(key)) => seen.already.push(key),
        Ok(Sorted::Nothing) => {}
        Err(problem) => problems.push(problem),
    };
    if keys.is_empty() {
        for (key, bytes) in data {
            sort(found(key, bytes, from, to));
        }
        seen.named
            .extend(ports(data, &seen.named, from, to).collect::<Vec<_>>());
    } else {
        for spec in keys {
            sort(spelled_out(data, spec, from, to));
        }
    }
    seen.named.sort_by_key(|named| named.key);
    if problems.is_empty() { Ok(seen) } else { Err(problems) }
}

enum Sorted<'a> {
    Named(Named<'a>),
    Already(String),
    Nothing,
}

/// A key that nobody has spelled out: what it holds counts only if it can't mean anything else.
fn found<'a>(
    key: &'a str,
    bytes: &'a [u8],
    from: &Endpoints,
    to: Option<&Endpoints>,
) -> Result<Sorted<'a>, KeyProblem> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(Sorted::Nothing);
    };
    let Some(value) = recognise(text) else {
        return Ok(Sorted::Nothing);
    };
    if value.is_one_word() && !is_for_a_host(key) {
        return Ok(Sorted::Nothing);
    }
    // Another service may listen on the same name, so that a bare host:port of another port is none of ours.
    if value.format == Format::HostPort && value.standing(from, to) == Standing::OtherPort {
        return Ok(Sorted::Nothing);
    }
    judge(key, text, value, None, from, to)
}

fn spelled_out<'a>(
    data: &'a Data,
    spec: &'a KeySpec,
    from: &Endpoints,
    to: Option<&Endpoints>,
) -> Result<Sorted<'a>, KeyProblem> {
    let key = || spec.key.clone();
    let bytes = data.get(&spec.key).ok_or_else(|| KeyProblem::Missing { key: key() })?;
    let wanted = spec
        .format
        .map_or("Host, Port, HostPort, URI, JDBCURL or KeywordValue", Format::name);
    let not_recognised = || KeyProblem::NotRecognised { key: key(), wanted };
    let text = std::str::from_utf8(bytes).map_err(|_| not_recognised())?;
    if matches!(spec.format, None | Some(Format::Port))
        && let Some(port) = port_number(text)
    {
        return match port {
            port if port == from.port => Ok(Sorted::Named(port_of(&spec.key, text, spec.role))),
            port if to.is_some_and(|to| to.port == port) => Ok(Sorted::Already(key())),
            _ => Err(KeyProblem::NamesNot { key: key() }),
        };
    }
    let value = match spec.format {
        Some(format) => parse(text, format),
        None => recognise(text),
    };
    match judge(&spec.key, text, value.ok_or_else(not_recognised)?, spec.role, from, to)? {
        Sorted::Nothing => Err(KeyProblem::NamesNot { key: key() }),
        sorted => Ok(sorted),
    }
}

fn judge<'a>(
    key: &'a str,
    text: &'a str,
    value: Value,
    wanted: Option<Role>,
    from: &Endpoints,
    to: Option<&Endpoints>,
) -> Result<Sorted<'a>, KeyProblem> {
    let owned = || key.to_owned();
    let standing = value.standing(from, to);
    let of_target = to.map_or(Standing::NamesNot, |to| value.standing(to, Some(from)));
    if let Some(why) = value.doubt {
        let unnamed = standing == Standing::NamesNot && of_target == Standing::NamesNot;
        return if unnamed {
            Ok(Sorted::Nothing)
        } else {
            Err(KeyProblem::Doubtful { key: owned(), why })
        };
    }
    match (standing, of_target) {
        (Standing::Names(role), _) => {
            let role = wanted.unwrap_or(role);
            Ok(Sorted::Named(Named {
                key,
                text,
                format: value.format,
                role,
                wanted,
                value: Some(value),
            }))
        }
        (Standing::NamesOthersToo, _) => Err(KeyProblem::NamesOthersToo { key: owned() }),
        (_, Standing::Names(_)) => Ok(Sorted::Already(owned())),
        (Standing::OtherPort, _) => Err(KeyProblem::OtherPort { key: owned() }),
        (Standing::NamesNot, _) => Ok(Sorted::Nothing),
    }
}

fn port_of<'a>(key: &'a str, text: &'a str, wanted: Option<Role>) -> Named<'a> {
    Named {
        key,
        text,
        format: Format::Port,
        role: wanted.unwrap_or(Role::Writer),
        wanted,
        value: None,
    }
}

/// Ports that belong to a host found beside them: `DB_PORT` to `DB_HOST`. Where the port stays the same they don't
/// matter.
fn ports<'a>(
    data: &'a Data,
    named: &[Named<'a>],
    from: &Endpoints,
    to: Option<&Endpoints>,
) -> impl Iterator<Item = Named<'a>> {
    let hosts: BTreeSet<&str> = named
        .iter()
        .filter(|named| named.format == Format::Host)
        .map(|named| named.key)
        .collect();
    let matters = to.is_none_or(|to| to.port != from.port);
    let port = from.port;
    data.iter().filter_map(move |(key, bytes)| {
        let text = std::str::from_utf8(bytes).ok()?;
        let prefix_len = key.len().checked_sub("port".len())?;
        let (prefix, suffix) = (key.get(..prefix_len)?, key.get(prefix_len..)?);
        let is_port = suffix.eq_ignore_ascii_case("port") && port_number(text) == Some(port);
        (matters && is_port && belongs(prefix, key, data, &hosts)).then(|| port_of(key, text, None))
    })
}

/// A port belongs to the host whose key begins alike; with no such neighbour at all, to whatever host was found.
fn belongs(prefix: &str, port: &str, data: &Data, hosts: &BTreeSet<&str>) -> bool {
    let mut alike = data
        .keys()
        .filter(|key| *key != port && key.starts_with(prefix))
        .peekable();
    if alike.peek().is_none() {
        !hosts.is_empty()
    } else {
        alike.any(|key| hosts.contains(key.as_str()))
    }
}

/// Whether a key's name says that its value is a host.
fn is_for_a_host(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["host", "endpoint", "server", "addr"]
        .iter()
        .any(|word| key.contains(word))
}

/// Whether a name stands in a text, not as a part of a longer name. Both in lower case.
fn has_word(text: &str, name: &str) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + name.len()..].chars();
        let next = after.next();
        let goes_on = next.is_some_and(is_part) || (next == Some('.') && after.next().is_some_and(is_part));
        !goes_on && !before.is_some_and(|character| is_part(character) || character == '.')
    })
}

/// A port number and nothing else, so that replacing it is replacing all of it.
fn port_number(text: &str) -> Option<u16> {
    let port = text.trim().parse::<u16>().ok()?;
    (port.to_string() == text.trim()).then_some(port)
}

#[cfg(test)]
mod tests;
