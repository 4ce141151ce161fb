//! Short transactions of the guard and the fence: their settings, and what their errors mean.
use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::error::describe;
use crate::guard::Error;
use crate::owner::Claim;
use crate::quote_literal;

/// Two transactions that replace the same function at once fail with "tuple concurrently updated": one after the other.
pub(crate) const SERIALIZE: &str = "SELECT pg_advisory_xact_lock(8463071525540972393)";

/// What opens each of these transactions. A forgotten transaction of the same session is ended first; a commit that
/// was acknowledged survives a crash; a silent operator holds nothing for longer than half a second.
pub(crate) fn begin(lock_timeout: Duration, statement_timeout: Duration) -> String {
    format!(
        "SET client_min_messages = error; ROLLBACK; BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
         SET LOCAL synchronous_commit = on; SET LOCAL idle_in_transaction_session_timeout = '500ms'; \
         SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}; SET LOCAL search_path = pg_catalog",
        millis(lock_timeout),
        millis(statement_timeout),
    )
}

/// Whole milliseconds for a setting, at least one, because zero switches a timeout off.
fn millis(duration: Duration) -> u128 {
    duration.as_millis().max(1)
}

/// The statement that lets a transaction go on only for the claim that counts.
pub(crate) fn assert_owner(claim: &Claim) -> String {
    format!(
        "SELECT pgupgrade.assert_owner({}, {})",
        quote_literal(&claim.uid),
        claim.epoch
    )
}

/// Runs statements as one transaction in one round trip.
pub(crate) async fn run(
    client: &Client,
    step: &'static str,
    lock_timeout: Duration,
    statements: &[&str],
) -> Result<(), Error> {
    let script = format!(
        "{}; {}; COMMIT",
        begin(lock_timeout, Duration::from_secs(30)),
        statements.join("; ")
    );
    let outcome = client.batch_execute(&script).await.map_err(sql(step));
    if outcome.is_err() {
        roll_back(client).await;
    }
    outcome
}

/// Ends a failed transaction; where the connection is gone the server has done it.
pub(crate) async fn roll_back(client: &Client) {
    if let Err(error) = client.batch_execute("ROLLBACK").await {
        tracing::debug!(%error, "rolling back");
    }
}

/// Turns a driver's error into ours, under the name of the step.
pub(crate) fn sql(step: &'static str) -> impl Fn(tokio_postgres::Error) -> Error {
    move |source| {
        let detail = describe(&source);
        match source.code().map(SqlState::code) {
            Some("UG001") => Error::Stale { step, detail },
            Some("UG002") => Error::FenceNotOpen { step, detail },
            _ => Error::Sql { step, detail, source },
        }
    }
}

/// Whether the same may succeed later: a lock not granted, a deadlock, a table dropped meanwhile, a statement timeout.
pub(crate) fn may_pass(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        [
            &SqlState::LOCK_NOT_AVAILABLE,
            &SqlState::T_R_DEADLOCK_DETECTED,
            &SqlState::T_R_SERIALIZATION_FAILURE,
            &SqlState::UNDEFINED_TABLE,
            &SqlState::INVALID_SCHEMA_NAME,
            &SqlState::QUERY_CANCELED,
        ]
        .contains(&code)
    })
}
