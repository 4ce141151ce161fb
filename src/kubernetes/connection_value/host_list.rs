//! `host`, `host:port`, `[address]:port`, and lists of them with commas.
use std::net::Ipv6Addr;
use std::ops::Range;

use super::{Format, Place, Port, Value, trimmed};

/// A value that is nothing but hosts, all with or all without a port.
pub(super) fn parse(text: &str) -> Option<Value> {
    let (inner, start) = trimmed(text);
    if inner.parse::<Ipv6Addr>().is_ok() {
        let place = Place {
            name: inner.to_owned(),
            host: start..start + inner.len(),
            port: Port::Elsewhere,
        };
        return Some(Value {
            format: Format::Host,
            places: vec![place],
            doubt: None,
        });
    }
    let allowed = |character: char| character.is_ascii_alphanumeric() || ".-_:,[]".contains(character);
    if inner.is_empty() || !inner.chars().all(allowed) {
        return None;
    }
    let mut places = places(text, start..start + inner.len())?;
    if places.iter().any(|place| place.name.is_empty()) {
        return None;
    }
    let with_port = places
        .iter()
        .filter(|place| matches!(place.port, Port::Written(..)))
        .count();
    let format = if with_port == 0 {
        for place in &mut places {
            place.port = Port::Elsewhere;
        }
        Format::Host
    } else if with_port == places.len() {
        Format::HostPort
    } else {
        return None;
    };
    Some(Value {
        format,
        places,
        doubt: None,
    })
}

/// The servers in one part of a text; `None` where it is no list of hosts.
pub(super) fn places(text: &str, part: Range<usize>) -> Option<Vec<Place>> {
    let mut places = Vec::new();
    let mut start = part.start;
    for element in text.get(part)?.split(',') {
        places.push(place(element, start)?);
        start += element.len() + 1;
    }
    Some(places)
}

fn place(element: &str, start: usize) -> Option<Place> {
    let (name, host_len) = if let Some(rest) = element.strip_prefix('[') {
        let end = rest.find(']')?;
        (&rest[..end], end + 2)
    } else {
        let end = element.find(':').unwrap_or(element.len());
        (&element[..end], end)
    };
    let host = start..start + host_len;
    let port = match element.get(host_len..)? {
        "" => Port::Absent(host.end, ":"),
        rest => written(rest.strip_prefix(':')?, host.end + 1)?,
    };
    Some(Place {
        name: name.to_owned(),
        host,
        port,
    })
}

/// A port that is written at `start`, perhaps as the empty text that means the default.
pub(super) fn written(digits: &str, start: usize) -> Option<Port> {
    let range = start..start + digits.len();
    if digits.is_empty() {
        return Some(Port::Written(range, None));
    }
    let number = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?;
    number.map(|number| Port::Written(range, Some(number)))
}
