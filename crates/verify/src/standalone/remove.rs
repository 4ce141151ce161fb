//! Takes back what was made, each object by itself.
use std::fmt;
use std::time::{Duration, Instant};

use pgupgrade_postgres::connection::{Profile, Session};
use pgupgrade_postgres::{barrier, marker, publication, quote_identifier, quote_literal, schema, slot};
use serde::Serialize;

use super::subscriptions::Subscription;
use super::{Standalone, confirmed, rights};
use crate::Error;
use crate::side::{Side, sql};

const END_SESSIONS: &str = include_str!("../../sql/standalone_end_sessions.sql");
/// How long the ends of our own sessions and of the slot's consumer, which is this process, are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// An object that is still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remnant {
    /// `source` or `target`.
    pub side: &'static str,
    /// What it is: `slot pgupgrade_verify_ab12cd`.
    pub object: String,
    /// Why.
    pub reason: String,
    /// Removes it.
    pub sql: String,
}

/// What could not be taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Left(
    /// In the order in which to remove it.
    pub Vec<Remnant>,
);

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("left behind, to be removed by hand")?;
        self.0.iter().try_for_each(|left| {
            write!(
                f,
                "\n  on the {}: {} ({})\n    {};",
                left.side, left.object, left.reason, left.sql
            )
        })
    }
}

impl Left {
    fn note(&mut self, side: Side, (object, sql): (String, String), reason: impl fmt::Display) {
        self.0.push(Remnant {
            side: side.name(),
            object,
            reason: reason.to_string(),
            sql,
        });
    }

    /// Notes the object unless the step was done.
    fn unless<E: fmt::Display>(&mut self, done: Result<(), E>, side: Side, object: (String, String)) -> bool {
        match done {
            Ok(()) => true,
            Err(error) => {
                self.note(side, object, error);
                false
            }
        }
    }

    fn or_nothing(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl Standalone {
    /// Takes everything back. Every object is tried, whatever happened to the others. The target keeps its barrier table
    /// where it may still be sent changes of it: without the table its replication would stop.
    ///
    /// # Errors
    /// What is left, why, and the SQL that removes it.
    pub async fn remove(&self) -> Result<(), Left> {
        if !self.touched {
            return Ok(());
        }
        let mut left = Left::default();
        let source = self.reach(Side::Source, &mut left).await;
        let target = self.reach(Side::Target, &mut left).await;
        for (side, session) in [(Side::Source, &source), (Side::Target, &target)] {
            if let Some(session) = session {
                self.remove_feed(session, side, &mut left).await;
            }
        }
        let streams = self
            .subscriptions
            .iter()
            .map(|subscription| self.remove_stream(source.as_ref(), target.as_ref(), subscription));
        for remnants in futures::future::join_all(streams).await {
            left.0.extend(remnants.0);
        }
        for (side, session) in [(Side::Source, &source), (Side::Target, &target)] {
            if let Some(session) = session {
                let object = ("schema pgupgrade".to_owned(), "DROP SCHEMA pgupgrade".to_owned());
                left.unless(drop_schema(session, side).await, side, object);
            }
        }
        left.or_nothing()
    }

    /// What [`Self::remove`] would take back, as long as nothing was.
    ///
    /// # Errors
    /// What there may be, and the SQL that removes it.
    pub fn abandon(&self, reason: &str) -> Result<(), Left> {
        let mut left = Left::default();
        if self.touched {
            for side in [Side::Source, Side::Target] {
                self.all(side)
                    .into_iter()
                    .for_each(|object| left.note(side, object, reason));
            }
        }
        left.or_nothing()
    }

    fn all(&self, side: Side) -> Vec<(String, String)> {
        let streams = self
            .subscriptions
            .iter()
            .map(|subscription| tables(&subscription.stream, side));
        [self.slot(), self.publication()].into_iter().chain(streams).collect()
    }

    fn slot(&self) -> (String, String) {
        let name = &self.names.slot;
        let drop = format!("SELECT pg_drop_replication_slot({})", quote_literal(name));
        (format!("slot {name}"), drop)
    }

    fn publication(&self) -> (String, String) {
        let name = &self.names.publication;
        let drop = format!("DROP PUBLICATION IF EXISTS {}", quote_identifier(name));
        (format!("publication {name}"), drop)
    }

    /// A session where none of this run's others is at work any more.
    async fn reach(&self, side: Side, left: &mut Left) -> Option<Session> {
        let session = match self.open(side, Profile::Act).await {
            Ok(session) => session,
            Err(error) => {
                self.all(side)
                    .into_iter()
                    .for_each(|object| left.note(side, object, &error));
                return None;
            }
        };
        if let Err(error) = self.end_sessions(&session, side).await {
            tracing::warn!(%error, "sessions of this run may still be at work");
        }
        Some(session)
    }

    /// Of an interrupted preparation a statement may still run, and would make what is removed here.
    async fn end_sessions(&self, session: &Session, side: Side) -> Result<(), Error> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let row = session.query_one(END_SESSIONS, &[&self.names.slot]).await;
            let row = row.map_err(sql(side, "ending this run's other sessions"))?;
            if row.get::<_, i64>(0) == 0 {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn remove_feed(&self, session: &Session, side: Side, left: &mut Left) {
        let dropped = slot::drop(session, &self.names.slot, PATIENCE).await;
        left.unless(dropped, side, self.slot());
        let dropped = publication::drop(session, &self.names.publication).await;
        left.unless(dropped, side, self.publication());
    }

    async fn remove_stream(&self, source: Option<&Session>, target: Option<&Session>, of: &Subscription) -> Left {
        let mut left = Left::default();
        let ours = |side| tables(&of.stream, side);
        // Dropping a table takes it out of its publication.
        let dropped = match source {
            None => false,
            Some(source) => left.unless(
                schema::drop_stream(source, &of.stream).await,
                Side::Source,
                ours(Side::Source),
            ),
        };
        let passed = match source {
            _ if !self.on_source => Ok(()),
            None => Err("the source could not be reached, so that changes of it may still come".to_owned()),
            Some(_) if !dropped => Err("the source still publishes it".to_owned()),
            Some(source) => self.pass(source, of).await,
        };
        let Some(target) = target else { return left };
        if let Err(why) = passed {
            left.note(Side::Target, ours(Side::Target), why);
        } else {
            // With the table goes its row in pg_subscription_rel.
            let dropped = schema::drop_stream(target, &of.stream).await;
            left.unless(dropped, Side::Target, ours(Side::Target));
        }
        left
    }

    /// Waits until the target has taken the last change of what was dropped on the source.
    async fn pass(&self, source: &Session, of: &Subscription) -> Result<(), String> {
        match confirmed::wait(source, &of.slot, self.patience).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!(
                "subscription {} did not get past its last change within {:?}",
                of.name, self.patience
            )),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The tables of a stream, and how they are removed.
fn tables(stream: &str, side: Side) -> (String, String) {
    let (marker, barrier) = (marker::table(stream), barrier::table(stream));
    let when = match side {
        Side::Source => "",
        Side::Target => " /* after the source's, once replication has caught up */",
    };
    let drop = format!("DROP TABLE IF EXISTS {marker}, {barrier}{when}");
    (format!("tables {} and {}", marker.plain(), barrier.plain()), drop)
}

/// Where nothing else is in it. Another run may be creating its tables there.
async fn drop_schema(session: &Session, side: Side) -> Result<(), Error> {
    let begin = format!("BEGIN; {}", rights::SERIALIZE);
    let step = "dropping schema pgupgrade";
    session.batch_execute(&begin).await.map_err(sql(side, step))?;
    let dropped = schema::drop_if_empty(session).await;
    // Where that failed, this is a ROLLBACK.
    session.batch_execute("COMMIT").await.map_err(sql(side, step))?;
    Ok(dropped?)
}
