//! The new database serves; what is written there flows back to the old one, until the user or the time finalizes it.
use std::time::Duration;

use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::{replication, slot, subscription};

use super::cleanup;
use super::replicating::bytes_text;
use crate::api::conditions::{self, seconds};
use crate::api::{DatabaseStatus, DesiredState, FinalizePolicy, Phase, Writer};
use crate::controller::outcome::Outcome;
use crate::controller::scope::{Scope, now};
use crate::controller::tasks::Kind;
use crate::error::Error;
use crate::verification::proof;

/// Soaking ends by the user's word or by the time that the spec gives.
const LIMIT: Duration = Duration::from_secs(u32::MAX as u64);

/// How long the walsender of a slot that is given up is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    scope.status.writer = Some(Writer::Target);
    let finalized = scope.desired_state() == DesiredState::Finalized;
    let ends = scope
        .status
        .soak
        .as_ref()
        .and_then(|soak| soak.ends_at.as_ref())
        .map(|ends| ends.0);
    let over = scope.spec().soak.finalize_policy == FinalizePolicy::Automatic && ends.is_some_and(|ends| now() >= ends);
    if scope.desired_state() == DesiredState::Aborted {
        scope.condition(
            conditions::DESIRED_STATE_MET,
            false,
            "TooLateToAbort",
            "the application runs on the new database",
        );
    }
    if finalized || over {
        if let Some(soak) = &mut scope.status.soak {
            soak.finalized_at.get_or_insert(seconds(now()));
        }
        return Ok(Outcome::Advance(Phase::CleaningUp));
    }
    stop_comparing(scope).await?;
    let proof = prove(scope).await?.map_or_else(String::new, |text| format!("; {text}"));
    let reverse = reverse(scope).await;
    let version = scope.resolved()?.target_engine_version.clone().unwrap_or_default();
    let until = match (scope.spec().soak.finalize_policy, ends) {
        (FinalizePolicy::Automatic, Some(ends)) => format!("until {}", seconds(ends).0),
        _ => "until spec.desiredState is Finalized".to_owned(),
    };
    let message = format!("runs on {version}; {reverse}{proof}; soaking {until}");
    let after = ends.map_or(scope.context.settings.poll, |ends| {
        Duration::try_from(ends.duration_since(now()))
            .unwrap_or_default()
            .clamp(Duration::from_millis(50), scope.context.settings.poll)
    });
    Ok(Outcome::wait(after, LIMIT, "Soaking", message))
}

/// The slots of the comparison hold WAL back on both sides, and nobody reads them any more.
async fn stop_comparing(scope: &mut Scope) -> Result<(), Error> {
    if scope
        .status
        .databases
        .iter()
        .all(|database| database.verification.is_none())
    {
        return Ok(());
    }
    scope.context.tasks.stop(&scope.task(Kind::Comparison)).await;
    scope.context.comparisons.end(&scope.task(Kind::Comparison)).await;
    for side in [scope.target().await?, scope.source().await?] {
        for database in &scope.status.databases {
            let session = side.connect(&database.name, Profile::Act).await?;
            cleanup::verification_slot(&session, database).await?;
        }
    }
    for database in &mut scope.status.databases {
        database.verification = None;
    }
    Ok(())
}

/// What to say of the proof. Trouble with it is told, and keeps nothing else from going on.
async fn prove(scope: &mut Scope) -> Result<Option<String>, Error> {
    match proof::keep_proving(scope).await {
        Err(error) if !error.is_conflict() => {
            tracing::warn!(resource = %scope.owner(), %error, "the proof waits");
            Ok(Some(format!("the proof waits, and is tried again: {error}")))
        }
        result => result,
    }
}

/// Trouble on the way back is told, and never touches the new database.
async fn reverse(scope: &mut Scope) -> String {
    match observe(scope).await {
        Ok(lag) => {
            let text = format!("what is written flows back, {} behind", bytes_text(lag));
            if let Some(soak) = &mut scope.status.soak {
                soak.reverse_lag_bytes = Some(lag);
            }
            scope.condition(conditions::REPLICATION_HEALTHY, true, "Streaming", &text);
            text
        }
        Err(problem) => {
            scope.condition(conditions::REPLICATION_HEALTHY, false, "ReverseBroken", &problem);
            format!("reverse replication is broken ({problem})")
        }
    }
}

/// How far the old database is behind, in bytes; or why it does not follow.
async fn observe(scope: &Scope) -> Result<i64, String> {
    let target = scope.target().await.map_err(|error| error.to_string())?;
    let mut behind = 0;
    for database in &scope.status.databases {
        // The new database first: its disk counts, whatever has become of the old one.
        let session = target
            .connect(&database.name, Profile::Act)
            .await
            .map_err(|error| error.to_string())?;
        for stream in &database.streams {
            let sample = replication::sample(&session, &stream.reverse_slot)
                .await
                .map_err(|error| error.to_string())?;
            let sample = sample.ok_or_else(|| format!("slot {} is gone", stream.reverse_slot))?;
            if sample.retained_bytes > scope.spec().replication.max_retained_wal.bytes() {
                slot::drop(&session, &stream.reverse_slot, PATIENCE)
                    .await
                    .map_err(|error| error.to_string())?;
                let retained = bytes_text(sample.retained_bytes);
                return Err(format!(
                    "slot {} held {retained} of WAL back and was dropped",
                    stream.reverse_slot
                ));
            }
            behind += sample.lag_bytes;
        }
        follows(scope, database).await?;
    }
    Ok(behind)
}

async fn follows(scope: &Scope, database: &DatabaseStatus) -> Result<(), String> {
    let source = scope.source().await.map_err(|error| error.to_string())?;
    let session = source
        .connect(&database.name, Profile::Observe)
        .await
        .map_err(|error| error.to_string())?;
    let states = subscription::states(&session)
        .await
        .map_err(|error| error.to_string())?;
    for stream in &database.streams {
        match states.iter().find(|state| state.name == stream.reverse_subscription) {
            None => return Err(format!("subscription {} is gone", stream.reverse_subscription)),
            Some(state) if !state.enabled => return Err(format!("subscription {} is disabled", state.name)),
            Some(state) if state.apply_errors > 0 => {
                return Err(format!(
                    "{} errors while applying on the old database",
                    state.apply_errors
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
