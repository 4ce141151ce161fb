//! Every row of every table, on both sides, at different times.
use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join;
use pgupgrade_postgres::barrier;
use pgupgrade_postgres::connection::{Connector, Profile};

use super::table::Files;
use super::{Live, SUSPECT, number};
use crate::bulk::{self, Differing, PassOptions, TablePass};
use crate::catalog::Reading;
use crate::side::Side;
use crate::sketch::Difference;
use crate::{Depth, Error, key_hash};

/// How often a table that was truncated or rewritten while it was read is read again.
const RETRIES: usize = 3;
/// Keys that are looked for where rows of a table differ without having been changed.
const SUSPECTS: usize = 10_000;
/// How often the verification slot is read while tables are.
const POLL: Duration = Duration::from_secs(1);
/// The same while the application waits.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a reader may be behind.
const READER: Duration = Duration::from_secs(30);
/// After so many readings of the slots, what they told of is settled, and their WAL given free.
const ADVANCE: u32 = 30;
/// Into how many parts the keys of a table are divided at most, where much of it changes while it is read.
const PARTS: u64 = 64;
/// Bytes of the source that are read before what differs is settled.
const GROUP: u64 = 8 << 30;

impl Live {
    /// Reads every table that was not read so far, as far as the depth asks for it, and settles what differs.
    ///
    /// # Errors
    /// What a new start may find gone. A difference is no error.
    pub async fn read(&mut self) -> Result<(), Error> {
        self.read_to(self.options.depth).await
    }

    pub(super) async fn read_to(&mut self, depth: Depth) -> Result<(), Error> {
        for _ in 0..=RETRIES {
            for group in self.groups(true, depth) {
                self.read_group(group).await?;
                self.sweep_and_advance().await?;
                if self.outdated && self.options.keep.is_some() {
                    return Ok(()); // a new comparison goes on with what was read so far
                }
            }
            for group in self.groups(false, depth) {
                self.read_exactly(group).await?;
            }
            self.sweep_and_advance().await?;
            if !self.find_stale().await? {
                break;
            }
        }
        self.check_plan().await
    }

    /// Reads what was truncated, and the tables without a key that changed, since they were read last, so that the fence
    /// finds little to do.
    ///
    /// # Errors
    /// What a new start may find gone.
    pub async fn renew(&mut self) -> Result<(), Error> {
        self.reach(false).await?;
        self.look_for_foreign().await?;
        self.find_altered().await?;
        self.find_stale().await?;
        self.mark_keyless();
        self.read_to(Depth::Changed).await
    }

    /// Marks the tables without a key that changed since they were read.
    pub(super) fn mark_keyless(&mut self) {
        for index in 0..self.tables.len() {
            self.table(index).stale |= !self.readings[index].is_keyed() && self.dirty.len(number(index)) > 0;
        }
    }

    /// Marks the tables that were truncated or rewritten since they were read, and tells whether there are any.
    pub(super) async fn find_stale(&mut self) -> Result<bool, Error> {
        let mut found = false;
        for (index, files) in self.files().await?.into_iter().enumerate() {
            if self.is_whole(index) || (self.tables[index].depth.is_some() && files != self.tables[index].files) {
                self.table(index).stale = true;
                found = true;
            }
        }
        Ok(found)
    }

    /// The tables with a key that are to be read, or those without, some at a time.
    pub(super) fn groups(&self, keyed: bool, depth: Depth) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut bytes = GROUP;
        for (index, reading) in self.readings.iter().enumerate() {
            if !self.tables[index].is_due(depth) || reading.is_keyed() != keyed {
                continue;
            }
            if bytes >= GROUP {
                groups.push(Vec::new());
                bytes = 0;
            }
            bytes += reading.bytes();
            if let Some(group) = groups.last_mut() {
                group.push(index);
            }
        }
        groups
    }

    pub(super) async fn read_group(&mut self, mut group: Vec<usize>) -> Result<(), Error> {
        for _ in 0..=RETRIES {
            group = self.pass(&group, None).await?;
            if group.is_empty() {
                return Ok(());
            }
        }
        for index in group {
            self.table(index).undecided = Some("truncated or rewritten each time that it was read".to_owned());
        }
        Ok(())
    }

    /// Reads tables on both sides, and returns those that have to be read again.
    async fn pass(&mut self, group: &[usize], part: Option<(u64, u64)>) -> Result<Vec<usize>, Error> {
        for index in group {
            self.clear_whole(*index);
            if part.is_none_or(|(number, _)| number == 0) {
                self.table(*index).begin();
            }
        }
        self.unsettled = None;
        let files = self.files().await?;
        self.reach(true).await?;
        let results = self.read_beside_the_feed(group, part).await?;
        self.look_for_foreign().await?;
        self.reach(false).await?;
        let mut again = Vec::new();
        for (index, result) in group.iter().zip(results) {
            if result.rewritten || self.is_whole(*index) {
                again.push(*index);
            } else {
                self.take_in(*index, &result, files[*index], part).await?;
            }
        }
        Ok(again)
    }

    /// Keeps the verification slot's backlog small while tables are read.
    async fn read_beside_the_feed(
        &mut self,
        group: &[usize],
        part: Option<(u64, u64)>,
    ) -> Result<Vec<TablePass>, Error> {
        let readings: Arc<[Reading]> = group
            .iter()
            .filter_map(|index| self.readings.get(*index).cloned())
            .collect();
        let options = PassOptions {
            part,
            snapshots: self.pair.as_ref().map(|pair| pair.names.clone()),
            writer: Some(self.source.clone()),
            ..PassOptions::new(&self.options, self.seed)
        };
        let (target, database) = (self.target.clone(), self.database.clone());
        self.busy = group.iter().map(|index| number(*index)).collect();
        if let Some(reader) = self.reader_in_step().await {
            let pass = std::pin::pin!(bulk::pass(&reader, &target, &database, &readings, &options));
            match self.follow_during(pass, POLL, true).await? {
                // A standby cancels what is in the way of its recovery.
                Err(error) => tracing::warn!(%error, "the reader can't be read; the source is"),
                results => {
                    self.busy.clear();
                    return results;
                }
            }
        }
        let source = self.source.clone();
        let pass = std::pin::pin!(bulk::pass(&source, &target, &database, &readings, &options));
        let results = self.follow_during(pass, POLL, true).await?;
        self.busy.clear();
        results
    }

    /// The reader, if there is one and it shows what was committed before the last barrier. Not for a pair of snapshots,
    /// which were taken on the source.
    async fn reader_in_step(&self) -> Option<Connector> {
        let reader = self.options.reader.as_ref().filter(|_| self.pair.is_none())?;
        match self.wait_for_reader(reader).await {
            Ok(()) => Some(reader.clone()),
            Err(error) => {
                tracing::warn!(%error, "the reader is not in step; the source is read");
                None
            }
        }
    }

    async fn wait_for_reader(&self, reader: &Connector) -> Result<(), Error> {
        let session = reader.connect(&self.database, Profile::Observe).await?;
        for (stream, number) in self.replication.streams.iter().zip(&self.barriers) {
            barrier::wait(&session, stream, *number, READER).await?;
        }
        Ok(())
    }

    /// Reads what the slots tell until something else is done, so that there is less to read afterwards.
    ///
    /// # Errors
    /// What a new start may find gone.
    pub async fn follow_until<T>(&mut self, arrival: impl Future<Output = T>) -> Result<T, Error> {
        let arrival = std::pin::pin!(arrival);
        self.follow_during(arrival, PAUSE, false).await
    }

    async fn follow_during<T>(
        &mut self,
        mut pass: Pin<&mut impl Future<Output = T>>,
        pause: Duration,
        settle: bool,
    ) -> Result<T, Error> {
        let (mut polls, mut took) = (0_u32, Duration::ZERO);
        loop {
            // Slots that take long to read are left alone for as long.
            tokio::select! {
                done = &mut pass => return Ok(done),
                () = tokio::time::sleep(pause.max(took)) => polls += 1,
            }
            let begun = Instant::now();
            // Not to be broken off: what a reading was about to tell would be lost.
            let look = self.look_meanwhile(settle && polls.is_multiple_of(ADVANCE));
            tokio::pin!(look);
            let mut done = None;
            loop {
                tokio::select! {
                    result = &mut pass, if done.is_none() => done = Some(result),
                    looked = &mut look => break looked?,
                }
            }
            if let Some(done) = done {
                return Ok(done);
            }
            took = begun.elapsed();
        }
    }

    async fn sweep_and_advance(&mut self) -> Result<(), Error> {
        self.sweep_all().await?;
        self.advance().await
    }

    /// Reads both slots, and now and then settles what they tell of other tables, so that WAL is given free.
    async fn look_meanwhile(&mut self, settle: bool) -> Result<(), Error> {
        self.feed.poll(&mut self.dirty).await?;
        if let Some(foreign) = &mut self.foreign {
            foreign.poll(&mut self.dirty).await?;
        }
        if !settle {
            return Ok(());
        }
        match Box::pin(self.sweep_and_advance()).await {
            Err(error) if error.may_pass() => {
                tracing::debug!(%error, "what changed meanwhile is settled later");
                Ok(())
            }
            other => other,
        }
    }

    /// Keeps a table's counts, and makes suspects of the rows that differ without having been changed.
    async fn take_in(
        &mut self,
        index: usize,
        result: &TablePass,
        files: Files,
        part: Option<(u64, u64)>,
    ) -> Result<(), Error> {
        let table = self.table(index);
        (table.rows, table.target_rows, table.bytes) = (result.source.rows, result.target.rows, result.source.bytes);
        match &result.differing {
            Differing::Hashes(differences) => {
                let suspects = self.unexplained(index, differences)?;
                self.suspect(index, &suspects).await?;
            }
            Differing::TooMany { estimate, examples } => {
                let suspects = self.unexplained(index, examples)?;
                if suspects.is_empty() {
                    return self.read_in_parts(index, *estimate, files, part).await;
                }
                self.table(index).different.more = true;
                self.suspect(index, &suspects).await?;
            }
            Differing::None | Differing::WithoutKey => {}
        }
        if part.is_none() {
            self.table(index).was_read(files);
        }
        Ok(())
    }

    /// Where more rows changed during a pass than its sketch can tell apart: a share of the keys at a time.
    async fn read_in_parts(
        &mut self,
        index: usize,
        estimate: u64,
        files: Files,
        part: Option<(u64, u64)>,
    ) -> Result<(), Error> {
        let parts = (estimate / bulk::CAPACITY + 2).next_power_of_two();
        if part.is_some() || parts > PARTS {
            self.table(index).undecided = Some(format!("about {estimate} rows changed while it was read once"));
            return Ok(());
        }
        for number in 0..parts {
            let again = Box::pin(self.pass(&[index], Some((number, parts)))).await?;
            if !again.is_empty() || self.table(index).undecided.is_some() {
                return Ok(());
            }
        }
        self.table(index).was_read(files);
        Ok(())
    }

    /// Whether a table was truncated, or changed in another way that can't be told by keys.
    pub(super) fn is_whole(&self, index: usize) -> bool {
        [false, true]
            .iter()
            .any(|rogue| self.dirty.whole(number(index), *rogue).is_some())
    }

    pub(super) fn clear_whole(&mut self, index: usize) {
        for rogue in [false, true] {
            if let Some(entry) = self.dirty.whole(number(index), rogue) {
                self.dirty.clear_whole_if_unchanged(number(index), &entry);
            }
        }
    }

    /// Those rows whose keys the verification slot did not tell of.
    fn unexplained(&self, index: usize, differences: &[Difference]) -> Result<Vec<Difference>, Error> {
        let mut hashes: HashSet<u64> = differences.iter().map(|difference| difference.key_hash).collect();
        self.dirty.for_each_key(number(index), |key, _| {
            hashes.remove(&key_hash(key, self.seed));
        })?;
        let unexplained = differences
            .iter()
            .filter(|difference| hashes.contains(&difference.key_hash));
        Ok(unexplained.copied().collect())
    }

    /// Finds the keys by another scan, and has the next drain decide.
    async fn suspect(&mut self, index: usize, suspects: &[Difference]) -> Result<(), Error> {
        if suspects.is_empty() {
            return Ok(());
        }
        self.table(index).different.more |= suspects.len() > SUSPECTS;
        let of = |side| {
            let of_side = suspects.iter().filter(|suspect| suspect.side == side);
            of_side
                .map(|suspect| suspect.key_hash)
                .take(SUSPECTS)
                .collect::<HashSet<u64>>()
        };
        let reading = &self.readings[index];
        let (source, target) = (&self.sessions.source, &self.sessions.target);
        let (on_source, on_target) = try_join(
            bulk::keys_of(source, Side::Source, reading, &of(Side::Source), self.seed),
            bulk::keys_of(target, Side::Target, reading, &of(Side::Target), self.seed),
        )
        .await?;
        for key in on_source.into_values().chain(on_target.into_values()) {
            self.dirty.insert(number(index), &key, SUSPECT)?;
        }
        Ok(())
    }
}
