//! How the values of each type are read, decided from a server's catalogue.
use std::collections::HashMap;

use tokio_postgres::{Client, Row};

use crate::Error;
use crate::encoding::Encoding;
use crate::side::{Side, sql};
use crate::version::Version;
use crate::wide::Width;

const TYPES: &str = include_str!("../sql/types.sql");

/// Domains over domains: so deep and no deeper.
const DEPTH: usize = 64;

/// Built-in types whose values may hold a NaN, and how many bytes of a value come before the floats
/// (`src/backend/utils/adt/geo_ops.c`).
const FLOATS: [(&str, usize); 9] = [
    ("float4", 0),
    ("float8", 0),
    ("point", 0),
    ("lseg", 0),
    ("box", 0),
    ("line", 0),
    ("circle", 0),
    ("polygon", 4),
    ("path", 5),
];

/// Built-in types of any length whose values are small all the same.
const SMALL: [&str; 6] = ["numeric", "inet", "cidr", "tsvector", "tsquery", "jsonpath"];

/// Built-in types whose `octet_length` is known without reading a value.
const MEASURED: [&str; 4] = ["text", "varchar", "bpchar", "bytea"];

/// A type, other than composite types and arrays of them.
#[derive(Clone, Debug)]
pub(crate) struct Type {
    /// `pg_type.oid`.
    pub(crate) oid: u32,
    /// The type of arrays of it; zero where there is none.
    pub(crate) array: u32,
    /// Whether its values can be sent to the server in binary.
    pub(crate) receives: bool,
    name: String,
    built_in: bool,
    /// `pg_type.typtype`.
    class: char,
    /// The function that sends a value in binary, with its schema.
    send: Option<String>,
    /// Whether a value may have any number of bytes.
    of_any_length: bool,
    /// What a domain, an array, a range or a multirange is made of; else zero.
    part: u32,
}

/// The types of a server.
#[derive(Debug, Default)]
pub(crate) struct Types(HashMap<u32, Type>);

impl Types {
    /// Reads them.
    pub(crate) async fn read(client: &Client, side: Side, version: Version) -> Result<Self, Error> {
        let query = version.adapt(TYPES);
        let rows = client
            .query(&*query, &[])
            .await
            .map_err(sql(side, "reading the types"))?;
        Ok(rows.iter().map(Type::from).collect())
    }

    /// The type that a column of this one is stored as: below all domains.
    pub(crate) fn base(&self, oid: u32) -> Option<&Type> {
        let mut found = self.0.get(&oid)?;
        for _ in 0..DEPTH {
            if found.class != 'd' {
                return Some(found);
            }
            found = self.0.get(&found.part)?;
        }
        None
    }

    /// How a column of this type is read. Binary is right where the bytes name no object of the server by its OID and
    /// one value has one form, or can be given one; a user's type is believed to be such if it has a binary form.
    pub(crate) fn encoding(&self, oid: u32) -> Encoding {
        let Some(base) = self.base(oid) else {
            return Encoding::Text;
        };
        if !base.is_array() {
            return self.scalar(base, DEPTH);
        }
        match self.base(base.part).map(|element| self.scalar(element, DEPTH)) {
            Some(Encoding::Verbatim) => Encoding::Array,
            Some(Encoding::Floats(skipped)) => Encoding::FloatsArray(skipped),
            _ => Encoding::Text,
        }
    }

    /// How large the values of a column may be, by its type and the type's declaration (`character varying(30)`).
    pub(crate) fn width(&self, oid: u32, declared: &str) -> Width {
        let Some(base) = self.base(oid) else {
            return Width::Text;
        };
        let name = base.name.as_str();
        if !base.of_any_length || base.built_in && (declared.ends_with(')') || SMALL.contains(&name)) {
            return Width::Bounded;
        }
        match (&base.send, self.encoding(oid)) {
            (Some(send), Encoding::Verbatim) if base.built_in && MEASURED.contains(&name) => {
                Width::Measured(send.clone())
            }
            (Some(send), Encoding::Verbatim) => Width::Sent(send.clone()),
            _ => Width::Text,
        }
    }

    fn scalar(&self, it: &Type, depth: usize) -> Encoding {
        let name = it.name.as_str();
        let floats = FLOATS.iter().find(|(other, _)| it.built_in && *other == name);
        match (it.class, floats) {
            _ if it.send.is_none() || it.is_array() || depth == 0 => Encoding::Text,
            _ if it.built_in && name.starts_with("reg") => Encoding::Text,
            (_, Some((_, skipped))) => Encoding::Floats(*skipped),
            ('b' | 'e', None) => Encoding::Verbatim,
            // Sent as its bounds.
            ('r' | 'm', None) => match self.base(it.part).map(|bound| self.scalar(bound, depth - 1)) {
                Some(Encoding::Verbatim) => Encoding::Verbatim,
                _ => Encoding::Text,
            },
            _ => Encoding::Text,
        }
    }
}

impl FromIterator<Type> for Types {
    fn from_iter<T: IntoIterator<Item = Type>>(types: T) -> Self {
        Self(types.into_iter().map(|it| (it.oid, it)).collect())
    }
}

impl Type {
    fn is_array(&self) -> bool {
        self.class == 'b' && self.part != 0
    }
}

impl From<&Row> for Type {
    fn from(row: &Row) -> Self {
        Self {
            oid: row.get("oid"),
            array: row.get("array_type"),
            receives: row.get("receives"),
            name: row.get("typname"),
            built_in: row.get("built_in"),
            class: u8::try_from(row.get::<_, i8>("typtype")).map_or('?', char::from),
            send: row.get("send"),
            of_any_length: row.get("of_any_length"),
            part: row.get("part"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: u32 = 16384;

    fn it(oid: u32, name: &str, class: char, part: u32) -> Type {
        Type {
            oid,
            array: 0,
            receives: true,
            name: name.to_owned(),
            built_in: oid < USERS,
            class,
            send: Some("pg_catalog.send".to_owned()),
            of_any_length: false,
            part,
        }
    }

    #[test]
    fn an_encoding_follows_from_what_a_type_is_made_of() {
        let mut without_send = it(USERS, "shape", 'b', 0);
        without_send.send = None;
        let types: Types = [
            it(23, "int4", 'b', 0),
            it(1007, "_int4", 'b', 23),
            it(701, "float8", 'b', 0),
            it(1022, "_float8", 'b', 701),
            it(600, "point", 'b', 0),
            it(602, "path", 'b', 0),
            it(1019, "_path", 'b', 602),
            it(2205, "regclass", 'b', 0),
            it(2210, "_regclass", 'b', 2205),
            it(3904, "int4range", 'r', 23),
            it(4451, "int4multirange", 'm', 23),
            without_send,
            it(USERS + 1, "_shape", 'b', USERS),
            it(USERS + 2, "mood", 'e', 0),
            it(USERS + 3, "_mood", 'b', USERS + 2),
            it(USERS + 4, "age", 'd', 23),
            it(USERS + 5, "older", 'd', USERS + 4),
            it(USERS + 6, "_older", 'b', USERS + 5),
            it(USERS + 7, "ages", 'd', USERS + 6),
            it(USERS + 8, "_ages", 'b', USERS + 7),
            it(USERS + 9, "temperatures", 'r', 701),
            it(USERS + 10, "reg_user", 'b', 0),
            it(USERS + 11, "of_a_row", 'd', USERS + 99),
            it(USERS + 12, "itself", 'd', USERS + 12),
            it(USERS + 13, "int_ranges", 'r', USERS + 13),
        ]
        .into_iter()
        .collect();
        for (oid, encoding) in [
            (23, Encoding::Verbatim),
            (1007, Encoding::Array),
            (701, Encoding::Floats(0)),
            (1022, Encoding::FloatsArray(0)),
            (600, Encoding::Floats(0)),
            (602, Encoding::Floats(5)),
            (1019, Encoding::FloatsArray(5)),
            (2205, Encoding::Text),
            (2210, Encoding::Text),
            (3904, Encoding::Verbatim),
            (4451, Encoding::Verbatim),
            (USERS, Encoding::Text),
            (USERS + 1, Encoding::Text),
            (USERS + 2, Encoding::Verbatim),
            (USERS + 3, Encoding::Array),
            (USERS + 5, Encoding::Verbatim),
            (USERS + 6, Encoding::Array),
            (USERS + 7, Encoding::Array),
            (USERS + 8, Encoding::Text),
            (USERS + 9, Encoding::Text),
            (USERS + 10, Encoding::Verbatim),
            (USERS + 11, Encoding::Text),
            (USERS + 12, Encoding::Text),
            (USERS + 13, Encoding::Text),
            (USERS + 99, Encoding::Text),
        ] {
            assert_eq!(types.encoding(oid), encoding, "{oid}");
        }
        assert_eq!(types.width(23, "integer"), Width::Bounded);
        assert_eq!(types.width(USERS + 99, "own.row"), Width::Text);
        assert_eq!(types.base(USERS + 5).map(|it| it.oid), Some(23));
    }
}
