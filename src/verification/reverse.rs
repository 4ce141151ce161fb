//! The comparison in the reverse direction: after the cutover the application writes on the new database, reverse
//! replication carries that back to the old one, and every row is compared meanwhile.
//!
//! On the old database no slot tells of the writes of others: its fence is closed, so that nothing but replication
//! writes there.
use std::sync::Arc;
use std::time::Duration;

use kube::runtime::events::EventType;
use pgupgrade_postgres::connection::{Connector, Profile, Session};
use pgupgrade_postgres::{barrier, publication, replication, slot, subscription};
use pgupgrade_verify::{Depth, Live, Options, Replication, Tables, Verdict, create_feed, published_leaves};

use super::proof::{Stand, undecided};
use super::{Comparison, PATIENCE, PAUSE, Seen, options};
use crate::api::{DatabaseStatus, VerificationSlotStatus};
use crate::controller::names;
use crate::controller::scope::Scope;
use crate::controller::tasks::{Key, Kind, Progress};
use crate::error::Error;

/// A slot's creation waits for the transactions that are open on the new database, and this reconcile for it; it is tried
/// again.
const CREATION: Duration = Duration::from_mins(1);
/// How long the last reader of a slot is waited for.
const READER: Duration = Duration::from_secs(10);

/// Whether this comparison has taken the place of the one as of the fence, and what it made may be there.
pub(super) fn is_begun(scope: &Scope) -> bool {
    let databases = &scope.status.databases;
    databases.iter().any(|database| database.reverse_verification.is_some())
}

/// Persists the names of what is made, and tells why it is.
///
/// # Errors
/// Where the API server does not answer.
pub(super) async fn begin(scope: &mut Scope, why: &str) -> Result<(), Error> {
    let attempt = scope.status.attempt.ok_or(Error::StatusIncomplete("attempt"))?;
    let name = names::reverse_verification(&scope.uid(), attempt);
    for database in &mut scope.status.databases {
        database.reverse_verification = Some(VerificationSlotStatus {
            publication: name.clone(),
            slot: name.clone(),
        });
    }
    scope.persist().await?;
    let note = format!("{why}; both sides are compared by what flows back instead");
    scope.event(EventType::Normal, "ReverseComparisonStarted", note);
    Ok(())
}

/// Keeps the comparison going, by this process if no longer by the last one. Its report is the comparison's proof.
///
/// # Errors
/// Where a side does not answer, or the slot can't be made; tried again.
pub(super) async fn keep_comparing(scope: &Scope) -> Result<Stand, Error> {
    if let Some(why) = obstacle(scope).await? {
        return Ok(Stand::Impossible(why));
    }
    let key = scope.task(Kind::ReverseComparison);
    let ended = match scope.context.tasks.collect(&key).await {
        Some(Progress::Running) => {
            let comparison = scope.context.comparisons.get_or_begin(&key);
            return Ok(Stand::Comparing(how_far(&comparison.seen())));
        }
        Some(Progress::Failed(error)) => {
            tracing::warn!(resource = %scope.owner(), %error, "the comparison in the reverse direction ended");
            format!(" anew after: {error}")
        }
        Some(Progress::Done) => " anew, since tables were created, dropped or altered".to_owned(),
        None => String::new(),
    };
    start(scope, key).await?;
    Ok(Stand::Comparing(format!(
        "the comparison with what flows back begins{ended}"
    )))
}

/// Ends the comparison, and drops what it made.
///
/// # Errors
/// Where the new database does not answer; tried again.
pub(super) async fn end(scope: &mut Scope) -> Result<(), Error> {
    if !is_begun(scope) {
        return Ok(());
    }
    let key = scope.task(Kind::ReverseComparison);
    scope.context.tasks.stop(&key).await;
    let target = scope.target().await?;
    for database in &scope.status.databases {
        if let Some(made) = &database.reverse_verification {
            drop_feed(&target.connect(&database.name, Profile::Act).await?, made).await?;
        }
    }
    for database in &mut scope.status.databases {
        database.reverse_verification = None;
    }
    Ok(())
}

async fn drop_feed(session: &Session, made: &VerificationSlotStatus) -> Result<(), Error> {
    slot::drop(session, &made.slot, READER).await?;
    Ok(publication::drop(session, &made.publication).await?)
}

/// Why the comparison can't come to its end.
async fn obstacle(scope: &Scope) -> Result<Option<String>, Error> {
    let (target, source) = (scope.target().await?, scope.source().await?);
    let most = scope.spec().replication.max_retained_wal.bytes();
    for database in &scope.status.databases {
        // The new database first: its disk counts, whatever has become of the old one.
        let session = target.connect(&database.name, Profile::Observe).await?;
        if let Some(why) = holds_too_much(&session, database, most).await? {
            return Ok(Some(why));
        }
        if let Some(why) = is_given_up(&session, &source, database).await? {
            return Ok(Some(format!("reverse replication was given up: {why}")));
        }
    }
    Ok(None)
}

async fn holds_too_much(session: &Session, database: &DatabaseStatus, most: i64) -> Result<Option<String>, Error> {
    let Some(made) = &database.reverse_verification else {
        return Ok(None);
    };
    let sample = replication::sample(session, &made.slot).await?;
    let retained = sample.map_or(0, |sample| sample.retained_bytes);
    Ok((retained > most).then(|| {
        format!(
            "slot {} held {retained} bytes of WAL back on the new database, more than replication.maxRetainedWAL",
            made.slot
        )
    }))
}

async fn is_given_up(target: &Session, source: &Connector, database: &DatabaseStatus) -> Result<Option<String>, Error> {
    for stream in &database.streams {
        if slot::facts(target, &stream.reverse_slot).await?.is_none() {
            return Ok(Some(format!("slot {} is gone", stream.reverse_slot)));
        }
    }
    let session = source.connect(&database.name, Profile::Observe).await?;
    let states = subscription::states(&session).await?;
    let trouble = database.streams.iter().find_map(|stream| {
        let name = &stream.reverse_subscription;
        match states.iter().find(|state| state.name == *name) {
            None => Some(format!("subscription {name} is gone")),
            Some(state) => (!state.enabled).then(|| format!("subscription {name} is disabled")),
        }
    });
    Ok(trouble)
}

fn how_far(seen: &Seen) -> String {
    match &seen.report {
        Some(report) => format!(
            "every row was compared with what flows back; still {}",
            undecided(report)
        ),
        None => format!(
            "every row is compared with what flows back: {} of {} tables, {} rows read on both sides",
            seen.progress.tables_done, seen.progress.tables, seen.progress.rows
        ),
    }
}

/// Makes the slot here and not in the task: one that is broken off in the middle might make it after it was dropped.
async fn start(scope: &Scope, key: Key) -> Result<(), Error> {
    let database = scope.status.databases.first().cloned();
    let database = database.ok_or(Error::StatusIncomplete("databases"))?;
    let made = database.reverse_verification.as_ref();
    let made = made.ok_or(Error::StatusIncomplete("databases[].reverseVerification"))?;
    let (source, target) = (scope.target().await?, scope.source().await?);
    create(&source, &database, made).await?;
    let comparisons = &scope.context.comparisons;
    comparisons.replace(&key);
    let comparison = comparisons.get_or_begin(&key);
    let pass = Pass {
        source,
        target,
        options: Options {
            // Nothing tells of what changed since the clone in this direction.
            depth: Depth::Full,
            ..options(&scope.spec().verification, &comparison)
        },
        made: made.clone(),
        database,
        comparison,
    };
    scope.context.tasks.start(key, pass.run());
    Ok(())
}

/// Anew: what an earlier try left would have to be read from its beginning, and lacks tables that were made since.
async fn create(source: &Connector, database: &DatabaseStatus, made: &VerificationSlotStatus) -> Result<(), Error> {
    let session = source.connect(&database.name, Profile::Act).await?;
    drop_feed(&session, made).await?;
    let tables = published_leaves(&session, &publications(database)).await?;
    let barriers: Vec<_> = streams(database).iter().map(|stream| barrier::table(stream)).collect();
    let waiting = source.connect(&database.name, Profile::Long).await?;
    create_feed(&waiting, &made.names(), &tables, &barriers, CREATION).await?;
    Ok(())
}

fn publications(database: &DatabaseStatus) -> Vec<String> {
    let streams = database.streams.iter();
    streams.map(|stream| stream.reverse_publication.clone()).collect()
}

fn streams(database: &DatabaseStatus) -> Vec<String> {
    let streams = database.streams.iter();
    streams.map(|stream| names::reverse_stream(&stream.name)).collect()
}

/// One comparison from its first row on. The new database is its source.
struct Pass {
    comparison: Arc<Comparison>,
    source: Connector,
    target: Connector,
    database: DatabaseStatus,
    made: VerificationSlotStatus,
    options: Options,
}

impl Pass {
    async fn run(self) -> Result<(), Error> {
        let replication = Replication {
            streams: streams(&self.database),
            changes: self.made.names(),
            foreign: None,
            patience: PATIENCE,
        };
        let mut live = Live::open(
            &self.source,
            &self.target,
            &self.database.name,
            &Tables::Published(publications(&self.database)),
            replication,
            self.options.clone(),
        )
        .await?;
        let compared = Box::pin(self.compare(&mut live)).await;
        Box::pin(live.close()).await;
        compared
    }

    /// Ends once every row is decided, or with no proof once tables have become others.
    async fn compare(&self, live: &mut Live) -> Result<(), Error> {
        loop {
            // Again, too: what was truncated meanwhile, or stood in no pair of snapshots.
            live.read().await?;
            live.settle_once().await?;
            if live.is_outdated() {
                return Ok(());
            }
            let report = live.report();
            if report.verdict() != Verdict::Undecided {
                self.comparison.lock().proof = Some(report);
                return Ok(());
            }
            self.comparison.lock().report = Some(report);
            tokio::time::sleep(PAUSE).await;
        }
    }
}
