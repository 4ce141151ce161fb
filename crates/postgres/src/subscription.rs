//! Subscriptions: the apply workers of the other side, and the origins that keep their positions.
use std::time::{Duration, Instant};

use tokio_postgres::types::PgLsn;

use crate::connection::{Endpoint, Session};
use crate::name::PREFIX;
use crate::publication::check_name;
use crate::{Error, quote_identifier, quote_literal};

const STATES: &str = include_str!("../sql/subscription_states.sql");
const PAUSE: Duration = Duration::from_millis(2);
/// A connection that nobody accepts: a copied subscription that is dropped must reach no publisher.
const NOWHERE: &str = "host=127.0.0.1 port=1 dbname=none user=none password=none connect_timeout=1";

/// What to subscribe to.
#[derive(Clone, Copy)]
pub struct Subscription<'a> {
    /// Its name.
    pub name: &'a str,
    /// The publication on the publisher.
    pub publication: &'a str,
    /// The slot on the publisher, which exists.
    pub slot: &'a str,
    /// Where the publisher listens.
    pub publisher: &'a Endpoint,
    /// The database there.
    pub database: &'a str,
    /// The role that logs in there.
    pub role: &'a str,
    /// Its password. CREATE SUBSCRIPTION has to carry it in clear, so a server that logs DDL logs it.
    pub password: &'a str,
}

/// How a subscription is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Its name.
    pub name: String,
    /// Whether it is to run.
    pub enabled: bool,
    /// The slot on the publisher, which the catalog may forget.
    pub slot: Option<String>,
    /// Its publications.
    pub publications: Vec<String>,
    /// The apply worker, while it runs.
    pub worker: Option<i32>,
    /// The WAL position that the worker has received last.
    pub received_lsn: Option<PgLsn>,
    /// What the publisher has been told last.
    pub latest_end_lsn: Option<PgLsn>,
    /// When that was.
    pub latest_end_time: Option<jiff::Timestamp>,
    /// Errors while applying since the statistics began; counted from 15 on, else 0.
    pub apply_errors: i64,
    /// Errors of the initial copy, which these subscriptions don't make; from 15 on.
    pub sync_errors: i64,
    /// Conflicts of all kinds (`confl_*`); counted from 18 on, else 0. Any of them means that the position was wrong or
    /// that somebody else writes.
    pub conflicts: i64,
}

/// Creates a subscription that is disabled, copies nothing and uses the slot that is there. Returns whether it was made.
///
/// # Errors
/// [`Error::Sql`]: the publisher can't be reached from this server, refuses the password, or lacks the publication; or
/// our role may not create subscriptions.
pub async fn create(session: &Session, subscription: &Subscription<'_>) -> Result<bool, Error> {
    let name = subscription.name;
    let step = format!(
        "creating subscription {name} to {} (database {})",
        subscription.publisher, subscription.database
    );
    check_name(session, &step, name)?;
    if exists(session, name).await? {
        return Ok(false);
    }
    session
        .batch_execute(&statement(subscription, session.major()))
        .await
        .map_err(session.failed(&step))?;
    Ok(true)
}

fn statement(subscription: &Subscription<'_>, major: i32) -> String {
    let mut options = vec![
        "copy_data = false".to_owned(),
        "create_slot = false".to_owned(),
        "enabled = false".to_owned(),
        "connect = true".to_owned(),
        format!("slot_name = {}", quote_literal(subscription.slot)),
        "binary = false".to_owned(),
    ];
    if major >= 16 {
        // Where the publisher is older than 16 the worker asks it for plain streaming instead. Changes of every origin
        // are wanted: a publisher that subscribes to something itself passes that on.
        options.extend(["streaming = parallel".to_owned(), "origin = any".to_owned()]);
    } else {
        options.push("streaming = on".to_owned());
    }
    format!(
        "CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {} WITH ({})",
        quote_identifier(subscription.name),
        quote_literal(&connection(subscription)),
        quote_identifier(subscription.publication),
        options.join(", ")
    )
}

/// The connection string, in which any value is safe.
fn connection(subscription: &Subscription<'_>) -> String {
    let port = subscription.publisher.port.to_string();
    let parts = [
        ("host", subscription.publisher.host.as_str()),
        ("port", &port),
        ("dbname", subscription.database),
        ("user", subscription.role),
        ("password", subscription.password),
        ("sslmode", "require"),
        ("connect_timeout", "10"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .map(|(keyword, value)| format!("{keyword}={}", quote_value(value)))
        .collect();
    parts.join(" ")
}

/// A value in a connection string (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>).
fn quote_value(value: &str) -> String {
    let mut quoted = String::from("'");
    for character in value.chars() {
        if matches!(character, '\'' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('\'');
    quoted
}

/// Whether this database has the subscription.
///
/// # Errors
/// [`Error::Sql`].
pub async fn exists(session: &Session, name: &str) -> Result<bool, Error> {
    let query = "SELECT FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid \
                 WHERE s.subname = $1 AND d.datname = current_database()";
    let row = session.query_opt(query, &[&name]).await;
    Ok(row
        .map_err(session.failed(&format!("looking for subscription {name}")))?
        .is_some())
}

/// Sets the position from which a disabled subscription continues: transactions whose commit record begins before it
/// are skipped. The transaction has an id, so that its commit is flushed and a crash does not take the position back.
///
/// # Errors
/// [`Error::Sql`], with `OBJECT_IN_USE` while the subscription's worker runs; [`Error::Unexpected`] where there is no
/// such subscription.
pub async fn advance_origin(session: &Session, name: &str, position: PgLsn) -> Result<(), Error> {
    let step = format!("positioning subscription {name} at {position}");
    check_name(session, &step, name)?;
    let advance = "SELECT pg_current_xact_id()::text, pg_replication_origin_advance('pg_' || oid, $2)::text \
                   FROM pg_subscription WHERE subname = $1 \
                   AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())";
    match session
        .execute(advance, &[&name, &position])
        .await
        .map_err(session.failed(&step))?
    {
        1 => Ok(()),
        _ => Err(session.unexpected(step, "there is no such subscription in this database")),
    }
}

/// The position that a subscription has applied up to; `None` where it has none yet.
///
/// # Errors
/// [`Error::Sql`].
pub async fn origin_position(session: &Session, name: &str) -> Result<Option<PgLsn>, Error> {
    progress(session, name, false).await
}

/// Makes sure that what has been applied survives a crash, and returns the position.
///
/// # Errors
/// [`Error::Sql`].
pub async fn flush_origin(session: &Session, name: &str) -> Result<Option<PgLsn>, Error> {
    progress(session, name, true).await
}

async fn progress(session: &Session, name: &str, flush: bool) -> Result<Option<PgLsn>, Error> {
    let query = "SELECT pg_replication_origin_progress('pg_' || oid, $2) FROM pg_subscription WHERE subname = $1 \
                 AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let row = session.query_opt(query, &[&name, &flush]).await;
    let row = row.map_err(session.failed(&format!("reading the position of subscription {name}")))?;
    Ok(row.and_then(|row| row.get(0)))
}

/// Lets a subscription run.
///
/// # Errors
/// [`Error::Sql`].
pub async fn enable(session: &Session, name: &str) -> Result<(), Error> {
    alter(session, name, "ENABLE").await
}

/// Stops a subscription, and waits until its workers are gone. What they had begun to apply is rolled back.
///
/// # Errors
/// [`Error::Deadline`] where a worker still runs, [`Error::Sql`].
pub async fn disable(session: &Session, name: &str, patience: Duration) -> Result<(), Error> {
    alter(session, name, "DISABLE").await?;
    let step = format!("disabling subscription {name}");
    let query = "SELECT pid FROM pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL LIMIT 1";
    let statement = session.prepare(query).await.map_err(session.failed(&step))?;
    let start = Instant::now();
    loop {
        let row = session
            .query_opt(&statement, &[&name])
            .await
            .map_err(session.failed(&step))?;
        let Some(row) = row else { return Ok(()) };
        if start.elapsed() >= patience {
            return Err(session.late(step, patience, format!("worker {} still runs", row.get::<_, i32>(0))));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// As [`disable`], where the subscription is there.
///
/// # Errors
/// As [`disable`].
pub async fn disable_if_exists(session: &Session, name: &str, patience: Duration) -> Result<(), Error> {
    if exists(session, name).await? {
        disable(session, name, patience).await
    } else {
        Ok(())
    }
}

/// Drops a subscription of ours where it is there, and leaves the slot on its publisher alone.
///
/// # Errors
/// [`Error::Unexpected`] for a name that is not ours, [`Error::Sql`].
pub async fn drop(session: &Session, name: &str) -> Result<(), Error> {
    check_name(session, &format!("dropping subscription {name}"), name)?;
    if exists(session, name).await? {
        detach_and_drop(session, name).await
    } else {
        Ok(())
    }
}

async fn detach_and_drop(session: &Session, name: &str) -> Result<(), Error> {
    alter(session, name, "DISABLE").await?;
    alter(session, name, "SET (slot_name = NONE)").await?;
    let script = format!("DROP SUBSCRIPTION IF EXISTS {}", quote_identifier(name));
    session
        .batch_execute(&script)
        .await
        .map_err(session.failed(&format!("dropping subscription {name}")))
}

/// Drops from a clone whatever subscription it has carried along. Its publisher and slots are those of the *source's*
/// subscription, so they must not be reached; one whose initial copy is not complete would have its slots there dropped.
pub(crate) async fn drop_copied(session: &Session, name: &str) -> Result<(), Error> {
    alter(session, name, "DISABLE").await?;
    let unfinished = "SELECT FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid \
                      WHERE s.subname = $1 AND r.srsubstate <> 'r' LIMIT 1";
    let row = session.query_opt(unfinished, &[&name]).await;
    if row
        .map_err(session.failed(&format!("looking at subscription {name}")))?
        .is_some()
    {
        alter(session, name, &format!("CONNECTION {}", quote_literal(NOWHERE))).await?;
    }
    detach_and_drop(session, name).await
}

async fn alter(session: &Session, name: &str, what: &str) -> Result<(), Error> {
    let script = format!("ALTER SUBSCRIPTION {} {what}", quote_identifier(name));
    session
        .batch_execute(&script)
        .await
        .map_err(session.failed(&format!("altering subscription {name}: {}", verb(what))))
}

/// The first word: the rest may hold a connection string.
fn verb(what: &str) -> &str {
    what.split(' ').next().unwrap_or_default()
}

/// The subscriptions of this operator in this database.
///
/// # Errors
/// [`Error::Sql`].
pub async fn states(session: &Session) -> Result<Vec<State>, Error> {
    Ok(all_states(session)
        .await?
        .into_iter()
        .filter(|state| state.name.starts_with(PREFIX))
        .collect())
}

/// All subscriptions in this database.
///
/// # Errors
/// [`Error::Sql`].
pub async fn all_states(session: &Session) -> Result<Vec<State>, Error> {
    let failed = || session.failed("looking at subscriptions");
    let statistics = if session.major() >= 15 {
        "pg_stat_subscription_stats"
    } else {
        "pg_stat_subscription"
    };
    let rows = session
        .query(&STATES.replace("{statistics}", statistics), &[])
        .await
        .map_err(failed())?;
    let count = |row: &tokio_postgres::Row, column| row.get::<_, Option<i64>>(column).unwrap_or_default();
    Ok(rows
        .iter()
        .map(|row| State {
            name: row.get("subname"),
            enabled: row.get("subenabled"),
            slot: row.get("subslotname"),
            publications: row.get("subpublications"),
            worker: row.get("pid"),
            received_lsn: row.get("received_lsn"),
            latest_end_lsn: row.get("latest_end_lsn"),
            latest_end_time: row.get("latest_end_time"),
            apply_errors: count(row, "apply_errors"),
            sync_errors: count(row, "sync_errors"),
            conflicts: count(row, "conflicts"),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn subscription<'a>(publisher: &'a Endpoint, password: &'a str) -> Subscription<'a> {
        Subscription {
            name: "pgupgrade_1_a1_main",
            publication: "pgupgrade_1_a1_main",
            slot: "pgupgrade_1_a1_main",
            publisher,
            database: "shop",
            role: "pgupgrade_1",
            password,
        }
    }

    #[test]
    fn a_connection_string_holds_any_value() {
        let publisher = Endpoint {
            host: "old.example".to_owned(),
            port: 5432,
        };
        let text = connection(&subscription(&publisher, r"a' host=evil \"));
        assert_eq!(
            text,
            r"host='old.example' port='5432' dbname='shop' user='pgupgrade_1' password='a\' host=evil \\' sslmode='require' connect_timeout='10'"
        );
    }

    #[test]
    fn options_follow_the_version() {
        let publisher = Endpoint {
            host: "h".to_owned(),
            port: 1,
        };
        for (major, streaming, origin) in [
            (14, "on", false),
            (15, "on", false),
            (16, "parallel", true),
            (18, "parallel", true),
        ] {
            let statement = statement(&subscription(&publisher, "p"), major);
            assert!(statement.contains(&format!("streaming = {streaming}")), "{statement}");
            assert_eq!(statement.contains("origin = any"), origin, "{statement}");
        }
    }

    #[test]
    fn no_connection_string_in_a_step() {
        assert_eq!(verb("CONNECTION 'password=x'"), "CONNECTION");
    }
}
