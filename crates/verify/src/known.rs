//! What is known of tables before a comparison begins, so that not every row has to be read: a copy of blocks is what it
//! was copied from, and what an earlier comparison has read need not be read again, but for the rows that the slots tell
//! of since.
use std::collections::BTreeMap;

use pgupgrade_postgres::QualifiedName;
use pgupgrade_postgres::connection::Session;
use pgupgrade_postgres::{inspect, slot};
use serde::{Deserialize, Serialize};

use crate::feed::FeedNames;
use crate::side::{self, Side, sql};
use crate::{Error, catalog};

const IDENTITY: &str = include_str!("../sql/known_identity.sql");
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
    /// Its place in the publication by which its changes are decoded; none: it has none, or it is not known so far.
    pub(crate) published: Option<String>,
}

impl Identity {
    /// Whether the rows of a table that was this one can only have changed as the slots tell, but for its file.
    pub(crate) fn is_still(&self, now: &Self) -> bool {
        let published = self.published.is_none() || self.published == now.published;
        self.oid == now.oid && self.columns == now.columns && published
    }
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

/// Tables that are alike on both sides, but for the rows that the slots tell of from these positions on. Whoever moves
/// the slots writes it down first; of what was written down before another one moved them, nothing is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub(crate) tables: Vec<KnownTable>,
    /// In the WAL of the source.
    pub(crate) source: u64,
    /// In the WAL of the target; none: from the creation of its slot on.
    pub(crate) target: Option<u64>,
}

impl Known {
    /// What is true of a copy of the source's blocks that is made after this, and upgraded by `pg_upgrade` to 15 or
    /// later, which leaves OIDs and files as they are (documentation, `pg_upgrade`; `src/bin/pg_upgrade/relfilenumber.c`).
    /// The verification slot has to be there already.
    ///
    /// # Errors
    /// [`Error::Sql`]; [`Error::Undecided`] where the slot is not there.
    pub async fn before_copy(source: &Session, changes: &FeedNames, publications: &[String]) -> Result<Self, Error> {
        let slot = slot::facts(source, &changes.slot).await?;
        let position = slot.and_then(|slot| slot.confirmed_flush_lsn);
        let position = position.ok_or_else(|| Error::Undecided(format!("slot {} is not there", changes.slot)))?;
        side::prepare(source, Side::Source).await?;
        let leaves = catalog::published_oids(source, publications).await?;
        let oids = leaves.iter().map(|(_, oid)| *oid).collect();
        let identities = identities(source, Side::Source, oids, &changes.publication).await?;
        let tables = leaves.into_iter().zip(identities).filter_map(|((name, _), identity)| {
            let identity = identity?;
            Some(KnownTable {
                schema: name.schema,
                name: name.name,
                depth: Depth::Changed,
                rows: 0,
                target_rows: 0,
                bytes: 0,
                target: Identity {
                    published: None,
                    ..identity.clone()
                },
                source: identity,
            })
        });
        Ok(Self {
            tables: tables.collect(),
            source: position.into(),
            target: None,
        })
    }

    /// The largest of the tables, as far as their sizes are known: of the others every row is to be read.
    #[must_use]
    pub fn largest(mut self, count: usize) -> Self {
        self.tables.sort_by_key(|table| std::cmp::Reverse(table.bytes));
        self.tables.truncate(count);
        self
    }

    /// All but these tables.
    #[must_use]
    pub fn without(mut self, names: &[QualifiedName]) -> Self {
        self.tables.retain(|table| {
            let mut others = names.iter().map(|name| (&name.schema, &name.name));
            others.all(|other| other != (&table.schema, &table.name))
        });
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
pub(crate) async fn identities(
    session: &Session,
    side: Side,
    oids: Vec<u32>,
    publication: &str,
) -> Result<Vec<Option<Identity>>, Error> {
    let rows = session.query(IDENTITY, &[&oids, &publication]).await;
    let rows = rows.map_err(sql(side, "looking at the tables' files and columns"))?;
    let identity = |row: &tokio_postgres::Row| {
        Some(Identity {
            oid: row.get::<_, Option<u32>>(0)?,
            file: row.get(1),
            columns: row.get::<_, Option<String>>(2).unwrap_or_default(),
            published: row.get(3),
        })
    };
    Ok(rows.iter().map(identity).collect())
}

/// What changes rows of the target while changes are applied, in the name of the subscription: no slot tells of that.
pub(crate) async fn writers(target: &Session) -> Result<Option<String>, Error> {
    Ok(inspect::replica_writers(target).await?.into_iter().next())
}

/// A subscription that has not applied what it was sent.
pub(crate) async fn conflicts(target: &Session, subscriptions: &[String]) -> Result<Option<String>, Error> {
    if target.major() < 18 {
        return Ok(None);
    }
    let step = "looking for conflicts of the subscriptions";
    let conflicts = target.query_opt(CONFLICTS, &[&subscriptions]).await;
    let conflicts = conflicts.map_err(sql(Side::Target, step))?;
    Ok(conflicts.map(|row| row.get(0)))
}
