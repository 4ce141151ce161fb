//! All rows of tables, on both sides at once.
//!
//! Each side reads its own heap in its own physical order, a range of blocks at a time and each range by a statement of
//! its own, so that no snapshot is held for long. Rows are hashed here; what a table comes to does not depend on their
//! order: number, bytes and sum of the hashes for all tables, and for those with a key a sketch that gives away which
//! rows one side has and the other has not ([`crate::sketch`]).
mod keys;
mod progress;
mod ranges;
mod rows;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::try_join;
use futures::{TryStreamExt, pin_mut};
use pgupgrade_postgres::connection::{Connector, Session};
use tokio::task::JoinSet;
use tokio_postgres::CopyOutStream;
use tokio_postgres::error::SqlState;

use crate::catalog::Reading;
use crate::copy_stream::Rows;
use crate::limits::{Gate, Limits, Pace};
use crate::side::{self, Side, sql};
use crate::sketch::{self, Difference, Sketch};
use crate::{Error, Options, ProgressFn};

pub(crate) use keys::keys_of;
use progress::Counter;
use ranges::{Range, Storage};
use rows::{Batch, Hasher};
use tables::Tables;

/// Rows of a table that may differ and still be told apart in one pass, each with one version on either side.
pub(crate) const CAPACITY: u64 = sketch::CAPACITY;
/// Bytes of a range, TOAST included. Read in a second or so.
const CHUNK: u64 = 64 << 20;
/// What a range is read in at a limited number of bytes a second.
const SECONDS: u64 = 2;
/// How often a table is asked for that somebody else has locked, each time for the session's `lock_timeout`.
const ATTEMPTS: usize = 12;

/// How tables are read.
#[derive(Clone)]
pub(crate) struct PassOptions {
    /// Sessions on each side.
    pub(crate) parallelism: usize,
    /// Names of exported snapshots of source and target to read instead of what is there by and by.
    pub(crate) snapshots: Option<(String, String)>,
    /// What may be taken of the servers.
    pub(crate) limits: Limits,
    /// Whose load counts, where that is not the source that is read.
    pub(crate) writer: Option<Connector>,
    /// Bytes that one statement reads.
    pub(crate) chunk: u64,
    /// Of all hashes; random, so that nobody can make rows whose hashes meet.
    pub(crate) seed: u64,
    /// Called every few thousand rows.
    pub(crate) progress: Option<ProgressFn>,
    /// Bytes that the sketches of all tables may take, and again the differences that they give away.
    pub(crate) memory: usize,
    /// `(i, p)`: the sketches have only the rows whose key's hash modulo p is i.
    pub(crate) part: Option<(u64, u64)>,
}

impl PassOptions {
    pub(crate) fn new(options: &Options, seed: u64) -> Self {
        let rate = options.limits.max_bytes_per_second;
        Self {
            parallelism: options.parallelism,
            snapshots: None,
            limits: options.limits.clone(),
            writer: None,
            chunk: rate.map_or(CHUNK, |rate| CHUNK.min(rate.saturating_mul(SECONDS))),
            seed,
            progress: options.progress.clone(),
            memory: options.sketch_bytes,
            part: None,
        }
    }

    fn snapshot(&self, side: Side) -> Option<&str> {
        let (source, target) = self.snapshots.as_ref()?;
        Some(match side {
            Side::Source => source,
            Side::Target => target,
        })
    }
}

/// What the rows of a side of a table come to, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) rows: u64,
    /// As the rows were sent.
    pub(crate) bytes: u64,
    /// Of the rows' hashes, modulo 2^128.
    pub(crate) sum: u128,
}

/// Which rows of a table differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Differing {
    /// None.
    None,
    /// All of these. Sorted.
    Hashes(Vec<Difference>),
    /// More than can be told apart in one pass.
    TooMany {
        /// About so many keys.
        estimate: u64,
        /// Some of the rows.
        examples: Vec<Difference>,
    },
    /// Some, and there is no key to name them by.
    WithoutKey,
}

/// What a pass found out about a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TablePass {
    pub(crate) source: Digest,
    pub(crate) target: Digest,
    pub(crate) differing: Differing,
    /// Whether one of the sides was truncated, rewritten or dropped meanwhile: nothing is known about it then.
    pub(crate) rewritten: bool,
}

impl TablePass {
    /// Whether the sides have different rows.
    pub(crate) fn differs(&self) -> bool {
        (self.source.rows, self.source.sum) != (self.target.rows, self.target.sum)
    }
}

impl Reading {
    /// Whether rows can be told apart by a key.
    pub(crate) fn is_keyed(&self) -> bool {
        !self.key.is_empty()
    }

    /// Bytes of the table's main fork on the larger side.
    pub(crate) fn bytes(&self) -> u64 {
        self.on(Side::Source).bytes.max(self.on(Side::Target).bytes)
    }
}

/// Reads tables on both sides, and returns what it found out in the same order.
///
/// Where somebody writes meanwhile, a row may be read in another version on either side, twice or not at all: then only
/// who knows what was changed can tell what a difference means.
///
/// # Errors
/// [`Error::Connect`], [`Error::Sql`], also where the role may not read a table; a difference is no error.
pub(crate) async fn pass(
    source: &Connector,
    target: &Connector,
    database: &str,
    readings: &Arc<[Reading]>,
    options: &PassOptions,
) -> Result<Vec<TablePass>, Error> {
    if readings.is_empty() {
        return Ok(Vec::new());
    }
    let (on_source, on_target) = try_join(
        begin(source, Side::Source, database, readings, options),
        begin(target, Side::Target, database, readings, options),
    )
    .await?;
    let writer = options.writer.as_ref().unwrap_or(source);
    let gate = Gate::open(writer, database, options.limits.pause_above).await?;
    let storages = [on_source.1, on_target.1];
    let run = Arc::new(Run::new(readings, options, &storages, gate));
    let mut workers = JoinSet::new();
    for (side, connector, first) in [(Side::Source, source, on_source.0), (Side::Target, target, on_target.0)] {
        let wanted = options.parallelism.clamp(1, run.queue(side).items.len().max(1));
        workers.spawn(Arc::clone(&run).work(side, first));
        for _ in 1..wanted {
            let (run, connector, database) = (Arc::clone(&run), connector.clone(), database.to_owned());
            workers.spawn(async move {
                let session = open(&connector, side, &database).await?;
                run.work(side, session).await
            });
        }
    }
    let (source, target) = ended(&mut workers).await?;
    let (source, target) = try_join(
        end(source, Side::Source, readings, &storages[0]),
        end(target, Side::Target, readings, &storages[1]),
    )
    .await?;
    let rewritten = source.into_iter().zip(target).map(|(source, target)| source || target);
    Ok(run.tables.results(rewritten))
}

async fn open(connector: &Connector, side: Side, database: &str) -> Result<Session, Error> {
    let session = side::open(connector, side, database, None).await?;
    ranges::prepare(&session, side).await?;
    Ok(session)
}

/// The first session of a side, and what there is to read.
async fn begin(
    connector: &Connector,
    side: Side,
    database: &str,
    readings: &[Reading],
    options: &PassOptions,
) -> Result<(Session, Vec<Option<Storage>>), Error> {
    let session = open(connector, side, database).await?;
    if let Some(snapshot) = options.snapshot(side) {
        side::enter(&session, side, snapshot).await?;
    }
    let storages = ranges::storages(&session, side, readings).await?;
    if options.snapshots.is_some() {
        let step = "leaving the snapshot";
        session.batch_execute("COMMIT").await.map_err(sql(side, step))?;
    }
    Ok((session, storages))
}

/// Whether each table is another one than it was, which no snapshot keeps from being seen.
async fn end(
    session: Session,
    side: Side,
    readings: &[Reading],
    before: &[Option<Storage>],
) -> Result<Vec<bool>, Error> {
    let after = ranges::storages(&session, side, readings).await?;
    let same = |before: &Option<Storage>, after: &Option<Storage>| match (before, after) {
        (Some(before), Some(after)) => before.filenode == after.filenode,
        _ => false,
    };
    Ok(before
        .iter()
        .zip(&after)
        .map(|(before, after)| !same(before, after))
        .collect())
}

/// Waits for all workers, and gives back a session of each side.
async fn ended(workers: &mut JoinSet<Result<(Side, Session), Error>>) -> Result<(Session, Session), Error> {
    let failed = |detail: String| Error::Reader {
        side: "source or target",
        detail,
    };
    let (mut source, mut target) = (None, None);
    while let Some(worker) = workers.join_next().await {
        let (side, session) = worker.map_err(|error| failed(error.to_string()))??;
        match side {
            Side::Source => source = Some(session),
            Side::Target => target = Some(session),
        }
    }
    source.zip(target).ok_or_else(|| failed("it gave nothing".to_owned()))
}

/// A range of a table, and where that is in the order of reading.
#[derive(Clone, Copy, Debug)]
struct Item {
    position: usize,
    table: usize,
    range: Range,
}

/// What a side has to read.
struct Queue {
    items: Vec<Item>,
    next: AtomicUsize,
}

impl Queue {
    fn next(&self) -> Option<Item> {
        self.items.get(self.next.fetch_add(1, Ordering::Relaxed)).copied()
    }
}

/// What all workers share.
struct Run {
    readings: Arc<[Reading]>,
    options: PassOptions,
    queues: [Queue; 2],
    tables: Tables,
    gate: Gate,
    pace: Pace,
    counter: Counter,
}

impl Run {
    fn new(readings: &Arc<[Reading]>, options: &PassOptions, storages: &[Vec<Option<Storage>>; 2], gate: Gate) -> Self {
        let of = |side: &[Option<Storage>], table: usize| side.get(table).copied().flatten().unwrap_or_default();
        let bytes = |table: &usize| storages.iter().map(|side| of(side, *table).bytes).max();
        let mut order: Vec<usize> = (0..readings.len()).collect();
        order.sort_by_key(|table| std::cmp::Reverse(bytes(table)));
        let queues = [0, 1].map(|side| Queue {
            items: order
                .iter()
                .enumerate()
                .flat_map(|(position, table)| {
                    let ranges = of(&storages[side], *table).ranges(options.chunk);
                    ranges.map(move |range| Item {
                        position,
                        table: *table,
                        range,
                    })
                })
                .collect(),
            next: AtomicUsize::new(0),
        });
        Self {
            tables: Tables::new(
                readings,
                order,
                options,
                queues.each_ref().map(|queue| queue.items.as_slice()),
            ),
            gate,
            pace: Pace::new(options.limits.max_bytes_per_second),
            counter: Counter::new(
                readings.len(),
                queues.each_ref().map(|queue| queue.items.len()),
                options.progress.clone(),
            ),
            queues,
            readings: Arc::clone(readings),
            options: options.clone(),
        }
    }

    fn queue(&self, side: Side) -> &Queue {
        &self.queues[side.index()]
    }

    /// Reads until nothing is left, and gives the session back.
    async fn work(self: Arc<Self>, side: Side, session: Session) -> Result<(Side, Session), Error> {
        let mut batch = Batch::default();
        while let Some(item) = self.queue(side).next() {
            self.gate.wait(|pause| self.counter.pause(pause)).await?;
            self.tables.admit(item.position).await;
            self.read(&session, side, item, &mut batch).await?;
            self.counter.range(side);
            if self.tables.read_range(side, item.table) {
                self.counter.table(side);
            }
        }
        Ok((side, session))
    }

    async fn read(&self, session: &Session, side: Side, item: Item, batch: &mut Batch) -> Result<(), Error> {
        let Some(reading) = self.readings.get(item.table) else {
            return Ok(());
        };
        let hasher = Hasher::new(reading, self.options.seed, self.options.part);
        let sketch = self.tables.sketch(item.table);
        if let Some(sketch) = &sketch {
            batch.staged.begin(sketch);
        }
        let stream = self.start(session, side, reading, item.range).await?;
        pin_mut!(stream);
        let mut rows = Rows::default();
        let step = || format!("reading {}", reading.name);
        while let Some(message) = stream.try_next().await.map_err(|error| sql(side, step())(error))? {
            rows.push(&message, |row| batch.add(&hasher, row))?;
            if batch.is_full() {
                self.hand_over(side, item.table, sketch.as_deref(), batch).await;
            }
        }
        rows.finish()?;
        self.hand_over(side, item.table, sketch.as_deref(), batch).await;
        if self.options.snapshots.is_some() {
            session
                .batch_execute("COMMIT")
                .await
                .map_err(|error| sql(side, step())(error))?;
        }
        Ok(())
    }

    /// A table that is locked is waited for; nothing of it has been read by then.
    async fn start(
        &self,
        session: &Session,
        side: Side,
        reading: &Reading,
        range: Range,
    ) -> Result<CopyOutStream, Error> {
        let statement = reading.in_range(range);
        let mut attempt = 1;
        loop {
            if let Some(snapshot) = self.options.snapshot(side) {
                // A transaction for each range, so that no table stays locked for longer than that takes.
                side::enter(session, side, snapshot).await?;
            }
            match session.copy_out(&statement).await {
                Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                started => return started.map_err(sql(side, format_args!("reading {}", reading.name))),
            }
        }
    }

    async fn hand_over(&self, side: Side, table: usize, sketch: Option<&Sketch>, batch: &mut Batch) {
        if let Some(sketch) = sketch {
            sketch.add(side, &mut batch.staged);
        }
        let added = std::mem::take(&mut batch.digest);
        self.tables.add(side, table, added);
        self.counter.rows(side, added.rows, added.bytes);
        self.pace.take(added.bytes).await;
    }
}
