//! The comparison while writes go on.
//!
//! Every row of every table is read on both sides, at different times; what differs by that was changed meanwhile, and
//! the verification slot tells its key ([`read`]). The keys that it told of, and those of rows that differ without
//! that, are read again until each was seen in one state on both sides ([`sweep`]). Tables without a key are read in a
//! pair of snapshots that show the same ([`exact`]). Once nobody writes, [`verdict`] has only the last changes to read.
mod exact;
mod foreign;
mod known;
mod plan;
mod read;
mod sweep;
mod table;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{join, try_join, try_join_all};
use pgupgrade_pgoutput::Lsn;
use pgupgrade_postgres::connection::{Connector, Profile, Session};
use pgupgrade_postgres::{QualifiedName, barrier};

use crate::catalog::Reading;
use crate::dirty::{DirtyKey, DirtySet, Entry};
use crate::feed::{Feed, FeedNames, Watch, Watched};
use crate::known::{Known, writers};
use crate::pair::Pair;
use crate::pinned::{Pinned, Pins, TableFiles};
use crate::side::{self, Side, sql};
use crate::{Error, Options, Report, Skipped, TableResult, Tables, lookup};

use self::known::Identities;
use plan::Basis;
pub(crate) use table::Files;
use table::Table;

/// A row that differs without having been changed.
const SUSPECT: Entry = Entry {
    xid: None,
    lsn: Lsn(0),
    rogue: false,
};
/// Memory for keys that changed; more than that is kept in a temporary file.
const DIRTY_BYTES: usize = 32 << 20;

/// How the target follows the source.
#[derive(Clone, Debug)]
pub struct Replication {
    /// The streams; both sides have their barrier tables ([`pgupgrade_postgres::barrier`]).
    pub streams: Vec<String>,
    /// The verification slot on the source and its publication.
    pub changes: FeedNames,
    /// What tells of writes on the target that did not come from the source; without it they are only found where a
    /// whole table is read.
    pub foreign: Option<Foreign>,
    /// How long a barrier may take to arrive.
    pub patience: Duration,
}

/// A slot on the target that tells of every write there.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// The slot and its publication.
    pub changes: FeedNames,
    /// The subscriptions whose writes are no news.
    pub subscriptions: Vec<String>,
}

/// A comparison under way.
pub struct Live {
    source: Connector,
    target: Connector,
    database: String,
    replication: Replication,
    options: Options,
    seed: u64,
    readings: Arc<[Reading]>,
    tables: Vec<Table>,
    problems: Vec<TableResult>,
    skipped: Vec<Skipped>,
    dirty: DirtySet,
    feed: Feed,
    foreign: Option<Feed>,
    /// The tables whose foreign writes are told of.
    watched: BTreeSet<QualifiedName>,
    sessions: Sessions,
    which: Tables,
    basis: Basis,
    /// What each table was on both sides when the comparison began.
    identities: Vec<Identities>,
    /// The numbers of the barriers that were bumped last.
    barriers: Vec<i64>,
    /// What was written down last.
    kept: Option<Known>,
    /// When WAL was given free, and up to where on each side.
    advanced: Instant,
    freed: (Lsn, Lsn),
    /// What changes rows of the target in the name of the subscription.
    writer: Option<String>,
    /// The tables that are being read: what changes in them is settled afterwards.
    busy: BTreeSet<u32>,
    /// The tables are not those that were planned for any more.
    outdated: bool,
    /// Keys that were changed each time that they were looked at since the tables were read; none: not looked yet.
    unsettled: Option<Vec<DirtyKey>>,
    /// Every row was read in one pair of snapshots.
    pinned: bool,
    pins: Option<Pins>,
    /// What is read instead of what is there by and by.
    pair: Option<Pair>,
    start: Instant,
}

/// What is kept open, so that nothing has to connect while the application waits.
struct Sessions {
    bumper: Session,
    looker: Session,
    source: Session,
    target: Session,
    /// Of these two.
    statements: [lookup::Statements; 2],
}

impl Sessions {
    async fn open(source: &Connector, target: &Connector, database: &str) -> Result<Self, Error> {
        let sessions = Self {
            bumper: source.connect(database, Profile::Act).await?,
            looker: target.connect(database, Profile::Act).await?,
            source: source.connect(database, Profile::Long).await?,
            target: target.connect(database, Profile::Long).await?,
            statements: Default::default(),
        };
        for (session, side) in [(&sessions.source, Side::Source), (&sessions.target, Side::Target)] {
            side::prepare(session, side).await?;
            lookup::prepare(session, side).await?;
        }
        Ok(sessions)
    }
}

impl Live {
    /// Reads the catalogues and opens the verification slot. No row is read before that.
    ///
    /// # Errors
    /// Where a side can't be reached, or the verification slot is not there.
    pub async fn open(
        source: &Connector,
        target: &Connector,
        database: &str,
        tables: &Tables,
        replication: Replication,
        options: Options,
    ) -> Result<Self, Error> {
        let sessions = Sessions::open(source, target, database).await?;
        let (plan, basis) = plan::make(&sessions, tables, &replication.changes).await?;
        let readings: Arc<[Reading]> = plan.readings.into();
        let watched = match &replication.foreign {
            None => BTreeSet::new(),
            Some(foreign) => foreign::tables(&sessions.looker, foreign).await?,
        };
        let foreign = match &replication.foreign {
            None => None,
            Some(foreign) => Some(foreign::open(target, &sessions.looker, foreign, &readings).await?),
        };
        let watch = Watch {
            tables: watch_list(&readings, Side::Source),
            barriers: replication
                .streams
                .iter()
                .map(|stream| barrier::table(stream))
                .collect(),
            ..Watch::default()
        };
        let feed = Feed::open(source, database, &replication.changes, watch).await?;
        Ok(Self {
            source: source.clone(),
            target: target.clone(),
            database: database.to_owned(),
            seed: RandomState::new().build_hasher().finish(),
            tables: vec![Table::default(); readings.len()],
            identities: known::identities_of(&sessions, &readings, &replication).await?,
            barriers: Vec::new(),
            kept: None,
            advanced: Instant::now(),
            freed: (Lsn(0), Lsn(0)),
            writer: writers(&sessions.target).await?,
            busy: BTreeSet::new(),
            readings,
            problems: plan.problems,
            skipped: plan.skipped,
            dirty: DirtySet::new(DIRTY_BYTES, None),
            feed,
            foreign,
            watched,
            sessions,
            replication,
            options,
            which: tables.clone(),
            basis,
            outdated: false,
            unsettled: None,
            pinned: false,
            pins: None,
            pair: None,
            start: Instant::now(),
        })
    }

    /// Bumps the barriers, and reads the verification slot up to there; with `target`, also waits until the target shows
    /// them. Returns the position of their commit.
    async fn reach(&mut self, target: bool) -> Result<Lsn, Error> {
        let streams: Vec<&str> = self.replication.streams.iter().map(String::as_str).collect();
        let numbers = barrier::bump(&self.sessions.bumper, &streams).await?;
        self.barriers.clone_from(&numbers);
        let barriers: Vec<(&str, i64)> = streams.iter().copied().zip(numbers).collect();
        let patience = self.replication.patience;
        let arrived = async {
            if target {
                let looker = &self.sessions.looker;
                let waits = barriers
                    .iter()
                    .map(|(stream, number)| barrier::wait(looker, stream, *number, patience));
                try_join_all(waits).await?;
            }
            Ok::<(), Error>(())
        };
        let tables = named(&barriers);
        let decoded = async { Ok::<_, Error>(self.feed.read_until(&tables, &mut self.dirty, patience).await?) };
        // Reading the slot must not be broken off: what it was about to tell would be lost.
        let (decoded, arrived) = join(decoded, arrived).await;
        arrived?;
        let commits: Vec<Lsn> = decoded?;
        // All were bumped by one transaction.
        Ok(commits.first().copied().unwrap_or_default())
    }

    /// The files of all tables.
    async fn files(&self) -> Result<Vec<Files>, Error> {
        self.files_of(0..self.readings.len()).await
    }

    /// The files of some tables, in the order asked for.
    async fn files_of(&self, tables: impl Iterator<Item = usize> + Clone) -> Result<Vec<Files>, Error> {
        let on = |side: Side, session| {
            let readings = tables.clone().filter_map(|index| self.readings.get(index));
            let oids: Vec<u32> = readings.map(|reading| reading.on(side).oid).collect();
            files(session, side, oids)
        };
        let (source, target) = try_join(
            on(Side::Source, &self.sessions.bumper),
            on(Side::Target, &self.sessions.looker),
        )
        .await?;
        Ok(source.into_iter().zip(target).collect())
    }

    /// Does what [`Self::verdict`] and [`Self::pin`] would else do while the application waits.
    ///
    /// # Errors
    /// Where a side can't be reached.
    pub async fn prepare_verdict(&mut self) -> Result<(), Error> {
        self.renew().await?;
        self.plan_lookups().await?;
        self.feed.freshen(&mut self.dirty).await?;
        self.drain().await?;
        self.pins = Some(Pins::open(&self.source, &self.target, &self.database).await?);
        Ok(())
    }

    async fn plan_lookups(&self) -> Result<(), Error> {
        let plan = |side: Side, session| self.sessions.statements[side.index()].plan(session, side, &self.readings);
        try_join(
            plan(Side::Source, &self.sessions.source),
            plan(Side::Target, &self.sessions.target),
        )
        .await?;
        Ok(())
    }

    /// Keeps both sides as they are. The caller sees to it that nobody writes, and that all has arrived.
    ///
    /// # Errors
    /// Where a side can't be reached.
    pub async fn pin(&mut self) -> Result<Pinned, Error> {
        let pins = match self.pins.take() {
            Some(pins) => pins,
            None => Pins::open(&self.source, &self.target, &self.database).await?,
        };
        let files = self
            .readings
            .iter()
            .zip(self.files().await?)
            .map(|(reading, files)| TableFiles {
                name: reading.name.clone(),
                oids: [reading.on(Side::Source).oid, reading.on(Side::Target).oid],
                files,
            });
        let files = files.collect();
        pins.pin(&self.database, &self.which, files).await
    }

    /// Ends the comparison, and gives back at once what it holds on the servers.
    pub async fn close(self) {
        self.feed.close().await;
        if let Some(foreign) = self.foreign {
            foreign.close().await;
        }
    }

    /// What is known by now.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = Report {
            tables: self.problems.clone(),
            skipped: self.skipped.clone(),
            ..Report::default()
        };
        for (index, (reading, table)) in self.readings.iter().zip(&self.tables).enumerate() {
            report.rows += table.rows;
            report.bytes += table.bytes;
            let pending = self
                .is_whole(index)
                .then_some("it was truncated, or changed in a way that no key tells");
            report.tables.push(table.result(reading, pending));
        }
        if self.outdated {
            report.undecided = Some("tables were created, dropped or altered since the comparison began".to_owned());
        }
        // What it changes is seen where every row is read at one instant.
        if let Some(writer) = self.writer.as_ref().filter(|_| !self.pinned) {
            let why = "changes rows of the target while changes are applied, and no slot tells of that";
            report.undecided = Some(format!("{writer} {why}; have it fire for the origin only (ENABLE)"));
        }
        report.differences = report.tables.iter().filter(|table| !table.equal).count();
        report.foreign = self.foreign_writes();
        report.elapsed = self.start.elapsed();
        report
    }
}

impl Live {
    fn reading(&self, table: u32) -> Option<&Reading> {
        self.readings.get(table as usize)
    }

    fn table(&mut self, index: usize) -> &mut Table {
        &mut self.tables[index]
    }
}

/// The files of tables by their OIDs.
pub(crate) async fn files(session: &Session, side: Side, oids: Vec<u32>) -> Result<Vec<Option<u32>>, Error> {
    let query = "SELECT pg_relation_filenode(o)::oid FROM unnest($1::oid[]) WITH ORDINALITY AS t (o, n) ORDER BY n";
    let rows = session.query(query, &[&oids]).await;
    let rows = rows.map_err(sql(side, "looking at the tables' files"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Barriers as the verification slot names them.
fn named(barriers: &[(&str, i64)]) -> Vec<(QualifiedName, i64)> {
    let named = barriers
        .iter()
        .map(|(stream, number)| (barrier::table(stream), *number));
    named.collect()
}

/// The tables as a feed knows them.
fn watch_list(readings: &[Reading], side: Side) -> BTreeMap<u32, Watched> {
    let tables = (0..).zip(readings.iter());
    let watched = tables.map(|(index, reading)| {
        let watched = Watched {
            index,
            name: reading.name.clone(),
            key: reading.key.clone(),
        };
        (reading.on(side).oid, watched)
    });
    watched.collect()
}

/// The number under which the dirty set knows a table.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
