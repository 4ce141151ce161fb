//! What is known of tables before a comparison begins, so that not every row has to be read: a copy of blocks is what it
//! was copied from, and what an earlier comparison has read need not be read again, but for the rows that the slots tell
//! of since.
use std::collections::BTreeMap;

use pgupgrade_postgres::QualifiedName;
use pgupgrade_postgres::connection::Session;
use serde::{Deserialize, Serialize};

use crate::side::{self, Side, sql};
use crate::{Error, catalog};

const IDENTITY: &str = include_str!("../sql/known_identity.sql");
const WRITERS: &str = include_str!("../sql/known_writers.sql");
const CONFLICTS: &str = include_str!("../sql/known_conflicts.sql");

/// How much of a table is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Depth {
    /// The rows that changed since the target was copied from the source.
    Changed,
    /// Every row.
    #[default]
    Full,
}

/// What tells that nothing happened to a table's rows on one side but what the slots tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) oid: u32,
    pub(crate) file: Option<u32>,
    /// A digest of its columns.
    pub(crate) columns: String,
}

/// A table that is alike on both sides, but for the rows that the slots tell of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownTable {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) depth: Depth,
    pub(crate) rows: u64,
    pub(crate) target_rows: u64,
    pub(crate) bytes: u64,
    pub(crate) source: Identity,
    pub(crate) target: Identity,
}

/// Tables that are alike on both sides, but for the rows that the slots tell of. It is true from the positions of the
/// slots on that it was written down before, so whoever moves these writes it down first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub(crate) tables: Vec<KnownTable>,
}

impl Known {
    /// What is true of a copy of the source's blocks that is made after this, and upgraded by `pg_upgrade` to 15 or
    /// later, which leaves OIDs and files as they are (documentation, `pg_upgrade`; `src/bin/pg_upgrade/relfilenumber.c`).
    /// The verification slot has to be there already.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn before_copy(source: &Session, publications: &[String]) -> Result<Self, Error> {
        side::prepare(source, Side::Source).await?;
        let leaves = catalog::published_oids(source, publications).await?;
        let oids = leaves.iter().map(|(_, oid)| *oid).collect();
        let identities = identities(source, Side::Source, oids).await?;
        let tables = leaves.into_iter().zip(identities).filter_map(|((name, _), identity)| {
            let identity = identity?;
            Some(KnownTable {
                schema: name.schema,
                name: name.name,
                depth: Depth::Changed,
                rows: 0,
                target_rows: 0,
                bytes: 0,
                source: identity.clone(),
                target: identity,
            })
        });
        Ok(Self {
            tables: tables.collect(),
        })
    }

    /// The largest of the tables, as far as their sizes are known: of the others every row is to be read.
    #[must_use]
    pub fn largest(mut self, count: usize) -> Self {
        self.tables.sort_by_key(|table| std::cmp::Reverse(table.bytes));
        self.tables.truncate(count);
        self
    }

    /// How many tables it tells of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.len()
    }

    /// Whether it tells of none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub(crate) fn by_name(&self) -> BTreeMap<QualifiedName, &KnownTable> {
        let named = self
            .tables
            .iter()
            .map(|table| (QualifiedName::new(&table.schema, &table.name), table));
        named.collect()
    }
}

/// The identities of tables by their OIDs, in the same order; none for a table that is gone.
pub(crate) async fn identities(session: &Session, side: Side, oids: Vec<u32>) -> Result<Vec<Option<Identity>>, Error> {
    let rows = session.query(IDENTITY, &[&oids]).await;
    let rows = rows.map_err(sql(side, "looking at the tables' files and columns"))?;
    let identity = |row: &tokio_postgres::Row| {
        Some(Identity {
            oid: row.get::<_, Option<u32>>(0)?,
            file: row.get(1),
            columns: row.get::<_, Option<String>>(2).unwrap_or_default(),
        })
    };
    Ok(rows.iter().map(identity).collect())
}

/// Why rows of the target may differ though no slot tells of them; none where that can't be.
pub(crate) async fn untold(target: &Session, subscriptions: &[String]) -> Result<Option<String>, Error> {
    let step = "looking for what changes rows while changes are applied";
    let writers = target.query_opt(WRITERS, &[]).await.map_err(sql(Side::Target, step))?;
    if let Some(row) = writers {
        return Ok(Some(row.get(0)));
    }
    if target.major() < 18 {
        return Ok(None);
    }
    let conflicts = target.query_opt(CONFLICTS, &[&subscriptions]).await;
    let conflicts = conflicts.map_err(sql(Side::Target, step))?;
    Ok(conflicts.map(|row| row.get(0)))
}
