//! Comparison of two PostgreSQL databases, row by row.
//!
//! All rows of all tables are read on both sides at once, made canonical ([`encoding`]) and hashed in the client;
//! count and sum of the hashes do not depend on the order, so that nothing has to be sorted. A row that is missing,
//! doubled, changed, or has its values swapped with another's changes them.
mod catalog;
mod compare;
mod copy_stream;
mod encoding;
mod narrow;
mod side;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pgupgrade_postgres::QualifiedName;

pub use compare::compare;

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
}

/// Which tables are compared.
#[derive(Clone, Debug)]
pub enum Tables {
    /// Those of these publications on the source; tables without are listed as skipped.
    Published(Vec<String>),
    /// These, partitioned ones by the names of their leaves.
    Named(Vec<QualifiedName>),
}

/// How to compare.
#[derive(Clone)]
pub struct Options {
    /// At most this many keys are shown for a table that differs.
    pub examples: usize,
    /// How long the keys of rows that differ may be looked for, once it is known which tables differ: under a fence
    /// the application waits for that. Where the time is up, no keys are shown.
    pub search: Duration,
    /// Called after each table and every few thousand rows.
    pub progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
    /// Names of exported snapshots of source and target to read instead of what is there now.
    pub snapshots: Option<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            examples: 5,
            search: Duration::from_secs(5),
            progress: None,
            snapshots: None,
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
}

/// What the comparison found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Rows read on the source.
    pub rows: u64,
    /// Bytes read on the source.
    pub bytes: u64,
    /// Each table that was compared.
    pub tables: Vec<TableResult>,
    /// Each table that was not.
    pub skipped: Vec<Skipped>,
    /// How many of the tables differ. Zero: both sides hold the same rows.
    pub differences: usize,
    /// How long it took.
    pub elapsed: Duration,
}

/// A table that was compared.
#[derive(Clone, Debug)]
pub struct TableResult {
    /// Its name.
    pub name: QualifiedName,
    /// Its rows on the source.
    pub rows: u64,
    /// Its rows on the target.
    pub target_rows: u64,
    /// Whether both sides hold the same rows.
    pub equal: bool,
    /// Why it could not be compared: it is missing, or its columns differ.
    pub problem: Option<String>,
    /// Keys of rows that differ, as far as asked for; none for a table without a key.
    pub examples: Vec<Example>,
}

/// A row that differs. Its key is shown, its values are not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Example {
    /// `column=value, …`
    pub key: String,
    /// How it differs.
    pub kind: Kind,
}

/// How a row differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
        write!(f, "{}: {kind}", self.key)
    }
}

impl fmt::Display for TableResult {
    /// One line for people: name, rows, what differs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} rows", self.name, self.rows)?;
        if self.equal {
            return Ok(());
        }
        write!(f, ", on the target {}", self.target_rows)?;
        match &self.problem {
            Some(problem) => write!(f, "; {problem}")?,
            None => f.write_str("; they differ")?,
        }
        self.examples.iter().try_for_each(|example| write!(f, "; {example}"))
    }
}

/// A table that was not compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name.
    pub name: QualifiedName,
    /// Why.
    pub reason: &'static str,
}
