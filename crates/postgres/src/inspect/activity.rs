//! What goes on in a database.
use std::time::Duration;

use crate::Error;
use crate::connection::Session;

const OLDEST: &str = include_str!("../../sql/inspect_oldest_transaction.sql");
const PREPARED: &str = include_str!("../../sql/inspect_prepared.sql");
const MAINTENANCE: &str = include_str!("../../sql/inspect_maintenance.sql");

/// Microseconds as PostgreSQL counts them; a clock that was set back gives none.
fn age(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// A transaction that was prepared for a two-phase commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedTransaction {
    /// The name that it was given.
    pub gid: String,
    /// Its database.
    pub database: String,
    /// The role that prepared it, which alone may end it.
    pub owner: String,
    /// Since when.
    pub age: Duration,
}

/// The prepared transactions of the whole server, the oldest first: `pg_upgrade` refuses them, and a lock waits on
/// them for ever.
///
/// # Errors
/// [`Error::Sql`].
pub async fn prepared_transactions(session: &Session) -> Result<Vec<PreparedTransaction>, Error> {
    let rows = session
        .query(PREPARED, &[])
        .await
        .map_err(session.failed("listing prepared transactions"))?;
    let prepared = |row: &tokio_postgres::Row| PreparedTransaction {
        gid: row.get("gid"),
        database: row.get("database"),
        owner: row.get("owner"),
        age: age(row.get("age")),
    };
    Ok(rows.iter().map(prepared).collect())
}

/// A transaction of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldestTransaction {
    /// Its process.
    pub pid: i32,
    /// Its role.
    pub role: Option<String>,
    /// How the client calls itself.
    pub application_name: Option<String>,
    /// `active`, `idle in transaction`, …; hidden from roles outside `pg_monitor`.
    pub state: Option<String>,
    /// Since when it is open.
    pub age: Duration,
}

/// The oldest transaction of a client in this database, apart from this operator's own.
///
/// # Errors
/// [`Error::Sql`].
pub async fn oldest_transaction(session: &Session) -> Result<Option<OldestTransaction>, Error> {
    let parameter = crate::connection::APPLICATION_NAME;
    let row = session.query_opt(OLDEST, &[&parameter]).await;
    let row = row.map_err(session.failed("looking for the oldest transaction"))?;
    Ok(row.map(|row| OldestTransaction {
        pid: row.get("pid"),
        role: row.get("usename"),
        application_name: row.get("application_name"),
        state: row.get("state"),
        age: age(row.get("age")),
    }))
}

/// A running command that holds a lock on a table which a short try can't get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Its process.
    pub pid: i32,
    /// `VACUUM to prevent wraparound`, `CREATE INDEX CONCURRENTLY` or `REINDEX CONCURRENTLY`.
    pub command: String,
    /// The table, with its schema; its oid where it can't be named.
    pub table: String,
}

/// Maintenance in this database that does not give way to others.
///
/// # Errors
/// [`Error::Sql`].
pub async fn maintenance(session: &Session) -> Result<Vec<Maintenance>, Error> {
    let rows = session
        .query(MAINTENANCE, &[])
        .await
        .map_err(session.failed("looking for running maintenance"))?;
    let maintenance = |row: &tokio_postgres::Row| Maintenance {
        pid: row.get("pid"),
        command: row.get("command"),
        table: row.get("table_name"),
    };
    Ok(rows.iter().map(maintenance).collect())
}
