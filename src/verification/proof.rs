//! The proof after the cutover: every row of both sides, as of the fence, beside the running application. Where the
//! snapshots of the fence are gone, a comparison in the reverse direction takes its place ([`reverse`]).
use kube::runtime::events::EventType;
use pgupgrade_verify::Report;

use super::assess::{is_accepted, some};
use super::reverse;
use crate::api::{AcceptedDifference, PinnedProof};
use crate::controller::scope::Scope;
use crate::controller::tasks::{Kind, Progress};
use crate::error::Error;

/// Where a comparison for the proof stands that has not come to its end.
pub(super) enum Stand {
    /// Under way; what to say of it.
    Comparing(String),
    /// It won't come to its end, for this reason.
    Impossible(String),
}

/// Keeps the proof going, enters its outcome, and returns what to say of it meanwhile.
///
/// # Errors
/// Where a side or the API server does not answer; tried again.
pub async fn keep_proving(scope: &mut Scope) -> Result<Option<String>, Error> {
    if is_entered(scope) {
        reverse::end(scope).await?;
        return Ok(None);
    }
    if let Some((proof, message)) = through(scope) {
        close(scope, proof, &message).await?;
        return Ok(None);
    }
    if !reverse::is_begun(scope) {
        match pinned(scope).await? {
            Stand::Comparing(text) => return Ok(Some(text)),
            Stand::Impossible(why) => reverse::begin(scope, &why).await?,
        }
    }
    match reverse::keep_comparing(scope).await? {
        Stand::Comparing(text) => Ok(Some(text)),
        Stand::Impossible(why) => {
            close(scope, PinnedProof::Lost, &why).await?;
            Ok(None)
        }
    }
}

/// Ends the proof with the soak. What is not proven by then is lost.
pub async fn conclude(scope: &mut Scope) {
    if !is_entered(scope) {
        let lost = || {
            let why = "the soak ended before every row had been compared";
            (PinnedProof::Lost, why.to_owned())
        };
        let (proof, message) = through(scope).unwrap_or_else(lost);
        enter(scope, proof, &message);
    }
    let uid = scope.uid();
    scope.context.tasks.stop_all_of(&uid).await;
    scope.context.comparisons.forget(&uid).await;
}

fn is_entered(scope: &Scope) -> bool {
    let verification = scope.status.verification.as_ref();
    verification.is_some_and(|verification| verification.pinned_proof.is_some())
}

/// What a comparison of this process came to, if one has come to its end.
fn through(scope: &Scope) -> Option<(PinnedProof, String)> {
    let found = |kind, equal| {
        let comparison = scope.context.comparisons.get(&scope.task(kind))?;
        let accepted = &scope.spec().verification.accept_differences;
        outcome(&comparison.seen().proof?, equal, accepted).ok()
    };
    found(Kind::Comparison, PinnedProof::Equal).or_else(|| found(Kind::ReverseComparison, PinnedProof::EqualLive))
}

/// What a report proves, where all that is in it being equal proves `equal`. Differences with consent are named.
///
/// # Errors
/// What it leaves undecided.
fn outcome(
    report: &Report,
    equal: PinnedProof,
    accepted: &[AcceptedDifference],
) -> Result<(PinnedProof, String), String> {
    let different = report.tables.iter().filter(|table| !table.equal);
    let (consent, problem): (Vec<_>, Vec<_>) = different.partition(|table| is_accepted(table, accepted));
    if !problem.is_empty() {
        let seen = match equal {
            PinnedProof::Equal => "as of the fence",
            _ => "by what flows back, with the new database as the source",
        };
        return Ok((PinnedProof::Different, format!("{seen}: {}", some(&problem))));
    }
    let left = undecided(report);
    if !left.is_empty() {
        return Err(left);
    }
    let mut message = format!("{} rows of {} tables", report.rows, report.tables.len());
    if !consent.is_empty() {
        message = format!("{message}; accepted: {}", some(&consent));
    }
    Ok((equal, message))
}

/// Which tables a report leaves undecided, and why.
pub(super) fn undecided(report: &Report) -> String {
    let tables = report.tables.iter().filter_map(|table| {
        let why = table.undecided.as_ref()?;
        Some(format!("{}: {why}", table.name.plain()))
    });
    let all: Vec<String> = report.undecided.clone().into_iter().chain(tables).collect();
    some(&all)
}

/// Keeps the comparison as of the fence going.
async fn pinned(scope: &Scope) -> Result<Stand, Error> {
    let comparing = || Stand::Comparing("every row is compared once more, as of the fence".to_owned());
    let Some(comparison) = scope.context.comparisons.get(&scope.task(Kind::Comparison)) else {
        let why = "the operator was restarted, and its snapshots of the fence are gone";
        return Ok(Stand::Impossible(why.to_owned()));
    };
    if let Some(pinned) = comparison.take_pinned() {
        super::prove(scope, comparison, pinned).await?;
        return Ok(comparing());
    }
    Ok(match scope.context.tasks.collect(&scope.task(Kind::Proof)).await {
        Some(Progress::Running) => comparing(),
        Some(Progress::Failed(error)) => Stand::Impossible(format!("the comparison as of the fence failed: {error}")),
        Some(Progress::Done) | None => Stand::Impossible(match comparison.seen().proof {
            Some(report) => format!("the comparison as of the fence left undecided: {}", undecided(&report)),
            None => "the snapshots of the fence are gone".to_owned(),
        }),
    })
}

/// The outcome is persisted before what served it is dropped: a new process would begin anew otherwise.
async fn close(scope: &mut Scope, proof: PinnedProof, message: &str) -> Result<(), Error> {
    enter(scope, proof, message);
    scope.persist().await?;
    reverse::end(scope).await
}

fn enter(scope: &mut Scope, proof: PinnedProof, message: &str) {
    scope.status.verification.get_or_insert_default().pinned_proof = Some(proof);
    let (type_, reason) = match proof {
        PinnedProof::Equal => (EventType::Normal, "PinnedProofEqual"),
        PinnedProof::EqualLive => (EventType::Normal, "LiveProofEqual"),
        PinnedProof::Different => (EventType::Warning, "DifferenceFound"),
        PinnedProof::Lost => (EventType::Warning, "PinnedProofLost"),
    };
    scope.event(type_, reason, message);
}

#[cfg(test)]
mod tests {
    use pgupgrade_postgres::QualifiedName;
    use pgupgrade_verify::{Depth, Example, Kind, TableResult};

    use super::*;

    fn table(name: &str, differing: u64, undecided: Option<&str>) -> TableResult {
        let example = Example {
            key: "id=7".to_owned(),
            kind: Kind::Missing,
            columns: Vec::new(),
        };
        TableResult {
            name: QualifiedName::new("public", name),
            rows: 10,
            target_rows: 10 - differing,
            equal: differing == 0,
            problem: None,
            differing,
            estimated: false,
            examples: (differing > 0).then_some(example).into_iter().collect(),
            undecided: undecided.map(str::to_owned),
            notes: Vec::new(),
            depth: Some(Depth::Full),
        }
    }

    #[test]
    fn only_what_was_compared_to_its_end_is_a_proof() {
        use PinnedProof::{Different, Equal, EqualLive};
        let (same, hot) = (table("orders", 0, None), table("carts", 0, Some("hot")));
        let wrong = table("orders", 1, None);
        // tables, why they may not be all, which proof; what it comes to, what the text has in it
        let cases = [
            (vec![same.clone()], None, Equal, Some(Equal), "10 rows of 1 tables"),
            (
                vec![same.clone()],
                None,
                EqualLive,
                Some(EqualLive),
                "10 rows of 1 tables",
            ),
            (vec![same.clone(), hot.clone()], None, Equal, None, "public.carts: hot"),
            (
                vec![same.clone(), hot.clone()],
                None,
                EqualLive,
                None,
                "public.carts: hot",
            ),
            (
                vec![same.clone()],
                Some("a table was created"),
                EqualLive,
                None,
                "a table was created",
            ),
            (
                vec![wrong.clone(), hot.clone()],
                None,
                Equal,
                Some(Different),
                "as of the fence",
            ),
            (vec![wrong, hot], None, EqualLive, Some(Different), "id=7: missing"),
            (
                vec![same, table("audit", 1, None)],
                None,
                Equal,
                Some(Equal),
                "10 rows of 2 tables; accepted: ",
            ),
        ];
        let accepted = [AcceptedDifference {
            table: "public.audit".to_owned(),
            comment: None,
        }];
        for (tables, why, equal, expected, text) in cases {
            let report = Report {
                rows: 10,
                tables,
                undecided: why.map(str::to_owned),
                ..Report::default()
            };
            let (proof, message) = match outcome(&report, equal, &accepted) {
                Ok((proof, message)) => (Some(proof), message),
                Err(undecided) => (None, undecided),
            };
            assert_eq!(proof, expected, "{report:?}");
            assert!(message.contains(text), "{message}");
        }
    }
}
