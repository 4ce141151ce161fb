//! Step 6: every row of every table is the same on both sides, now that nobody writes: all were compared before, and
//! what changed since is read here.
use std::time::{Duration, Instant};

use kube::runtime::events::EventType;
use pgupgrade_verify::Report;
use tokio::time::timeout;

use super::{Cutover, Setback};
use crate::controller::tasks::Kind;
use crate::error::Error;
use crate::verification::assess::{Compared, assess, some};
use crate::verification::{Seen, Taken, report};

/// Tables that have to be read as a whole are read as long as that takes no longer than this.
const BUDGET: Duration = Duration::from_secs(1);
/// How long the comparison may take to come to a point where it can be taken over.
const TAKE_OVER: Duration = Duration::from_mins(1);

/// Takes the comparison over, before the application stops, and leaves it little to do.
///
/// # Errors
/// Where this process has none, or a side does not answer.
pub(super) async fn prepare(cutover: &Cutover<'_>) -> Result<Taken, Error> {
    let key = cutover.scope.task(Kind::Comparison);
    let comparison = cutover.scope.context.comparisons.get(&key).ok_or(Error::NotCompared)?;
    let taken = timeout(TAKE_OVER, comparison.take_over()).await;
    let mut taken = taken.map_err(|_| Error::NotCompared)?;
    let live = taken.as_mut().ok_or(Error::NotCompared)?;
    Box::pin(live.prepare_verdict()).await?;
    Ok(taken)
}

pub(super) async fn run(cutover: &mut Cutover<'_>) -> Result<(), Setback> {
    let failed = |error: Error| Setback::Failed {
        step: "Verdict",
        error: Box::new(error),
    };
    let found = decide(cutover).await.map_err(failed)?;
    let unpublished = found.skipped.iter().find(|skipped| skipped.reason == "not published");
    if let Some(table) = unpublished {
        let why = format!("{} is not replicated: it was created after the capture", table.name);
        return Err(Setback::Different(why));
    }
    let seen = Seen {
        report: Some(found),
        ..Seen::default()
    };
    let assessed = assess(&seen, &cutover.scope.spec().verification.accept_differences);
    report::enter(cutover.scope, &seen, &assessed);
    match assessed {
        Err(which) => {
            cutover
                .scope
                .event(EventType::Warning, "DifferenceFound", which.clone());
            Err(Setback::Different(which))
        }
        Ok(Compared::Reading(how_far)) => Err(Setback::Undecided(how_far)),
        Ok(Compared::Verified(remaining)) if remaining.undecided.is_empty() => Ok(()),
        Ok(Compared::Verified(remaining)) => Err(Setback::Undecided(some(&remaining.undecided))),
    }
}

async fn decide(cutover: &mut Cutover<'_>) -> Result<Report, Error> {
    let key = cutover.scope.task(Kind::Comparison);
    let comparison = cutover.scope.context.comparisons.get(&key).ok_or(Error::NotCompared)?;
    let remaining = cutover.remaining();
    let live = cutover.comparison.as_mut().and_then(|taken| taken.as_mut());
    let live = live.ok_or(Error::NotCompared)?;
    let report = Box::pin(live.verdict(BUDGET, Instant::now() + remaining)).await?;
    comparison.pin(live.pin().await?);
    Ok(report)
}
