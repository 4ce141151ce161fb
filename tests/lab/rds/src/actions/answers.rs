//! What several actions do alike: pages, filters, tags, passwords.

use postgres_protocol::password::scram_sha_256;

use crate::protocol::{Fault, Request, Xml};
use crate::state::{Cluster, Instance, Tags, World};

/// One page of a list, with the marker of the next. `MaxRecords` is 20 to 100, 100 if not given.
pub(super) fn page<T>(request: &Request, items: Vec<T>) -> Result<(Vec<T>, Option<String>), Fault> {
    let limit: usize = request.number("MaxRecords")?.unwrap_or(100);
    if !(20..=100).contains(&limit) {
        return Err(Fault::invalid_value(format!(
            "Invalid value {limit} for MaxRecords. Must be between 20 and 100"
        )));
    }
    let start = match request.text("Marker") {
        None => 0,
        Some(marker) => marker
            .parse()
            .map_err(|_| Fault::invalid_value("The marker is not valid."))?,
    };
    let end = start + limit;
    let next = (end < items.len()).then(|| end.to_string());
    Ok((items.into_iter().skip(start).take(limit).collect(), next))
}

/// An answer that is one list in pages.
pub(super) fn list<T>(
    request: &Request,
    (name, member): (&str, &str),
    items: Vec<T>,
    content: impl Fn(&mut Xml, T),
) -> Result<Xml, Fault> {
    let (items, marker) = page(request, items)?;
    let mut xml = Xml::default();
    xml.list(name, member, items, content);
    xml.optional("Marker", marker);
    Ok(xml)
}

/// Whether each filter has a value that `value_of` finds for its name; an unknown name is refused.
pub(super) fn matches<'a>(
    filters: &[(String, Vec<String>)],
    value_of: impl Fn(&str) -> Option<&'a str>,
) -> Result<bool, Fault> {
    for (name, values) in filters {
        let unknown = || Fault::invalid_value(format!("Unrecognized filter name: {name}"));
        let value = value_of(name).ok_or_else(unknown)?;
        if !values
            .iter()
            .any(|wanted| crate::state::identifier::plain(wanted) == value.to_ascii_lowercase())
        {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn cluster(world: &World, cluster: &Cluster) -> Xml {
    let mut xml = Xml::default();
    xml.element("DBCluster", |xml| cluster.write(xml, world));
    xml
}

pub(super) fn instance(world: &World, instance: &Instance) -> Xml {
    let mut xml = Xml::default();
    xml.element("DBInstance", |xml| instance.write(xml, world));
    xml
}

/// The tags of a create request.
pub(super) fn tags(request: &Request) -> Result<Tags, Fault> {
    let tags = request.structures("Tags", "Tag");
    tags.iter()
        .map(|tag| {
            Ok((
                tag.required("Key")?.to_owned(),
                tag.text("Value").unwrap_or_default().to_owned(),
            ))
        })
        .collect()
}

/// Checks a master password as Aurora PostgreSQL does and returns it as the server keeps it.
pub(super) fn verifier(password: &str) -> Result<String, Fault> {
    if !(8..=41).contains(&password.len()) {
        return Err(Fault::invalid_value(
            "The parameter MasterUserPassword is not a valid password because it is not between 8 and 41 characters \
             long.",
        ));
    }
    if !password
        .chars()
        .all(|character| character.is_ascii_graphic() && !"/@\"".contains(character))
    {
        return Err(Fault::invalid_value(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', \
             '@', '\"', ' ' may be used.",
        ));
    }
    Ok(scram_sha_256(password.as_bytes()))
}
