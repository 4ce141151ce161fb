//! What need not be read: taken over when a comparison begins, and written down before WAL is given free, without which
//! it would not hold.
use std::time::Instant;

use futures::future::try_join;
use pgupgrade_pgoutput::Lsn;

use super::{Live, Sessions, number};
use crate::catalog::Reading;
use crate::feed::Feed;
use crate::known::{Identity, Known, KnownTable, identities, untold};
use crate::side::Side;
use crate::{Depth, Error};

/// Of a table of which more than such a part changed, every row is read: rows are found by their keys some five times
/// slower than one after the other.
const PART: u64 = 8;
/// Below that, the part does not matter.
const FEW: u64 = 100_000;

/// What is settled, and where in the WAL of each side that which is not begins.
struct Settled {
    known: Known,
    source: Lsn,
    target: Option<Lsn>,
}

impl Live {
    /// Begins with what is known: of these tables only the rows are compared that the slots tell of, of all others every
    /// row. What is known holds as long as the slots are where they were when it was written down, or before.
    ///
    /// A table is read as a whole where it was rewritten or altered since, where others change rows in the name of the
    /// subscription, where the target does not tell of foreign writes, or where much of it changed.
    ///
    /// # Errors
    /// What a new start may find gone. A difference is no error.
    pub async fn begin_from(&mut self, known: &Known) -> Result<(), Error> {
        self.take_over(known).await?;
        self.reach(false).await?;
        self.look_for_foreign().await?;
        self.find_stale().await?;
        self.mark_keyless();
        self.mark_much_changed();
        self.read_to(Depth::Changed).await
    }

    async fn take_over(&mut self, known: &Known) -> Result<(), Error> {
        let untold = match &self.replication.foreign {
            None => Some("nothing tells of foreign writes on the target".to_owned()),
            Some(foreign) => untold(&self.sessions.target, &foreign.subscriptions).await?,
        };
        if let Some(why) = &untold {
            tracing::info!(why, "every row is read");
        }
        let known = known.by_name();
        for index in 0..self.readings.len() {
            let reading = &self.readings[index];
            let (Some(known), (Some(source), Some(target))) = (known.get(&reading.name), &self.identities[index])
            else {
                continue;
            };
            let is_told = untold.is_none() && self.watched.contains(&reading.name);
            if (&known.source, &known.target) == (source, target) && (is_told || known.depth == Depth::Full) {
                self.tables[index].take_over(known);
            }
        }
        Ok(())
    }

    fn mark_much_changed(&mut self) {
        for index in 0..self.tables.len() {
            let changed = self.dirty.len(number(index)) as u64;
            let rows = self.readings[index].on(Side::Source).tuples.unwrap_or_default();
            let much = changed > FEW.max(rows / PART);
            self.table(index).stale |= self.readings[index].is_keyed() && much;
        }
    }

    /// Gives the WAL of both sides free up to where everything is settled. Without anybody to write down what is known,
    /// a new comparison reads all rows anew, and needs nothing of what was before it.
    pub(super) async fn advance(&mut self) -> Result<(), Error> {
        let (mut source, mut target) = (self.feed.position(), None);
        if let Some(keep) = self.options.keep.clone() {
            let Some(settled) = self.settled().await? else {
                return Ok(());
            };
            if self.kept.as_ref() != Some(&settled.known) {
                if let Err(why) = keep(settled.known.clone()).await {
                    tracing::warn!(why, "what is known by now can't be written down; WAL is kept instead");
                    return Ok(());
                }
                self.kept = Some(settled.known);
            }
            (source, target) = (settled.source, settled.target);
        }
        self.feed.advance(source).await?;
        if let Some(feed) = &self.foreign {
            feed.advance(target.unwrap_or_else(|| feed.position())).await?;
        }
        self.advanced = Instant::now();
        Ok(())
    }

    /// None where the tables are not what they were when the comparison began.
    async fn settled(&mut self) -> Result<Option<Settled>, Error> {
        self.check_plan().await?;
        if self.outdated {
            return Ok(None);
        }
        let mut settled = Settled {
            known: Known::default(),
            source: self.feed.position(),
            target: self.foreign.as_ref().map(Feed::position),
        };
        for index in 0..self.tables.len() {
            self.add_settled(index, &mut settled)?;
        }
        Ok(Some(settled))
    }

    /// Adds a table if nothing of it is left to decide but keys that the slots tell of again.
    fn add_settled(&self, index: usize, settled: &mut Settled) -> Result<(), Error> {
        let (table, reading) = (&self.tables[index], &self.readings[index]);
        let (Some(depth), (Some(source), Some(target))) = (table.depth, &self.identities[index]) else {
            return Ok(());
        };
        let pending = self.dirty.len(number(index)) > 0;
        if !table.is_settled() || self.is_whole(index) || (pending && !reading.is_keyed()) {
            return Ok(());
        }
        let (mut first, mut first_foreign, mut suspect) = (settled.source, settled.target, false);
        self.dirty.for_each_key(number(index), |_, entry| {
            suspect |= entry.xid.is_none();
            if entry.rogue {
                first_foreign = first_foreign.map(|first| first.min(entry.lsn));
            } else {
                first = first.min(entry.lsn);
            }
        })?;
        if suspect {
            return Ok(());
        }
        (settled.source, settled.target) = (first, first_foreign);
        let in_file = |identity: &Identity, file| Identity {
            file,
            ..identity.clone()
        };
        settled.known.tables.push(KnownTable {
            schema: reading.name.schema.clone(),
            name: reading.name.name.clone(),
            depth,
            rows: table.rows,
            target_rows: table.target_rows,
            bytes: table.bytes,
            source: in_file(source, table.files.0),
            target: in_file(target, table.files.1),
        });
        Ok(())
    }
}

/// What the tables are on both sides.
pub(super) async fn identities_of(
    sessions: &Sessions,
    readings: &[Reading],
) -> Result<Vec<(Option<Identity>, Option<Identity>)>, Error> {
    let oids = |side| readings.iter().map(|reading| reading.on(side).oid).collect();
    let (source, target) = try_join(
        identities(&sessions.source, Side::Source, oids(Side::Source)),
        identities(&sessions.target, Side::Target, oids(Side::Target)),
    )
    .await?;
    Ok(source.into_iter().zip(target).collect())
}
