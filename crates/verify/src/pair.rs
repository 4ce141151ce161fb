//! A snapshot of each side that show the same state, taken while writes go on.
//!
//! The barriers are locked on the target, so that the apply workers stop right before the next one. A snapshot is taken
//! on the source, then the barriers are bumped: what the target shows while its workers wait is what the source had at
//! that bump, and what may have been committed between snapshot and bump is told by the verification slot.
use std::time::{Duration, Instant};

use pgupgrade_postgres::barrier;
use pgupgrade_postgres::connection::{Connector, Profile, Session};
use tokio::time::timeout;

use crate::Error;
use crate::side::{self, Side, sql};
use crate::snapshot::Snapshot;

const WAITING: &str = include_str!("../sql/pair_waiting.sql");
const DISABLES: &str = include_str!("../sql/pair_disables.sql");

/// How long the apply workers may be held. They reach the barrier within some ms where there is no lag.
const HOLD: Duration = Duration::from_secs(2);
/// How long the target may take to show a barrier, so that the lock is only taken where there is no lag.
const IN_STEP: Duration = Duration::from_secs(2);
const TIGHT: Duration = Duration::from_millis(1);

/// Two open transactions that show the same, but for what was committed in the gap.
pub(crate) struct Pair {
    /// They hold the snapshots.
    _open: (Session, Session),
    /// Their exported names.
    pub(crate) names: (String, String),
    /// What the source's sees.
    pub(crate) snapshot: Snapshot,
    /// The barriers that the target's is right before, one a stream.
    pub(crate) barriers: Vec<i64>,
    /// How long the apply workers were held.
    pub(crate) held: Duration,
}

/// Takes a pair, or says why now is not the time for it.
///
/// # Errors
/// [`Error::Postgres`], [`Error::Sql`].
pub(crate) async fn take(
    source: &Connector,
    target: &Connector,
    database: &str,
    streams: &[&str],
) -> Result<Result<Pair, String>, Error> {
    let bumper = source.connect(database, Profile::Act).await?;
    let looker = target.connect(database, Profile::Act).await?;
    if let Err(why) = may_be_locked(&looker).await? {
        return Ok(Err(why));
    }
    let first = barrier::bump(&bumper, streams).await?;
    for (stream, number) in streams.iter().zip(&first) {
        if let Err(error) = barrier::wait(&looker, stream, *number, IN_STEP).await {
            return Ok(Err(format!("the target is behind: {error}")));
        }
    }
    let sessions = Locked {
        source: source.connect(database, Profile::Long).await?,
        target: target.connect(database, Profile::Long).await?,
        bumper,
        looker,
    };
    side::prepare(&sessions.source, Side::Source).await?;
    side::prepare(&sessions.target, Side::Target).await?;
    let holder = target.connect(database, Profile::Act).await?;
    let start = Instant::now();
    if let Err(why) = lock(&holder, streams, &first).await? {
        return Ok(Err(why));
    }
    // Whatever comes in between, the apply workers are let go in time.
    let taken = timeout(HOLD, sessions.under_lock(streams, &first)).await;
    rollback(&holder).await?;
    let taken = taken.unwrap_or_else(|_| {
        Ok(Err(format!(
            "the apply workers did not reach the barrier within {HOLD:?}"
        )))
    })?;
    Ok(taken.map(|taken| Pair {
        _open: (sessions.source, sessions.target),
        names: taken.names,
        snapshot: taken.snapshot,
        barriers: taken.barriers,
        held: start.elapsed(),
    }))
}

/// What works while the barriers are locked.
struct Locked {
    source: Session,
    target: Session,
    bumper: Session,
    looker: Session,
}

struct Taken {
    names: (String, String),
    snapshot: Snapshot,
    barriers: Vec<i64>,
}

impl Locked {
    async fn under_lock(&self, streams: &[&str], first: &[i64]) -> Result<Result<Taken, String>, Error> {
        let (on_source, snapshot) = export(&self.source, Side::Source).await?;
        let barriers = barrier::bump(&self.bumper, streams).await?;
        if !barriers.iter().zip(first).all(|(now, before)| *now == before + 1) {
            return Ok(Err("somebody else bumped a barrier".to_owned()));
        }
        workers_wait(&self.looker, streams).await?;
        let (on_target, _) = export(&self.target, Side::Target).await?;
        Ok(Ok(Taken {
            names: (on_source, on_target),
            snapshot,
            barriers,
        }))
    }
}

/// A subscription that disables itself after an error must not run into a timeout at our lock.
async fn may_be_locked(target: &Session) -> Result<Result<(), String>, Error> {
    if target.major() < 15 {
        return Ok(Ok(())); // they don't disable themselves
    }
    let row = target
        .query_opt(DISABLES, &[])
        .await
        .map_err(sql(Side::Target, "looking at the subscriptions"))?;
    match row {
        None => Ok(Ok(())),
        Some(row) => Ok(Err(format!(
            "subscription {} has disable_on_error, and {} is set for its apply worker: a lock of some ms could disable \
             it; reset one of the two",
            row.get::<_, String>(0),
            row.get::<_, String>(1)
        ))),
    }
}

async fn lock(locker: &Session, streams: &[&str], expected: &[i64]) -> Result<Result<(), String>, Error> {
    let tables: Vec<String> = streams
        .iter()
        .map(|stream| barrier::table(stream).to_string())
        .collect();
    let script = format!("BEGIN; SET LOCAL lock_timeout = '1s'; LOCK TABLE {}", tables.join(", "));
    if let Err(error) = locker.batch_execute(&script).await {
        rollback(locker).await?;
        return match error.code().map(tokio_postgres::error::SqlState::code) {
            Some("55P03") => Ok(Err("a barrier is locked by somebody else".to_owned())),
            _ => Err(sql(Side::Target, "locking the barriers")(error)),
        };
    }
    for (stream, expected) in streams.iter().zip(expected) {
        let shown = barrier::current(locker, stream).await?;
        if shown != *expected {
            rollback(locker).await?;
            return Ok(Err(format!("barrier {shown} of stream {stream} came before the lock")));
        }
    }
    Ok(Ok(()))
}

async fn rollback(session: &Session) -> Result<(), Error> {
    session
        .batch_execute("ROLLBACK")
        .await
        .map_err(sql(Side::Target, "giving the barriers back"))
}

async fn export(session: &Session, side: Side) -> Result<(String, Snapshot), Error> {
    let step = "exporting a snapshot";
    session.batch_execute(side::BEGIN).await.map_err(sql(side, step))?;
    let query = "SELECT pg_export_snapshot(), txid_current_snapshot()::text";
    let row = session.query_one(query, &[]).await.map_err(sql(side, step))?;
    Ok((row.get(0), row.get::<_, &str>(1).parse()?))
}

/// Waits until a worker of ours waits for each of the barriers.
async fn workers_wait(target: &Session, streams: &[&str]) -> Result<(), Error> {
    let names: Vec<String> = streams.iter().map(|stream| barrier::table(stream).name).collect();
    let step = "waiting for the apply workers";
    let statement = target.prepare(WAITING).await.map_err(sql(Side::Target, step))?;
    loop {
        let row = target.query_one(&statement, &[&names]).await;
        if row.map_err(sql(Side::Target, step))?.get(0) {
            return Ok(());
        }
        tokio::time::sleep(TIGHT).await;
    }
}
