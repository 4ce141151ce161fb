//! The barrier rows: one a stream, counted up on the publisher. Where the subscriber's row shows a number, it shows
//! everything that was committed before that number, which the position of the subscription's origin does not say: it
//! advances before the changes can be seen.
use std::time::{Duration, Instant};

use crate::connection::Session;
use crate::{Error, QualifiedName};

/// The pause between two looks at a barrier: well below what an application notices.
const TIGHT: Duration = Duration::from_millis(2);

/// The barrier table of a stream. It has one row.
#[must_use]
pub fn table(stream: &str) -> QualifiedName {
    QualifiedName::new("pgupgrade", format!("barrier_{stream}"))
}

/// Counts the barriers of all streams up in one transaction, and returns their new numbers in the same order. Where
/// the barriers are locked on the subscriber, their streams stop at one and the same commit.
///
/// # Errors
/// [`Error::Unexpected`] where a barrier has no row, [`Error::Sql`].
pub async fn bump(session: &Session, streams: &[&str]) -> Result<Vec<i64>, Error> {
    let step = "bumping the barriers";
    let updates = streams.iter().enumerate().map(|(index, stream)| {
        let table = table(stream);
        format!("b{index} AS (UPDATE {table} SET n = n + 1 WHERE id = 1 RETURNING n)")
    });
    let numbers = (0..streams.len()).map(|index| format!("(SELECT n FROM b{index})"));
    let statement = format!(
        "WITH {} SELECT ARRAY[{}]",
        updates.collect::<Vec<_>>().join(", "),
        numbers.collect::<Vec<_>>().join(", ")
    );
    let row = session.query_one(&statement, &[]).await.map_err(session.failed(step))?;
    let numbers: Vec<Option<i64>> = row.get(0);
    let all: Option<Vec<i64>> = numbers.into_iter().collect();
    all.ok_or_else(|| session.unexpected(step, "a barrier table has no row; install the stream anew"))
}

/// The number that this side's row shows.
///
/// # Errors
/// [`Error::Unexpected`] where there is no row, [`Error::Sql`].
pub async fn current(session: &Session, stream: &str) -> Result<i64, Error> {
    let table = table(stream);
    let step = format!("reading {table}");
    let row = session
        .query_opt(&format!("SELECT n FROM {table} WHERE id = 1"), &[])
        .await
        .map_err(session.failed(&step))?;
    row.map(|row| row.get(0))
        .ok_or_else(|| session.unexpected(step, "it has no row; install the stream anew"))
}

/// Waits until this side's row shows the number or a later one, and returns how long that took.
///
/// # Errors
/// [`Error::Deadline`], [`Error::Sql`].
pub async fn wait(session: &Session, stream: &str, number: i64, deadline: Duration) -> Result<Duration, Error> {
    let table = table(stream);
    let step = format!("waiting for barrier {number} in {table}");
    let query = format!("SELECT FROM {table} WHERE id = 1 AND n >= $1");
    let statement = session.prepare(&query).await.map_err(session.failed(&step))?;
    let start = Instant::now();
    loop {
        let row = session.query_opt(&statement, &[&number]).await;
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
