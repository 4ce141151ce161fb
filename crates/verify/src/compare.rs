//! The comparison: both sides read all tables at once, each in one snapshot of its own.
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::future::{OptionFuture, try_join};
use pgupgrade_postgres::connection::{Connector, Profile, Session};
use tokio::task::JoinSet;
use tokio::time::timeout;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::catalog::{self, Reading};
use crate::encoding::Fields;
use crate::narrow;
use crate::side::{self, Side};
use crate::{Error, Options, Progress, Report, TableResult, Tables};

/// Rows between two reports of progress.
const STRIDE: u64 = 8192;

/// Compares all rows of the tables. While somebody writes on one side, or changes are still on their way, differences
/// are to be expected: it is meant for two databases that are behind a fence and drained, or for a pair of snapshots
/// that are known to show the same.
///
/// # Errors
/// [`Error::Connect`], [`Error::Sql`], also where the role may not read a table; a difference is no error.
pub async fn compare(
    source: &Connector,
    target: &Connector,
    database: &str,
    tables: &Tables,
    options: &Options,
) -> Result<Report, Error> {
    let start = Instant::now();
    let snapshots = options
        .snapshots
        .as_ref()
        .map(|(source, target)| (source.as_str(), target.as_str()));
    let (source, target) = try_join(
        open(source, Side::Source, database, snapshots.map(|pair| pair.0)),
        open(target, Side::Target, database, snapshots.map(|pair| pair.1)),
    )
    .await?;
    let (on_source, on_target) = try_join(
        catalog::read(&source, Side::Source),
        catalog::read(&target, Side::Target),
    )
    .await?;
    let publications = if let Tables::Published(names) = tables {
        Some(names)
    } else {
        None
    };
    let published = OptionFuture::from(publications.map(|names| catalog::published(&source, names))).await;
    let plan = catalog::plan(
        &on_source,
        &on_target,
        tables,
        &published.transpose()?.unwrap_or_default(),
    );
    try_join(
        side::raw_text(&source, Side::Source),
        side::raw_text(&target, Side::Target),
    )
    .await?;

    let readings: Arc<[Reading]> = plan.readings.into();
    let seed = RandomState::new().build_hasher().finish();
    let counter = Arc::new(Counter::new(readings.len(), options));
    let pair = read_both(source, target, &readings, seed, &counter).await?;
    let mut compared: Vec<TableResult> = readings
        .iter()
        .enumerate()
        .map(|(index, reading)| judge(&pair, index, reading))
        .collect();
    if options.examples > 0 {
        let search = add_examples(&pair, &readings, seed, options.examples, &mut compared);
        // A timer that is over at once still lets a quick search find something.
        if options.search.is_zero() || timeout(options.search, search).await.is_err() {
            tracing::warn!(within = ?options.search, "no time for all keys of the rows that differ");
        }
    }
    let mut report = Report {
        tables: plan.problems,
        skipped: plan.skipped,
        ..Report::default()
    };
    report.tables.append(&mut compared);
    report.rows = pair.source.1.iter().map(|digest| digest.rows).sum();
    report.bytes = pair.source.1.iter().map(|digest| digest.bytes).sum();
    report.differences = report.tables.iter().filter(|table| !table.equal).count();
    report.elapsed = start.elapsed();
    Ok(report)
}

async fn open(connector: &Connector, side: Side, database: &str, snapshot: Option<&str>) -> Result<Session, Error> {
    let session = connector.connect(database, Profile::Long).await;
    let session = session.map_err(|source| Error::Connect {
        side: side.name(),
        source: Box::new(source),
    })?;
    side::begin(&session, side, snapshot).await?;
    Ok(session)
}

/// What the rows of a table come to, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest {
    rows: u64,
    bytes: u64,
    sum: u128,
}

type Read = (Session, Vec<Digest>);

struct Pair {
    source: Read,
    target: Read,
}

/// Each side in a task of its own, so that neither waits for the other between tables.
async fn read_both(
    source: Session,
    target: Session,
    readings: &Arc<[Reading]>,
    seed: u64,
    counter: &Arc<Counter>,
) -> Result<Pair, Error> {
    let mut tasks = JoinSet::new();
    tasks.spawn(read_all(
        source,
        Side::Source,
        Arc::clone(readings),
        seed,
        Arc::clone(counter),
    ));
    tasks.spawn(read_all(
        target,
        Side::Target,
        Arc::clone(readings),
        seed,
        Arc::clone(counter),
    ));
    let (mut source, mut target) = (None, None);
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.map_err(|error| Error::Reader {
            side: "source or target",
            detail: error.to_string(),
        })?;
        match ended? {
            (Side::Source, read) => source = Some(read),
            (Side::Target, read) => target = Some(read),
        }
    }
    match (source, target) {
        (Some(source), Some(target)) => Ok(Pair { source, target }),
        _ => Err(Error::Reader {
            side: "source or target",
            detail: "it gave nothing".to_owned(),
        }),
    }
}

async fn read_all(
    session: Session,
    side: Side,
    readings: Arc<[Reading]>,
    seed: u64,
    counter: Arc<Counter>,
) -> Result<(Side, Read), Error> {
    let mut digests = Vec::with_capacity(readings.len());
    for reading in readings.iter() {
        digests.push(digest(&session, side, reading, seed, &counter).await?);
        counter.table(side);
    }
    Ok((side, (session, digests)))
}

async fn digest(
    session: &Session,
    side: Side,
    reading: &Reading,
    seed: u64,
    counter: &Counter,
) -> Result<Digest, Error> {
    let mut digest = Digest::default();
    let mut reported = (0, 0);
    let mut buffer = Vec::new();
    side::each_row(session, side, &reading.all(), &reading.name, |row| {
        let canonical = reading.canon.apply(Fields::new(row)?, &mut buffer)?;
        digest.rows += 1;
        digest.bytes += row.len() as u64;
        digest.sum = digest.sum.wrapping_add(xxh3_128_with_seed(canonical, seed));
        if digest.rows % STRIDE == 0 {
            counter.rows(side, digest.rows - reported.0, digest.bytes - reported.1);
            reported = (digest.rows, digest.bytes);
        }
        Ok(())
    })
    .await?;
    counter.rows(side, digest.rows - reported.0, digest.bytes - reported.1);
    Ok(digest)
}

fn judge(pair: &Pair, index: usize, reading: &Reading) -> TableResult {
    let at = |digests: &[Digest]| digests.get(index).copied().unwrap_or_default();
    let (source, target) = (at(&pair.source.1), at(&pair.target.1));
    TableResult {
        name: reading.name.clone(),
        rows: source.rows,
        target_rows: target.rows,
        equal: source.rows == target.rows && source.sum == target.sum,
        problem: None,
        examples: Vec::new(),
    }
}

/// Adds keys to the tables that differ. What is found is settled by then: a failure here takes nothing back.
async fn add_examples(pair: &Pair, readings: &[Reading], seed: u64, wanted: usize, results: &mut [TableResult]) {
    let keyed = readings
        .iter()
        .zip(results)
        .filter(|(reading, result)| !result.equal && !reading.key.is_empty());
    for (reading, result) in keyed {
        match narrow::examples(&pair.source.0, &pair.target.0, reading, seed, wanted).await {
            Ok(examples) => result.examples = examples,
            Err(error) => return tracing::warn!(table = %reading.name, %error, "no keys of the rows that differ"),
        }
    }
}

/// How far each side is.
struct Counter {
    tables: usize,
    sides: [SideCounter; 2],
    last: Mutex<Progress>,
    report: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

#[derive(Default)]
struct SideCounter {
    tables: AtomicUsize,
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Counter {
    fn new(tables: usize, options: &Options) -> Self {
        Self {
            tables,
            sides: Default::default(),
            last: Mutex::default(),
            report: options.progress.clone(),
        }
    }

    fn side(&self, side: Side) -> &SideCounter {
        match side {
            Side::Source => &self.sides[0],
            Side::Target => &self.sides[1],
        }
    }

    fn table(&self, side: Side) {
        self.side(side).tables.fetch_add(1, Ordering::Relaxed);
        self.report();
    }

    fn rows(&self, side: Side, rows: u64, bytes: u64) {
        self.side(side).rows.fetch_add(rows, Ordering::Relaxed);
        self.side(side).bytes.fetch_add(bytes, Ordering::Relaxed);
        self.report();
    }

    fn report(&self) {
        let Some(report) = &self.report else { return };
        let of_both = |value: fn(&SideCounter) -> u64| self.sides.iter().map(value).min().unwrap_or_default();
        let progress = Progress {
            tables_done: self
                .sides
                .iter()
                .map(|side| side.tables.load(Ordering::Relaxed))
                .min()
                .unwrap_or_default(),
            tables: self.tables,
            rows: of_both(|side| side.rows.load(Ordering::Relaxed)),
            bytes: of_both(|side| side.bytes.load(Ordering::Relaxed)),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != progress {
            *last = progress;
            report(progress);
        }
    }
}
