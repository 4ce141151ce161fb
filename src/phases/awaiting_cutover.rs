//! Offers the cutover, and starts it when it is approved by its token and nothing stands in the way.
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::events::EventType;

use super::{replicating, verifying};
use crate::api::conditions::{self, micros, seconds};
use crate::api::{
    ApprovalSource, ApprovalStatus, CutoverState, CutoverStatus, CutoverStep, Direction, Phase, StepStatus,
};
use crate::controller::names;
use crate::controller::outcome::Outcome;
use crate::controller::scope::{Scope, now};
use crate::cutover::{back, gate};
use crate::error::Error;

/// A user takes the time that a user takes.
const LIMIT: Duration = Duration::from_secs(u32::MAX as u64);
/// The annotation that approves without a change in Git.
const APPROVE: &str = "pgupgrade.dev/approve";

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    // A stale leader may have scaled down after the way back, which left forward replication disabled.
    back::restore_workloads(scope).await?;
    replicating::subscribe(scope).await?;
    let lag = match replicating::observe(scope).await? {
        replicating::Health::Streaming(lag) => lag,
        replicating::Health::Unwell(outcome) => return Ok(outcome),
    };
    let compared = match verifying::compare(scope).await? {
        Ok(compared) => compared,
        Err(outcome) => return Ok(outcome),
    };
    let offered = offer(scope).await?;
    let approval = approval(scope);
    let given = approval.as_ref().map(|approval| approval.token.clone());
    let (gate_began, gate_clock) = (now(), std::time::Instant::now());
    let seen = gate::observe(scope, given, offered, lag, compared).await?;
    let decision = gate::decide(&seen);
    scope.condition(
        conditions::CUTOVER_ALLOWED,
        decision.allowed,
        decision.reason,
        &decision.message,
    );
    if !decision.allowed {
        return Ok(Outcome::wait(
            scope.context.settings.poll,
            LIMIT,
            decision.reason,
            decision.message,
        ));
    }
    if let (Some(cutover), Some(approval)) = (&mut scope.status.cutover, approval) {
        let note = format!("{} by {:?}", approval.token, approval.via);
        cutover.approval = Some(approval);
        cutover.state = Some(CutoverState::Running);
        cutover.steps.push(StepStatus {
            name: CutoverStep::Gate,
            started_at: Some(micros(gate_began)),
            duration_millis: i64::try_from(gate_clock.elapsed().as_millis()).ok(),
        });
        scope.event(EventType::Normal, "CutoverApproved", note);
    }
    Ok(Outcome::Advance(Phase::CuttingOver))
}

/// The next try's number and token; the same as long as nothing was tried.
async fn offer(scope: &mut Scope) -> Result<String, Error> {
    let attempt = scope.status.attempt.ok_or(Error::StatusIncomplete("attempt"))?;
    if let Some(cutover) = &scope.status.cutover
        && cutover.state == Some(CutoverState::Offered)
        && let Some(token) = &cutover.token
    {
        return Ok(token.clone());
    }
    let last = scope.status.cutover.as_ref();
    let number = last.and_then(|cutover| cutover.number).unwrap_or_default() + 1;
    let token = names::token(
        &scope.uid(),
        attempt,
        number,
        scope.resolved()?.spec_hash.as_deref().unwrap_or_default(),
    );
    let went_back = last.and_then(|cutover| cutover.reason.clone());
    scope.status.cutover = Some(CutoverStatus {
        number: Some(number),
        direction: Some(Direction::Forward),
        token: Some(token.clone()),
        state: Some(CutoverState::Offered),
        reason: went_back,
        ..CutoverStatus::default()
    });
    scope.persist().await?;
    scope.event(EventType::Normal, "CutoverOffered", format!("approve with {token}"));
    Ok(token)
}

/// The spec's token counts before the annotation's, unless only the annotation's is the one on offer.
fn approval(scope: &Scope) -> Option<ApprovalStatus> {
    let offered = scope.status.cutover.as_ref().and_then(|cutover| cutover.token.clone());
    let spec = scope.spec().cutover.approval.as_ref();
    let annotation = scope.object.annotations().get(APPROVE);
    let approval = |token: &str, via: ApprovalSource, comment: Option<String>| ApprovalStatus {
        token: token.to_owned(),
        via,
        field_manager: None,
        comment,
        observed_at: Some(seconds(now())),
    };
    match (spec, annotation) {
        (_, Some(token)) if offered.as_ref() == Some(token) => Some(approval(token, ApprovalSource::Annotation, None)),
        (Some(spec), _) => Some(approval(&spec.token, ApprovalSource::Spec, spec.comment.clone())),
        (None, Some(token)) => Some(approval(token, ApprovalSource::Annotation, None)),
        (None, None) => None,
    }
}
