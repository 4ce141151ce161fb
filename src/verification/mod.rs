//! The comparison of both sides while the application writes: it goes on from Verifying until the verdict at the fence,
//! as long as this process leads. A new process goes on with what was written down ([`known`]).
pub mod assess;
pub mod collation;
pub mod known;
pub mod proof;
pub mod report;
pub mod reverse;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pgupgrade_postgres::connection::{Connector, Profile};
use pgupgrade_verify::{
    Foreign, Limits, Live, Options, PauseAbove, Pinned, Progress, Replication, Report, Tables, schema,
};

use self::known::Keeper;
use crate::api::{DatabaseStatus, GoDuration, VerificationSpec};
use crate::controller::scope::Scope;
use crate::controller::tasks::{self, Kind};
use crate::error::Error;

/// How long a barrier may take from the source to the target.
const PATIENCE: Duration = Duration::from_mins(5);
/// Between two looks at what changed, once everything was read.
const PAUSE: Duration = Duration::from_secs(1);
/// How often tables without a key are read again: at the fence, those that changed since have to be.
const RENEWAL: Duration = Duration::from_mins(1);

/// How often the report is published while nothing new is found.
const REPORTS: Duration = Duration::from_mins(1);

/// Roles belong to the whole server, and the clone has them; large objects' content takes seconds a gigabyte.
const SCHEMA: schema::Options = schema::Options {
    roles: true,
    large_objects: false,
};

/// What a comparison has found so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// How far reading all rows is.
    pub progress: Progress,
    /// Once the rows that changed since the clone were compared, where every row is to be read after that.
    pub changed: Option<Report>,
    /// Once every table was compared: what is known of each, as of the last look.
    pub report: Option<Report>,
    /// How the schemas differ.
    pub schema: Vec<schema::Finding>,
    /// Indexes that may be out of order.
    pub indexes: collation::Indexes,
    /// What the comparison of both sides as of the fence came to.
    pub proof: Option<Report>,
}

/// One comparison.
#[derive(Default)]
pub struct Comparison {
    /// Held while it works, and by the cutover from Prepare on.
    live: Arc<tokio::sync::Mutex<Option<Live>>>,
    /// The sides as of the fence.
    pinned: Mutex<Option<Pinned>>,
    seen: Mutex<Seen>,
    /// When the report was published, and with how many differences.
    published: Mutex<Option<(Instant, usize)>>,
}

impl Comparison {
    /// Takes the comparison over until this is dropped.
    pub async fn take_over(&self) -> Taken {
        Arc::clone(&self.live).lock_owned().await
    }

    /// Keeps the sides as of the fence.
    pub fn pin(&self, pinned: Pinned) {
        *self.pinned.lock().unwrap_or_else(PoisonError::into_inner) = Some(pinned);
    }

    /// The sides as of the fence, if they are kept by this process.
    pub fn take_pinned(&self) -> Option<Pinned> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The report, where the published one is old or tells of other differences.
    #[must_use]
    pub fn due_report(&self) -> Option<Report> {
        let report = self.lock().report.clone()?;
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh =
            published.is_some_and(|(at, differences)| at.elapsed() < REPORTS && differences == report.differences);
        if fresh {
            return None;
        }
        *published = Some((Instant::now(), report.differences));
        Some(report)
    }

    /// What is known.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    async fn close(&self) {
        if let Some(live) = self.live.lock().await.take() {
            Box::pin(live.close()).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A comparison that was taken over; none in it where it never came so far.
pub type Taken = tokio::sync::OwnedMutexGuard<Option<Live>>;

/// The comparisons of this process.
#[derive(Default)]
pub struct Comparisons(Mutex<HashMap<tasks::Key, Arc<Comparison>>>);

impl Comparisons {
    /// The comparison of the resource's attempt, if one was begun by this process.
    #[must_use]
    pub fn get(&self, key: &tasks::Key) -> Option<Arc<Comparison>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn get_or_begin(&self, key: &tasks::Key) -> Arc<Comparison> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(key.clone()).or_default())
    }

    fn replace(&self, key: &tasks::Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Ends a comparison; what it has found, and the sides as of the fence, stay.
    pub async fn end(&self, key: &tasks::Key) {
        if let Some(comparison) = self.get(key) {
            comparison.close().await;
        }
    }

    /// Ends every comparison of a resource, and forgets what it has found.
    pub async fn forget(&self, uid: &str) {
        let comparisons: Vec<Arc<Comparison>> = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let keys: Vec<tasks::Key> = all.keys().filter(|key| key.uid == uid).cloned().collect();
            keys.iter().filter_map(|key| all.remove(key)).collect()
        };
        for comparison in comparisons {
            comparison.close().await;
        }
    }
}

/// Sees to it that the sides are compared, by this process if no longer by the last one, and returns the comparison with
/// the error that ended it, if one did: it begins anew then.
///
/// # Errors
/// Where the sides' connections are unknown.
pub async fn keep_comparing(scope: &Scope) -> Result<(Arc<Comparison>, Option<Error>), Error> {
    let key = scope.task(Kind::Comparison);
    let comparisons = &scope.context.comparisons;
    let error = match scope.context.tasks.collect(&key).await {
        Some(tasks::Progress::Running) => return Ok((comparisons.get_or_begin(&key), None)),
        Some(tasks::Progress::Failed(error)) => Some(error),
        Some(tasks::Progress::Done) | None => None,
    };
    comparisons.replace(&key);
    let comparison = comparisons.get_or_begin(&key);
    let work = Work::of(scope, Arc::clone(&comparison)).await?;
    scope.context.tasks.start(key, work.run());
    Ok((comparison, error))
}

/// What the task needs of the scope that began it.
struct Work {
    comparison: Arc<Comparison>,
    source: Connector,
    target: Connector,
    database: DatabaseStatus,
    keeper: Keeper,
    options: Options,
}

impl Work {
    async fn of(scope: &Scope, comparison: Arc<Comparison>) -> Result<Self, Error> {
        let database = scope.status.databases.first().cloned();
        let database = database.ok_or(Error::StatusIncomplete("databases"))?;
        let keeper = Keeper::of(scope, &database)?;
        Ok(Self {
            source: scope.source().await?,
            target: scope.target().await?,
            options: Options {
                keep: Some(keeper.clone().keep()),
                reader: scope.source_reader().await?,
                ..options(&scope.spec().verification, &comparison)
            },
            database,
            keeper,
            comparison,
        })
    }

    async fn run(self) -> Result<(), Error> {
        let known = self.keeper.read().await?.unwrap_or_default();
        let mut live = self.open().await?;
        self.compare_schemas().await?;
        if !known.is_empty() {
            live.begin_from(&known).await?;
            self.comparison.lock().changed = Some(live.report());
        }
        Box::pin(collation::check_beside(&self, live.read())).await?;
        if live.is_outdated() {
            Box::pin(live.close()).await;
            return Ok(()); // begins anew with the tables that there are, from what was written down
        }
        self.comparison.lock().report = Some(live.report());
        *self.comparison.live.lock().await = Some(live);
        let mut renewal = tokio::time::interval_at(tokio::time::Instant::now() + RENEWAL, RENEWAL);
        loop {
            let renew = tokio::select! {
                _ = renewal.tick() => true,
                () = tokio::time::sleep(PAUSE) => false,
            };
            // Given back after each look: the verdict may want it.
            let mut live = self.comparison.live.lock().await;
            let Some(live) = live.as_mut() else {
                return Ok(());
            };
            if renew {
                live.renew().await?;
                self.compare_schemas().await?;
            } else {
                live.drain().await?;
            }
            self.comparison.lock().report = Some(live.report());
            if live.is_outdated() {
                return Ok(()); // begins anew with the tables that there are
            }
        }
    }

    async fn open(&self) -> Result<Live, Error> {
        let verification = self.database.verification.as_ref();
        let verification = verification.ok_or(Error::StatusIncomplete("databases[].verification"))?;
        let replication = Replication {
            streams: self.database.streams.iter().map(|stream| stream.name.clone()).collect(),
            changes: verification.names(),
            foreign: Some(Foreign {
                changes: verification.names(),
                subscriptions: self
                    .database
                    .streams
                    .iter()
                    .map(|stream| stream.subscription.clone())
                    .collect(),
            }),
            patience: PATIENCE,
        };
        let publications = self
            .database
            .streams
            .iter()
            .map(|stream| stream.publication.clone())
            .collect();
        let tables = Tables::Published(publications);
        let (source, target) = (&self.source, &self.target);
        Ok(Live::open(
            source,
            target,
            &self.database.name,
            &tables,
            replication,
            self.options.clone(),
        )
        .await?)
    }

    async fn compare_schemas(&self) -> Result<(), Error> {
        let source = self.source.connect(&self.database.name, Profile::Long).await?;
        let target = self.target.connect(&self.database.name, Profile::Long).await?;
        self.comparison.lock().schema = schema::compare(&source, &target, &SCHEMA).await?;
        collation::forget_rebuilt(&self.comparison, &target).await
    }
}

fn limits(spec: &VerificationSpec) -> Limits {
    let above = spec.pause_above.unwrap_or_default();
    Limits {
        max_bytes_per_second: spec
            .max_bytes_per_second
            .and_then(|rate| u64::try_from(rate.bytes()).ok()),
        pause_above: PauseAbove {
            active_sessions: above.active_sessions.and_then(|sessions| u32::try_from(sessions).ok()),
            replication_lag: above.replication_lag.map(GoDuration::get),
        },
    }
}

/// How the spec wants the sides compared.
fn options(spec: &VerificationSpec, comparison: &Arc<Comparison>) -> Options {
    let comparison = Arc::downgrade(comparison);
    Options {
        depth: spec.depth.into(),
        parallelism: usize::try_from(spec.parallelism).unwrap_or(1),
        limits: limits(spec),
        progress: Some(Arc::new(move |progress| {
            if let Some(comparison) = comparison.upgrade() {
                comparison.lock().progress = progress;
            }
        })),
        ..Options::default()
    }
}

/// Compares both sides as of the fence, beside the running application.
///
/// # Errors
/// Where the sides' connections are unknown.
pub async fn prove(scope: &Scope, comparison: Arc<Comparison>, pinned: Pinned) -> Result<(), Error> {
    let (source, target) = (scope.source().await?, scope.target().await?);
    let options = Options {
        progress: None,
        ..options(&scope.spec().verification, &comparison)
    };
    scope.context.tasks.start(scope.task(Kind::Proof), async move {
        let report = pinned.compare(&source, &target, options).await?;
        comparison.lock().proof = Some(report);
        Ok(())
    });
    Ok(())
}
