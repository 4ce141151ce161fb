//! Marker rows: where they are visible, everything that was committed before them is.
//!
//! Until the clone exists they are written every 200 ms, so that the newest one on the clone bounds the cut from below;
//! at the fence one a stream shows that the stream has been drained.
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::types::PgLsn;

use crate::connection::Session;
use crate::{Error, QualifiedName};

/// The pause between two looks for a marker: well below what an application notices.
const TIGHT: Duration = Duration::from_millis(2);

/// A marker row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Its number within attempt and direction.
    pub number: i64,
    /// The transaction that wrote it, with the epoch.
    pub xid: u64,
    /// Where the WAL's end was when it was written.
    pub lsn: PgLsn,
}

/// The marker table of a stream.
#[must_use]
pub fn table(stream: &str) -> QualifiedName {
    QualifiedName::new("pgupgrade", format!("marker_{stream}"))
}

/// Writes a marker in a transaction of its own.
///
/// # Errors
/// [`Error::Sql`], with `UNIQUE_VIOLATION` for a number that is there already.
pub async fn write(session: &Session, stream: &str, attempt: i32, direction: &str, number: i64) -> Result<(), Error> {
    let table = table(stream);
    let insert = format!(
        "INSERT INTO {table} (attempt, direction, n, xid, lsn) \
         VALUES ($1, $2, $3, pg_current_xact_id(), pg_current_wal_insert_lsn())"
    );
    let written = session.execute(&insert, &[&attempt, &direction, &number]).await;
    written
        .map(|_| ())
        .map_err(session.failed(&format!("writing marker {number} into {table}")))
}

/// The marker with the highest number that this side has; `None` where there is none or no marker table.
///
/// # Errors
/// [`Error::Sql`].
pub async fn newest(session: &Session, stream: &str, attempt: i32, direction: &str) -> Result<Option<Marker>, Error> {
    find(session, stream, "ORDER BY n DESC", (attempt, direction, i64::MIN)).await
}

/// The marker that follows a number.
pub(crate) async fn after(
    session: &Session,
    stream: &str,
    attempt: i32,
    direction: &str,
    number: i64,
) -> Result<Option<Marker>, Error> {
    let Some(next) = number.checked_add(1) else {
        return Ok(None);
    };
    find(session, stream, "ORDER BY n", (attempt, direction, next)).await
}

async fn find(
    session: &Session,
    stream: &str,
    order: &str,
    (attempt, direction, from): (i32, &str, i64),
) -> Result<Option<Marker>, Error> {
    let table = table(stream);
    let query = format!(
        "SELECT n, xid::text, lsn FROM {table} WHERE attempt = $1 AND direction = $2 AND n >= $3 {order} LIMIT 1"
    );
    let step = format!("reading {table}");
    let row = match session.query_opt(&query, &[&attempt, &direction, &from]).await {
        Ok(row) => row,
        Err(error) if is_missing(&error) => None,
        Err(error) => return Err(session.failed(&step)(error)),
    };
    let Some(row) = row else { return Ok(None) };
    let xid: &str = row.get(1);
    let xid = xid
        .parse()
        .map_err(|_| session.unexpected(&step, format!("{xid} is no transaction id")))?;
    Ok(Some(Marker {
        number: row.get(0),
        xid,
        lsn: row.get(2),
    }))
}

fn is_missing(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| [&SqlState::UNDEFINED_TABLE, &SqlState::INVALID_SCHEMA_NAME].contains(&code))
}

/// Waits until a marker is visible, and returns how long that took.
///
/// # Errors
/// [`Error::Deadline`], [`Error::Sql`].
pub async fn wait(
    session: &Session,
    stream: &str,
    attempt: i32,
    direction: &str,
    number: i64,
    deadline: Duration,
) -> Result<Duration, Error> {
    let table = table(stream);
    let step = format!("waiting for marker {number} in {table}");
    let query = format!("SELECT FROM {table} WHERE attempt = $1 AND direction = $2 AND n = $3");
    let statement = session.prepare(&query).await.map_err(session.failed(&step))?;
    let start = Instant::now();
    loop {
        let row = session.query_opt(&statement, &[&attempt, &direction, &number]).await;
        if row.map_err(session.failed(&step))?.is_some() {
            return Ok(start.elapsed());
        }
        if start.elapsed() >= deadline {
            return Err(session.late(
                step,
                deadline,
                "it has not been applied; look at the subscription's errors",
            ));
        }
        tokio::time::sleep(TIGHT).await;
    }
}
