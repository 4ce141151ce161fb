//! The commit point: one call in autocommit of a function on the server decides, and what to do when its answer is
//! lost.
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::sleep;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{Cutover, FenceRow, READ, STEP_TIMEOUT, State};
use crate::error::describe;
use crate::guard::{Error, FENCE_BODY};
use crate::owner::Claim;
use crate::transaction::{begin, roll_back, sql};

const CALL: &str = "SELECT pgupgrade.commit_point($1, $2, $3, $4, $5, $6)";

/// The server process that a commit point runs in, remembered for [`resolve`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its process id.
    pub pid: i32,
    /// When it was started: process ids are used again.
    pub started: Timestamp,
}

/// What the commit point decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The fence is closed for good: only forward from here.
    Closed,
    /// Nothing has changed, for this reason: the way leads back.
    Refused(String),
    /// The answer was lost: [`resolve`] on a new connection tells.
    Unknown(String),
}

/// Puts a session into the state that the commit point needs, outside of any transaction.
///
/// # Errors
/// [`Error::Sql`].
pub async fn prepare_commit(client: &Client) -> Result<Backend, Error> {
    let step = "preparing the commit point";
    let settings = "SET synchronous_commit = on; SET default_transaction_isolation = 'read committed'; \
                    SET default_transaction_read_only = off; SET lock_timeout = '500ms'; SET statement_timeout = '5s'; \
                    SET idle_in_transaction_session_timeout = '500ms'";
    client.batch_execute(settings).await.map_err(sql(step))?;
    let query = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    let row = client.query_one(query, &[]).await.map_err(sql(step))?;
    Ok(Backend {
        pid: row.get(0),
        started: row.get(1),
    })
}

/// Turns the fence from `closing` to `closed`, where it still may: it is this try's, this leader's epoch counts, the
/// deadline is further away than `margin`, no write has passed since, all tables are as they were and guarded.
/// Call [`prepare_commit`] on the session first. Calling it again after [`Decision::Closed`] gives the same answer.
pub async fn commit_point(client: &Client, claim: &Claim, cutover: &Cutover, margin: Duration) -> Decision {
    let margin = i64::try_from(margin.as_millis()).unwrap_or(i64::MAX);
    let Cutover { uid, attempt, cutover } = cutover;
    // All rows: the function's answer comes before the transaction's commit, the end of the rows after it.
    match client
        .query(CALL, &[uid, attempt, cutover, &claim.epoch, &margin, &FENCE_BODY])
        .await
    {
        Ok(rows) => match rows.first().map(|row| row.get::<_, String>(0)) {
            Some(answer) if answer == "closed" => Decision::Closed,
            Some(reason) => Decision::Refused(reason),
            None => Decision::Unknown("the commit point returned no row".to_owned()),
        },
        Err(error) if was_rolled_back(&error) => Decision::Refused(describe(&error)),
        Err(error) => Decision::Unknown(describe(&error)),
    }
}

/// Errors that a statement gets before its transaction is committed, in a session that lives on.
fn was_rolled_back(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        [
            &SqlState::LOCK_NOT_AVAILABLE,
            &SqlState::QUERY_CANCELED,
            &SqlState::T_R_DEADLOCK_DETECTED,
            &SqlState::T_R_SERIALIZATION_FAILURE,
            &SqlState::UNDEFINED_FUNCTION,
            &SqlState::UNDEFINED_TABLE,
            &SqlState::INVALID_SCHEMA_NAME,
            &SqlState::INSUFFICIENT_PRIVILEGE,
            &SqlState::READ_ONLY_SQL_TRANSACTION,
            &SqlState::INVALID_TRANSACTION_STATE,
        ]
        .contains(&code)
    })
}

/// Tells what the commit point decided when its answer was lost. On a new connection: ends the backend that ran it,
/// then reads the row under a lock, because a plain read says `closing` while the commit is under way.
///
/// # Errors
/// [`Error::WrongState`] where the old backend does not end within the patience, [`Error::Sql`]: ask again.
pub async fn resolve(
    client: &Client,
    backend: &Backend,
    cutover: &Cutover,
    patience: Duration,
) -> Result<Decision, Error> {
    let step = "asking what the commit point decided";
    end(client, backend, patience, step).await?;
    client
        .batch_execute(&begin(patience, patience + STEP_TIMEOUT))
        .await
        .map_err(sql(step))?;
    let row = locked(client, step).await;
    roll_back(client).await;
    let row = row?;
    if row.state == State::Closed && row.is_of(cutover) {
        return Ok(Decision::Closed);
    }
    Ok(Decision::Refused(format!(
        "the fence is {:?}, of {}",
        row.state,
        row.owner()
    )))
}

async fn locked(client: &Client, step: &'static str) -> Result<FenceRow, Error> {
    client
        .batch_execute("SELECT FROM pgupgrade.fence FOR UPDATE")
        .await
        .map_err(sql(step))?;
    FenceRow::parse(&client.query_one(READ, &[]).await.map_err(sql(step))?)
}

async fn end(client: &Client, backend: &Backend, patience: Duration, step: &'static str) -> Result<(), Error> {
    let query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2";
    let start = Instant::now();
    loop {
        let rows = client
            .query(query, &[&backend.pid, &backend.started])
            .await
            .map_err(sql(step))?;
        if rows.is_empty() {
            return Ok(());
        }
        if start.elapsed() >= patience {
            let detail = format!("the server process {} that ran it does not end", backend.pid);
            return Err(Error::WrongState { step, detail });
        }
        sleep(Duration::from_millis(10)).await;
    }
}
