//! Proves which transaction is the last one in the clone, before anything else is done there.
use std::time::Duration;

use kube::runtime::events::EventType;
use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::cut::{self, Verdict};

use crate::api::conditions;
use crate::api::{CutStatus, CutWitness, Evidence, Phase};
use crate::controller::outcome::Outcome;
use crate::controller::scope::Scope;
use crate::controller::tasks::Kind;
use crate::error::Error;

/// The peek reads what the slot has held back since it was made.
const LIMIT: Duration = Duration::from_mins(30);

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    let (source, target) = (scope.source().await?, scope.target().await?);
    let attempt = scope.status.attempt.unwrap_or_default();
    for database in scope.status.databases.clone() {
        for stream in &database.streams {
            let on_source = source.connect(&database.name, Profile::Long).await?;
            let on_clone = match target.connect(&database.name, Profile::Long).await {
                Ok(session) => session,
                Err(error) => {
                    let message = format!("the clone does not answer yet: {error}");
                    return Ok(Outcome::wait(scope.context.settings.poll, LIMIT, "Pinning", message));
                }
            };
            let identity = cut::Stream {
                slot: &stream.slot,
                publication: &stream.publication,
                name: &stream.name,
                attempt,
            };
            match cut::prove(&on_source, &on_clone, &identity).await? {
                Verdict::Proven(point) => record(scope, &stream.slot, &point),
                Verdict::Refused(refusal) => {
                    scope.context.tasks.stop(&scope.task(Kind::Markers)).await;
                    let message = format!("{}: {refusal}", stream.slot);
                    scope.condition(conditions::CUT_POINT_PROVEN, false, "CutPointRefused", &message);
                    scope.event(EventType::Warning, "CutPointRefused", message.clone());
                    return Ok(Outcome::NextAttempt {
                        reason: "CutPointRefused",
                        message,
                    });
                }
            }
        }
    }
    scope.context.tasks.stop(&scope.task(Kind::Markers)).await;
    let message = summary(scope);
    scope.condition(conditions::CUT_POINT_PROVEN, true, "WitnessesAgree", &message);
    scope.event(EventType::Normal, "CutPointProven", message);
    Ok(Outcome::Advance(Phase::Upgrading))
}

fn summary(scope: &Scope) -> String {
    let cuts: Vec<String> = scope
        .streams()
        .filter_map(|stream| {
            let cut = stream.cut.as_ref()?;
            Some(format!(
                "{} continues at {} after transaction {}",
                stream.slot,
                cut.lsn,
                cut.transaction_id.as_deref().unwrap_or("?")
            ))
        })
        .collect();
    cuts.join("; ")
}

fn record(scope: &mut Scope, slot: &str, point: &cut::CutPoint) {
    let lsn = point.end_lsn.to_string();
    let mut evidence = vec![Evidence {
        witness: CutWitness::CloneSlot,
        lsn: lsn.clone(),
    }];
    evidence.extend(point.aurora_start_lsn.map(|start| Evidence {
        witness: CutWitness::AuroraVolumeLogicalStartLSN,
        lsn: start.to_string(),
    }));
    for stream in scope
        .status
        .databases
        .iter_mut()
        .flat_map(|database| &mut database.streams)
    {
        if stream.slot == slot {
            stream.cut = Some(CutStatus {
                lsn: lsn.clone(),
                transaction_id: Some(point.xid.to_string()),
                evidence: evidence.clone(),
            });
        }
    }
}
