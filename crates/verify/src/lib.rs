//! Comparison of two PostgreSQL databases, row by row.
//!
//! All rows of all tables are read on both sides at once ([`bulk`]), made canonical ([`encoding`]) and hashed in the
//! client; count and sum of the hashes do not depend on the order, so that nothing has to be sorted. A row that is
//! missing, doubled, changed, or has its values swapped with another's changes them, and a sketch tells its key
//! ([`sketch`]). [`compare()`] is for databases that hold still, [`Live`] for those that are written to, [`Pinned`] for
//! what both were at one instant, and [`schema`] for everything that is no row.
mod bulk;
mod catalog;
mod compare;
mod copy_stream;
mod dirty;
mod drain;
mod encoding;
mod examples;
mod feed;
mod known;
mod limits;
mod live;
mod lookup;
mod pair;
mod pinned;
pub mod schema;
mod sequences;
mod side;
mod sketch;
mod snapshot;
mod standalone;
mod types;
mod version;
mod wide;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use pgupgrade_postgres::QualifiedName;
use pgupgrade_postgres::connection::Connector;
use serde::{Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub use catalog::published_leaves;
pub use compare::compare;
pub use dirty::SpillError;
pub use feed::{FeedError, FeedNames, create as create_feed, watchable};
pub use known::{Depth, Known};
pub use limits::{Limits, Pause, PauseAbove};
pub use live::{Foreign, Live, Replication};
pub use pinned::Pinned;
pub use sequences::{SequenceDifference, SequencePosition, differing_sequences};
pub use side::Side;
pub use standalone::{Left, Remnant, Standalone};

/// What can go wrong while comparing; a difference is no error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("connecting to the {side}: {source}")]
    Connect {
        /// `source` or `target`.
        side: &'static str,
        /// Why.
        source: Box<pgupgrade_postgres::Error>,
    },
    /// A statement failed or the connection broke.
    #[error("{step} on the {side}: {detail}")]
    Sql {
        /// What was being done.
        step: String,
        /// `source` or `target`.
        side: &'static str,
        /// The server's message.
        detail: String,
        /// The driver's error.
        source: tokio_postgres::Error,
    },
    /// A step that is not this crate's own failed.
    #[error(transparent)]
    Postgres(#[from] Box<pgupgrade_postgres::Error>),
    /// It can't be decided whether both sides are equal.
    #[error("{0}")]
    Undecided(String),
    /// The stream of COPY is not what the documentation says.
    #[error("reading a table in binary: {0}")]
    Format(&'static str),
    /// A reader ended by itself.
    #[error("the reader of the {side} ended: {detail}")]
    Reader {
        /// `source` or `target`.
        side: &'static str,
        /// Why.
        detail: String,
    },
    /// The positions of sequences could not be read.
    #[error("the {side}: {source}")]
    Sequences {
        /// `source` or `target`.
        side: &'static str,
        /// Why.
        source: Box<pgupgrade_postgres::sequences::Error>,
    },
    /// The changed rows could not be followed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// Keys could not be kept.
    #[error(transparent)]
    Spill(#[from] SpillError),
}

impl Error {
    /// Whether something was waited for that may still come.
    pub(crate) fn is_late(&self) -> bool {
        match self {
            Self::Postgres(error) => matches!(**error, pgupgrade_postgres::Error::Deadline { .. }),
            Self::Feed(error) => matches!(error, FeedError::Late { .. }),
            _ => false,
        }
    }
}

impl From<pgupgrade_postgres::Error> for Error {
    fn from(error: pgupgrade_postgres::Error) -> Self {
        Self::Postgres(Box::new(error))
    }
}

/// Which tables are compared.
#[derive(Clone, Debug)]
pub enum Tables {
    /// All of both sides.
    All,
    /// Those of these publications on the source; tables without are listed as skipped.
    Published(Vec<String>),
    /// These, partitioned ones by the names of their leaves.
    Named(Vec<QualifiedName>),
}

/// Takes the progress of a comparison.
pub type ProgressFn = Arc<dyn Fn(Progress) + Send + Sync>;

/// Writes down what is known, for the case that this process ends; it says why where it can't.
pub type KeepFn = Arc<dyn Fn(Known) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// How to compare.
#[derive(Clone)]
pub struct Options {
    /// How much of the tables is compared of which the rows that did not change are known to be alike.
    pub depth: Depth,
    /// Called before WAL is given free that a later process would need to know as much. Without it such a one begins
    /// anew with every row.
    pub keep: Option<KeepFn>,
    /// At most this many keys are shown for a table that differs.
    pub examples: usize,
    /// Whether the values of columns that differ are shown, and not only the names of the columns.
    pub show_values: bool,
    /// How long the keys of rows that differ may be looked for, once it is known which tables differ: under a fence
    /// the application waits for that. Where the time is up, no keys are shown.
    pub search: Duration,
    /// A standby of the source, from which tables with a key are read as a whole once it shows what was committed when
    /// that began. Everything else needs the source itself: which changes a snapshot sees is not known on a standby.
    pub reader: Option<Connector>,
    /// Called after each table and every few thousand rows.
    pub progress: Option<ProgressFn>,
    /// Names of exported snapshots of source and target to read instead of what is there now.
    pub snapshots: Option<(String, String)>,
    /// Sessions on each side that read at the same time.
    pub parallelism: usize,
    /// What may be taken of the servers.
    pub limits: Limits,
    /// Bytes that may be held to tell rows apart, and again for those that differ. With less than 10 MB for a table at
    /// a time, tables wait for each other's.
    pub sketch_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            depth: Depth::Full,
            keep: None,
            reader: None,
            examples: 5,
            show_values: false,
            search: Duration::from_secs(5),
            progress: None,
            snapshots: None,
            parallelism: 4,
            limits: Limits::default(),
            sketch_bytes: 24 << 20,
        }
    }
}

/// How far the comparison is, as the slower side has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Tables read on both sides.
    pub tables_done: usize,
    /// Tables to read.
    pub tables: usize,
    /// Rows read on one side.
    pub rows: u64,
    /// Bytes read on one side.
    pub bytes: u64,
    /// The share that has been read, of a hundred.
    pub percent: u8,
    /// Why nothing is read at the moment.
    pub paused: Option<Pause>,
}

/// What the comparison found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Rows read on the source.
    pub rows: u64,
    /// Bytes read on the source.
    pub bytes: u64,
    /// Each table that was compared.
    pub tables: Vec<TableResult>,
    /// Each table that was not.
    pub skipped: Vec<Skipped>,
    /// Transactions that wrote on the target without coming from the source, with some of the tables that they wrote
    /// to, as far as that is watched.
    pub foreign: Foreigners,
    /// How many of the tables differ. Zero: both sides hold the same rows.
    pub differences: usize,
    /// Why the tables that are listed may not be all, or not be what they were.
    pub undecided: Option<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// All that was compared is equal.
    Equal,
    /// Something differs.
    Different,
    /// Nothing is known to differ, but not everything could be compared.
    Undecided,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "equal",
            Self::Different => "different",
            Self::Undecided => "not decided",
        })
    }
}

impl Report {
    /// How much of every table was compared.
    #[must_use]
    pub fn depth(&self) -> Depth {
        let depths = self.tables.iter().filter_map(|table| table.depth);
        depths.min().unwrap_or_default()
    }

    /// Of how many tables only the rows that changed were compared.
    #[must_use]
    pub fn tables_by_changes(&self) -> usize {
        let changed = |table: &&TableResult| table.depth == Some(Depth::Changed);
        self.tables.iter().filter(changed).count()
    }

    /// What it comes to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.tables.iter().any(|table| !table.equal) {
            Verdict::Different
        } else if self.undecided.is_some() || self.tables.iter().any(|table| table.undecided.is_some()) {
            Verdict::Undecided
        } else {
            Verdict::Equal
        }
    }
}

fn plain<S: Serializer>(name: &QualifiedName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&name.plain())
}

/// A table that was compared.
#[derive(Clone, Debug, Serialize)]
pub struct TableResult {
    /// Its name.
    #[serde(serialize_with = "plain")]
    pub name: QualifiedName,
    /// How much of it was compared; none where it was not so far.
    pub depth: Option<Depth>,
    /// Its rows on the source, once every one was read.
    pub rows: u64,
    /// Its rows on the target, likewise.
    pub target_rows: u64,
    /// Whether both sides hold the same rows.
    pub equal: bool,
    /// Why it could not be compared: it is missing, or its columns differ.
    pub problem: Option<String>,
    /// How many rows differ, by their keys; for a table without a key by how many its number of rows differs, but at
    /// least one.
    pub differing: u64,
    /// Whether `differing` is an estimate, as it is where many rows differ.
    pub estimated: bool,
    /// Keys of rows that differ, as far as asked for; none for a table without a key.
    pub examples: Vec<Example>,
    /// Why it can't be told whether both sides hold the same rows, apart from what is known to differ.
    pub undecided: Option<String>,
    /// How it was read, where that matters.
    pub notes: Vec<String>,
}

/// A row that differs. Its key is shown, its values only on request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Example {
    /// `column=value, …`
    pub key: String,
    /// How it differs.
    pub kind: Kind,
    /// The columns that differ in a changed row.
    pub columns: Vec<ColumnDifference>,
}

/// A column that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ColumnDifference {
    /// Its name.
    pub column: String,
    /// Its value on the source as text, if values are shown; none for NULL.
    pub source: Option<String>,
    /// Its value on the target as text, if values are shown; none for NULL.
    pub target: Option<String>,
}

/// How a row differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Kind {
    /// The target does not have it.
    Missing,
    /// Only the target has it.
    Extra,
    /// Both have it, with other values.
    Changed,
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Missing => "missing",
            Kind::Extra => "extra",
            Kind::Changed => "changed",
        };
        write!(f, "{}: {kind}", self.key)?;
        for (number, column) in self.columns.iter().enumerate() {
            write!(f, "{}{column}", if number == 0 { " in " } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for ColumnDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.column)?;
        if self.source.is_none() && self.target.is_none() {
            return Ok(());
        }
        if self.source == self.target {
            return f.write_str(" (alike as far as it is shown)");
        }
        let shown = |value: &Option<String>| value.as_ref().map_or("NULL".to_owned(), |value| format!("'{value}'"));
        write!(f, " ({}, on the target {})", shown(&self.source), shown(&self.target))
    }
}

impl fmt::Display for TableResult {
    /// One line for people: name, rows, what differs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.depth == Some(Depth::Changed) {
            write!(f, "{}: the rows that changed", self.name)?;
        } else {
            write!(f, "{}: {} rows", self.name, self.rows)?;
        }
        if self.equal {
            return Ok(());
        }
        if self.depth != Some(Depth::Changed) {
            write!(f, ", on the target {}", self.target_rows)?;
        }
        if let Some(problem) = &self.problem {
            write!(f, "; {problem}")?;
        } else {
            let about = if self.estimated { "about " } else { "" };
            write!(f, "; they differ in {about}{}", self.differing)?;
        }
        self.examples.iter().try_for_each(|example| write!(f, "; {example}"))
    }
}

/// The hash of a key: its columns' values in the key's order as they are sent in binary, each after its length in four
/// bytes.
pub(crate) fn key_hash(key: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(key, seed)
}

/// Who else wrote on the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Foreigners {
    /// How many transactions.
    pub transactions: u64,
    /// Some of the tables.
    pub tables: Vec<String>,
}

/// A table that was not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name.
    #[serde(serialize_with = "plain")]
    pub name: QualifiedName,
    /// Why.
    pub reason: &'static str,
}
