//! The verdict: nobody writes on the source, and everything has arrived.
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join;
use pgupgrade_postgres::connection::Session;

use super::{Live, number};
use crate::bulk::{self, PassOptions};
use crate::catalog::Reading;
use crate::side::{Side, sql};
use crate::{Depth, Error, Report};

/// What a table is assumed to be read at: less than any disk that holds a database.
const BYTES_PER_MILLISECOND: u128 = 100_000;

impl Live {
    /// Settles everything that was not, without waiting for anything but the databases. The caller sees to it that
    /// nobody writes on the source: what changes meanwhile is undecided. A table that has to be read as a whole (it has
    /// no key and was changed since its last comparison, or it was truncated or rewritten) is read where all of these
    /// take no longer than `budget`. One without a key that is not read says since when; others are undecided.
    ///
    /// # Errors
    /// [`Error::Undecided`] where the deadline is reached; where a side can't be reached. Nothing is decided then.
    pub async fn verdict(&mut self, budget: Duration, deadline: Instant) -> Result<Report, Error> {
        let patience = std::mem::replace(&mut self.replication.patience, left(deadline)?);
        // A reader that is behind would have to be waited for.
        let reader = self.options.reader.take();
        let decided = self.settle(budget, deadline).await;
        (self.replication.patience, self.options.reader) = (patience, reader);
        decided?;
        Ok(self.report())
    }

    async fn settle(&mut self, budget: Duration, deadline: Instant) -> Result<(), Error> {
        self.check_plan().await?;
        self.sweep().await?;
        left(deadline)?;
        self.find_stale().await?;
        let (keyed, keyless) = self.within(budget).await?;
        if !keyed.is_empty() {
            self.read_group(keyed).await?;
            self.sweep().await?;
        }
        left(deadline)?;
        self.read_still(keyless).await?;
        left(deadline)?;
        for index in 0..self.tables.len() {
            let changed = self.dirty.len(number(index));
            self.table(index).hot = if self.readings[index].is_keyed() { changed } else { 0 };
        }
        Ok(())
    }

    /// The tables with a key, and those without, that have to be read and can be.
    async fn within(&mut self, budget: Duration) -> Result<(Vec<usize>, Vec<usize>), Error> {
        let due = |index: &usize| {
            let reading = &self.readings[*index];
            let unseen = self.dirty.len(number(*index)) > 0 || !self.watched.contains(&reading.name);
            self.tables[*index].is_due(Depth::Changed) || (unseen && !reading.is_keyed())
        };
        let due: Vec<usize> = (0..self.tables.len()).filter(due).collect();
        let sizes = self.sizes(&due).await?;
        let mut left = budget.as_millis().saturating_mul(BYTES_PER_MILLISECOND);
        let (mut keyed, mut keyless) = (Vec::new(), Vec::new());
        for (index, bytes) in due.into_iter().zip(sizes) {
            if let Some(rest) = left.checked_sub(u128::from(bytes)) {
                left = rest;
                if self.readings[index].is_keyed() {
                    &mut keyed
                } else {
                    &mut keyless
                }
                .push(index);
            } else {
                self.no_time_for(index);
            }
        }
        Ok((keyed, keyless))
    }

    fn no_time_for(&mut self, index: usize) {
        let (is_keyed, since) = (self.readings[index].is_keyed(), self.dirty.len(number(index)));
        let table = self.table(index);
        if is_keyed || table.depth.is_none() {
            table.undecided = Some("it has to be read as a whole, and there is no time for that now".to_owned());
        } else {
            // Compared once, in a pair of snapshots, is what such a table gets where the application can't wait.
            table.note = Some(format!("{since} transactions changed it since it was compared last"));
        }
    }

    /// Bytes of the tables with their TOAST tables, on the larger side.
    async fn sizes(&self, tables: &[usize]) -> Result<Vec<u64>, Error> {
        let on = |side: Side, session| {
            let oids = tables.iter().map(|index| self.readings[*index].on(side).oid).collect();
            sizes(session, side, oids)
        };
        let (source, target) = try_join(
            on(Side::Source, &self.sessions.bumper),
            on(Side::Target, &self.sessions.looker),
        )
        .await?;
        Ok(source
            .into_iter()
            .zip(target)
            .map(|(source, target)| source.max(target))
            .collect())
    }

    /// Compares tables without a key of which nothing changes.
    async fn read_still(&mut self, group: Vec<usize>) -> Result<(), Error> {
        if group.is_empty() {
            return Ok(());
        }
        let readings: Arc<[Reading]> = group.iter().map(|index| self.readings[*index].clone()).collect();
        let files = self.files().await?;
        let known = self.known_foreign(&group).await?;
        let start = self.reach(true).await?;
        let options = PassOptions::new(&self.options, self.seed);
        let results = bulk::pass(&self.source, &self.target, &self.database, &readings, &options).await?;
        self.reach(false).await?;
        let after = self.files().await?;
        for (index, result) in group.into_iter().zip(results) {
            self.forget_before(index, start)?;
            for dirty in known.get(&index).into_iter().flatten() {
                self.dirty.remove_if_unchanged(dirty.table, &dirty.key, &dirty.entry)?;
            }
            let still = !result.rewritten && files[index] == after[index] && self.dirty.len(number(index)) == 0;
            if still {
                self.clear_whole(index);
                self.conclude(index, &result, files[index]);
            } else {
                self.table(index).undecided = Some("it was changed while it was read".to_owned());
            }
        }
        Ok(())
    }
}

async fn sizes(session: &Session, side: Side, oids: Vec<u32>) -> Result<Vec<u64>, Error> {
    let query = "SELECT COALESCE(pg_table_size(o), 0) FROM unnest($1::oid[]) WITH ORDINALITY AS t (o, n) ORDER BY n";
    let rows = session.query(query, &[&oids]).await;
    let rows = rows.map_err(sql(side, "looking at the tables' sizes"))?;
    Ok(rows.iter().map(|row| row.get::<_, i64>(0).unsigned_abs()).collect())
}

fn left(deadline: Instant) -> Result<Duration, Error> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Error::Undecided("there was no time to settle all rows".to_owned()));
    }
    Ok(left)
}
