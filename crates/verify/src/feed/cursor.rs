//! Reads a feed's slot through a temporary copy of it.
use std::time::{Duration, Instant};

use futures::{TryStreamExt as _, pin_mut};
use pgupgrade_pgoutput::Lsn;
use pgupgrade_postgres::connection::{Connector, Profile, Session};
use pgupgrade_postgres::{Error, QualifiedName, slot};
use tokio::time::{sleep, timeout};
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{PgLsn, ToSql};

use super::decode::{Decoder, Rogue};
use super::{FeedError, FeedNames, Watch};
use crate::dirty::DirtySet;

const CHANGES: &str = include_str!("../../sql/feed_changes.sql");
const TICK: &str = include_str!("../../sql/feed_tick.sql");
const POSITION: &str = include_str!("../../sql/feed_position.sql");

/// A page ends with the transaction that reaches so many messages. Each one begins to decode where the oldest
/// transaction began that was open at its start, so small ones would read the same WAL many times; the server keeps a
/// page in a temporary file.
const PAGE: i32 = 100_000;
/// For dropping the copy at the end.
const CLOSING: Duration = Duration::from_secs(5);
/// Between two looks at a slot that has no more.
const PAUSE: Duration = Duration::from_millis(10);
/// A page is given so much time even where the deadline is nearer: one that is broken off costs the feed.
const LEAST: Duration = Duration::from_secs(1);

/// A cursor over the changes of a database. After an error of [`Self::poll`] or [`Self::read_until`] other than
/// [`FeedError::Late`], and where one of their futures was dropped, it is of no use; a new one begins at the slot again.
#[derive(Debug)]
pub(crate) struct Feed {
    session: Session,
    /// Any error of a statement costs its session the temporary slots.
    aside: Session,
    names: FeedNames,
    copy: String,
    changes: Statement,
    options: Vec<String>,
    decoder: Decoder,
    position: Lsn,
    /// A page was begun whose messages were not all taken.
    broken: bool,
    pub(super) page_size: i32,
}

impl Feed {
    /// Opens a session with a temporary copy of the slot, and one beside it.
    ///
    /// # Errors
    /// [`FeedError::NoCopy`], [`FeedError::Postgres`].
    pub(crate) async fn open(
        connector: &Connector,
        database: &str,
        names: &FeedNames,
        watch: Watch,
    ) -> Result<Self, FeedError> {
        let session = connector.connect(database, Profile::Long).await?;
        let aside = connector.connect(database, Profile::Long).await?;
        raw_text(&session).await?;
        let copy = copy(&session, &names.slot).await?;
        let step = format!("reading slot {}", names.slot);
        let changes = session.prepare(CHANGES).await.map_err(session.failed(&step))?;
        // Older servers send text, and all tables are marked as a whole.
        let options = if session.major() >= 14 {
            &["binary", "true"][..]
        } else {
            &[]
        };
        let mut feed = Self {
            session,
            aside,
            names: names.clone(),
            copy,
            changes,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            decoder: Decoder::new(watch),
            position: Lsn(0),
            broken: false,
            page_size: PAGE,
        };
        feed.look().await?;
        Ok(feed)
    }

    /// Everything that was committed before this is in the set.
    pub(crate) fn position(&self) -> Lsn {
        self.position
    }

    /// What others wrote; none where this is not the target's feed.
    pub(crate) fn rogue(&self) -> Option<&Rogue> {
        self.decoder.rogue()
    }

    /// Reads on until these numbers of the barriers were seen, and returns where their commit records begin, in the
    /// same order. What was committed behind them may be in the set too, and has a higher position.
    ///
    /// # Errors
    /// [`FeedError::Late`] after the deadline, which may be exceeded by a second; [`FeedError::Interrupted`].
    pub(crate) async fn read_until(
        &mut self,
        barriers: &[(QualifiedName, i64)],
        dirty: &mut DirtySet,
        deadline: Duration,
    ) -> Result<Vec<Lsn>, FeedError> {
        let start = Instant::now();
        for (barrier, number) in barriers {
            while self.decoder.reached(barrier, *number).is_none() {
                let left = deadline.saturating_sub(start.elapsed());
                if left.is_zero() {
                    return Err(FeedError::Late {
                        slot: self.names.slot.clone(),
                        barrier: barrier.to_string(),
                        number: *number,
                        waited: deadline,
                    });
                }
                let begun = Instant::now();
                let page = timeout(left.max(LEAST), self.page(None, dirty)).await;
                let read = page.unwrap_or_else(|_| Err(self.interrupted(format!("not done within {deadline:?}"))))?;
                if self.is_last(read) && self.decoder.reached(barrier, *number).is_none() {
                    // A slot that takes long to look at is left alone for as long.
                    sleep(begun.elapsed().max(PAUSE).min(left)).await;
                }
            }
        }
        let reached = barriers
            .iter()
            .map(|(name, number)| self.decoder.reached(name, *number));
        Ok(reached.map(Option::unwrap_or_default).collect())
    }

    /// Reads what is there now, and returns how many messages that were.
    ///
    /// # Errors
    /// [`FeedError::Interrupted`].
    pub(crate) async fn poll(&mut self, dirty: &mut DirtySet) -> Result<usize, FeedError> {
        let end = slot::current_flush_lsn(&self.session).await;
        let end = end.map_err(|error| self.interrupted(error.to_string()))?;
        let mut all = 0;
        loop {
            let read = self.page(Some(end), dirty).await?;
            all += read;
            if self.is_last(read) || self.position.0 >= u64::from(end) {
                return Ok(all);
            }
        }
    }

    /// Reads what is there now, and makes the next readings cheap: each begins to decode where the server last noted
    /// which transactions run, which it does every 15 seconds by itself, and on a busy server hundreds of megabytes lie
    /// behind that. The creation of a slot makes it note them too. Where a transaction is open, nothing is gained.
    ///
    /// # Errors
    /// [`FeedError::Interrupted`].
    pub(crate) async fn freshen(&mut self, dirty: &mut DirtySet) -> Result<usize, FeedError> {
        if let Err(error) = self.aside.batch_execute(TICK).await {
            tracing::debug!(slot = self.names.slot, %error, "the next readings are not made cheap");
            // The script's transaction is still open.
            let _ = self.aside.batch_execute("ROLLBACK").await;
        }
        self.poll(dirty).await
    }

    /// Moves the slot itself forward, at most to what was read: everything before is decided, and no later feed brings
    /// it again. After a crash of the server it may be behind.
    ///
    /// # Errors
    /// [`FeedError::Postgres`].
    pub(crate) async fn advance(&self, lsn: Lsn) -> Result<(), FeedError> {
        let lsn = lsn.min(self.position);
        Ok(slot::advance(&self.aside, &self.names.slot, PgLsn::from(lsn.0)).await?)
    }

    /// Drops the copy at once, where its session's end would drop it a little later.
    pub(crate) async fn close(self) {
        let parameters: [&(dyn ToSql + Sync); 1] = [&self.copy];
        let dropped = self.session.execute("SELECT pg_drop_replication_slot($1)", &parameters);
        match timeout(CLOSING, dropped).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(slot = self.copy, %error, "it goes with its session"),
            Err(_) => tracing::debug!(slot = self.copy, "it goes with its session"),
        }
    }

    /// Whether a page of so many messages was the last one so far.
    fn is_last(&self, read: usize) -> bool {
        usize::try_from(self.page_size).is_ok_and(|page| read < page)
    }

    pub(super) async fn page(&mut self, end: Option<PgLsn>, dirty: &mut DirtySet) -> Result<usize, FeedError> {
        if self.broken {
            return Err(self.interrupted("an earlier reading failed".to_owned()));
        }
        // The server moves the copy before it sends the page.
        self.broken = true;
        let read = self
            .take(end, dirty)
            .await
            .map_err(|error| self.interrupted(error.to_string()))?;
        self.look().await.map_err(|error| self.interrupted(error.to_string()))?;
        self.broken = false;
        Ok(read)
    }

    async fn take(&mut self, end: Option<PgLsn>, dirty: &mut DirtySet) -> Result<usize, FeedError> {
        let step = format!("reading slot {}", self.copy);
        let Self {
            session,
            copy,
            changes,
            names,
            options,
            decoder,
            page_size,
            ..
        } = self;
        let parameters: [&(dyn ToSql + Sync); 5] = [copy, &end, page_size, &names.publication, options];
        let rows = session
            .query_raw(&*changes, parameters)
            .await
            .map_err(session.failed(&step))?;
        pin_mut!(rows);
        let mut read = 0;
        while let Some(row) = rows.try_next().await.map_err(session.failed(&step))? {
            decoder.push(row.get(0), dirty)?;
            read += 1;
        }
        if decoder.is_complete() {
            return Ok(read);
        }
        Err(FeedError::Message("the last transaction has no end".to_owned()))
    }

    /// Reads how far the copy is.
    async fn look(&mut self) -> Result<(), FeedError> {
        let step = format!("looking at slot {}", self.copy);
        let row = self.session.query_one(POSITION, &[&self.copy]).await;
        let row = row.map_err(self.session.failed(&step))?;
        let (position, newest): (PgLsn, i64) = (row.get(0), row.get(1));
        self.position = Lsn(position.into());
        self.decoder.near = newest.unsigned_abs();
        Ok(())
    }

    fn interrupted(&self, detail: String) -> FeedError {
        FeedError::Interrupted {
            slot: self.names.slot.clone(),
            detail,
        }
    }
}

/// Text that is in no encoding comes as it is; asked for in another it would be refused.
async fn raw_text(session: &Session) -> Result<(), FeedError> {
    let script = "SELECT set_config('client_encoding', 'SQL_ASCII', false)
        WHERE current_setting('server_encoding') = 'SQL_ASCII'";
    let done = session.batch_execute(script).await;
    Ok(done.map_err(session.failed("choosing the encoding of text"))?)
}

/// Copies the slot under a name of the session's own; returns that.
async fn copy(session: &Session, slot: &str) -> Result<String, FeedError> {
    let query =
        "SELECT slot_name::text FROM pg_copy_logical_replication_slot($1, 'pgupgrade_feed_' || pg_backend_pid(), true)";
    let failed = session.failed(&format!("copying slot {slot}"));
    let error = match session.query_one(query, &[&slot]).await {
        Ok(row) => return Ok(row.get(0)),
        Err(error) => failed(error),
    };
    let advice = match error.code() {
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            "the role needs the attribute REPLICATION, on RDS the role rds_replication"
        }
        Some(code) if *code == SqlState::CONFIGURATION_LIMIT_EXCEEDED => "raise max_replication_slots by one",
        Some(code) if *code == SqlState::UNDEFINED_FUNCTION => "the server must be PostgreSQL 12 or later",
        Some(code) if *code == SqlState::UNDEFINED_OBJECT => "create it anew, and take all tables as changed",
        Some(code) if *code == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => {
            "where its WAL is gone (max_slot_wal_keep_size), create it anew and take all tables as changed"
        }
        _ => return Err(error.into()),
    };
    let detail = match error {
        Error::Sql { detail, .. } => detail,
        other => other.to_string(),
    };
    Err(FeedError::NoCopy {
        slot: slot.to_owned(),
        detail,
        advice,
    })
}
