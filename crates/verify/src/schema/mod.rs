//! The fingerprint of a schema: everything in a database that is no row, read on one side, compared with the other's
//! attribute by attribute, and explained.
//!
//! What counts is what the application made: what a server comes with, members of extensions and what this program
//! makes (the schema `pgupgrade`, names that begin with `pgupgrade_`) are left out. Values of sequences are no part of
//! it. `rules.rs` says which differences two major versions make by themselves.
mod collation;
mod compare;
mod large_objects;
mod object;
mod read;
mod rules;
mod stamp;
mod text;
mod version;

use std::collections::BTreeMap;
use std::fmt;

pub use collation::{Checked, SuspectIndex, not_rebuilt, suspect_indexes};
pub use read::fingerprint;
pub use stamp::catalog_stamp;

use futures::future::try_join;
use large_objects::LargeObjects;
use pgupgrade_postgres::connection::Session;
use serde::Serialize;

use crate::Error;
use crate::side::Side;
use object::{Key, Object};

/// Reads both sides, and compares them.
///
/// # Errors
/// As [`fingerprint`].
pub async fn compare(source: &Session, target: &Session, options: &Options) -> Result<Vec<Finding>, Error> {
    let (source, target) = try_join(
        fingerprint(source, Side::Source, options),
        fingerprint(target, Side::Target, options),
    )
    .await?;
    Ok(source.compare(&target))
}

/// What to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Roles, their memberships and settings, tablespaces and grants on parameters, which all databases of a server
    /// share.
    pub roles: bool,
    /// The content of large objects; their owners and privileges are read in any case. Takes about a second a gigabyte,
    /// and six for a role that may not read `pg_largeobject`.
    pub large_objects: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            roles: true,
            large_objects: true,
        }
    }
}

/// Everything of one side that is no row.
#[derive(Clone, Debug, Default)]
pub struct Fingerprint {
    major: i32,
    stamp: String,
    steady: bool,
    objects: BTreeMap<Key, Object>,
    large_objects: LargeObjects,
    unread: Vec<(&'static str, &'static str, String)>,
}

impl Fingerprint {
    /// The server's major version.
    #[must_use]
    pub fn major(&self) -> i32 {
        self.major
    }

    /// The [`catalog_stamp`] from before the reading: while a later one is equal, this still holds.
    #[must_use]
    pub fn stamp(&self) -> &str {
        &self.stamp
    }

    /// Whether no DDL ran while it was read. PostgreSQL describes objects as they are at the moment and not as the
    /// snapshot has them, so that one that is not steady may show differences that are none.
    #[must_use]
    pub fn steady(&self) -> bool {
        self.steady
    }

    /// How many objects it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len() + self.large_objects.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A difference between the sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is: `index`, `column`, `system grant`.
    pub kind: &'static str,
    /// Its name, quoted where SQL needs it.
    pub object: String,
    /// What differs: `valid: true on the source, false on the target`.
    pub detail: String,
    /// What it means.
    pub severity: Severity,
}

impl Finding {
    /// Whether the target is known not to be what the source is.
    #[must_use]
    pub fn is_difference(&self) -> bool {
        self.severity == Severity::Different
    }

    /// Whether one side may not read it.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.severity == Severity::NotReadable
    }
}

/// What a difference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The target is not what the source is.
    Different,
    /// One side may not read it, so that nothing is known.
    NotReadable,
    /// Two versions show the same thing in two ways, for this reason.
    Benign(&'static str),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.kind, self.object, self.detail)?;
        match self.severity {
            Severity::Benign(reason) => write!(f, " ({reason})"),
            Severity::Different | Severity::NotReadable => Ok(()),
        }
    }
}
