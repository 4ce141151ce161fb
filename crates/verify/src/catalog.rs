//! What there is to compare: tables, their columns and keys, on both sides.
use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join;
use pgupgrade_postgres::{QualifiedName, quote_identifier};
use tokio_postgres::{Client, Row};

use crate::encoding::{Canon, Encoding, Field, Fields};
use crate::side::{Side, sql};
use crate::types::Types;
use crate::version::Version;
use crate::wide::{self, Width};
use crate::{Error, Skipped, TableResult, Tables};

const COLUMNS: &str = include_str!("../sql/columns.sql");
const KEYS: &str = include_str!("../sql/keys.sql");

/// A table as one side's catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    relation: Relation,
    /// The partitioned tables that it is a leaf of.
    ancestors: Vec<Key>,
    unlogged: bool,
    unique: Vec<UniqueIndex>,
    names: Vec<String>,
    types: Vec<String>,
    encodings: Vec<Encoding>,
    widths: Vec<Width>,
}

impl Table {
    /// Whether a publication names it or a partitioned table that it is a leaf of.
    fn is_published(&self, key: &Key, published: &BTreeSet<Key>) -> bool {
        published.contains(key) || self.ancestors.iter().any(|ancestor| published.contains(ancestor))
    }
}

/// What is a side's own of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relation {
    /// `pg_class.oid`.
    pub(crate) oid: u32,
    /// `pg_relation_filenode`: another one later means that all rows were written anew or removed.
    pub(crate) filenode: u32,
    /// The planner's estimate of the number of rows; none for a table never analyzed.
    pub(crate) tuples: Option<u64>,
    /// Bytes of the main fork.
    pub(crate) bytes: u64,
    /// Bytes of the TOAST table.
    pub(crate) toast_bytes: u64,
    /// The key's columns, in the key's order; none for a table without a key.
    pub(crate) key: Vec<KeyColumn>,
}

/// How one side finds a value of a key's column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyColumn {
    /// The OID of the column's type; of a domain, that of the type below it.
    pub(crate) kind: u32,
    /// The OID of the type of arrays of it; zero where there is none or where its values can't be received.
    pub(crate) array: u32,
    /// `OPERATOR(schema.=)`: equality as the index has it.
    pub(crate) operator: String,
    /// ` COLLATE …` where the index has another collation than the column, else nothing.
    pub(crate) collation: String,
}

/// A unique index whose columns are a key: immediate, valid, not partial, without expressions, over columns that are
/// never NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
struct UniqueIndex {
    /// Whether the replica identity allows it.
    identity: bool,
    columns: Vec<String>,
    lookup: Vec<KeyColumn>,
}

/// `(schema, name)`.
pub(crate) type Key = (String, String);

/// The ordinary tables of a side, leaves of partitioned ones included.
pub(crate) async fn read(client: &Client, side: Side) -> Result<BTreeMap<Key, Table>, Error> {
    let version = Version::read(client, side).await?;
    let types = Types::read(client, side, version).await?;
    let (columns, keys) = (version.adapt(COLUMNS), version.adapt(KEYS));
    let (rows, keys) = try_join(client.query(&*columns, &[]), client.query(&*keys, &[]))
        .await
        .map_err(sql(side, "reading the catalogue"))?;
    let mut unique: BTreeMap<u32, Vec<UniqueIndex>> = BTreeMap::new();
    for row in &keys {
        unique
            .entry(row.get("relation"))
            .or_default()
            .push(unique_index(row, &types));
    }
    Ok(rows
        .iter()
        .map(|row| {
            let table = table(row, &types, unique.remove(&row.get("oid")).unwrap_or_default());
            ((row.get("nspname"), row.get("relname")), table)
        })
        .collect())
}

fn table(row: &Row, types: &Types, unique: Vec<UniqueIndex>) -> Table {
    let count = |name| {
        row.get::<_, Option<i64>>(name)
            .and_then(|value| u64::try_from(value).ok())
    };
    let kinds: Vec<u32> = row.get("kinds");
    let declared: Vec<String> = row.get("types");
    let (schemas, names): (Vec<String>, Vec<String>) = (row.get("ancestor_schemas"), row.get("ancestor_names"));
    Table {
        relation: Relation {
            oid: row.get("oid"),
            filenode: row.get("filenode"),
            tuples: count("tuples"),
            bytes: count("bytes").unwrap_or_default(),
            toast_bytes: count("toast_bytes").unwrap_or_default(),
            key: Vec::new(),
        },
        ancestors: schemas.into_iter().zip(names).collect(),
        unlogged: row.get("unlogged"),
        unique,
        names: row.get("names"),
        encodings: kinds.iter().map(|kind| types.encoding(*kind)).collect(),
        widths: kinds
            .iter()
            .zip(&declared)
            .map(|(kind, declared)| types.width(*kind, declared))
            .collect(),
        types: declared,
    }
}

fn unique_index(row: &Row, types: &Types) -> UniqueIndex {
    let kinds: Vec<u32> = row.get("kinds");
    let (operators, collations): (Vec<String>, Vec<String>) = (row.get("operators"), row.get("collations"));
    let columns = kinds.into_iter().zip(operators.into_iter().zip(collations));
    let lookup = columns.map(|(kind, (operator, collation))| {
        let base = types.base(kind);
        KeyColumn {
            kind: base.map_or(kind, |base| base.oid),
            array: base.filter(|base| base.receives).map_or(0, |base| base.array),
            operator,
            collation,
        }
    });
    UniqueIndex {
        identity: row.get("identity"),
        columns: row.get("columns"),
        lookup: lookup.collect(),
    }
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
    /// The columns of a unique index that both sides have, chosen by the source's replica identity; none where there
    /// is no such index, and `notes` says why.
    pub(crate) key: Vec<String>,
    /// Where the key's columns are among those of a row, from zero.
    pub(crate) key_positions: Vec<usize>,
    /// What a reader of the result has to know of how the table was read.
    pub(crate) notes: Vec<String>,
    names: Vec<String>,
    relations: [Relation; 2],
    fields: usize,
    columns: String,
}

impl Reading {
    fn new(name: QualifiedName, source: &Table, target: &Table) -> Self {
        let encodings = encodings(source, target);
        let key = key_of(source, target, &encodings);
        let columns = expressions(source, target, &encodings, key.as_ref().ok());
        let mut reading = Self {
            name,
            canon: Canon::new(encodings.clone()),
            key: Vec::new(),
            key_positions: Vec::new(),
            notes: text_note(source, &encodings).into_iter().collect(),
            names: source.names.clone(),
            relations: [source.relation.clone(), target.relation.clone()],
            fields: columns.len(),
            columns: columns.join(", "),
        };
        match key {
            Ok(key) => {
                reading.key_positions = key.positions;
                reading.key.clone_from(&key.source.columns);
                reading.relations[0].key.clone_from(&key.source.lookup);
                reading.relations[1].key = key.target;
            }
            Err(reason) => reading.notes.push(format!("no key: {reason}")),
        }
        reading
    }

    /// What is a side's own of the table.
    pub(crate) fn on(&self, side: Side) -> &Relation {
        let [source, target] = &self.relations;
        match side {
            Side::Source => source,
            Side::Target => target,
        }
    }

    /// The names of all columns, in the order of a row's fields.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// How many fields a row has: one more than columns where one is for values too large to be sent.
    pub(crate) fn fields(&self) -> usize {
        self.fields
    }

    /// All columns as they are read, of a table called `t`.
    pub(crate) fn columns(&self) -> &str {
        &self.columns
    }

    /// The table alone, without what inherits from it, called `t`.
    pub(crate) fn from(&self) -> String {
        format!("FROM ONLY {} AS t", self.name)
    }

    /// Appends the key of a row of [`Self::all`] to the buffer: of each of the key's columns its length in four bytes,
    /// then its value as it was sent.
    ///
    /// # Errors
    /// [`Error::Format`] for a row that is cut, or without a value.
    pub(crate) fn key(&self, row: &[u8], buffer: &mut Vec<u8>) -> Result<(), Error> {
        let mut fields = Fields::new(row)?;
        let mut passed = 0;
        for position in &self.key_positions {
            if passed > *position {
                fields = Fields::new(row)?;
                passed = 0;
            }
            while passed < *position {
                fields.next()?;
                passed += 1;
            }
            let Some(Field::Value(value)) = fields.next()? else {
                return Err(Error::Format("a key without a value"));
            };
            passed += 1;
            let length = u32::try_from(value.len()).map_err(|_| Error::Format("a field of more than 4 GB"))?;
            buffer.extend_from_slice(&length.to_be_bytes());
            buffer.extend_from_slice(value);
        }
        Ok(())
    }

    /// The statement that gives all columns.
    #[cfg(test)]
    pub(crate) fn all(&self) -> String {
        format!(
            "COPY (SELECT {} {}) TO STDOUT (FORMAT binary)",
            self.columns,
            self.from()
        )
    }
}

/// How each of the source's columns is read on both sides.
fn encodings(source: &Table, target: &Table) -> Vec<Encoding> {
    let on_target: BTreeMap<&String, Encoding> = target.names.iter().zip(target.encodings.iter().copied()).collect();
    let columns = source.names.iter().zip(&source.encodings);
    columns
        .map(|(name, encoding)| match on_target.get(name) {
            Some(other) if other == encoding => *encoding,
            _ => Encoding::Text,
        })
        .collect()
}

/// What is read of each of the source's columns. A key's values are found by an index, and thus small.
fn expressions(source: &Table, target: &Table, encodings: &[Encoding], key: Option<&SharedKey>) -> Vec<String> {
    let columns = source.names.iter().zip(encodings).zip(&source.widths).enumerate();
    let columns = columns.map(|(position, ((name, encoding), width))| wide::Column {
        name: format!("t.{}", quote_identifier(name)),
        encoding: *encoding,
        width: match key {
            Some(key) if key.positions.contains(&position) => &Width::Bounded,
            _ => width,
        },
    });
    let hashing = [source, target]
        .iter()
        .any(|table| wide::possible(table.relation.toast_bytes));
    wide::expressions(&columns.collect::<Vec<_>>(), hashing)
}

/// The columns that are compared as text, whose type has no binary form or one that differs between the sides.
fn text_note(table: &Table, encodings: &[Encoding]) -> Option<String> {
    let columns = table.names.iter().zip(&table.types).zip(encodings);
    let columns = columns.filter(|(_, encoding)| **encoding == Encoding::Text);
    let columns: Vec<String> = columns.map(|((name, kind), _)| format!("{name} ({kind})")).collect();
    (!columns.is_empty()).then(|| format!("columns read as text: {}", columns.join(", ")))
}

/// A key that both sides have.
struct SharedKey<'a> {
    source: &'a UniqueIndex,
    target: Vec<KeyColumn>,
    positions: Vec<usize>,
}

/// The key by which rows are named on both sides, or why there is none.
fn key_of<'a>(source: &'a Table, target: &Table, encodings: &[Encoding]) -> Result<SharedKey<'a>, String> {
    let index = source.unique.iter().find(|index| index.identity);
    let index = index.ok_or("the replica identity names no unique index without NULL")?;
    let columns = index.columns.join(", ");
    let positions = index
        .columns
        .iter()
        .map(|name| source.names.iter().position(|other| other == name));
    let positions: Option<Vec<usize>> = positions.collect();
    let positions = positions.ok_or_else(|| format!("a column of ({columns}) is not stored"))?;
    let plain = |position: &usize| encodings.get(*position) == Some(&Encoding::Verbatim);
    if !positions.iter().all(plain) {
        return Err(format!("a column of ({columns}) can't be looked up in binary"));
    }
    let lookup = target.unique.iter().find_map(|other| same_columns(index, other));
    let lookup = lookup.ok_or_else(|| format!("the target has no unique index over ({columns})"))?;
    if index.lookup.iter().chain(&lookup).any(|column| column.array == 0) {
        return Err(format!("a type of ({columns}) can't be received in binary"));
    }
    Ok(SharedKey {
        source: index,
        target: lookup,
        positions,
    })
}

/// What the other index says of the columns of this one, in the order of this one.
fn same_columns(index: &UniqueIndex, other: &UniqueIndex) -> Option<Vec<KeyColumn>> {
    if index.columns.len() != other.columns.len() {
        return None;
    }
    let place = |name: &String| other.columns.iter().position(|column| column == name);
    let columns = index.columns.iter();
    columns.map(|name| other.lookup.get(place(name)?).cloned()).collect()
}

/// What is read, what can't be, and what is left out.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) readings: Vec<Reading>,
    pub(crate) problems: Vec<TableResult>,
    pub(crate) skipped: Vec<Skipped>,
}

/// Reads the catalogues of both sides, and decides for each table.
///
/// # Errors
/// [`Error::Sql`].
pub(crate) async fn plan_of(source: &Client, target: &Client, tables: &Tables) -> Result<Plan, Error> {
    let (on_source, on_target) = try_join(read(source, Side::Source), read(target, Side::Target)).await?;
    let published = match tables {
        Tables::Published(names) => published(source, names).await?,
        Tables::Named(_) | Tables::All => BTreeSet::new(),
    };
    Ok(plan(&on_source, &on_target, tables, &published))
}

/// The tables that publications of the source publish: ordinary ones, and the leaves of partitioned ones, by whichever
/// of them the publications name.
///
/// # Errors
/// [`Error::Sql`].
pub async fn published_leaves(source: &Client, publications: &[String]) -> Result<Vec<QualifiedName>, Error> {
    let leaves = published_oids(source, publications).await?;
    Ok(leaves.into_iter().map(|(name, _)| name).collect())
}

/// As [`published_leaves`], with their OIDs.
pub(crate) async fn published_oids(
    source: &Client,
    publications: &[String],
) -> Result<Vec<(QualifiedName, u32)>, Error> {
    let tables = read(source, Side::Source).await?;
    let published = published(source, publications).await?;
    let leaves = tables
        .iter()
        .filter(|(key, table)| !table.unlogged && table.is_published(key, &published));
    Ok(leaves.map(|(key, table)| (name(key), table.relation.oid)).collect())
}

/// Decides for each table.
fn plan(
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
        Tables::All | Tables::Published(_) => {
            for (key, table) in source {
                let name = name(key);
                if matches!(tables, Tables::All) || table.is_published(key, published) {
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
                None => return self.readings.push(Reading::new(name, source, target)),
                Some(difference) => difference,
            },
            (Some(_), None) => "the target does not have it".to_owned(),
            (None, Some(_)) => "only the target has it".to_owned(),
            (None, None) => "neither side has it as an ordinary table".to_owned(),
        };
        let problem = Some(problem);
        let result = TableResult {
            name,
            depth: None,
            rows: 0,
            target_rows: 0,
            equal: false,
            problem,
            differing: 0,
            estimated: false,
            examples: Vec::new(),
            undecided: None,
            notes: Vec::new(),
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
