//! Tables without a key: read in a pair of snapshots that show the same.
//!
//! For such a table the dirty set holds the transactions that changed it in place of keys. One that was committed
//! before the barrier is on the target; if the source's snapshot does not see it, it stands in the gap between snapshot
//! and barrier, and the pair does not show the same of this table.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pgupgrade_pgoutput::Lsn;

use super::table::Files;
use super::{Live, named, number};
use crate::Error;
use crate::bulk::{self, PassOptions, TablePass};
use crate::catalog::Reading;
use crate::dirty::{DirtyKey, Entry};
use crate::pair::{self, Pair};

/// How often a pair is taken for the tables that the last one did not show alike.
const TRIES: usize = 10;
/// Transactions that are forgotten at a time.
const BATCH: usize = 10_000;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(300);

/// Transactions of others, by table.
pub(super) type Known = HashMap<usize, Vec<DirtyKey>>;

impl Live {
    pub(super) async fn read_exactly(&mut self, mut group: Vec<usize>) -> Result<(), Error> {
        let mut why = String::new();
        for _ in 0..TRIES {
            let files = self.files().await?;
            let known = self.known_foreign(&group).await?;
            match self.take_pair().await? {
                Err(reason) => why = reason,
                Ok((pair, barrier)) => {
                    let (ready, gap) = self.without_gap(&group, &pair, barrier)?;
                    if !gap.is_empty() {
                        "it is changed too often to be read at one instant".clone_into(&mut why);
                    }
                    let again = self.read_pair(&ready, &pair, barrier, &files, &known).await?;
                    group = gap.into_iter().chain(again).collect();
                }
            }
            if group.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        for index in group {
            self.table(index).undecided = Some(why.clone());
        }
        Ok(())
    }

    /// Reads every table in one pair of snapshots, which is held until the end: for proofs, not for terabytes.
    ///
    /// # Errors
    /// [`Error::Undecided`] where no pair can be had; what a new start may find gone.
    pub async fn read_pinned(&mut self) -> Result<(), Error> {
        let (keyed, keyless): (Vec<usize>, Vec<usize>) =
            (0..self.readings.len()).partition(|index| self.readings[*index].is_keyed());
        let mut why = String::new();
        for _ in 0..TRIES {
            let files = self.files().await?;
            let known = self.known_foreign(&keyless).await?;
            match self.take_pair().await? {
                Err(reason) => why = reason,
                Ok((pair, barrier)) => {
                    let (ready, gap) = self.without_gap(&keyless, &pair, barrier)?;
                    if gap.is_empty() {
                        self.read_pair(&ready, &pair, barrier, &files, &known).await?;
                        self.pair = Some(pair);
                        let read = self.read_group(keyed).await;
                        self.pair = None;
                        read?;
                        self.pinned = true;
                        // What was truncated since can't be read in the pair any more.
                        return self.read().await;
                    }
                    "tables without a key are changed too often".clone_into(&mut why);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Error::Undecided(format!(
            "no pair of snapshots in {TRIES} tries: {why}"
        )))
    }

    /// What others are known to have written to tables without a key: a pair that is taken now shows it.
    pub(super) async fn known_foreign(&mut self, group: &[usize]) -> Result<Known, Error> {
        self.look_for_foreign().await?;
        group
            .iter()
            .map(|index| Ok((*index, self.foreign_of(*index)?)))
            .collect()
    }

    /// A pair, with the verification slot read up to its barrier.
    async fn take_pair(&mut self) -> Result<Result<(Pair, Lsn), String>, Error> {
        let streams: Vec<&str> = self.replication.streams.iter().map(String::as_str).collect();
        let pair = match pair::take(&self.source, &self.target, &self.database, &streams).await? {
            Ok(pair) => pair,
            Err(why) => return Ok(Err(why)),
        };
        tracing::debug!(held = ?pair.held, "a pair of snapshots");
        let barriers: Vec<(&str, i64)> = streams.iter().copied().zip(pair.barriers.iter().copied()).collect();
        let patience = self.replication.patience;
        let commits = self
            .feed
            .read_until(&named(&barriers), &mut self.dirty, patience)
            .await?;
        let barrier = commits.first().copied().unwrap_or_default();
        Ok(Ok((pair, barrier)))
    }

    /// Divides the tables into those of which the pair shows the same, and the others.
    fn without_gap(&self, group: &[usize], pair: &Pair, barrier: Lsn) -> Result<(Vec<usize>, Vec<usize>), Error> {
        let mut gap = Vec::new();
        for index in group {
            let outside = |entry: &Entry| {
                let seen = entry.xid.is_none_or(|xid| pair.snapshot.sees(xid));
                seen == (entry.lsn < barrier)
            };
            let mut shows_the_same = self.dirty.whole(number(*index), false).as_ref().is_none_or(outside);
            self.dirty.for_each_key(number(*index), |_, entry| {
                shows_the_same &= entry.rogue || outside(&entry);
            })?;
            if !shows_the_same {
                gap.push(*index);
            }
        }
        let ready = group.iter().copied().filter(|index| !gap.contains(index)).collect();
        Ok((ready, gap))
    }

    /// Compares what the pair shows, and returns the tables that have to be read again.
    async fn read_pair(
        &mut self,
        group: &[usize],
        pair: &Pair,
        barrier: Lsn,
        files: &[Files],
        known: &Known,
    ) -> Result<Vec<usize>, Error> {
        let readings: Arc<[Reading]> = group
            .iter()
            .filter_map(|index| self.readings.get(*index).cloned())
            .collect();
        let options = PassOptions {
            snapshots: Some(pair.names.clone()),
            ..PassOptions::new(&self.options, self.seed)
        };
        let results = bulk::pass(&self.source, &self.target, &self.database, &readings, &options).await?;
        self.reach(false).await?;
        let after = self.files().await?;
        let mut again = Vec::new();
        for (index, result) in group.iter().zip(results) {
            // A snapshot keeps rows neither from TRUNCATE nor from being rewritten.
            if result.rewritten
                || files[*index] != after[*index]
                || self
                    .dirty
                    .whole(number(*index), false)
                    .is_some_and(|whole| whole.lsn >= barrier)
            {
                again.push(*index);
                continue;
            }
            self.clear_whole(*index);
            self.forget_before(*index, barrier)?;
            for dirty in known.get(index).into_iter().flatten() {
                self.dirty.remove_if_unchanged(dirty.table, &dirty.key, &dirty.entry)?;
            }
            self.conclude(*index, &result, files[*index]);
        }
        Ok(again)
    }

    /// Forgets the transactions that changed a table before it was read.
    pub(super) fn forget_before(&mut self, index: usize, barrier: Lsn) -> Result<(), Error> {
        let mut last: Option<DirtyKey> = None;
        loop {
            let batch = self.dirty.batch_of(number(index), last.as_ref(), BATCH)?;
            let Some(end) = batch.last() else {
                return Ok(());
            };
            last = Some(end.clone());
            for dirty in batch
                .iter()
                .filter(|dirty| !dirty.entry.rogue && dirty.entry.lsn < barrier)
            {
                self.dirty.remove_if_unchanged(dirty.table, &dirty.key, &dirty.entry)?;
            }
        }
    }

    /// Both sides were read in the same state.
    pub(super) fn conclude(&mut self, index: usize, result: &TablePass, files: Files) {
        let table = self.table(index);
        (table.rows, table.target_rows, table.bytes) = (result.source.rows, result.target.rows, result.source.bytes);
        table.was_read(files);
        let apart = table.rows.abs_diff(table.target_rows).max(1);
        table.different.unnamed = if result.differs() { apart } else { 0 };
    }
}
