//! What there is to compare: tables, their columns and keys, on both sides.
use std::collections::{BTreeMap, BTreeSet};

use pgupgrade_postgres::{QualifiedName, quote_identifier};
use tokio_postgres::Client;

use crate::encoding::{Canon, Encoding};
use crate::side::{Side, sql};
use crate::{Error, Skipped, TableResult, Tables};

const COLUMNS: &str = include_str!("../sql/columns.sql");

/// A table as one side's catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    unlogged: bool,
    key: Vec<String>,
    names: Vec<String>,
    types: Vec<String>,
    encodings: Vec<String>,
}

/// `(schema, name)`.
pub(crate) type Key = (String, String);

/// The ordinary tables of a side, leaves of partitioned ones included.
pub(crate) async fn read(client: &Client, side: Side) -> Result<BTreeMap<Key, Table>, Error> {
    let rows = client
        .query(COLUMNS, &[])
        .await
        .map_err(sql(side, "reading the catalogue"))?;
    Ok(rows
        .iter()
        .map(|row| {
            let table = Table {
                unlogged: row.get("unlogged"),
                key: row.get("key_columns"),
                names: row.get("names"),
                types: row.get("types"),
                encodings: row.get("encodings"),
            };
            ((row.get("nspname"), row.get("relname")), table)
        })
        .collect())
}

/// The tables of publications, leaves by name.
pub(crate) async fn published(client: &Client, publications: &[String]) -> Result<BTreeSet<Key>, Error> {
    let query = "SELECT schemaname::text, tablename::text FROM pg_publication_tables WHERE pubname::text = ANY ($1)";
    let rows = client
        .query(query, &[&publications])
        .await
        .map_err(sql(Side::Source, "reading the publications"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// One table to read, the same way on both sides.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) name: QualifiedName,
    pub(crate) canon: Canon,
    pub(crate) key: Vec<String>,
    columns: String,
}

impl Reading {
    fn new(name: QualifiedName, table: &Table) -> Self {
        let encodings: Vec<Encoding> = table.encodings.iter().map(|name| Encoding::parse(name)).collect();
        let columns = table.names.iter().zip(&encodings).map(|(name, encoding)| {
            let name = quote_identifier(name);
            if *encoding == Encoding::Text {
                format!("{name}::pg_catalog.text")
            } else {
                name
            }
        });
        let columns = columns.collect::<Vec<_>>().join(", ");
        Self {
            name,
            canon: Canon::new(encodings),
            key: table.key.clone(),
            columns,
        }
    }

    fn from(&self) -> String {
        format!("FROM ONLY {}", self.name)
    }

    /// The statement that gives all columns.
    pub(crate) fn all(&self) -> String {
        format!(
            "COPY (SELECT {} {}) TO STDOUT (FORMAT binary)",
            self.columns,
            self.from()
        )
    }

    /// The statement that gives the key's columns as text before all columns.
    pub(crate) fn keyed(&self) -> String {
        let key = self
            .key
            .iter()
            .map(|name| format!("{}::pg_catalog.text", quote_identifier(name)));
        let key = key.collect::<Vec<_>>().join(", ");
        format!(
            "COPY (SELECT {key}, {} {}) TO STDOUT (FORMAT binary)",
            self.columns,
            self.from()
        )
    }
}

/// What is read, what can't be, and what is left out.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) readings: Vec<Reading>,
    pub(crate) problems: Vec<TableResult>,
    pub(crate) skipped: Vec<Skipped>,
}

/// Decides for each table.
pub(crate) fn plan(
    source: &BTreeMap<Key, Table>,
    target: &BTreeMap<Key, Table>,
    tables: &Tables,
    published: &BTreeSet<Key>,
) -> Plan {
    let mut plan = Plan::default();
    match tables {
        Tables::Named(names) => {
            for name in names {
                plan.add(name.clone(), source.get(&key(name)), target.get(&key(name)));
            }
        }
        Tables::Published(_) => {
            for (key, table) in source {
                let name = name(key);
                if published.contains(key) {
                    plan.add(name, Some(table), target.get(key));
                } else {
                    let reason = if table.unlogged { "unlogged" } else { "not published" };
                    plan.skipped.push(Skipped { name, reason });
                }
            }
            for key in target.keys().filter(|key| !source.contains_key(key)) {
                plan.add(name(key), None, target.get(key));
            }
        }
    }
    plan
}

fn key(name: &QualifiedName) -> Key {
    (name.schema.clone(), name.name.clone())
}

fn name((schema, name): &Key) -> QualifiedName {
    QualifiedName {
        schema: schema.clone(),
        name: name.clone(),
    }
}

impl Plan {
    fn add(&mut self, name: QualifiedName, source: Option<&Table>, target: Option<&Table>) {
        let problem = match (source, target) {
            (Some(table), _) | (None, Some(table)) if table.unlogged => {
                return self.skipped.push(Skipped {
                    name,
                    reason: "unlogged",
                });
            }
            (Some(source), Some(target)) => match difference(source, target) {
                None => return self.readings.push(Reading::new(name, source)),
                Some(difference) => difference,
            },
            (Some(_), None) => "the target does not have it".to_owned(),
            (None, Some(_)) => "only the target has it".to_owned(),
            (None, None) => "neither side has it as an ordinary table".to_owned(),
        };
        let problem = Some(problem);
        let result = TableResult {
            name,
            rows: 0,
            target_rows: 0,
            equal: false,
            problem,
            examples: Vec::new(),
        };
        self.problems.push(result);
    }
}

/// Columns are told apart by name and type; their order may differ.
fn difference(source: &Table, target: &Table) -> Option<String> {
    let columns = |table: &Table| -> BTreeMap<String, String> {
        table.names.iter().cloned().zip(table.types.iter().cloned()).collect()
    };
    let (source, target) = (columns(source), columns(target));
    for (name, kind) in &source {
        match target.get(name) {
            None => return Some(format!("the target has no column {name}")),
            Some(other) if other != kind => return Some(format!("column {name} is {kind}, on the target {other}")),
            Some(_) => {}
        }
    }
    let extra = target.keys().find(|name| !source.contains_key(*name))?;
    Some(format!("only the target has column {extra}"))
}
