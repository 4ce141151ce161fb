//! Subscribes the upgraded clone from the proven position, and lets it catch up.
use std::time::Duration;

use pgupgrade_postgres::connection::{Connector, Profile, Session};
use pgupgrade_postgres::guard::{self, Body, Patience};
use pgupgrade_postgres::replication::{self, Rate, Sample};
use pgupgrade_postgres::subscription::{self, Subscription};
use pgupgrade_postgres::{inspect, slot};
use pgupgrade_verify::{create_feed, published_leaves, watchable};
use secrecy::ExposeSecret;

use crate::api::conditions;
use crate::api::{DatabaseStatus, GoDuration, Phase, ReplicationStatus, StreamState, VerificationSlotStatus};
use crate::controller::outcome::Outcome;
use crate::controller::record::Record;
use crate::controller::scope::{Scope, now};
use crate::error::Error;
use crate::verification::known::Keeper;

/// Catching up takes as long as the source has written meanwhile; what limits it is the WAL that it may retain.
const LIMIT: Duration = Duration::from_hours(48);
/// A slot's creation waits for what is open on the clone, where only our own work is.
const WATCH_LIMIT: Duration = Duration::from_secs(30);
/// Below this many bytes the lag is that of a running application, not of a backlog.
const IN_STEP: i64 = 1 << 20;

/// How replication is.
#[derive(Debug)]
pub enum Health {
    /// It runs; the time until the target has what the source has now, at the measured rate.
    Streaming(Duration),
    /// It doesn't; what follows.
    Unwell(Outcome),
}

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    subscribe(scope).await?;
    let lag = match observe(scope).await? {
        Health::Unwell(outcome) => return Ok(outcome),
        Health::Streaming(lag) => lag,
    };
    let bytes = scope
        .status
        .replication
        .as_ref()
        .and_then(|replication| replication.lag_bytes)
        .unwrap_or(i64::MAX);
    if bytes < IN_STEP || lag < scope.spec().cutover.max_lag.get() {
        return Ok(Outcome::Advance(Phase::Verifying));
    }
    let rate = scope
        .status
        .replication
        .as_ref()
        .and_then(|replication| replication.apply_bytes_per_second);
    let message = match rate.filter(|rate| *rate > 0) {
        Some(rate) => format!(
            "catching up: {} behind, {}/s, about {} s left; nothing to do for you",
            bytes_text(bytes),
            bytes_text(rate),
            lag.as_secs()
        ),
        None => format!("catching up: {} behind; nothing to do for you", bytes_text(bytes)),
    };
    Ok(Outcome::wait(scope.context.settings.poll, LIMIT, "CatchingUp", message))
}

/// Makes the subscriptions, or enables those that are there and disabled.
///
/// # Errors
/// Where a server does not answer.
pub async fn subscribe(scope: &Scope) -> Result<(), Error> {
    let (source, target) = (scope.source().await?, scope.target().await?);
    let record = Record::ensure(scope).await?;
    for database in &scope.status.databases {
        subscribe_database(scope, &source, &target, database, &record).await?;
    }
    Ok(())
}

async fn subscribe_database(
    scope: &Scope,
    source: &Connector,
    target: &Connector,
    database: &DatabaseStatus,
    record: &Record,
) -> Result<(), Error> {
    let session = target.connect(&database.name, Profile::Act).await?;
    let states = subscription::states(&session).await?;
    let running = |name: &str| states.iter().any(|state| state.name == name && state.enabled);
    if database.streams.iter().all(|stream| running(&stream.subscription)) {
        return Ok(());
    }
    // Closed to applications before the first change arrives, until the commit point.
    let claim = scope.claim(&session).await?;
    guard::prepare(&session, &claim, Body::NotOpen, &Patience::default()).await?;
    watch_target(scope, source, target, database).await?;
    for stream in &database.streams {
        if running(&stream.subscription) {
            continue;
        }
        let cut = stream
            .cut
            .as_ref()
            .ok_or(Error::StatusIncomplete("databases[].streams[].cut"))?;
        let position = cut
            .lsn
            .parse()
            .map_err(|_| Error::StatusIncomplete("databases[].streams[].cut.lsn"))?;
        let order = Subscription {
            name: &stream.subscription,
            publication: &stream.publication,
            slot: &stream.slot,
            publisher: source.endpoint(),
            database: &database.name,
            role: &Record::role(scope),
            password: record.replication_password.expose_secret(),
        };
        if subscription::create(&session, &order).await? {
            // Only a subscription that has just been made may be positioned: one that ran has gone on from there.
            subscription::advance_origin(&session, &stream.subscription, position).await?;
        } else if subscription::origin_position(&session, &stream.subscription)
            .await?
            .is_none()
        {
            subscription::advance_origin(&session, &stream.subscription, position).await?;
        }
        subscription::enable(&session, &stream.subscription).await?;
    }
    Ok(())
}

/// What others write on the clone is told by a slot there.
async fn watch_target(
    scope: &Scope,
    source: &Connector,
    target: &Connector,
    database: &DatabaseStatus,
) -> Result<(), Error> {
    let Some(names) = database.verification.as_ref().map(VerificationSlotStatus::names) else {
        return Ok(());
    };
    let on_source = source.connect(&database.name, Profile::Observe).await?;
    let publications: Vec<String> = database
        .streams
        .iter()
        .map(|stream| stream.publication.clone())
        .collect();
    let tables = published_leaves(&on_source, &publications).await?;
    let waiting = target.connect(&database.name, Profile::Long).await?;
    if slot::facts(&waiting, &names.slot).await?.is_none() {
        forget_written(&Keeper::of(scope, database)?, &waiting).await?;
    }
    let tables = watchable(&waiting, &names, &tables).await?;
    create_feed(&waiting, &names, &tables, &[], WATCH_LIMIT).await?;
    Ok(())
}

/// What was written on the clone before it was closed and watched is not what it was cloned from: of these tables, every
/// row has to be read.
async fn forget_written(keeper: &Keeper, target: &Session) -> Result<(), Error> {
    let written = inspect::written_tables(target).await?;
    if written.is_empty() {
        return Ok(());
    }
    match keeper.read().await? {
        Some(known) => keeper.write(known.without(&written)).await,
        None => Ok(()),
    }
}

/// Looks at slot and subscription of every stream, and enters lag, rate and health into the status.
///
/// # Errors
/// Where a server does not answer.
pub async fn observe(scope: &mut Scope) -> Result<Health, Error> {
    let (source, target) = (scope.source().await?, scope.target().await?);
    let mut total = Sample::default();
    let (mut source_bytes, mut target_bytes) = (0, 0);
    for index in 0..scope.status.databases.len() {
        let database = scope.status.databases[index].clone();
        let on_source = source.connect(&database.name, Profile::Observe).await?;
        let on_target = target.connect(&database.name, Profile::Observe).await?;
        source_bytes += inspect::database_size(&on_source).await?;
        target_bytes += inspect::database_size(&on_target).await?;
        let states = subscription::states(&on_target).await?;
        for (number, stream) in database.streams.iter().enumerate() {
            let Some(sample) = replication::sample(&on_source, &stream.slot).await? else {
                return Ok(unwell(
                    scope,
                    "SlotMissing",
                    &format!("slot {} is gone from the source", stream.slot),
                ));
            };
            if sample.lost {
                return Ok(unwell(
                    scope,
                    "SlotLost",
                    &format!("slot {} has lost WAL that the clone lacks", stream.slot),
                ));
            }
            let state = states.iter().find(|state| state.name == stream.subscription);
            let entry = &mut scope.status.databases[index].streams[number];
            entry.lag_bytes = Some(sample.lag_bytes);
            entry.state = Some(stream_state(state, &sample));
            total = total.with(&sample);
            if let Some(errors) = state.map(|state| state.apply_errors).filter(|errors| *errors > 0) {
                let message = format!(
                    "{}: {errors} errors while applying, see the target's log",
                    stream.subscription
                );
                scope.condition(conditions::REPLICATION_HEALTHY, false, "ApplyError", &message);
                if state.is_some_and(|state| state.conflicts > 0) {
                    return Ok(unwell(
                        scope,
                        "ApplyError",
                        &format!("{message}; conflicts found: the position was wrong"),
                    ));
                }
            }
        }
    }
    let metrics = &scope.context.metrics;
    metrics.database_size(&scope.resource(), "source", source_bytes);
    metrics.database_size(&scope.resource(), "target", target_bytes);
    let lag = enter(scope, &total);
    Ok(Health::Streaming(lag))
}

fn stream_state(state: Option<&subscription::State>, sample: &Sample) -> StreamState {
    match state {
        None => StreamState::Created,
        Some(state) if !state.enabled => StreamState::Disabled,
        Some(state) if state.apply_errors > 0 => StreamState::ApplyError,
        Some(_) if sample.lag_bytes > IN_STEP => StreamState::CatchingUp,
        Some(_) => StreamState::Streaming,
    }
}

fn unwell(scope: &mut Scope, reason: &'static str, message: &str) -> Health {
    scope.condition(conditions::REPLICATION_HEALTHY, false, reason, message);
    Health::Unwell(Outcome::NextAttempt {
        reason,
        message: message.to_owned(),
    })
}

fn enter(scope: &mut Scope, total: &Sample) -> Duration {
    let at = now();
    let previous = scope
        .status
        .replication
        .as_ref()
        .and_then(|replication| Some((replication.sampled_at.as_ref()?.0, replication.confirmed_bytes?)));
    let rate = previous.and_then(|(when, bytes)| Rate::between(when, bytes, at, total.confirmed_bytes));
    let before = scope
        .status
        .replication
        .as_ref()
        .and_then(|replication| replication.apply_bytes_per_second);
    let bytes_per_second = rate.map(Rate::bytes_per_second).filter(|rate| *rate > 0).or(before);
    let lag = match bytes_per_second {
        Some(rate) if rate > 0 => {
            Duration::from_millis(u64::try_from(total.lag_bytes.max(0) * 1000 / rate).unwrap_or(u64::MAX))
        }
        _ if total.lag_bytes < IN_STEP => Duration::ZERO,
        _ => Duration::MAX,
    };
    scope.status.replication = Some(ReplicationStatus {
        lag: (lag != Duration::MAX).then(|| GoDuration::from(lag).rounded()),
        lag_bytes: Some(total.lag_bytes),
        apply_bytes_per_second: bytes_per_second,
        retained_wal_bytes: Some(total.retained_bytes),
        confirmed_bytes: Some(total.confirmed_bytes),
        sampled_at: Some(crate::api::conditions::micros(at)),
    });
    let (reason, message) = if total.lag_bytes > IN_STEP {
        ("CatchingUp", bytes_text(total.lag_bytes))
    } else {
        ("Streaming", String::new())
    };
    scope.condition(conditions::REPLICATION_HEALTHY, true, reason, &message);
    lag
}

/// `1.2 GiB`.
pub fn bytes_text(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    #[allow(clippy::cast_precision_loss)] // a figure for people
    let mut value = bytes.max(0) as f64;
    while value >= 1024.0 && unit < UNITS.len() - 1 {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{value} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}
