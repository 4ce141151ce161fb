//! Logical replication slots: they hold back the WAL that the other side still lacks.
use std::time::{Duration, Instant};

use tokio_postgres::types::PgLsn;

use crate::Error;
use crate::connection::Session;
use crate::publication::check_name;

const FACTS: &str = include_str!("../sql/slot.sql");
const TERMINATE: &str = include_str!("../sql/slot_terminate.sql");
const ADVANCE: &str = include_str!("../sql/slot_advance.sql");
const PAUSE: Duration = Duration::from_millis(20);
/// A slot that lags for its consumer to end on its own is given this share of the patience before that is ended.
const POLITE: u32 = 2;

/// A row of `pg_replication_slots`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// The output plugin; `None` for a physical slot.
    pub plugin: Option<String>,
    /// The database; `None` for a physical slot.
    pub database: Option<String>,
    /// Whether somebody consumes it now.
    pub active: bool,
    /// Who does.
    pub active_pid: Option<i32>,
    /// The oldest WAL that it holds back.
    pub restart_lsn: Option<PgLsn>,
    /// What its consumer has confirmed.
    pub confirmed_flush_lsn: Option<PgLsn>,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: Option<String>,
    /// The WAL that it holds back, in bytes.
    pub retained_bytes: i64,
    /// The WAL behind what its consumer has confirmed, in bytes.
    pub lag_bytes: i64,
}

impl Slot {
    /// Whether WAL that its consumer lacks is gone.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.wal_status.as_deref() == Some("lost") || self.restart_lsn.is_none()
    }
}

/// Creates a logical slot with the plugin `pgoutput` where it is not there, and returns whether it was made. That waits
/// until every transaction that is open now has ended.
///
/// # Errors
/// [`Error::Unexpected`] where another slot has the name, [`Error::Sql`].
pub async fn create(session: &Session, name: &str) -> Result<bool, Error> {
    let step = format!("creating slot {name}");
    check_name(session, &step, name)?;
    if let Some(slot) = facts(session, name).await? {
        return match (slot.plugin.as_deref(), slot.database.as_deref()) {
            (Some("pgoutput"), Some(database)) if database == session.database() => match slot.confirmed_flush_lsn {
                Some(_) => Ok(false),
                None => Err(session.unexpected(
                    step,
                    "another session is still creating it; try again when that has ended",
                )),
            },
            _ => Err(session.unexpected(step, "a slot of that name exists for something else; drop it")),
        };
    }
    let create = "SELECT FROM pg_create_logical_replication_slot($1, 'pgoutput')";
    session.execute(create, &[&name]).await.map_err(session.failed(&step))?;
    Ok(true)
}

/// A slot as it is now.
///
/// # Errors
/// [`Error::Sql`].
pub async fn facts(session: &Session, name: &str) -> Result<Option<Slot>, Error> {
    let row = session
        .query_opt(&format!("{FACTS} WHERE slot_name = $1"), &[&name])
        .await;
    Ok(row
        .map_err(session.failed(&format!("looking at slot {name}")))?
        .map(|row| slot(&row)))
}

/// All slots of the server.
///
/// # Errors
/// [`Error::Sql`].
pub async fn list(session: &Session) -> Result<Vec<Slot>, Error> {
    let rows = session.query(&format!("{FACTS} ORDER BY slot_name"), &[]).await;
    Ok(rows
        .map_err(session.failed("listing slots"))?
        .iter()
        .map(slot)
        .collect())
}

fn slot(row: &tokio_postgres::Row) -> Slot {
    Slot {
        name: row.get("slot_name"),
        plugin: row.get("plugin"),
        database: row.get("database"),
        active: row.get("active"),
        active_pid: row.get("active_pid"),
        restart_lsn: row.get("restart_lsn"),
        confirmed_flush_lsn: row.get("confirmed_flush_lsn"),
        wal_status: row.get("wal_status"),
        retained_bytes: row.get("retained_bytes"),
        lag_bytes: row.get("lag_bytes"),
    }
}

/// Drops a slot of ours where it is there. While it is consumed it is waited for; after half the patience the walsender
/// of one of our own roles is ended.
///
/// # Errors
/// [`Error::Deadline`] where it is still consumed, [`Error::Unexpected`] for a name that is not ours, [`Error::Sql`].
pub async fn drop(session: &Session, name: &str, patience: Duration) -> Result<(), Error> {
    let step = format!("dropping slot {name}");
    check_name(session, &step, name)?;
    let start = Instant::now();
    loop {
        let Some(slot) = facts(session, name).await? else {
            return Ok(());
        };
        let Some(pid) = slot.active_pid else {
            return drop_idle(session, name).await;
        };
        if start.elapsed() >= patience {
            return Err(session.late(step, patience, format!("backend {pid} consumes it")));
        }
        if start.elapsed() >= patience / POLITE {
            session
                .execute(TERMINATE, &[&pid, &name])
                .await
                .map_err(session.failed(&step))?;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(crate) async fn drop_idle(session: &Session, name: &str) -> Result<(), Error> {
    let dropped = session.execute("SELECT pg_drop_replication_slot($1)", &[&name]).await;
    dropped
        .map(|_| ())
        .map_err(session.failed(&format!("dropping slot {name}")))
}

/// Moves a slot that nobody consumes forward. One that is there already stays. A crash forgets it until the next
/// checkpoint, so this saves work and carries no position.
///
/// # Errors
/// [`Error::Sql`], with `OBJECT_IN_USE` while it is consumed.
pub async fn advance(session: &Session, name: &str, position: PgLsn) -> Result<(), Error> {
    let advanced = session.execute(ADVANCE, &[&name, &position]).await;
    advanced
        .map(|_| ())
        .map_err(session.failed(&format!("advancing slot {name} to {position}")))
}

/// The end of the WAL that is on disk.
///
/// # Errors
/// [`Error::Sql`].
pub async fn current_flush_lsn(session: &Session) -> Result<PgLsn, Error> {
    let row = session.query_one("SELECT pg_current_wal_flush_lsn()", &[]).await;
    Ok(row.map_err(session.failed("reading the end of the WAL"))?.get(0))
}
