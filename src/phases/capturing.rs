//! Publication, then slot, then marker rows: from here on the source keeps everything that the clone will lack.
use std::time::Duration;

use kube::runtime::events::EventType;
use pgupgrade_postgres::connection::{Connector, Profile, Session};
use pgupgrade_postgres::publication::{self, Contents};
use pgupgrade_postgres::{barrier, marker, schema, slot, tables};
use pgupgrade_verify::{Known, create_feed, published_leaves};

use super::cleanup;
use crate::api::conditions::seconds;
use crate::api::{
    AttemptOutcome, AttemptStatus, CutoverState, DatabaseStatus, Phase, StreamState, StreamStatus,
    VerificationSlotStatus,
};
use crate::controller::names::{self, MAIN_STREAM};
use crate::controller::outcome::Outcome;
use crate::controller::scope::{Scope, now};
use crate::controller::tasks::{Kind, Progress};
use crate::error::Error;
use crate::verification::known::Keeper;

/// How often a marker row is written.
const MARKER_INTERVAL: Duration = Duration::from_millis(200);
/// A slot's creation waits for every transaction that is open.
const LIMIT: Duration = Duration::from_mins(10);
/// Markers that must be there before the clone is made, so that one is in the clone.
const ENOUGH: i64 = 3;

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    if let Some(outcome) = next_attempt(scope).await? {
        return Ok(outcome);
    }
    let source = scope.source().await?;
    for database in scope.status.databases.clone() {
        capture(scope, &source, &database).await?;
    }
    if let Some(Progress::Failed(error)) = keep_marking(scope).await? {
        tracing::warn!(%error, "marker rows stopped; they go on");
    }
    let mut newest = i64::MAX;
    for database in &scope.status.databases {
        let session = source.connect(&database.name, Profile::Observe).await?;
        for stream in &database.streams {
            let attempt = scope.status.attempt.unwrap_or_default();
            newest = newest.min(
                marker::newest(&session, &stream.name, attempt, names::FORWARD)
                    .await?
                    .map_or(0, |marker| marker.number),
            );
        }
    }
    if newest < ENOUGH {
        let message = format!("{newest} of {ENOUGH} marker rows written before the clone is made");
        return Ok(Outcome::wait(MARKER_INTERVAL, LIMIT, "Capturing", message));
    }
    Ok(Outcome::Advance(Phase::Cloning))
}

/// Drops what an abandoned attempt left, and persists the identifiers of the next one.
async fn next_attempt(scope: &mut Scope) -> Result<Option<Outcome>, Error> {
    match scope.status.attempts.last() {
        Some(attempt) if attempt.finished_at.is_none() => return Ok(None),
        Some(_) => {
            if let Some(outcome) = cleanup::attempt(scope).await? {
                return Ok(Some(outcome));
            }
        }
        None => {}
    }
    let number = scope.status.attempt.unwrap_or_default() + 1;
    if number > scope.spec().max_attempts {
        let message = format!("{} attempts used up (spec.maxAttempts)", scope.spec().max_attempts);
        return Ok(Some(Outcome::Fail {
            reason: "AttemptsExhausted",
            message,
        }));
    }
    let uid = scope.uid();
    let resolved = scope.resolved()?.clone();
    let target = resolved.target_identifier.clone().unwrap_or_default();
    scope.status.attempt = Some(number);
    scope.status.verification = None;
    scope.status.cutover = scope
        .status
        .cutover
        .take()
        .filter(|cutover| cutover.state == Some(CutoverState::Committed));
    scope.status.attempts.push(AttemptStatus {
        number,
        outcome: AttemptOutcome::Running,
        started_at: Some(seconds(now())),
        target_identifier: names::clone(&target, number),
        clone_parameter_group: Some(names::clone_parameter_group(&uid, number)),
        ..AttemptStatus::default()
    });
    let excess = scope.status.attempts.len().saturating_sub(10);
    scope.status.attempts.drain(..excess);
    let identities = |name: &str| {
        scope
            .status
            .databases
            .iter()
            .find(|database| database.name == name)
            .map(|database| database.replica_identities.clone())
            .unwrap_or_default()
    };
    scope.status.databases = resolved
        .databases
        .iter()
        .map(|name| DatabaseStatus {
            name: name.clone(),
            replica_identities: identities(name),
            verification: Some(VerificationSlotStatus {
                publication: names::verification(&uid, number),
                slot: names::verification(&uid, number),
            }),
            reverse_verification: None,
            streams: vec![StreamStatus {
                name: MAIN_STREAM.to_owned(),
                publication: names::stream(&uid, number, MAIN_STREAM),
                slot: names::stream(&uid, number, MAIN_STREAM),
                subscription: names::stream(&uid, number, MAIN_STREAM),
                reverse_publication: names::reverse(&uid, number, MAIN_STREAM),
                reverse_slot: names::reverse(&uid, number, MAIN_STREAM),
                reverse_subscription: names::reverse(&uid, number, MAIN_STREAM),
                ..StreamStatus::default()
            }],
        })
        .collect();
    scope.persist().await?;
    Ok(None)
}

/// In this order: a slot decodes changes of a publication only from the publication's creation on.
async fn capture(scope: &mut Scope, source: &Connector, database: &DatabaseStatus) -> Result<(), Error> {
    let session = source.connect(&database.name, Profile::Act).await?;
    for stream in &database.streams {
        schema::install_stream(&session, &stream.name, &scope.owner()).await?;
        let published: Vec<_> = tables::list(&session)
            .await?
            .into_iter()
            .filter(tables::Table::is_published)
            .map(|table| table.name)
            .collect();
        let count = published.len();
        publication::create(
            &session,
            &stream.publication,
            &Contents {
                tables: published,
                stream: &stream.name,
            },
        )
        .await?;
        let waiting = source.connect(&database.name, Profile::Long).await?;
        if slot::create(&waiting, &stream.slot).await? {
            let note = format!(
                "{}: publication of {count} tables, then slot {}",
                database.name, stream.slot
            );
            scope.event(EventType::Normal, "CaptureStarted", note);
        }
        for status in scope
            .status
            .databases
            .iter_mut()
            .flat_map(|database| &mut database.streams)
        {
            if status.slot == stream.slot {
                status.tables = i32::try_from(count).ok();
                status.state = Some(StreamState::Created);
            }
        }
    }
    capture_changes(scope, source, &session, database).await
}

/// The verification's own slot: it tells of every row that the clone may have in another version. What the tables are
/// now, the clone has too.
async fn capture_changes(
    scope: &Scope,
    source: &Connector,
    session: &Session,
    database: &DatabaseStatus,
) -> Result<(), Error> {
    let Some(names) = database.verification.as_ref().map(VerificationSlotStatus::names) else {
        return Ok(());
    };
    let publications: Vec<String> = database
        .streams
        .iter()
        .map(|stream| stream.publication.clone())
        .collect();
    let tables = published_leaves(session, &publications).await?;
    let barriers: Vec<_> = database
        .streams
        .iter()
        .map(|stream| barrier::table(&stream.name))
        .collect();
    let waiting = source.connect(&database.name, Profile::Long).await?;
    create_feed(&waiting, &names, &tables, &barriers, LIMIT).await?;
    let keeper = Keeper::of(scope, database)?;
    if keeper.read().await?.is_none() {
        keeper
            .write(Known::before_copy(&waiting, &names, &publications).await?)
            .await?;
    }
    Ok(())
}

/// Sees to it that marker rows are written, by this process if no longer by the last one.
pub async fn keep_marking(scope: &Scope) -> Result<Option<Progress>, Error> {
    let key = scope.task(Kind::Markers);
    let progress = scope.context.tasks.collect(&key).await;
    if matches!(progress, Some(Progress::Running)) {
        return Ok(progress);
    }
    let source = scope.source().await?;
    let streams: Vec<(String, String)> = scope
        .status
        .databases
        .iter()
        .flat_map(|database| {
            database
                .streams
                .iter()
                .map(|stream| (database.name.clone(), stream.name.clone()))
        })
        .collect();
    let attempt = scope.status.attempt.unwrap_or_default();
    scope.context.tasks.start(key, async move {
        let mut sessions = Vec::new();
        for (database, stream) in streams {
            let session = source.connect(&database, Profile::Act).await?;
            let newest = marker::newest(&session, &stream, attempt, names::FORWARD).await?;
            sessions.push((session, stream, newest.map_or(0, |marker| marker.number)));
        }
        let mut beat = tokio::time::interval(MARKER_INTERVAL);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            for (session, stream, number) in &mut sessions {
                *number += 1;
                marker::write(session, stream, attempt, names::FORWARD, *number).await?;
            }
        }
    });
    Ok(progress)
}
