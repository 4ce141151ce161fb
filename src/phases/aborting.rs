//! Before the commit point: everything that this resource made is taken back, and the application is as it was.
use kube::runtime::events::EventType;
use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::fence;

use super::cleanup;
use crate::api::{AttemptOutcome, Phase, Writer};
use crate::controller::outcome::Outcome;
use crate::controller::record::Record;
use crate::controller::scope::Scope;
use crate::cutover::back;
use crate::error::Error;

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    let begun = scope
        .status
        .cutover
        .as_ref()
        .is_some_and(|cutover| cutover.started_at.is_some());
    if begun && fence_was_used(scope).await? && back::run(scope).await? == back::Returned::Committed {
        return Ok(Outcome::Advance(Phase::CuttingOver));
    }
    // Whatever the status says of a cutover: a stale leader may have scaled down after the way back.
    back::restore_workloads(scope).await?;
    if scope
        .status
        .attempts
        .last()
        .is_some_and(|attempt| attempt.reclaimed.is_none())
        && let Some(outcome) = cleanup::attempt(scope).await?
    {
        return Ok(outcome);
    }
    cleanup::source(scope).await?;
    Record::forget(scope).await?;
    scope.status.writer = Some(Writer::Source);
    let failed = scope
        .status
        .attempts
        .last()
        .is_some_and(|attempt| attempt.outcome == AttemptOutcome::Failed);
    if !failed && let Some(attempt) = scope.status.attempts.last_mut() {
        attempt.outcome = AttemptOutcome::Aborted;
    }
    scope.event(
        EventType::Normal,
        "CleanedUp",
        "the source is as it was: no slot, publication, role, guard or schema is left",
    );
    if failed {
        let why = scope
            .status
            .attempts
            .last()
            .and_then(|attempt| attempt.reason.clone())
            .unwrap_or_default();
        let message = format!("failed ({why}); the source is as it was; create another PostgresUpgrade to try again");
        return Ok(Outcome::Conclude {
            phase: Phase::Failed,
            reason: "AttemptsExhausted",
            message,
        });
    }
    Ok(Outcome::Advance(Phase::Aborted))
}

async fn fence_was_used(scope: &Scope) -> Result<bool, Error> {
    let session = scope
        .source()
        .await?
        .connect(&scope.database()?, Profile::Observe)
        .await?;
    Ok(fence::read(&session).await?.is_some())
}
