//! How much of the servers a comparison may take: bytes in a second, and none while the source is busy.
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pgupgrade_postgres::connection::{APPLICATION_NAME, Connector, Profile, Session};
use tokio_postgres::Statement;

use crate::Error;
use crate::side::{Side, connect_error, sql};

const LOAD: &str = include_str!("../sql/load.sql");

/// How often the source is asked whether it is busy.
const LOOK: Duration = Duration::from_secs(1);

/// What a comparison may take of the servers. By default all that it can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Read no more than this many bytes in a second, of both sides together.
    pub max_bytes_per_second: Option<u64>,
    /// Wait while the source is busy.
    pub pause_above: PauseAbove,
}

/// When the source is too busy to be read beside. Looked at before each range of a table; what is being read is read to
/// its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PauseAbove {
    /// More sessions of clients than this are active, ours not counted.
    pub active_sessions: Option<u32>,
    /// A standby or subscriber is behind by more than this.
    pub replication_lag: Option<Duration>,
}

/// Why a comparison waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// So many sessions are active on the source.
    ActiveSessions(u32),
    /// A standby or subscriber of the source is behind by this.
    ReplicationLag(Duration),
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ActiveSessions(count) => write!(f, "active sessions on the source: {count}"),
            Self::ReplicationLag(lag) => {
                write!(f, "replication from the source is behind by {:.1} s", lag.as_secs_f64())
            }
        }
    }
}

/// How busy the source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    active_sessions: u32,
    replication_lag: Duration,
}

/// Why not to read now.
fn busy(load: &Load, above: &PauseAbove) -> Option<Pause> {
    if above.active_sessions.is_some_and(|most| load.active_sessions > most) {
        Some(Pause::ActiveSessions(load.active_sessions))
    } else if above.replication_lag.is_some_and(|most| load.replication_lag > most) {
        Some(Pause::ReplicationLag(load.replication_lag))
    } else {
        None
    }
}

/// Lets readers pass while the source is not busy.
pub(crate) struct Gate {
    above: PauseAbove,
    /// None where nothing is asked for.
    watch: Option<tokio::sync::Mutex<Watch>>,
}

struct Watch {
    session: Session,
    statement: Statement,
    last: Option<(Instant, Option<Pause>)>,
}

impl Gate {
    /// Opens a session on the source if it is needed.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Sql`]; [`Error::Undecided`] where the role can't see other sessions.
    pub(crate) async fn open(source: &Connector, database: &str, above: PauseAbove) -> Result<Self, Error> {
        if above == PauseAbove::default() {
            return Ok(Self { above, watch: None });
        }
        let session = source.connect(database, Profile::Observe).await;
        let session = session.map_err(connect_error(Side::Source))?;
        let step = "looking how busy it is";
        let statement = session.prepare(LOAD).await.map_err(sql(Side::Source, step))?;
        let sees_all = "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')";
        let row = session
            .query_one(sees_all, &[])
            .await
            .map_err(sql(Side::Source, step))?;
        if !row.get::<_, bool>(0) {
            let role = source.username();
            return Err(Error::Undecided(format!(
                "role {role} can't see how busy the source is: grant pg_monitor to it, or don't ask to pause"
            )));
        }
        let last = None;
        let watch = Watch {
            session,
            statement,
            last,
        };
        Ok(Self {
            above,
            watch: Some(tokio::sync::Mutex::new(watch)),
        })
    }

    /// Returns once the source is not busy, and tells whenever that was looked at.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub(crate) async fn wait(&self, tell: impl Fn(Option<Pause>)) -> Result<(), Error> {
        let Some(watch) = &self.watch else { return Ok(()) };
        loop {
            let pause = watch.lock().await.look(&self.above).await?;
            tell(pause);
            if pause.is_none() {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Watch {
    async fn look(&mut self, above: &PauseAbove) -> Result<Option<Pause>, Error> {
        if let Some((at, pause)) = self.last
            && at.elapsed() < LOOK
        {
            return Ok(pause);
        }
        let row = self.session.query_one(&self.statement, &[&APPLICATION_NAME]).await;
        let row = row.map_err(sql(Side::Source, "looking how busy it is"))?;
        let load = Load {
            active_sessions: u32::try_from(row.get::<_, i64>("active_sessions")).unwrap_or(u32::MAX),
            replication_lag: Duration::try_from_secs_f64(row.get("replication_lag")).unwrap_or_default(),
        };
        let pause = busy(&load, above);
        self.last = Some((Instant::now(), pause));
        Ok(pause)
    }
}

/// Keeps all readers together below a number of bytes in a second.
pub(crate) struct Pace {
    rate: Option<u64>,
    /// When everything taken so far is paid for.
    paid: Mutex<Instant>,
}

impl Pace {
    pub(crate) fn new(rate: Option<u64>) -> Self {
        Self {
            rate: rate.map(|rate| rate.max(1)),
            paid: Mutex::new(Instant::now()),
        }
    }

    /// Waits until bytes that were read are paid for.
    pub(crate) async fn take(&self, bytes: u64) {
        let Some(rate) = self.rate else { return };
        let wait = {
            let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            *paid = after(*paid, now, bytes, rate);
            paid.saturating_duration_since(now)
        };
        tokio::time::sleep(wait).await;
    }
}

/// When so many bytes more are paid for. Time in which nothing was read is lost.
fn after(paid: Instant, now: Instant, bytes: u64, rate: u64) -> Instant {
    let whole = Duration::from_secs(bytes / rate);
    let rest = u128::from(bytes % rate) * 1_000_000_000 / u128::from(rate);
    paid.max(now) + whole + Duration::from_nanos(u64::try_from(rest).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_the_source_is_busy() {
        let above = |active_sessions, lag: Option<u64>| PauseAbove {
            active_sessions,
            replication_lag: lag.map(Duration::from_secs),
        };
        let sessions = |count| Some(Pause::ActiveSessions(count));
        let lag = |seconds| Some(Pause::ReplicationLag(Duration::from_secs(seconds)));
        // active sessions, lag in seconds, limits, what is expected
        let table = [
            (1000, 1000, above(None, None), None),
            (0, 0, above(Some(0), Some(0)), None),
            (1, 0, above(Some(0), None), sessions(1)),
            (8, 0, above(Some(8), Some(5)), None),
            (9, 0, above(Some(8), Some(5)), sessions(9)),
            (8, 5, above(Some(8), Some(5)), None),
            (8, 6, above(Some(8), Some(5)), lag(6)),
            (9, 6, above(Some(8), Some(5)), sessions(9)),
            (9, 6, above(None, Some(5)), lag(6)),
        ];
        for (active_sessions, lag, above, expected) in table {
            let load = Load {
                active_sessions,
                replication_lag: Duration::from_secs(lag),
            };
            assert_eq!(busy(&load, &above), expected, "{load:?} {above:?}");
        }
    }

    #[test]
    fn bytes_are_paid_with_time() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        // paid until, now, bytes, bytes a second, then paid until
        let table = [
            (0, 0, 0, 1000, 0),
            (0, 0, 500, 1000, 500),
            (500, 100, 500, 1000, 1000),
            (500, 2000, 500, 1000, 2500),
            (0, 0, 3_000_000_000, 1_000_000_000, 3000),
            (0, 0, 3, 1, 3000),
        ];
        for (paid, now, bytes, rate, expected) in table {
            assert_eq!(
                after(at(paid), at(now), bytes, rate),
                at(expected),
                "{paid} {now} {bytes} {rate}"
            );
        }
    }
}
