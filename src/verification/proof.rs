//! The proof after the cutover: every row of both sides, as of the fence, beside the running application.
use kube::runtime::events::EventType;
use pgupgrade_verify::Verdict;

use super::assess::some;
use crate::api::{Phase, PinnedProof};
use crate::controller::scope::Scope;
use crate::controller::tasks::{Kind, Progress};
use crate::error::Error;

/// Keeps the proof going, enters its outcome, and returns what to say of it meanwhile.
///
/// # Errors
/// Where the sides' connections are unknown.
pub async fn keep_proving(scope: &mut Scope) -> Result<Option<String>, Error> {
    if scope
        .status
        .verification
        .as_ref()
        .is_some_and(|verification| verification.pinned_proof.is_some())
    {
        return Ok(None);
    }
    let key = scope.task(Kind::Comparison);
    let Some(comparison) = scope.context.comparisons.get(&key) else {
        return Ok(enter(
            scope,
            PinnedProof::Lost,
            "the operator was restarted: its snapshots are gone",
        ));
    };
    if let Some(pinned) = comparison.take_pinned() {
        super::prove(scope, comparison, pinned).await?;
        return Ok(Some("every row is compared once more, as of the fence".to_owned()));
    }
    Ok(match scope.context.tasks.collect(&scope.task(Kind::Proof)).await {
        Some(Progress::Running) => Some("every row is compared once more, as of the fence".to_owned()),
        Some(Progress::Done) => match comparison.seen().proof {
            Some(report) if report.verdict() == Verdict::Different => {
                let tables: Vec<_> = report.tables.into_iter().filter(|table| !table.equal).collect();
                enter(scope, PinnedProof::Different, &some(&tables))
            }
            Some(report) => enter(
                scope,
                PinnedProof::Equal,
                &format!("{} rows of {} tables", report.rows, report.tables.len()),
            ),
            None => enter(scope, PinnedProof::Lost, "it gave nothing"),
        },
        Some(Progress::Failed(error)) => enter(scope, PinnedProof::Lost, &error.to_string()),
        None => enter(scope, PinnedProof::Lost, "its snapshots are gone"),
    })
}

fn enter(scope: &mut Scope, proof: PinnedProof, message: &str) -> Option<String> {
    debug_assert_eq!(scope.status.phase, Phase::Soaking);
    scope.status.verification.get_or_insert_default().pinned_proof = Some(proof);
    match proof {
        PinnedProof::Equal => scope.event(EventType::Normal, "PinnedProofEqual", message),
        PinnedProof::Different => scope.event(
            EventType::Warning,
            "DifferenceFound",
            format!("as of the fence: {message}"),
        ),
        PinnedProof::Lost => scope.event(EventType::Warning, "PinnedProofLost", message),
    }
    None
}
