//! One file a phase, in the order in which they run. [`run`] is the only place that knows which runs.
mod aborting;
mod awaiting_cutover;
mod capturing;
mod cleaning_up;
mod cleanup;
mod cloning;
mod cutting_over;
mod optimizing;
mod pinning;
mod preflight;
mod preparing_source;
mod replicating;
mod soaking;
mod source_first;
mod upgrading;
mod verifying;

use crate::api::{DesiredState, Phase};
use crate::controller::outcome::Outcome;
use crate::controller::scope::Scope;
use crate::error::Error;

/// Does what the phase does.
///
/// # Errors
/// What a later try may find gone.
pub async fn run(phase: Phase, scope: &mut Scope) -> Result<Outcome, Error> {
    if let Some(outcome) = source_first::check(phase, scope).await? {
        return Ok(outcome);
    }
    match phase {
        Phase::Preflight => preflight::run(scope).await,
        Phase::PreparingSource => preparing_source::run(scope).await,
        Phase::Capturing => capturing::run(scope).await,
        Phase::Cloning => cloning::run(scope).await,
        Phase::Pinning => pinning::run(scope).await,
        Phase::Upgrading => upgrading::run(scope).await,
        Phase::Optimizing => optimizing::run(scope).await,
        Phase::Replicating => replicating::run(scope).await,
        Phase::Verifying => verifying::run(scope).await,
        Phase::AwaitingCutover => awaiting_cutover::run(scope).await,
        Phase::CuttingOver => cutting_over::run(scope).await,
        Phase::Soaking => soaking::run(scope).await,
        Phase::CleaningUp => cleaning_up::run(scope).await,
        Phase::Aborting => aborting::run(scope).await,
        Phase::Succeeded | Phase::Failed | Phase::Aborted => Ok(finished(scope)),
    }
}

/// Where the user's wish or a deletion leads, away from what the phase itself would do.
#[must_use]
pub fn redirect(scope: &Scope, deleted: bool) -> Option<Phase> {
    redirect_from(
        scope.status.phase,
        scope.desired_state() == DesiredState::Aborted || deleted,
        deleted,
        scope.status.resolved.is_some(),
    )
}

/// Before the cutover an abort is an abort; during it the cutover decides first; after it the way is forward only.
fn redirect_from(phase: Phase, abort: bool, deleted: bool, changed_the_world: bool) -> Option<Phase> {
    match phase {
        _ if phase.is_final() => None,
        Phase::CuttingOver | Phase::CleaningUp | Phase::Aborting => None,
        Phase::Soaking => deleted.then_some(Phase::CleaningUp),
        _ if !abort => None,
        _ if changed_the_world => Some(Phase::Aborting),
        _ => Some(Phase::Aborted),
    }
}

/// A resource that is done stays as it is: one resource is one run.
fn finished(scope: &Scope) -> Outcome {
    Outcome::Rest {
        message: scope.status.message.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abort_is_obeyed_only_before_the_commit_point() {
        // phase, abort wanted, deleted, preflight had passed → where to
        let table = [
            (Phase::Preflight, false, false, false, None),
            (Phase::Preflight, true, false, false, Some(Phase::Aborted)),
            (Phase::Preflight, true, true, false, Some(Phase::Aborted)),
            (Phase::PreparingSource, true, false, true, Some(Phase::Aborting)),
            (Phase::AwaitingCutover, true, true, true, Some(Phase::Aborting)),
            (Phase::AwaitingCutover, false, false, true, None),
            (Phase::CuttingOver, true, true, true, None),
            (Phase::Soaking, true, false, true, None),
            (Phase::Soaking, true, true, true, Some(Phase::CleaningUp)),
            (Phase::CleaningUp, true, true, true, None),
            (Phase::Aborting, true, true, true, None),
            (Phase::Succeeded, true, true, true, None),
            (Phase::Failed, true, true, true, None),
        ];
        for (phase, abort, deleted, changed, expected) in table {
            assert_eq!(
                redirect_from(phase, abort, deleted, changed),
                expected,
                "{phase:?} {abort} {deleted} {changed}"
            );
        }
    }
}
