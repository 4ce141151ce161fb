//! How replication is getting on: lag, retained WAL, walsenders, and the rate at which a backlog shrinks.
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::types::PgLsn;

use crate::connection::Session;
use crate::{Error, slot};

const WALSENDERS: &str = include_str!("../sql/replication_walsenders.sql");

/// A look at one slot, or the sum of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// WAL that the other side has not confirmed, in bytes.
    pub lag_bytes: i64,
    /// WAL that the slot holds back on the disk, in bytes.
    pub retained_bytes: i64,
    /// The confirmed position as a number of bytes since the beginning of the WAL: its growth is the apply rate.
    pub confirmed_bytes: i64,
    /// Whether WAL that the other side lacks is gone.
    pub lost: bool,
    /// Whether a walsender is connected.
    pub active: bool,
}

impl Sample {
    /// The sum with another slot: lags and positions add up; what the disk holds back is the most that any of them
    /// does, since they share the WAL.
    #[must_use]
    pub fn with(self, other: &Self) -> Self {
        Self {
            lag_bytes: self.lag_bytes.saturating_add(other.lag_bytes),
            retained_bytes: self.retained_bytes.max(other.retained_bytes),
            confirmed_bytes: self.confirmed_bytes.saturating_add(other.confirmed_bytes),
            lost: self.lost || other.lost,
            active: self.active || other.active,
        }
    }
}

/// Looks at a slot of this server; `None` where it is not there.
///
/// # Errors
/// [`Error::Sql`].
pub async fn sample(session: &Session, slot: &str) -> Result<Option<Sample>, Error> {
    let facts = slot::facts(session, slot).await?;
    Ok(facts.map(|facts| Sample {
        lag_bytes: facts.lag_bytes,
        retained_bytes: facts.retained_bytes,
        confirmed_bytes: facts.confirmed_flush_lsn.map_or(0, bytes),
        lost: facts.is_lost(),
        active: facts.active,
    }))
}

fn bytes(lsn: PgLsn) -> i64 {
    i64::try_from(u64::from(lsn)).unwrap_or(i64::MAX)
}

/// How fast something grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    bytes_per_second: i64,
}

impl Rate {
    /// The rate between two samples; `None` where no time has passed or the count went back, as after another slot.
    #[must_use]
    pub fn between(earlier: Timestamp, bytes: i64, later: Timestamp, more_bytes: i64) -> Option<Self> {
        let micros = later.duration_since(earlier).as_micros();
        let grown = more_bytes.checked_sub(bytes)?;
        if micros <= 0 || grown < 0 {
            return None;
        }
        let rate = i128::from(grown).checked_mul(1_000_000)?.checked_div(micros)?;
        Some(Self {
            bytes_per_second: i64::try_from(rate).unwrap_or(i64::MAX),
        })
    }

    /// In bytes.
    #[must_use]
    pub fn bytes_per_second(self) -> i64 {
        self.bytes_per_second
    }
}

/// A row of `pg_stat_replication`. Positions and state are hidden from roles outside `pg_monitor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalSender {
    /// Its process.
    pub pid: i32,
    /// The role that logged in.
    pub role: Option<String>,
    /// For a subscription its name.
    pub application_name: Option<String>,
    /// `startup`, `catchup`, `streaming`, `backup` or `stopping`.
    pub state: Option<String>,
    /// What has been sent.
    pub sent_lsn: Option<PgLsn>,
    /// What the other side has on disk.
    pub flush_lsn: Option<PgLsn>,
    /// How long it took lately until the other side had applied what was committed here.
    pub replay_lag: Option<Duration>,
}

/// The walsenders of this server.
///
/// # Errors
/// [`Error::Sql`].
pub async fn wal_senders(session: &Session) -> Result<Vec<WalSender>, Error> {
    let rows = session
        .query(WALSENDERS, &[])
        .await
        .map_err(session.failed("looking at walsenders"))?;
    Ok(rows
        .iter()
        .map(|row| WalSender {
            pid: row.get("pid"),
            role: row.get("usename"),
            application_name: row.get("application_name"),
            state: row.get("state"),
            sent_lsn: row.get("sent_lsn"),
            flush_lsn: row.get("flush_lsn"),
            replay_lag: row
                .get::<_, Option<i64>>("replay_lag")
                .and_then(|lag| u64::try_from(lag).ok())
                .map(Duration::from_micros),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    #[test]
    fn a_rate_needs_time_and_growth() {
        for (case, millis, before, after, expected) in [
            ("steady", 2000, 1_000, 5_000, Some(2_000)),
            ("part of a second", 250, 0, 1_000, Some(4_000)),
            ("stands still", 1000, 7, 7, Some(0)),
            ("no time", 0, 0, 1_000, None),
            ("clock went back", -1, 0, 1_000, None),
            ("another slot", 1000, 5_000, 0, None),
            ("huge", 1, 0, i64::MAX, Some(i64::MAX)),
        ] {
            let rate = Rate::between(at(0), before, at(millis), after);
            assert_eq!(rate.map(Rate::bytes_per_second), expected, "{case}");
        }
    }

    #[test]
    fn samples_add_up() {
        let one = Sample {
            lag_bytes: 1,
            retained_bytes: 10,
            confirmed_bytes: 100,
            lost: false,
            active: true,
        };
        let other = Sample {
            lag_bytes: 2,
            retained_bytes: 7,
            confirmed_bytes: 50,
            lost: true,
            active: false,
        };
        let sum = Sample {
            lag_bytes: 3,
            retained_bytes: 10,
            confirmed_bytes: 150,
            lost: true,
            active: true,
        };
        assert_eq!(one.with(&other), sum);
        assert_eq!(Sample::default().with(&one), one);
    }
}
