//! Sequences: logical replication never advances them, so they are read from one side and set on the other.
//!
//! `pg_sequences.last_value` is NULL while `is_called` is false, so each sequence is read itself, from 18 on all at
//! once by `pg_get_sequence_data` (<https://www.postgresql.org/docs/18/functions-sequence.html>).
use std::collections::BTreeMap;
use std::time::Duration;

use tokio_postgres::Client;

use crate::QualifiedName;
use crate::guard;
use crate::owner::Claim;
use crate::transaction::{assert_owner, begin, roll_back, sql};

const LIST: &str = include_str!("../sql/sequences_list.sql");
const SET: &str = include_str!("../sql/sequences_set.sql");
/// Sequences a statement: each branch takes a lock, and the parser's depth is bounded.
const BATCH: usize = 200;
const TIMEOUT: Duration = Duration::from_secs(30);

/// What can go wrong with sequences.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement failed, or this leader is stale.
    #[error(transparent)]
    Guard(#[from] guard::Error),
    /// The role may not read them.
    #[error("no SELECT on the sequences {}: grant the role of their owner", list(.0))]
    Unreadable(Vec<QualifiedName>),
    /// After setting, the values read back differ.
    #[error("sequences differ after they were set: {}", .0.join(", "))]
    Different(Vec<String>),
}

fn list(names: &[QualifiedName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The position of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Its name.
    pub name: QualifiedName,
    /// The value last taken from it, those cached by a session included.
    pub last_value: i64,
    /// Whether the next value lies behind `last_value`, or is it.
    pub is_called: bool,
    /// From one value to the next; negative for one that descends.
    pub increment: i64,
}

/// The positions of all sequences that are not temporary, outside of the schema `pgupgrade`, by name.
///
/// # Errors
/// [`Error::Unreadable`], [`Error::Guard`].
pub async fn read(client: &Client) -> Result<Vec<Sequence>, Error> {
    let step = "reading the sequences";
    let version = client
        .query_one("SELECT current_setting('server_version_num')::int4", &[])
        .await
        .map_err(sql(step))?;
    let source = if version.get::<_, i32>(0) >= 180_000 {
        "(SELECT s.last_value, s.is_called FROM pg_get_sequence_data(q.seqrelid) s)"
    } else {
        "(SELECT NULL::bigint, NULL::boolean)"
    };
    let rows = client
        .query(&LIST.replace("{source}", source), &[])
        .await
        .map_err(sql(step))?;
    let name = |row: &tokio_postgres::Row| QualifiedName {
        schema: row.get(0),
        name: row.get(1),
    };
    let unreadable: Vec<QualifiedName> = rows.iter().filter(|row| !row.get::<_, bool>(2)).map(name).collect();
    if !unreadable.is_empty() {
        return Err(Error::Unreadable(unreadable));
    }
    let mut sequences = Vec::with_capacity(rows.len());
    let mut unknown = Vec::new();
    for row in &rows {
        match (row.get(3), row.get(4)) {
            (Some(last_value), Some(is_called)) => sequences.push(Sequence {
                name: name(row),
                last_value,
                is_called,
                increment: row.get(5),
            }),
            _ => unknown.push((name(row), row.get(5))),
        }
    }
    for batch in unknown.chunks(BATCH) {
        sequences.extend(read_each(client, batch).await?);
    }
    sequences.sort_by(|a, b| key(&a.name).cmp(&key(&b.name)));
    Ok(sequences)
}

fn key(name: &QualifiedName) -> (&str, &str) {
    (&name.schema, &name.name)
}

/// `named`: each with its increment.
async fn read_each(client: &Client, named: &[(QualifiedName, i64)]) -> Result<Vec<Sequence>, Error> {
    let query = named
        .iter()
        .enumerate()
        .map(|(i, (name, _))| format!("SELECT {i}::int4, last_value, is_called FROM {name}"))
        .collect::<Vec<_>>()
        .join(" UNION ALL ");
    let rows = client.query(&query, &[]).await.map_err(sql("reading the sequences"))?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            let (name, increment) = named.get(usize::try_from(row.get::<_, i32>(0)).ok()?)?.clone();
            Some(Sequence {
                name,
                last_value: row.get(1),
                is_called: row.get(2),
                increment,
            })
        })
        .collect())
}

/// Sets the sequences in one statement. `setval` is not undone by a rollback.
///
/// # Errors
/// [`Error::Guard`]: a sequence is missing, a value lies outside of its bounds, or this leader is stale.
pub async fn set(client: &Client, claim: &Claim, sequences: &[Sequence]) -> Result<(), Error> {
    let outcome = set_all(client, claim, sequences).await;
    if outcome.is_err() {
        roll_back(client).await;
    }
    outcome
}

async fn set_all(client: &Client, claim: &Claim, sequences: &[Sequence]) -> Result<(), Error> {
    let sql = sql("setting the sequences");
    let schemas: Vec<&str> = sequences.iter().map(|s| s.name.schema.as_str()).collect();
    let names: Vec<&str> = sequences.iter().map(|s| s.name.name.as_str()).collect();
    let values: Vec<i64> = sequences.iter().map(|s| s.last_value).collect();
    let called: Vec<bool> = sequences.iter().map(|s| s.is_called).collect();
    let script = format!("{}; {}", begin(TIMEOUT, TIMEOUT), assert_owner(claim));
    client.batch_execute(&script).await.map_err(&sql)?;
    client
        .query_one(SET, &[&schemas, &names, &values, &called])
        .await
        .map_err(&sql)?;
    client.batch_execute("COMMIT").await.map_err(&sql)?;
    Ok(())
}

/// Makes the target's sequences those of the source: reads, sets, reads back, compares. Gives their number.
///
/// # Errors
/// [`Error::Different`] where what is read back differs, and as [`read`] and [`set`].
pub async fn copy(source: &Client, target: &Client, claim: &Claim) -> Result<usize, Error> {
    let wanted = read(source).await?;
    set(target, claim, &wanted).await?;
    let different = differences(&wanted, &read(target).await?);
    if different.is_empty() {
        Ok(wanted.len())
    } else {
        Err(Error::Different(different))
    }
}

/// The sequences of the first list that the second does not have, or has elsewhere; in words.
#[must_use]
pub fn differences(wanted: &[Sequence], found: &[Sequence]) -> Vec<String> {
    let found: BTreeMap<_, _> = found
        .iter()
        .map(|s| (key(&s.name), (s.last_value, s.is_called)))
        .collect();
    wanted
        .iter()
        .filter_map(|s| match found.get(&key(&s.name)) {
            None => Some(format!("{} is missing", s.name)),
            Some(position) if *position != (s.last_value, s.is_called) => Some(format!(
                "{} is at {:?}, not {:?}",
                s.name,
                position,
                (s.last_value, s.is_called)
            )),
            Some(_) => None,
        })
        .collect()
}
