//! One value of a connection Secret: which servers it names, and the same value with other servers. Pure.
mod host_list;
mod keyword_value;
mod uri;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

/// How a value names a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A host name or address, or several with commas.
    Host,
    /// A port number.
    Port,
    /// `host:port`, or several with commas.
    HostPort,
    /// `postgresql://user:password@host:port/database?option=value`, as libpq's documentation (34.1.1.2, Connection
    /// URIs) has it, and the schemes that drivers derive from it (`postgresql+asyncpg`, `ecto`, `r2dbc:postgresql` …).
    Uri,
    /// `jdbc:postgresql://host:port/database?option=value`, also behind a wrapper (`jdbc:aws-wrapper:postgresql:`).
    JdbcUrl,
    /// `host=… port=… dbname=…`, as libpq's documentation (34.1.1.1, Keyword/Value Connection Strings) has it.
    KeywordValue,
}

impl Format {
    /// As the custom resource calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::Port => "Port",
            Self::HostPort => "HostPort",
            Self::Uri => "URI",
            Self::JdbcUrl => "JDBCURL",
            Self::KeywordValue => "KeywordValue",
        }
    }
}

/// Which of a database's endpoints is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that takes writes.
    Writer,
    /// The one that balances over the readers.
    Reader,
}

/// The names of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Host of the writer endpoint.
    pub writer: String,
    /// Host of the reader endpoint, where there is one.
    pub reader: Option<String>,
    /// The port of both.
    pub port: u16,
    /// Names of the user's own that mean the writer.
    pub aliases: Vec<String>,
}

impl Endpoints {
    /// Which endpoint a host name is, DNS's way: case and a final dot don't matter.
    #[must_use]
    pub fn role_of(&self, name: &str) -> Option<Role> {
        let is = |known: &String| same_host(known, name);
        if is(&self.writer) || self.aliases.iter().any(is) {
            Some(Role::Writer)
        } else {
            self.reader.as_ref().is_some_and(is).then_some(Role::Reader)
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.writer)
            .chain(&self.reader)
            .chain(&self.aliases)
            .map(String::as_str)
    }

    fn host(&self, role: Role) -> Option<&str> {
        match role {
            Role::Writer => Some(&self.writer),
            Role::Reader => self.reader.as_deref(),
        }
    }
}

fn same_host(one: &str, other: &str) -> bool {
    match (one.parse::<IpAddr>(), other.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => {
            !one.is_empty()
                && one
                    .trim_end_matches('.')
                    .eq_ignore_ascii_case(other.trim_end_matches('.'))
        }
    }
}

/// Where in a text one server is named. Ranges are bytes of the text.
#[derive(Clone, PartialEq, Eq)]
struct Place {
    /// The host as it is meant: decoded, without brackets.
    name: String,
    /// What has to be replaced for another host, brackets included.
    host: Range<usize>,
    port: Port,
}

/// Where in a text the port of a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Port {
    /// Written there; `None`: the place is empty, which means the default.
    Written(Range<usize>, Option<u16>),
    /// Not written; it would be put there, behind these characters.
    Absent(usize, &'static str),
    /// The format has no place for it.
    Elsewhere,
}

/// Why it isn't certain which server a client connects to, and what to do.
pub(super) type Doubt = &'static str;

/// A value that was understood. No `Debug`: it holds parts of the value.
pub(super) struct Value {
    pub format: Format,
    places: Vec<Place>,
    pub doubt: Option<Doubt>,
}

/// How a value stands to the names of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Every server in it is one of the known two databases, at least one is the database asked for.
    Names(Role),
    /// It names the database and servers that are neither.
    NamesOthersToo,
    /// It names the database's host with a port that is not the database's.
    OtherPort,
    /// It does not name the database.
    NamesNot,
}

/// Reads a value in the given format.
pub(super) fn parse(text: &str, format: Format) -> Option<Value> {
    let value = match format {
        Format::Host | Format::HostPort => host_list::parse(text),
        Format::Uri => uri::parse(text),
        Format::JdbcUrl => uri::parse_jdbc(text),
        Format::KeywordValue => keyword_value::parse(text),
        Format::Port => None,
    }?;
    (value.format == format).then_some(value)
}

/// Reads a value in whatever format it is. Text of several lines is none of them: a file of its own kind.
pub(super) fn recognise(text: &str) -> Option<Value> {
    if text.trim().contains(['\n', '\r']) {
        return None;
    }
    uri::parse_jdbc(text)
        .or_else(|| uri::parse(text))
        .or_else(|| keyword_value::parse(text))
        .or_else(|| host_list::parse(text))
}

impl Value {
    /// How the value stands to `database`, where naming `other` is no matter.
    pub fn standing(&self, database: &Endpoints, other: Option<&Endpoints>) -> Standing {
        let mut role = None;
        let (mut others, mut other_port) = (false, false);
        for place in &self.places {
            match database.role_of(&place.name) {
                Some(found) if place.agrees_with(database.port) => role = role.or(Some(found)),
                Some(_) => other_port = true,
                None => others |= other.is_none_or(|other| other.role_of(&place.name).is_none()),
            }
        }
        match role {
            _ if other_port => Standing::OtherPort,
            Some(_) if others => Standing::NamesOthersToo,
            Some(role) => Standing::Names(role),
            None => Standing::NamesNot,
        }
    }

    /// The text with each server of `from` replaced by the same endpoint of `to`, or by `role`'s where one is given.
    /// `None`: `to` has no such endpoint.
    pub fn rewritten(&self, text: &str, role: Option<Role>, from: &Endpoints, to: &Endpoints) -> Option<String> {
        let mut edits: BTreeMap<usize, (Range<usize>, String)> = BTreeMap::new();
        for place in &self.places {
            let Some(found) = from.role_of(&place.name) else {
                continue;
            };
            let host = to.host(role.unwrap_or(found))?;
            edits.insert(place.host.start, (place.host.clone(), self.format.host(host)));
            if from.port != to.port {
                match &place.port {
                    Port::Written(range, _) => drop(edits.insert(range.start, (range.clone(), to.port.to_string()))),
                    Port::Absent(at, before) => drop(edits.insert(*at, (*at..*at, format!("{before}{}", to.port)))),
                    Port::Elsewhere => {}
                }
            }
        }
        let mut text = text.to_owned();
        for (range, replacement) in edits.into_values().rev() {
            text.replace_range(range, &replacement);
        }
        Some(text)
    }

    /// The parts of the text that name servers.
    pub fn spans(&self) -> impl Iterator<Item = &Range<usize>> {
        self.places.iter().map(|place| &place.host)
    }

    /// Whether all its host names are bare words, such as a user or a database may be called too.
    pub fn is_one_word(&self) -> bool {
        self.format == Format::Host && self.places.iter().all(|place| !place.name.contains(['.', ':']))
    }
}

impl Place {
    fn agrees_with(&self, port: u16) -> bool {
        match self.port {
            Port::Written(_, Some(written)) => written == port,
            Port::Written(_, None) | Port::Absent(..) | Port::Elsewhere => true,
        }
    }
}

impl Format {
    /// A host as this format writes it.
    fn host(self, host: &str) -> String {
        let brackets = !matches!(self, Self::Host | Self::KeywordValue) && host.parse::<Ipv6Addr>().is_ok();
        if brackets { format!("[{host}]") } else { host.to_owned() }
    }
}

/// The text without surrounding white space, and where it begins.
fn trimmed(text: &str) -> (&str, usize) {
    let start = text.len() - text.trim_start().len();
    (text.trim(), start)
}
