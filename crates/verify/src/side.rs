//! One side of the comparison: its session and the reading of a table.
use std::fmt;

use futures::{TryStreamExt, pin_mut};
use tokio_postgres::Client;

use crate::Error;
use crate::copy_stream::Rows;

const SESSION: &str = include_str!("../sql/session.sql");

/// Which of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Target,
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
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

/// Settings that make text alike on both sides, and one snapshot for all that is read.
pub(crate) async fn begin(client: &Client, side: Side, snapshot: Option<&str>) -> Result<(), Error> {
    client
        .batch_execute(SESSION)
        .await
        .map_err(sql(side, "preparing the session"))?;
    let script = match snapshot {
        None => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
        Some(name) => format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
            postgres_protocol::escape::escape_literal(name)
        ),
    };
    client
        .batch_execute(&script)
        .await
        .map_err(sql(side, "taking a snapshot"))
}

/// Text that is in no encoding comes as it is; asked for in another it would be refused.
pub(crate) async fn raw_text(client: &Client, side: Side) -> Result<(), Error> {
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
