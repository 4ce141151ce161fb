//! Compares every row of both sides, and their schemas, while the application writes.
use std::time::Duration;

use kube::runtime::events::EventType;

use super::replicating::{self, Health};
use crate::api::{DifferencePolicy, Phase};
use crate::controller::outcome::Outcome;
use crate::controller::scope::Scope;
use crate::error::Error;
use crate::verification::assess::{Compared, assess};
use crate::verification::{self, report};

/// Reading terabytes beside production takes its time.
const LIMIT: Duration = Duration::from_hours(14 * 24);

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    replicating::subscribe(scope).await?;
    if let Health::Unwell(outcome) = replicating::observe(scope).await? {
        return Ok(outcome);
    }
    let poll = scope.context.settings.poll;
    Ok(match compare(scope).await? {
        Ok(Compared::Reading(how_far)) => {
            let message = format!("comparing every row while the application writes: {how_far}; nothing to do for you");
            Outcome::wait(poll, LIMIT, "Verifying", message)
        }
        Ok(Compared::Verified(_)) => Outcome::Advance(Phase::AwaitingCutover),
        Err(outcome) => outcome,
    })
}

/// Keeps the comparison going, and enters into status, report and events what it has found: where it stands, or what
/// follows from a difference.
///
/// # Errors
/// Where a side or the API server does not answer.
pub async fn compare(scope: &mut Scope) -> Result<Result<Compared, Outcome>, Error> {
    let (comparison, ended) = verification::keep_comparing(scope).await?;
    if let Some(error) = &ended {
        tracing::warn!(resource = %scope.owner(), %error, "the comparison ended; it begins anew");
    }
    let seen = comparison.seen();
    let assessed = assess(&seen, &scope.spec().verification.accept_differences);
    for (reason, note) in comparison.take_index_news() {
        scope.event(EventType::Warning, reason, note);
    }
    report::enter(scope, &seen, &assessed);
    report::publish(scope, &comparison).await?;
    Ok(match assessed {
        Ok(Compared::Reading(how_far)) => {
            let why = ended.map_or_else(String::new, |error| format!("; begins anew after: {error}"));
            Ok(Compared::Reading(how_far + &why))
        }
        Ok(verified) => Ok(verified),
        Err(which) => Err(different(scope, &which)),
    })
}

/// A row that differs on a clone whose cut was proven means that this clone can't be trusted.
fn different(scope: &Scope, which: &str) -> Outcome {
    let reason = "DifferenceFound";
    scope.event(EventType::Warning, "DifferenceFound", which);
    let message = format!("rows differ: {which}");
    match scope.spec().verification.on_difference {
        DifferencePolicy::NextAttempt => Outcome::NextAttempt { reason, message },
        DifferencePolicy::Hold => Outcome::hold(
            reason,
            format!(
                "{message}; the clone is kept for you to look at (verification.onDifference): abort, or set NextAttempt"
            ),
        ),
    }
}
