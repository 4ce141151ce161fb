//! What need not be read: taken over when a comparison begins, and written down before WAL is given free, without which
//! it would not hold.
use std::time::{Duration, Instant};

use futures::future::try_join;
use pgupgrade_pgoutput::Lsn;
use pgupgrade_postgres::connection::Session;

use super::{Live, Replication, Sessions, number};
use crate::catalog::Reading;
use crate::feed::Feed;
use crate::known::{Identity, Known, KnownTable, conflicts, identities, writers};
use crate::side::Side;
use crate::{Depth, Error};

/// Of a table of which more than such a part changed, every row is read: rows are found by their keys some five times
/// slower than one after the other.
const PART: u64 = 8;
/// Below that, the part does not matter.
const FEW: u64 = 100_000;
/// How often the same tables are written down for a later position.
const AGAIN: Duration = Duration::from_mins(1);

/// A table on source and target.
pub(super) type Identities = (Option<Identity>, Option<Identity>);

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
        match self.why_not(known).await? {
            Some(why) => tracing::info!(why, "every row is read"),
            None => self.take_over(known),
        }
        self.reach(false).await?;
        self.look_for_foreign().await?;
        self.find_stale().await?;
        self.mark_keyless();
        self.mark_much_changed();
        self.read_to(Depth::Changed).await
    }

    /// Why nothing of what is known can be believed.
    async fn why_not(&self, known: &Known) -> Result<Option<String>, Error> {
        let (Some(foreign), Some(feed)) = (&self.replication.foreign, &self.foreign) else {
            return Ok(Some("nothing tells of foreign writes on the target".to_owned()));
        };
        let moved = known.target.is_some_and(|target| feed.position().0 > target);
        if self.feed.position().0 > known.source || moved {
            return Ok(Some("the slots were moved since it was written down".to_owned()));
        }
        if let Some(writer) = writers(&self.sessions.target).await? {
            return Ok(Some(writer));
        }
        conflicts(&self.sessions.target, &foreign.subscriptions).await
    }

    fn take_over(&mut self, known: &Known) {
        let known = known.by_name();
        for index in 0..self.readings.len() {
            let reading = &self.readings[index];
            let (Some(known), (Some(source), Some(target))) = (known.get(&reading.name), &self.identities[index])
            else {
                continue;
            };
            let files = (known.source.file, known.target.file) == (source.file, target.file);
            let still = known.source.is_still(source) && known.target.is_still(target);
            if files && still && self.watched.contains(&reading.name) {
                self.tables[index].take_over(known);
            }
        }
    }

    fn mark_much_changed(&mut self) {
        for index in 0..self.tables.len() {
            let changed = self.dirty.len(number(index)) as u64;
            let rows = self.readings[index].on(Side::Source).tuples.unwrap_or_default();
            let much = changed > FEW.max(rows / PART);
            self.table(index).stale |= self.readings[index].is_keyed() && much;
        }
    }

    /// Marks the tables that are not what they were when they were read, though nothing of it is decoded.
    pub(super) async fn find_altered(&mut self) -> Result<(), Error> {
        let now = identities_of(&self.sessions, &self.readings, &self.replication).await?;
        for (index, now) in now.into_iter().enumerate() {
            let still = |before: &Option<Identity>, now: &Option<Identity>| match (before, now) {
                (Some(before), Some(now)) => before.is_still(now),
                (before, now) => before.is_none() && now.is_none(),
            };
            let before = &self.identities[index];
            if !(still(&before.0, &now.0) && still(&before.1, &now.1)) {
                self.table(index).stale = true;
                self.identities[index] = now;
            }
        }
        Ok(())
    }

    /// Gives the WAL of both sides free up to where everything is settled. Without anybody to write down what is known,
    /// a new comparison reads all rows anew, and needs nothing of what was before it.
    pub(super) async fn advance(&mut self) -> Result<(), Error> {
        let (mut source, mut target) = (self.feed.position(), self.foreign.as_ref().map(Feed::position));
        if let Some(keep) = self.options.keep.clone() {
            let settled = self.settled().await?;
            let same = self.kept.as_ref().is_some_and(|kept| kept.tables == settled.tables);
            if same && self.advanced.elapsed() < AGAIN {
                return Ok(());
            }
            // Where it fails, it may have been written all the same.
            self.kept = None;
            if let Err(why) = keep(settled.clone()).await {
                tracing::warn!(why, "what is known by now can't be written down; WAL is kept instead");
                return Ok(());
            }
            (source, target) = (Lsn(settled.source), settled.target.map(Lsn));
            self.kept = Some(settled);
        }
        self.feed.advance(source).await?;
        if let (Some(feed), Some(target)) = (&self.foreign, target) {
            feed.advance(target).await?;
        }
        self.freed = (source, target.unwrap_or_default());
        self.advanced = Instant::now();
        Ok(())
    }

    /// What is settled, and where in the WAL of each side that which is not begins.
    async fn settled(&mut self) -> Result<Known, Error> {
        self.check_plan().await?;
        let mut settled = Known {
            tables: Vec::new(),
            source: self.feed.position().0,
            target: self.foreign.as_ref().map(|feed| feed.position().0),
        };
        for index in 0..self.tables.len() {
            self.add_settled(index, &mut settled)?;
        }
        Ok(settled)
    }

    /// Adds a table if nothing of it is left to decide but keys that the slots tell of again.
    fn add_settled(&self, index: usize, settled: &mut Known) -> Result<(), Error> {
        let (table, reading) = (&self.tables[index], &self.readings[index]);
        let (Some(depth), (Some(source), Some(target))) = (table.depth, &self.identities[index]) else {
            return Ok(());
        };
        let pending = self.dirty.len(number(index)) > 0;
        if !table.is_settled() || self.is_whole(index) || (pending && !reading.is_keyed()) {
            return Ok(());
        }
        let Some((first, first_foreign)) = self.first_pending(index)? else {
            return Ok(());
        };
        settled.source = settled.source.min(first.0);
        settled.target = settled.target.map(|target| target.min(first_foreign.0));
        let in_file = |identity: &Identity, file| Identity {
            file,
            ..identity.clone()
        };
        settled.tables.push(KnownTable {
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

    /// Where on each side the first of a table's keys changed that is not settled; none where a slot can't tell of it
    /// again.
    fn first_pending(&self, index: usize) -> Result<Option<(Lsn, Lsn)>, Error> {
        let (mut first, mut first_foreign, mut suspect) = (Lsn(u64::MAX), Lsn(u64::MAX), false);
        let mut foreign = Vec::new();
        self.dirty.for_each_key(number(index), |key, entry| {
            suspect |= entry.xid.is_none();
            if entry.rogue {
                foreign.push((key.to_vec(), entry.lsn));
            } else {
                first = first.min(entry.lsn);
            }
        })?;
        for (key, lsn) in foreign {
            // Where the source tells of it too, both sides will be looked at for that.
            if self.dirty.get(number(index), &key, false)?.is_none() {
                first_foreign = first_foreign.min(lsn);
            }
        }
        let gone = first < self.freed.0 || first_foreign < self.freed.1;
        Ok((!suspect && !gone).then_some((first, first_foreign)))
    }
}

/// What the tables are on both sides.
pub(super) async fn identities_of(
    sessions: &Sessions,
    readings: &[Reading],
    replication: &Replication,
) -> Result<Vec<Identities>, Error> {
    let on = async |side, session: &Session, publication: &str| {
        let oids = readings.iter().map(|reading| reading.on(side).oid).collect();
        identities(session, side, oids, publication).await
    };
    let foreign = replication.foreign.as_ref();
    let watched = foreign.map_or("", |foreign| &foreign.changes.publication);
    let (source, target) = try_join(
        on(Side::Source, &sessions.source, &replication.changes.publication),
        on(Side::Target, &sessions.target, watched),
    )
    .await?;
    Ok(source.into_iter().zip(target).collect())
}
