//! One side of the comparison: its session and the reading of a table.
use std::fmt;

use futures::{TryStreamExt, pin_mut};
use pgupgrade_postgres::connection::{Connector, Profile, Session};
use pgupgrade_postgres::quote_literal;
use tokio_postgres::Client;

use crate::Error;
use crate::copy_stream::Rows;

const SESSION: &str = include_str!("../sql/session.sql");

/// One snapshot for all that is read.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Which of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The database that is upgraded.
    Source,
    /// The database that takes its place.
    Target,
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }

    /// Where what belongs to the side is in a pair.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Source => 0,
            Self::Target => 1,
        }
    }
}

/// Turns an error of a connection into ours.
pub(crate) fn connect_error(side: Side) -> impl FnOnce(pgupgrade_postgres::Error) -> Error {
    move |source| Error::Connect {
        side: side.name(),
        source: Box::new(source),
    }
}

/// Turns a driver's error into ours.
pub(crate) fn sql(side: Side, step: impl fmt::Display) -> impl FnOnce(tokio_postgres::Error) -> Error {
    move |source| {
        let detail = match source.as_db_error() {
            Some(db) => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
            None => source.to_string(),
        };
        Error::Sql {
            step: step.to_string(),
            side: side.name(),
            detail,
            source,
        }
    }
}

/// A session that is made ready to read, in an exported snapshot if one is named.
pub(crate) async fn open(
    connector: &Connector,
    side: Side,
    database: &str,
    snapshot: Option<&str>,
) -> Result<Session, Error> {
    let session = connector.connect(database, Profile::Long).await;
    let session = session.map_err(connect_error(side))?;
    match snapshot {
        None => prepare(&session, side).await?,
        Some(_) => begin(&session, side, snapshot).await?,
    }
    Ok(session)
}

/// Settings that make what is read alike on both sides.
pub(crate) async fn prepare(client: &Client, side: Side) -> Result<(), Error> {
    let step = "preparing the session";
    client.batch_execute(SESSION).await.map_err(sql(side, step))?;
    raw_text(client, side).await
}

/// Prepares a session, and takes one snapshot for all that it reads: a new one, or one that was exported.
pub(crate) async fn begin(client: &Client, side: Side, snapshot: Option<&str>) -> Result<(), Error> {
    prepare(client, side).await?;
    match snapshot {
        Some(name) => enter(client, side, name).await,
        None => client
            .batch_execute(BEGIN)
            .await
            .map_err(sql(side, "taking a snapshot")),
    }
}

/// Begins a transaction in an exported snapshot; one that was left open ends.
pub(crate) async fn enter(client: &Client, side: Side, snapshot: &str) -> Result<(), Error> {
    let script = format!(
        "ROLLBACK; {BEGIN}; SET TRANSACTION SNAPSHOT {}",
        quote_literal(snapshot)
    );
    client
        .batch_execute(&script)
        .await
        .map_err(sql(side, "entering a snapshot"))
}

/// Text that is in no encoding comes as it is; asked for in another it would be refused.
async fn raw_text(client: &Client, side: Side) -> Result<(), Error> {
    let step = "reading the encoding";
    let row = client
        .query_one("SELECT current_setting('server_encoding')", &[])
        .await
        .map_err(sql(side, step))?;
    if row.get::<_, &str>(0) == "SQL_ASCII" {
        client
            .batch_execute("SET client_encoding = 'SQL_ASCII'")
            .await
            .map_err(sql(side, step))?;
    }
    Ok(())
}

/// Reads what a COPY statement gives, row by row.
pub(crate) async fn each_row(
    client: &Client,
    side: Side,
    statement: &str,
    table: &impl fmt::Display,
    mut row: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let stream = client
        .copy_out(statement)
        .await
        .map_err(sql(side, format_args!("reading {table}")))?;
    pin_mut!(stream);
    let mut rows = Rows::default();
    while let Some(message) = stream
        .try_next()
        .await
        .map_err(sql(side, format_args!("reading {table}")))?
    {
        rows.push(&message, &mut row)?;
    }
    rows.finish()
}
