//! The server's version and settings, and what our own role may do.
use std::collections::HashMap;
use std::str::FromStr;

use crate::Error;
use crate::connection::Session;

const SETTINGS: &str = include_str!("../../sql/inspect_settings.sql");
const ROLE: &str = include_str!("../../sql/inspect_role.sql");

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `170011`.
    pub version_num: i32,
    /// `17.11`.
    pub version: String,
    /// Shared by a cluster and its physical copies; `None` where the engine does not tell.
    pub system_identifier: Option<i64>,
    /// `wal_level`.
    pub wal_level: String,
    /// `max_replication_slots`.
    pub max_replication_slots: i64,
    /// Slots that there are.
    pub replication_slots_used: i64,
    /// `max_wal_senders`.
    pub max_wal_senders: i64,
    /// Walsenders that run.
    pub wal_senders_used: i64,
    /// `max_logical_replication_workers`.
    pub max_logical_replication_workers: i64,
    /// `max_worker_processes`.
    pub max_worker_processes: i64,
    /// `max_active_replication_origins`, from 18 on; before, `max_replication_slots` stands for it.
    pub max_active_replication_origins: Option<i64>,
    /// `idle_replication_slot_timeout` in seconds, from 18 on; 0 is never.
    pub idle_replication_slot_timeout: Option<i64>,
    /// `max_prepared_transactions`.
    pub max_prepared_transactions: i64,
    /// `max_slot_wal_keep_size` in MB; -1 is no limit.
    pub max_slot_wal_keep_size: i64,
    /// `fsync`.
    pub fsync: bool,
    /// `log_statement`: with `ddl` and above the password of a subscription gets into the log.
    pub log_statement: String,
    /// `track_counts`.
    pub track_counts: bool,
    /// `track_commit_timestamp`.
    pub track_commit_timestamp: bool,
}

/// The values of `pg_settings` with their units.
struct Settings(HashMap<String, (String, Option<String>)>);

impl Settings {
    fn text(&self, name: &str) -> String {
        self.0.get(name).map(|(value, _)| value.clone()).unwrap_or_default()
    }

    fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.0.get(name)?.0.parse().ok()
    }

    fn count(&self, name: &str) -> i64 {
        self.number(name).unwrap_or_default()
    }

    fn seconds(&self, name: &str) -> Option<i64> {
        let value: i64 = self.number(name)?;
        let unit = self.0.get(name)?.1.as_deref();
        Some(if unit == Some("min") {
            value.saturating_mul(60)
        } else {
            value
        })
    }
}

/// Looks at the server.
///
/// # Errors
/// [`Error::Sql`].
pub async fn server(session: &Session) -> Result<Server, Error> {
    let rows = session
        .query(SETTINGS, &[])
        .await
        .map_err(session.failed("reading the server's settings"))?;
    let settings = Settings(rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect());
    let used = "SELECT (SELECT count(*) FROM pg_replication_slots), (SELECT count(*) FROM pg_stat_replication)";
    let used = session
        .query_one(used, &[])
        .await
        .map_err(session.failed("counting replication slots"))?;
    Ok(Server {
        version_num: session.version_num(),
        version: settings.text("server_version"),
        system_identifier: system_identifier(session).await,
        wal_level: settings.text("wal_level"),
        max_replication_slots: settings.count("max_replication_slots"),
        replication_slots_used: used.get(0),
        max_wal_senders: settings.count("max_wal_senders"),
        wal_senders_used: used.get(1),
        max_logical_replication_workers: settings.count("max_logical_replication_workers"),
        max_worker_processes: settings.count("max_worker_processes"),
        max_active_replication_origins: settings.number("max_active_replication_origins"),
        idle_replication_slot_timeout: settings.seconds("idle_replication_slot_timeout"),
        max_prepared_transactions: settings.count("max_prepared_transactions"),
        max_slot_wal_keep_size: settings.number("max_slot_wal_keep_size").unwrap_or(-1),
        fsync: settings.text("fsync") == "on",
        log_statement: settings.text("log_statement"),
        track_counts: settings.text("track_counts") == "on",
        track_commit_timestamp: settings.text("track_commit_timestamp") == "on",
    })
}

/// Aurora lacks some of the `pg_control_*` functions.
async fn system_identifier(session: &Session) -> Option<i64> {
    session
        .query_one("SELECT system_identifier FROM pg_control_system()", &[])
        .await
        .ok()?
        .get(0)
}

/// What our role may do. Memberships count where their privileges are inherited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each is a privilege of its own
pub struct OwnRole {
    /// SUPERUSER.
    pub superuser: bool,
    /// REPLICATION.
    pub replication: bool,
    /// CREATEROLE.
    pub create_role: bool,
    /// Member of `rds_superuser`.
    pub rds_superuser: bool,
    /// Member of `rds_replication`.
    pub rds_replication: bool,
    /// Member of `pg_create_subscription`, from 16 on.
    pub create_subscription: bool,
    /// Member of `pg_monitor`.
    pub monitor: bool,
    /// Member of `pg_signal_backend`.
    pub signal_backend: bool,
    /// May execute `pg_replication_origin_advance` and `pg_replication_origin_progress`.
    pub replication_origins: bool,
}

impl OwnRole {
    /// Whether it may create roles.
    #[must_use]
    pub fn may_create_roles(&self) -> bool {
        self.superuser || self.create_role
    }

    /// Whether it may create, read and drop replication slots.
    #[must_use]
    pub fn may_replicate(&self) -> bool {
        self.superuser || self.replication || self.rds_replication
    }

    /// Whether it may create subscriptions and set their positions.
    #[must_use]
    pub fn may_subscribe(&self) -> bool {
        self.superuser || ((self.rds_superuser || self.create_subscription) && self.replication_origins)
    }
}

/// Looks at our own role.
///
/// # Errors
/// [`Error::Sql`].
pub async fn own_role(session: &Session) -> Result<OwnRole, Error> {
    let row = session
        .query_one(ROLE, &[])
        .await
        .map_err(session.failed("looking at our own role"))?;
    Ok(OwnRole {
        superuser: row.get("rolsuper"),
        replication: row.get("rolreplication"),
        create_role: row.get("rolcreaterole"),
        rds_superuser: row.get("rds_superuser"),
        rds_replication: row.get("rds_replication"),
        create_subscription: row.get("create_subscription"),
        monitor: row.get("monitor"),
        signal_backend: row.get("signal_backend"),
        replication_origins: row.get("replication_origins"),
    })
}
