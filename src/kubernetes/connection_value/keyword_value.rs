//! libpq's keyword/value connection strings (`conninfo_parse` in `fe-connect.c`).
use std::ops::Range;

use super::{Doubt, Format, Place, Port, Value, host_list};

const HOSTADDR: Doubt = "hostaddr sends clients to an address whatever host says; remove it";
const REPEATED: Doubt = "host, hostaddr or port stands there twice; name each once";
const PORTS: Doubt = "the number of ports is neither one nor that of the hosts";

struct Setting<'a> {
    keyword: &'a str,
    /// Without its quotes.
    value: Range<usize>,
    /// Behind the closing quote.
    end: usize,
}

pub(super) fn parse(text: &str) -> Option<Value> {
    let settings = settings(text)?;
    let count = |keyword: &str| settings.iter().filter(|setting| setting.keyword == keyword).count();
    let get = |keyword: &str| settings.iter().rev().find(|setting| setting.keyword == keyword);
    let host = get("host").or_else(|| get("hostaddr"))?;
    let elements = |setting: &Setting| elements(text, &setting.value);
    let mut doubt = None;
    if count("hostaddr") > 0 {
        doubt = Some(HOSTADDR);
    } else if count("host") > 1 || count("port") > 1 {
        doubt = Some(REPEATED);
    }
    let mut hosts: Vec<(String, Range<usize>)> = elements(host);
    let ports = match get("port") {
        None => vec![Port::Absent(host.end, " port=")],
        Some(setting) => {
            let port = |(_, range): (String, Range<usize>)| host_list::written(&text[range.clone()], range.start);
            elements(setting).into_iter().map(port).collect::<Option<Vec<Port>>>()?
        }
    };
    if ports.len() != 1 && ports.len() != hosts.len() {
        doubt = doubt.or(Some(PORTS));
    }
    if doubt.is_some() {
        let named = settings
            .iter()
            .filter(|setting| matches!(setting.keyword, "host" | "hostaddr"));
        hosts = named.flat_map(elements).collect();
    }
    let port = |index: usize| ports.get(index).or(ports.first()).cloned().unwrap_or(Port::Elsewhere);
    let places = hosts.into_iter().enumerate().map(|(index, (name, host))| Place {
        name,
        host,
        port: port(index),
    });
    Some(Value {
        format: Format::KeywordValue,
        places: places.collect(),
        doubt,
    })
}

/// The elements of a value with commas, each with its escapes resolved and where it stands.
fn elements(text: &str, value: &Range<usize>) -> Vec<(String, Range<usize>)> {
    let mut start = value.start;
    let element = |raw: &str| {
        let range = start..start + raw.len();
        start += raw.len() + 1;
        (raw.replace('\\', ""), range)
    };
    text[value.clone()].split(',').map(element).collect()
}

/// All settings; `None` where the text is no connection string.
fn settings(text: &str) -> Option<Vec<Setting<'_>>> {
    let mut settings = Vec::new();
    let mut at = skip_space(text, 0);
    while at < text.len() {
        let keyword_end =
            at + text[at..].find(|character: char| !character.is_ascii_lowercase() && character != '_')?;
        let equals = skip_space(text, keyword_end);
        if keyword_end == at || !text[equals..].starts_with('=') {
            return None;
        }
        let (value, end) = value(text, skip_space(text, equals + 1))?;
        settings.push(Setting {
            keyword: &text[at..keyword_end],
            value,
            end,
        });
        at = skip_space(text, end);
    }
    Some(settings)
}

/// A value and where it ends, its closing quote included.
fn value(text: &str, start: usize) -> Option<(Range<usize>, usize)> {
    let quoted = text[start..].starts_with('\'');
    let start = start + usize::from(quoted);
    let mut escaped = false;
    for (at, character) in text[start..].char_indices() {
        let at = start + at;
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if quoted && character == '\'' {
            return Some((start..at, at + 1));
        } else if !quoted && character.is_ascii_whitespace() {
            return Some((start..at, at));
        }
    }
    (!quoted).then_some((start..text.len(), text.len()))
}

fn skip_space(text: &str, at: usize) -> usize {
    text[at..]
        .find(|character: char| !character.is_ascii_whitespace())
        .map_or(text.len(), |skip| at + skip)
}
