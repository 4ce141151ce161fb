//! Runs the cutover, and decides from the fence row where a cutover stands that this process did not begin.
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::runtime::events::EventType;
use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::fence::{self, FenceRow};

use crate::api::conditions::{self, micros, seconds};
use crate::api::{CutoverState, CutoverStep, GoDuration, Phase, SoakStatus};
use crate::controller::outcome::Outcome;
use crate::controller::scope::{Scope, now};
use crate::cutover::open::{self, Opened};
use crate::cutover::{Cutover, Setback, back};
use crate::error::Error;

/// Where a cutover stands, as the fence row and the status say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// Approved, nothing done yet.
    Fresh,
    /// Begun by a process that is gone, not committed.
    Interrupted,
    /// Committed: only forward.
    Committed,
    /// Closed by another resource or another try.
    Foreign,
}

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    let row = fence_row(scope).await?;
    let begun = scope
        .status
        .cutover
        .as_ref()
        .is_some_and(|cutover| cutover.started_at.is_some());
    match stand(row.as_ref(), &scope.uid(), begun) {
        Stand::Fresh if scope.is_unwanted() => Ok(Outcome::Advance(Phase::Aborting)),
        Stand::Fresh => begin(scope).await,
        Stand::Interrupted => go_back(scope, &Setback::Restarted).await,
        Stand::Committed => go_forward(scope).await,
        Stand::Foreign => Ok(Outcome::hold(
            "SourceAlreadyMoved",
            "the source's fence was closed by another resource",
        )),
    }
}

/// The row decides before the status does.
fn stand(row: Option<&FenceRow>, uid: &str, begun: bool) -> Stand {
    match row {
        Some(row) if row.state == fence::State::Closed => {
            if row.uid.as_deref() == Some(uid) {
                Stand::Committed
            } else {
                Stand::Foreign
            }
        }
        _ if begun => Stand::Interrupted,
        _ => Stand::Fresh,
    }
}

async fn fence_row(scope: &Scope) -> Result<Option<FenceRow>, Error> {
    let session = scope
        .source()
        .await?
        .connect(&scope.database()?, Profile::Observe)
        .await?;
    Ok(fence::read(&session).await?)
}

async fn begin(scope: &mut Scope) -> Result<Outcome, Error> {
    if let Some(cutover) = &mut scope.status.cutover {
        cutover.started_at = Some(micros(now()));
        cutover.reason = None;
    }
    scope.persist().await?;
    scope.event(
        EventType::Normal,
        "CutoverStarted",
        "the application is scaled to zero next",
    );
    // Its sessions end with it: a transaction left open by a step that was cut short must not hold up the way back.
    let outcome = {
        let mut cutover = Cutover::claim(scope).await?;
        cutover.run().await
    };
    match outcome {
        Ok(()) => go_forward(scope).await,
        Err(setback) => go_back(scope, &setback).await,
    }
}

async fn go_back(scope: &mut Scope, setback: &Setback) -> Result<Outcome, Error> {
    tracing::warn!(resource = %scope.owner(), %setback, "cutover goes back");
    // Kept at once: should this process die on the way back, the next one knows why.
    if let Some(cutover) = &mut scope.status.cutover {
        cutover.reason.get_or_insert_with(|| setback.to_string());
    }
    scope.persist().await?;
    match back::run(scope).await? {
        back::Returned::Committed => go_forward(scope).await,
        back::Returned::Back => {
            let reason = scope
                .status
                .cutover
                .as_ref()
                .and_then(|cutover| cutover.reason.clone())
                .unwrap_or_default();
            if let Some(cutover) = &mut scope.status.cutover {
                cutover.state = Some(CutoverState::WentBack);
            }
            let note = format!("{reason}; the application is back on the old database, a new approval is needed");
            scope.event(EventType::Warning, "CutoverWentBack", note);
            Ok(Outcome::Advance(Phase::AwaitingCutover))
        }
    }
}

async fn go_forward(scope: &mut Scope) -> Result<Outcome, Error> {
    let row = fence_row(scope).await?;
    record_commit(scope, row.as_ref());
    scope.persist().await?;
    let mut cutover = Cutover::claim(scope).await?;
    let began = Instant::now();
    cutover.enter(CutoverStep::Open).await?;
    let opened = open::run(&mut cutover).await?;
    let first = open::first_write(&cutover).await?;
    cutover.leave(CutoverStep::Open, began, true);
    record_gap(scope, first);
    let (connected, reason, message) = match &opened {
        Opened::Ready => (
            true,
            "OnTarget",
            "the application is ready on the new database".to_owned(),
        ),
        Opened::NotReady(why) => (false, "NotReady", why.clone()),
    };
    if !connected {
        scope.event(EventType::Warning, "WorkloadNotReady", message.clone());
    }
    scope.condition(conditions::APPLICATION_CONNECTED, connected, reason, &message);
    let ends =
        now().saturating_add(jiff::SignedDuration::try_from(scope.spec().soak.duration.get()).unwrap_or_default());
    scope.status.soak = Some(SoakStatus {
        ends_at: ends.ok().map(seconds),
        ..SoakStatus::default()
    });
    Ok(Outcome::Advance(Phase::Soaking))
}

fn record_commit(scope: &mut Scope, row: Option<&FenceRow>) {
    let database = scope.database().ok();
    if let Some(cutover) = &mut scope.status.cutover
        && cutover.state != Some(CutoverState::Committed)
    {
        cutover.state = Some(CutoverState::Committed);
        let commit = cutover.commit.get_or_insert_default();
        commit.decided_by = database;
        commit.epoch = row.and_then(|row| row.epoch);
        commit.at = row.and_then(|row| row.at).map(micros);
    }
}

/// From the scale-down until the first write on the new database: an upper bound of what the application saw.
fn record_gap(scope: &mut Scope, first: Option<Timestamp>) {
    let Some(cutover) = &mut scope.status.cutover else {
        return;
    };
    cutover.state = Some(CutoverState::Opened);
    let began = cutover
        .steps
        .iter()
        .find(|step| step.name == CutoverStep::Quiesce)
        .and_then(|step| step.started_at.as_ref());
    if let (Some(began), Some(first)) = (began, first) {
        let millis = first.duration_since(began.0).as_millis();
        cutover.write_gap_millis = i64::try_from(millis).ok();
        cutover.write_gap =
            Some(GoDuration::from(Duration::from_millis(u64::try_from(millis).unwrap_or_default())).rounded());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: fence::State, uid: &str) -> FenceRow {
        FenceRow {
            state,
            uid: Some(uid.to_owned()),
            attempt: None,
            cutover: None,
            epoch: None,
            deadline: None,
            target: None,
            at: None,
            lsn: None,
        }
    }

    #[test]
    fn the_fence_row_decides_before_the_status() {
        use fence::State::{Closed, Closing, Open};
        let table = [
            (None, false, Stand::Fresh),
            (Some(row(Open, "a")), false, Stand::Fresh),
            (Some(row(Open, "a")), true, Stand::Interrupted),
            (Some(row(Closing, "a")), true, Stand::Interrupted),
            (Some(row(Closed, "a")), true, Stand::Committed),
            (Some(row(Closed, "a")), false, Stand::Committed),
            (Some(row(Closed, "b")), true, Stand::Foreign),
        ];
        for (row, begun, expected) in table {
            assert_eq!(stand(row.as_ref(), "a", begun), expected, "{row:?} {begun}");
        }
    }
}
