//! Keys that were changed or are suspect: read again until each was seen in one state on both sides.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use futures::future::{try_join, try_join_all};
use pgupgrade_pgoutput::Lsn;
use pgupgrade_postgres::connection::Session;

use super::table::Files;
use super::{Live, SUSPECT, number};
use crate::catalog::Reading;
use crate::dirty::{DirtyKey, Entry};
use crate::drain::{Decision, Look};
use crate::examples::example;
use crate::side::{Side, sql};
use crate::snapshot::Snapshot;
use crate::{Error, Kind, lookup};

/// Keys that are read between two barriers.
const BATCH: usize = 20_000;
/// How often what is known is written down.
const ADVANCE: Duration = Duration::from_secs(10);
const CONTRADICTION: &str = "rows differ where all are read one after the other, and do not where they are looked up by \
    their key: an index does not have all rows; check it with amcheck (bt_index_check with heapallindexed), and REINDEX";
/// Sweeps after which a key that was changed during each of them is left undecided.
const SWEEPS: usize = 8;

// What a look that was given up has left open would show an old state.
const BEGIN: &str = "ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The hashes of the rows that were found, by table and key.
type Rows = HashMap<u32, HashMap<Vec<u8>, u128>>;

/// What is known of a table as a whole.
struct Mark {
    files: Files,
    whole: Option<Entry>,
}

impl Live {
    /// Settles what the verification slot has told of so far, and gives its WAL free now and then. A key that is changed
    /// every time that it is looked at stays undecided.
    ///
    /// # Errors
    /// What a new start may find gone.
    pub async fn drain(&mut self) -> Result<(), Error> {
        self.sweep_all().await?;
        if self.options.keep.is_none() || self.advanced.elapsed() >= ADVANCE {
            self.advance().await?;
        }
        Ok(())
    }

    pub(super) async fn sweep_all(&mut self) -> Result<(), Error> {
        let pending = self.look_at_changes().await?;
        self.note_hot(&pending);
        Ok(())
    }

    /// As [`Self::drain`], but a row that is changed all the time is undecided only until it was seen in one state on
    /// both sides once, since its table was read. Repeated until no row is, it proves that each of them was.
    ///
    /// # Errors
    /// What a new start may find gone.
    pub async fn settle_once(&mut self) -> Result<(), Error> {
        let pending = match self.unsettled.take() {
            None => self.look_at_changes().await?,
            // All others were in one state before, and the fewer are read, the sooner one stands still meanwhile.
            Some(unsettled) => self.look_repeatedly(unsettled).await?,
        };
        self.note_hot(&pending);
        self.unsettled = Some(pending);
        self.advance().await
    }

    /// Looks at every key in the dirty set, and returns those that were changed during each of some looks.
    async fn look_at_changes(&mut self) -> Result<Vec<DirtyKey>, Error> {
        let pending = self.sweep().await?;
        self.look_repeatedly(pending).await
    }

    async fn look_repeatedly(&mut self, mut pending: Vec<DirtyKey>) -> Result<Vec<DirtyKey>, Error> {
        for _ in 1..SWEEPS {
            if pending.is_empty() {
                break;
            }
            pending = self.look_again(pending).await?;
        }
        Ok(pending)
    }

    /// Looks once at every key in the dirty set, and returns those that were changed meanwhile.
    pub(super) async fn sweep(&mut self) -> Result<Vec<DirtyKey>, Error> {
        let mut later = Vec::new();
        let mut last: Option<DirtyKey> = None;
        loop {
            let barrier = self.reach(true).await?;
            self.look_for_foreign().await?;
            let (batch, is_last) = self.next_batch(&mut last)?;
            later.extend(self.round(barrier, batch).await?);
            if is_last {
                return Ok(later);
            }
        }
    }

    /// The next keys of tables that are not being read, and whether they are the last ones.
    fn next_batch(&self, last: &mut Option<DirtyKey>) -> Result<(Vec<DirtyKey>, bool), Error> {
        loop {
            let mut batch = self.dirty.batch(last.as_ref(), BATCH)?;
            let is_last = batch.len() < BATCH;
            *last = batch.last().cloned();
            batch.retain(|dirty| !self.busy.contains(&dirty.table));
            if is_last || !batch.is_empty() {
                return Ok((batch, is_last));
            }
        }
    }

    async fn look_again(&mut self, keys: Vec<DirtyKey>) -> Result<Vec<DirtyKey>, Error> {
        let mut later = Vec::new();
        for some in keys.chunks(BATCH) {
            let barrier = self.reach(true).await?;
            let mut batch = Vec::with_capacity(some.len());
            for old in some {
                if let Some(entry) = self.dirty.get(old.table, &old.key, old.entry.rogue)? {
                    batch.push(DirtyKey { entry, ..old.clone() });
                }
            }
            later.extend(self.round(barrier, batch).await?);
        }
        Ok(later)
    }

    /// Reads the keys on both sides, then decides by what the verification slot tells meanwhile.
    async fn round(&mut self, barrier: Lsn, mut batch: Vec<DirtyKey>) -> Result<Vec<DirtyKey>, Error> {
        batch.retain(|dirty| self.reading(dirty.table).is_some_and(Reading::is_keyed));
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let done = self.read_and_decide(barrier, batch).await;
        // Also after an error: what stays open would hold VACUUM up.
        let (source, target) = (&self.sessions.source, &self.sessions.target);
        let ended = try_join(end(source, Side::Source), end(target, Side::Target)).await;
        let later = done?;
        ended?;
        Ok(later)
    }

    async fn read_and_decide(&mut self, barrier: Lsn, batch: Vec<DirtyKey>) -> Result<Vec<DirtyKey>, Error> {
        let tables: BTreeSet<u32> = batch.iter().map(|dirty| dirty.table).collect();
        let before = self.marks(&tables).await?;
        let (source, target) = (&self.sessions.source, &self.sessions.target);
        let (snapshot, _) = try_join(begin(source, Side::Source), begin(target, Side::Target)).await?;
        let (on_source, on_target) = try_join(
            self.rows(source, Side::Source, &batch),
            self.rows(target, Side::Target, &batch),
        )
        .await?;
        self.look_for_foreign().await?;
        self.reach(false).await?;
        let after = self.marks(&tables).await?;
        let look = Look {
            barrier,
            snapshot: &snapshot,
        };
        let mut later = Vec::new();
        for dirty in batch {
            let hash = |rows: &Rows| rows.get(&dirty.table).and_then(|rows| rows.get(&dirty.key)).copied();
            let (a, b) = (hash(&on_source), hash(&on_target));
            let marks = (before.get(&dirty.table), after.get(&dirty.table));
            match self.decide(&look, &dirty, marks, a == b)? {
                Decision::Equal => self.equal(&dirty)?,
                Decision::Different => self.found(&dirty, kind(a.is_some(), b.is_some())).await?,
                Decision::Later => later.push(dirty),
            }
        }
        Ok(later)
    }

    fn decide(
        &self,
        look: &Look<'_>,
        dirty: &DirtyKey,
        (before, after): (Option<&Mark>, Option<&Mark>),
        same: bool,
    ) -> Result<Decision, Error> {
        let now = self.dirty.get(dirty.table, &dirty.key, dirty.entry.rogue)?;
        // A table that was rewritten meanwhile is empty for a snapshot from before.
        if before.map(|mark| mark.files) != after.map(|mark| mark.files) {
            return Ok(Decision::Later);
        }
        let whole = |mark: Option<&Mark>| mark.and_then(|mark| mark.whole);
        let (whole_before, whole_after) = (whole(before), whole(after));
        let table = (whole_before.as_ref(), whole_after.as_ref());
        if !dirty.entry.rogue {
            return Ok(look.decide((Some(&dirty.entry), now.as_ref()), table, same));
        }
        // Positions of the target say nothing on the source. What others wrote is decided once the source has nothing
        // to say about the key.
        let changed_on_source = self.dirty.get(dirty.table, &dirty.key, false)?.is_some();
        if now != Some(dirty.entry) || changed_on_source {
            return Ok(Decision::Later);
        }
        Ok(look.decide((Some(&SUSPECT), Some(&SUSPECT)), table, same))
    }

    /// What would make a look at a table's keys worthless.
    async fn marks(&self, tables: &BTreeSet<u32>) -> Result<HashMap<u32, Mark>, Error> {
        let files = self.files_of(tables.iter().map(|table| *table as usize)).await?;
        let marks = tables.iter().zip(files).map(|(table, files)| {
            let whole = self.dirty.whole(*table, false);
            (*table, Mark { files, whole })
        });
        Ok(marks.collect())
    }

    /// Statements of different tables are sent without waiting for each other's answers.
    async fn rows(&self, session: &Session, side: Side, batch: &[DirtyKey]) -> Result<Rows, Error> {
        let mut by_table: BTreeMap<u32, Vec<&[u8]>> = BTreeMap::new();
        for dirty in batch {
            by_table.entry(dirty.table).or_default().push(&dirty.key);
        }
        let statements = &self.sessions.statements[side.index()];
        let reads = by_table.iter().filter_map(|(table, keys)| {
            let reading = self.reading(*table)?;
            Some(async move {
                let rows = lookup::rows_by_key(session, statements, side, reading, keys, self.seed).await?;
                Ok::<_, Error>((*table, rows))
            })
        });
        Ok(try_join_all(reads).await?.into_iter().collect())
    }

    fn equal(&mut self, dirty: &DirtyKey) -> Result<(), Error> {
        if dirty.entry == SUSPECT {
            // It differed when all rows were read, and nobody changed it.
            let table = self.table(dirty.table as usize);
            table.undecided = Some(CONTRADICTION.to_owned());
        }
        self.table(dirty.table as usize).different.remove(&dirty.key);
        self.dirty.remove_if_unchanged(dirty.table, &dirty.key, &dirty.entry)?;
        Ok(())
    }

    /// A difference is certain. Its values are read in the transactions that saw it.
    async fn found(&mut self, dirty: &DirtyKey, kind: Kind) -> Result<(), Error> {
        let index = dirty.table as usize;
        let mut shown = None;
        if self.tables[index].different.shown() < self.options.examples {
            let (source, target) = (&self.sessions.source, &self.sessions.target);
            let reading = &self.readings[index];
            shown = Some(example(source, target, reading, &dirty.key, kind, self.options.show_values).await?);
        }
        self.table(index).different.add(dirty.key.clone(), shown);
        self.dirty.remove_if_unchanged(dirty.table, &dirty.key, &dirty.entry)?;
        Ok(())
    }

    pub(super) fn note_hot(&mut self, pending: &[DirtyKey]) {
        let mut hot: HashMap<u32, usize> = HashMap::new();
        for dirty in pending {
            *hot.entry(dirty.table).or_default() += 1;
        }
        for (index, table) in self.tables.iter_mut().enumerate() {
            table.hot = hot.get(&number(index)).copied().unwrap_or_default();
        }
    }
}

fn kind(on_source: bool, on_target: bool) -> Kind {
    match (on_source, on_target) {
        (_, false) => Kind::Missing,
        (false, true) => Kind::Extra,
        (true, true) => Kind::Changed,
    }
}

async fn begin(session: &Session, side: Side) -> Result<Snapshot, Error> {
    let step = "taking a snapshot";
    session.batch_execute(BEGIN).await.map_err(sql(side, step))?;
    let row = session.query_one("SELECT txid_current_snapshot()::text", &[]).await;
    row.map_err(sql(side, step))?.get::<_, &str>(0).parse()
}

async fn end(session: &Session, side: Side) -> Result<(), Error> {
    session
        .batch_execute("COMMIT")
        .await
        .map_err(sql(side, "giving a snapshot back"))
}
