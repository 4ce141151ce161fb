//! Rows by their keys, in binary both ways.
//!
//! A session for this is made ready by [`prepare`] and used for nothing else: its planner knows only ways by index, on
//! a server without statistics too.
use std::collections::{HashMap, HashSet};
use std::error::Error as StdError;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{BufMut as _, BytesMut};
use futures::future::try_join_all;
use futures::{TryStreamExt, pin_mut};
use pgupgrade_postgres::{QualifiedName, quote_identifier};
use postgres_protocol::types::array_to_sql;
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Row, Statement};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::Error;
use crate::catalog::{KeyColumn, Reading};
use crate::encoding::{Field, Fields};
use crate::side::{Side, sql};
use crate::wide;

/// Keys of one statement; a key may have 2,700 bytes, and an array at most 1 GB.
const BATCH: usize = 1 << 17;

/// Statements that a session keeps; each plan takes the server some 10 kB.
const STATEMENTS: usize = 2_000;
/// Statements that are planned without waiting for each other's answers.
const PLANNED: usize = 100;

/// Characters of a value that are shown.
const SHOWN: u32 = 1000;

/// A value stored in more bytes than this is not shown.
const LARGE: u32 = 1 << 20;

/// What stands for NULL among hashes.
const NULL: u128 = 0;

/// A plan that does not depend on the keys is not made anew for each statement; without the other ways it goes by the
/// index, whatever the planner believes of a table that nobody analyzed.
const SETTINGS: &str = "SELECT pg_catalog.set_config(name, 'force_generic_plan', false) FROM pg_catalog.pg_settings WHERE name = 'plan_cache_mode'; \
    SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off";

/// Makes a session ready to look up rows.
///
/// # Errors
/// [`Error::Sql`].
pub(crate) async fn prepare(client: &Client, side: Side) -> Result<(), Error> {
    let step = "preparing a session that looks up rows";
    client.batch_execute(SETTINGS).await.map_err(sql(side, step))
}

/// Statements that look up rows, by table: making one ready takes longer than looking up a few rows. Each belongs to one
/// session.
#[derive(Default)]
pub(crate) struct Statements(Mutex<HashMap<QualifiedName, Statement>>);

impl Statements {
    fn get(&self, name: &QualifiedName) -> Option<Statement> {
        self.lock().get(name).cloned()
    }

    fn keep(&self, name: &QualifiedName, statement: &Statement) {
        let mut statements = self.lock();
        if statements.len() < STATEMENTS {
            statements.insert(name.clone(), statement.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QualifiedName, Statement>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the server plan the statements for as many tables as are kept.
    ///
    /// # Errors
    /// As [`rows_by_key`].
    pub(crate) async fn plan(&self, client: &Client, side: Side, readings: &[Reading]) -> Result<(), Error> {
        let keyed = readings.iter().filter(|reading| reading.is_keyed());
        let all: Vec<&Reading> = keyed.take(STATEMENTS).collect();
        for some in all.chunks(PLANNED) {
            let plans = some
                .iter()
                .map(|reading| each_row(client, self, side, reading, None, &[], |_| Ok(())));
            try_join_all(plans).await?;
        }
        Ok(())
    }
}

/// The rows that have these keys: key and hash of the canonical row, alike to what a reader of the whole table hashes.
/// A key that has no row is absent. A row whose key is equal but not the same (`1.0` and `1.00`, or another letter case
/// where the collation ignores it) is not its row.
///
/// # Errors
/// [`Error::Sql`], also where the role may not read the table; [`Error::Format`] for what is no key of it.
pub(crate) async fn rows_by_key(
    client: &Client,
    statements: &Statements,
    side: Side,
    reading: &Reading,
    keys: &[&[u8]],
    seed: u64,
) -> Result<HashMap<Vec<u8>, u128>, Error> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let wanted: HashSet<&[u8]> = sorted.iter().copied().collect();
    let mut found = HashMap::with_capacity(sorted.len());
    let (mut bytes, mut key, mut buffer) = (Vec::new(), Vec::new(), Vec::new());
    for batch in sorted.chunks(BATCH) {
        each_row(client, statements, side, reading, None, batch, |row| {
            copy_format(row, reading.fields(), &mut bytes)?;
            key.clear();
            reading.key(&bytes, &mut key)?;
            if wanted.contains(key.as_slice()) {
                let canonical = reading.canon.apply(Fields::new(&bytes)?, &mut buffer)?;
                found.insert(key.clone(), xxh3_128_with_seed(canonical, seed));
            }
            Ok(())
        })
        .await?;
    }
    Ok(found)
}

/// A row as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// `column=value, …`
    pub(crate) key: String,
    /// Every column and its value as text, cut after a thousand characters.
    pub(crate) columns: Vec<(String, Option<String>)>,
    /// The hash of the whole canonical value of each of these columns.
    pub(crate) hashes: Vec<u128>,
}

/// The row that has this key.
///
/// # Errors
/// As [`rows_by_key`].
pub(crate) async fn show(client: &Client, side: Side, reading: &Reading, key: &[u8]) -> Result<Option<Shown>, Error> {
    let columns = reading.fields();
    let text = reading.names().iter().map(|name| shown(&quote_identifier(name)));
    let text = text.collect::<String>();
    let (mut bytes, mut other, mut found) = (Vec::new(), Vec::new(), None);
    each_row(
        client,
        &Statements::default(),
        side,
        reading,
        Some(&text),
        &[key],
        |row| {
            copy_format(row, columns, &mut bytes)?;
            other.clear();
            reading.key(&bytes, &mut other)?;
            if other == key {
                let text = (columns..row.len()).map(|column| {
                    row.try_get::<_, Option<String>>(column)
                        .map_err(sql(side, "reading a row as text"))
                });
                let text = text.collect::<Result<Vec<_>, Error>>()?;
                found = Some((text, column_hashes(reading, &bytes)?));
            }
            Ok(())
        },
    )
    .await?;
    Ok(found.map(|(values, hashes)| Shown {
        key: rendered(reading, |position| values.get(position).cloned().flatten()),
        columns: reading.names().iter().cloned().zip(values).collect(),
        hashes,
    }))
}

/// The hash of each column, of values that were hashed by the server too.
fn column_hashes(reading: &Reading, row: &[u8]) -> Result<Vec<u128>, Error> {
    let mut buffer = Vec::new();
    let canonical = reading.canon.apply(Fields::new(row)?, &mut buffer)?;
    let mut fields = Fields::of(canonical, reading.fields())?;
    let mut hashes = Vec::with_capacity(reading.names().len());
    while let Some(field) = fields.next()? {
        match field {
            Field::Value(large) if hashes.len() == reading.names().len() => {
                for (column, hash) in wide::hashes(large)? {
                    if let Some(known) = hashes.get_mut(column) {
                        *known = xxh3_128_with_seed(hash, 0);
                    }
                }
            }
            Field::Value(value) => hashes.push(xxh3_128_with_seed(value, 0)),
            Field::Null => hashes.push(NULL),
        }
    }
    hashes.truncate(reading.names().len());
    Ok(hashes)
}

/// The beginning of a column's value as text; of a large value only how large it is.
fn shown(column: &str) -> String {
    format!(
        ", CASE WHEN pg_catalog.pg_column_size(t.{column}) > {LARGE} \
         THEN pg_catalog.format('(%s bytes)', pg_catalog.pg_column_size(t.{column})) \
         ELSE pg_catalog.left(t.{column}::pg_catalog.text, {SHOWN}) END"
    )
}

/// A key as people read it, `column=value, …`, whether or not there is a row.
///
/// # Errors
/// As [`rows_by_key`].
pub(crate) async fn show_key(client: &Client, side: Side, reading: &Reading, key: &[u8]) -> Result<String, Error> {
    let step = format!("showing a key of {}", reading.name);
    let lookup = &reading.on(side).key;
    let values = (1..=lookup.len()).map(|number| format!("pg_catalog.left((${number})[1]::pg_catalog.text, {SHOWN})"));
    let statement = format!("SELECT {}", values.collect::<Vec<_>>().join(", "));
    let statement = client
        .prepare_typed(&statement, &types(lookup))
        .await
        .map_err(sql(side, &step))?;
    let arrays = arrays(lookup, &[key])?;
    let parameters: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| array as _).collect();
    let row = client
        .query_one(&statement, &parameters)
        .await
        .map_err(sql(side, &step))?;
    let mut values = HashMap::new();
    for (index, position) in reading.key_positions.iter().enumerate() {
        values.insert(
            *position,
            row.try_get::<_, Option<String>>(index).map_err(sql(side, &step))?,
        );
    }
    Ok(rendered(reading, |position| values.get(&position).cloned().flatten()))
}

fn rendered(reading: &Reading, value: impl Fn(usize) -> Option<String>) -> String {
    let columns = reading.key.iter().zip(&reading.key_positions);
    let columns = columns.map(|(name, position)| format!("{name}={}", value(*position).unwrap_or_default()));
    columns.collect::<Vec<_>>().join(", ")
}

impl Reading {
    /// The statement that gives columns of the rows whose keys are in its parameters, an array for each column.
    fn lookup(&self, side: Side, columns: &str) -> String {
        let key: Vec<(String, &KeyColumn)> = self
            .key
            .iter()
            .zip(&self.on(side).key)
            .map(|(name, column)| (format!("t.{}{}", quote_identifier(name), column.collation), column))
            .collect();
        if let [(value, column)] = key.as_slice() {
            return format!(
                "SELECT {columns} {} WHERE {value} {} ANY ($1)",
                self.from(),
                column.operator
            );
        }
        let numbers = 1..=key.len();
        let arrays: Vec<String> = numbers
            .clone()
            .map(|number| format!("pg_catalog.unnest(${number})"))
            .collect();
        let names: Vec<String> = numbers.map(|number| format!("k{number}")).collect();
        let equal = key
            .iter()
            .zip(&names)
            .map(|((value, column), name)| format!("{value} {} k.{name}", column.operator));
        format!(
            "SELECT {columns} FROM ROWS FROM ({}) AS k ({}) JOIN ONLY {} AS t ON {}",
            arrays.join(", "),
            names.join(", "),
            self.name,
            equal.collect::<Vec<_>>().join(" AND ")
        )
    }
}

/// Hands over the rows that have these keys: all columns, and what is asked for besides.
async fn each_row(
    client: &Client,
    statements: &Statements,
    side: Side,
    reading: &Reading,
    besides: Option<&str>,
    keys: &[&[u8]],
    mut row: impl FnMut(&Row) -> Result<(), Error>,
) -> Result<(), Error> {
    let step = format!("reading rows of {} by key", reading.name);
    let lookup = &reading.on(side).key;
    let statement = if let Some(statement) = statements.get(&reading.name) {
        statement
    } else {
        let columns = reading.columns().to_owned() + besides.unwrap_or_default();
        let statement = client
            .prepare_typed(&reading.lookup(side, &columns), &types(lookup))
            .await
            .map_err(sql(side, &step))?;
        statements.keep(&reading.name, &statement);
        statement
    };
    let stream = client
        .query_raw(&statement, arrays(lookup, keys)?)
        .await
        .map_err(sql(side, &step))?;
    pin_mut!(stream);
    while let Some(found) = stream.try_next().await.map_err(sql(side, &step))? {
        row(&found)?;
    }
    Ok(())
}

/// Writes the first columns of a row as COPY sends them.
fn copy_format(row: &Row, columns: usize, bytes: &mut Vec<u8>) -> Result<(), Error> {
    bytes.clear();
    let count = u16::try_from(columns).map_err(|_| Error::Format("more columns than a row can have"))?;
    bytes.extend_from_slice(&count.to_be_bytes());
    for column in 0..columns {
        let value: Option<Raw> = row
            .try_get(column)
            .map_err(|_| Error::Format("a row with too few columns"))?;
        let Some(Raw(value)) = value else {
            bytes.extend_from_slice(&[0xff; 4]);
            continue;
        };
        let length = u32::try_from(value.len()).map_err(|_| Error::Format("a field of more than 4 GB"))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(value);
    }
    Ok(())
}

/// The types of the parameters. Their names and kinds don't matter to the server.
fn types(lookup: &[KeyColumn]) -> Vec<Type> {
    let named = |oid, kind| Type::new(String::new(), oid, kind, String::new());
    lookup
        .iter()
        .map(|column| named(column.array, Kind::Array(named(column.kind, Kind::Simple))))
        .collect()
}

/// Turns keys into one array for each column.
fn arrays<'a>(lookup: &[KeyColumn], keys: &[&'a [u8]]) -> Result<Vec<RawArray<'a>>, Error> {
    let empty = |column: &KeyColumn| RawArray {
        kind: column.kind,
        values: Vec::with_capacity(keys.len()),
    };
    let mut arrays: Vec<RawArray> = lookup.iter().map(empty).collect();
    for mut key in keys.iter().copied() {
        for array in &mut arrays {
            let (value, rest) = first_value(key).ok_or(Error::Format("a key that ends too early"))?;
            array.values.push(value);
            key = rest;
        }
        if !key.is_empty() {
            return Err(Error::Format("a key with bytes behind its end"));
        }
    }
    Ok(arrays)
}

fn first_value(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = key.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// The bytes of a value as they were sent, whatever its type.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// An array of values as they were received, whatever their type.
#[derive(Debug)]
struct RawArray<'a> {
    kind: u32,
    values: Vec<&'a [u8]>,
}

impl ToSql for RawArray<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let dimension = postgres_protocol::types::ArrayDimension {
            len: i32::try_from(self.values.len())?,
            lower_bound: 1,
        };
        let element = |value: &&[u8], out: &mut BytesMut| {
            out.put_slice(value);
            Ok(postgres_protocol::IsNull::No)
        };
        array_to_sql([dimension], self.kind, self.values.iter(), element, out)?;
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests;
