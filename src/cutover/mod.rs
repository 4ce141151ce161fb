//! The cutover: nine steps from an approved offer to an application that runs on the new database. One file a step.
//!
//! Before the commit point whatever goes wrong leads [`back`]; after it the way is only forward ([`open`]).
pub mod back;
mod commit;
mod drain;
mod fence;
pub mod gate;
pub mod open;
mod prepare;
mod quiesce;
mod rewrite;
mod steps;
mod turn;
mod verdict;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pgupgrade_postgres::connection::{Connector, Profile, Session};
use pgupgrade_postgres::{fence as postgres_fence, owner};

use crate::api::CutoverStep;
use crate::api::conditions::micros;
use crate::controller::scope::{Scope, now};
use crate::error::Error;
use crate::verification::Taken;

/// Which way the application moves. Everything about a cutover is said in terms of these two sides.
pub struct Direction {
    /// The side that the application leaves.
    pub from: Connector,
    /// The side that it goes to.
    pub to: Connector,
}

/// Why a cutover went back: shown to the user, whose approval the next one needs anew.
#[derive(Debug, thiserror::Error)]
pub enum Setback {
    /// A step took longer than the deadline leaves.
    #[error("the deadline passed in step {0}")]
    Deadline(&'static str),
    /// The commit point refused.
    #[error("the commit point refused: {0}")]
    Refused(String),
    /// The sides differ.
    #[error("both sides differ: {0}")]
    Different(String),
    /// Whether the sides differ can't be told.
    #[error("it can't be told whether both sides are equal: {0}")]
    Undecided(String),
    /// The operator died in the middle.
    #[error("the operator was restarted during the cutover")]
    Restarted,
    /// What a step stumbled over.
    #[error("step {step}: {error}")]
    Failed {
        /// The step.
        step: &'static str,
        /// What it stumbled over.
        error: Box<Error>,
    },
}

/// One cutover under way.
pub struct Cutover<'a> {
    /// The reconcile that it runs in.
    pub scope: &'a mut Scope,
    /// Both sides.
    pub direction: Direction,
    /// The database whose fence row decides.
    pub database: String,
    /// Which try this is.
    pub identity: postgres_fence::Cutover,
    /// Shown by every mutating transaction on the side that is left.
    pub from_claim: owner::Claim,
    /// The same on the other side.
    pub to_claim: owner::Claim,
    /// The instant by which the commit point must have been passed.
    pub deadline: Timestamp,
    /// A session on the side that is left.
    pub from_session: Session,
    /// A session on the other side.
    pub to_session: Session,
    gap: Option<GapSessions>,
    /// Held until the cutover has committed or gone back.
    comparison: Option<Taken>,
}

/// Runs `work` in a transaction that holds the owner row, so that a stale leader's work is refused.
///
/// # Errors
/// Where another leader has claimed the database, or the work fails; nothing of it has happened then.
pub async fn as_owner<T>(
    session: &Session,
    claim: &owner::Claim,
    work: impl AsyncFnOnce() -> Result<T, pgupgrade_postgres::Error>,
) -> Result<T, Error> {
    let failed = session.failed("a transaction as the owner");
    session.batch_execute("BEGIN").await.map_err(failed)?;
    let done = match owner::assert(session, claim).await {
        Ok(()) => work().await.map_err(Error::from),
        Err(error) => Err(error.into()),
    };
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = session
        .batch_execute(end)
        .await
        .map_err(session.failed("ending a transaction as the owner"));
    let value = done?;
    ended?;
    Ok(value)
}

/// Sessions that are opened before the application stops, so that it does not wait for them.
struct GapSessions {
    fence: Session,
    reaper: Session,
    commit: Session,
    commit_backend: postgres_fence::Backend,
}

impl<'a> Cutover<'a> {
    /// Claims both sides for this leader: a stale one's transactions are refused from here on.
    ///
    /// # Errors
    /// Where a side can't be reached, or belongs to another resource.
    pub async fn claim(scope: &'a mut Scope) -> Result<Self, Error> {
        let direction = Direction {
            from: scope.source().await?,
            to: scope.target().await?,
        };
        let database = scope.database()?;
        let cutover = scope
            .status
            .cutover
            .as_ref()
            .ok_or(Error::StatusIncomplete("cutover"))?;
        let identity = postgres_fence::Cutover {
            uid: scope.uid(),
            attempt: scope.status.attempt.ok_or(Error::StatusIncomplete("attempt"))?,
            cutover: cutover.number.ok_or(Error::StatusIncomplete("cutover.number"))?,
        };
        let deadline = cutover.deadline.as_ref().map_or(Timestamp::MAX, |deadline| deadline.0);
        let from_session = direction.from.connect(&database, Profile::Act).await?;
        let from_claim = scope.claim(&from_session).await?;
        let to_session = direction.to.connect(&database, Profile::Act).await?;
        let to_claim = scope.claim(&to_session).await?;
        Ok(Self {
            scope,
            direction,
            database,
            identity,
            from_claim,
            to_claim,
            deadline,
            from_session,
            to_session,
            gap: None,
            comparison: None,
        })
    }

    /// Runs the steps up to the commit point.
    ///
    /// # Errors
    /// The setback that leads back.
    pub async fn run(&mut self) -> Result<(), Setback> {
        self.step(CutoverStep::Prepare, prepare::run).await?;
        self.begin().await.map_err(|error| Setback::Failed {
            step: "Quiesce",
            error: Box::new(error),
        })?;
        self.step(CutoverStep::Quiesce, quiesce::run).await?;
        self.step(CutoverStep::Fence, fence::run).await?;
        self.step(CutoverStep::Drain, drain::run).await?;
        self.step(CutoverStep::Verdict, verdict::run).await?;
        self.step(CutoverStep::Turn, turn::run).await?;
        self.step(CutoverStep::Commit, commit::run).await
    }

    /// From here the deadline runs.
    async fn begin(&mut self) -> Result<(), Error> {
        let allowed = self.scope.spec().cutover.deadline.get();
        let allowed = SignedDuration::try_from(allowed).unwrap_or(SignedDuration::from_secs(120));
        self.deadline = now().saturating_add(allowed).unwrap_or(Timestamp::MAX);
        if let Some(cutover) = &mut self.scope.status.cutover {
            cutover.deadline = Some(micros(self.deadline));
        }
        self.scope.persist().await
    }

    /// What the deadline leaves.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        Duration::try_from(self.deadline.duration_since(now())).unwrap_or_default()
    }

    async fn open_gap_sessions(&mut self) -> Result<(), Error> {
        let commit = self.from(Profile::Fence).await?;
        self.gap = Some(GapSessions {
            fence: self.from(Profile::Fence).await?,
            reaper: self.from(Profile::Act).await?,
            commit_backend: postgres_fence::prepare_commit(&commit).await?,
            commit,
        });
        Ok(())
    }

    fn gap_sessions(&self) -> Result<&GapSessions, Error> {
        self.gap
            .as_ref()
            .ok_or(Error::StatusIncomplete("cutover.steps: Prepare"))
    }

    /// A new session on the side that is left.
    ///
    /// # Errors
    /// Where it can't be reached.
    pub async fn from(&self, profile: Profile) -> Result<Session, Error> {
        Ok(self.direction.from.connect(&self.database, profile).await?)
    }

    /// A new session on the side that the application goes to.
    ///
    /// # Errors
    /// Where it can't be reached.
    pub async fn to(&self, profile: Profile) -> Result<Session, Error> {
        Ok(self.direction.to.connect(&self.database, profile).await?)
    }
}
