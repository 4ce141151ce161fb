//! Before a phase does anything: what the source itself says. Its fence row is the truth and the status a cache, which
//! may have been restored from a backup; and its disk comes before the upgrade.
use pgupgrade_postgres::connection::{Profile, Session};
use pgupgrade_postgres::fence::{self, FenceRow};
use pgupgrade_postgres::replication::{self, Sample};

use super::replicating::bytes_text;
use crate::api::conditions;
use crate::api::{CutoverStatus, Phase};
use crate::controller::outcome::Outcome;
use crate::controller::scope::Scope;
use crate::error::Error;

/// What follows from the source's state; `None`: the phase may go on.
///
/// # Errors
/// Where the source does not answer.
pub async fn check(phase: Phase, scope: &mut Scope) -> Result<Option<Outcome>, Error> {
    let before_the_cutover = (Phase::Capturing..=Phase::AwaitingCutover).contains(&phase);
    if !before_the_cutover && phase != Phase::Aborting {
        return Ok(None);
    }
    let session = scope
        .source()
        .await?
        .connect(&scope.database()?, Profile::Observe)
        .await?;
    let row = fence::read(&session).await?;
    let known = scope
        .status
        .attempts
        .last()
        .is_some_and(|attempt| attempt.target_endpoint.is_some());
    match left(row.as_ref(), &scope.uid(), scope.status.attempt, known) {
        Left::No => {}
        Left::ByUs { cutover } => {
            scope
                .status
                .cutover
                .get_or_insert_with(CutoverStatus::default)
                .number
                .get_or_insert(cutover);
            return Ok(Some(Outcome::Advance(Phase::CuttingOver)));
        }
        Left::Unknown(message) => return Ok(Some(Outcome::hold("SourceAlreadyMoved", message))),
    }
    if before_the_cutover {
        retention(scope, &session).await
    } else {
        Ok(None)
    }
}

/// Whether the application has left the source.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Left {
    No,
    /// In this attempt: the cutover has to be finished.
    ByUs {
        /// Its number.
        cutover: i32,
    },
    /// By somebody, or by us in a way that the status knows nothing of: whatever is deleted now may be in use.
    Unknown(String),
}

fn left(row: Option<&FenceRow>, uid: &str, attempt: Option<i32>, target_known: bool) -> Left {
    let Some(row) = row.filter(|row| row.state == fence::State::Closed) else {
        return Left::No;
    };
    match row.cutover {
        Some(cutover) if row.uid.as_deref() == Some(uid) && row.attempt == attempt && target_known => {
            Left::ByUs { cutover }
        }
        _ => Left::Unknown(format!(
            "the source's fence is closed, its successor is {}, and this status is older than that: nothing is changed or deleted; was it restored from a backup?",
            row.target.as_deref().unwrap_or("unknown")
        )),
    }
}

/// Slots hold WAL back on the source in every phase, also while the clone is upgraded and nothing reads them.
async fn retention(scope: &mut Scope, session: &Session) -> Result<Option<Outcome>, Error> {
    if scope
        .status
        .attempts
        .last()
        .is_none_or(|attempt| attempt.finished_at.is_some())
    {
        return Ok(None);
    }
    let mut total = Sample::default();
    let verification = scope
        .status
        .databases
        .iter()
        .filter_map(|database| database.verification.as_ref());
    let slots = scope.streams().map(|stream| stream.slot.clone());
    for slot in slots
        .chain(verification.map(|verification| verification.slot.clone()))
        .collect::<Vec<_>>()
    {
        let Some(sample) = replication::sample(session, &slot).await? else {
            continue;
        };
        if sample.lost {
            return Ok(Some(given_up(
                scope,
                "SlotLost",
                format!("slot {slot} has lost WAL that the clone lacks"),
            )));
        }
        total = total.with(&sample);
    }
    if total.retained_bytes <= scope.spec().replication.max_retained_wal.bytes() {
        return Ok(None);
    }
    let retained = bytes_text(total.retained_bytes);
    let message = format!("the slots hold {retained} of WAL back, more than replication.maxRetainedWAL");
    Ok(Some(given_up(scope, "RetentionLimit", message)))
}

fn given_up(scope: &mut Scope, reason: &'static str, message: String) -> Outcome {
    scope.condition(conditions::REPLICATION_HEALTHY, false, reason, &message);
    Outcome::NextAttempt { reason, message }
}

#[cfg(test)]
mod tests {
    use fence::State::{Closed, Closing, Open};

    use super::*;

    #[test]
    fn a_closed_fence_is_believed_before_the_status() {
        let row = |state, uid: &str, attempt| FenceRow {
            state,
            uid: Some(uid.to_owned()),
            attempt: Some(attempt),
            cutover: Some(2),
            epoch: None,
            deadline: None,
            target: Some("new:5432".to_owned()),
            at: None,
            lsn: None,
        };
        // row, attempt in the status, whether its clone is known
        let table = [
            (None, Some(1), true, "No"),
            (Some(row(Open, "me", 1)), Some(1), true, "No"),
            (Some(row(Closing, "me", 1)), Some(1), true, "No"),
            (Some(row(Closed, "me", 1)), Some(1), true, "ByUs { cutover: 2 }"),
            (Some(row(Closed, "me", 1)), Some(1), false, "Unknown"),
            (Some(row(Closed, "me", 2)), Some(1), true, "Unknown"),
            (Some(row(Closed, "me", 1)), None, false, "Unknown"),
            (Some(row(Closed, "other", 1)), Some(1), true, "Unknown"),
        ];
        for (row, attempt, known, expected) in table {
            let left = format!("{:?}", left(row.as_ref(), "me", attempt, known));
            assert!(left.starts_with(expected), "{row:?} {attempt:?} {known}: {left}");
        }
    }
}
