//! Writes on the target that did not come from the source: whatever they touched is compared.
use std::collections::BTreeSet;

use pgupgrade_postgres::QualifiedName;
use pgupgrade_postgres::connection::{Connector, Session};

use super::{Foreign, Live, number, watch_list};
use crate::catalog::{self, Reading};
use crate::dirty::DirtyKey;
use crate::feed::{Feed, Watch};
use crate::side::{Side, sql};
use crate::{Error, Foreigners};

/// A commit that waits for its WAL brings to disk what was committed asynchronously before it, and only that is decoded.
const FLUSH: &str = "SET synchronous_commit = on; SELECT pg_logical_emit_message(true, 'pgupgrade', '')";
/// Transactions of a table without a key that one comparison forgets.
const MOST: usize = 10_000;

/// Opens the target's feed.
pub(super) async fn open(
    target: &Connector,
    session: &Session,
    foreign: &Foreign,
    readings: &[Reading],
) -> Result<Feed, Error> {
    // The origins of subscriptions are called by their OIDs (src/backend/replication/logical/worker.c,
    // ReplicationOriginNameForLogicalRep).
    let query = "SELECT 'pg_' || oid FROM pg_subscription WHERE subname = ANY ($1)";
    let rows = session.query(query, &[&foreign.subscriptions]).await;
    let rows = rows.map_err(sql(Side::Target, "reading the origins of the subscriptions"))?;
    let watch = Watch {
        tables: watch_list(readings),
        own_origins: rows.iter().map(|row| row.get(0)).collect(),
        rogue: true,
        ..Watch::default()
    };
    Ok(Feed::open(target, session.database(), &foreign.changes, watch).await?)
}

/// The tables whose foreign writes are told of.
pub(super) async fn tables(target: &Session, foreign: &Foreign) -> Result<BTreeSet<QualifiedName>, Error> {
    let publication = std::slice::from_ref(&foreign.changes.publication);
    let tables = catalog::published_leaves(target, publication).await?;
    Ok(tables.into_iter().collect())
}

impl Live {
    /// Reads what others have written on the target up to now.
    pub(super) async fn look_for_foreign(&mut self) -> Result<(), Error> {
        let Some(feed) = &mut self.foreign else { return Ok(()) };
        let flushed = self.sessions.looker.batch_execute(FLUSH).await;
        flushed.map_err(sql(Side::Target, "bringing all commits to disk"))?;
        feed.poll(&mut self.dirty).await?;
        Ok(())
    }

    /// The transactions of others that are known to have changed a table without a key.
    pub(super) fn foreign_of(&self, index: usize) -> Result<Vec<DirtyKey>, Error> {
        let all = self.dirty.batch_of(number(index), None, MOST)?;
        Ok(all.into_iter().filter(|dirty| dirty.entry.rogue).collect())
    }

    pub(super) fn foreign_writes(&self) -> Foreigners {
        let rogue = self.foreign.as_ref().and_then(Feed::rogue);
        rogue.map_or_else(Foreigners::default, |rogue| Foreigners {
            transactions: rogue.transactions,
            tables: rogue.examples.iter().map(ToString::to_string).collect(),
        })
    }
}
