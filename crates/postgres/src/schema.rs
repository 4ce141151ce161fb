//! The marker and barrier tables in schema `pgupgrade`, one of each a stream. The schema itself is made by [`crate::owner`].
use tokio_postgres::error::SqlState;

use crate::connection::Session;
use crate::{Error, barrier, marker, quote_literal};

const STREAM: &str = include_str!("../sql/schema_stream.sql");
const STREAMS: &str = include_str!("../sql/schema_streams.sql");

/// Creates the marker and the barrier table of a stream where they are not there, and writes their owner into the
/// comments.
///
/// # Errors
/// [`Error::Sql`], mostly for the lack of CREATE on the database.
pub async fn install_stream(session: &Session, stream: &str, owner: &str) -> Result<(), Error> {
    let marker = marker::table(stream).to_string();
    let script = STREAM
        .replace("{marker}", &marker)
        .replace("{barrier}", &barrier::table(stream).to_string())
        .replace("{owner}", &quote_literal(owner));
    session
        .batch_execute(&script)
        .await
        .map_err(session.failed(&format!("creating {marker} and its barrier")))
}

/// Drops the marker and barrier tables of all streams. They leave their publications with that.
///
/// # Errors
/// [`Error::Sql`].
pub async fn drop_streams(session: &Session) -> Result<(), Error> {
    let failed = || session.failed("dropping the marker and barrier tables");
    for row in session.query(STREAMS, &[]).await.map_err(failed())? {
        let table = crate::QualifiedName::new("pgupgrade", row.get::<_, String>(0));
        session
            .batch_execute(&format!("DROP TABLE IF EXISTS {table}"))
            .await
            .map_err(failed())?;
    }
    Ok(())
}

/// Drops the marker and barrier tables of one stream. They leave their publications with that.
///
/// # Errors
/// [`Error::Sql`].
pub async fn drop_stream(session: &Session, stream: &str) -> Result<(), Error> {
    let (marker, barrier) = (marker::table(stream), barrier::table(stream));
    let script = format!("DROP TABLE IF EXISTS {marker}, {barrier}");
    session
        .batch_execute(&script)
        .await
        .map_err(session.failed(&format!("dropping {marker} and its barrier")))
}

/// Drops the schema where nothing is in it.
///
/// # Errors
/// [`Error::Sql`].
pub async fn drop_if_empty(session: &Session) -> Result<(), Error> {
    let step = "dropping schema pgupgrade";
    let dropped = session.batch_execute("DROP SCHEMA IF EXISTS pgupgrade RESTRICT").await;
    match dropped {
        Err(error) if error.code() == Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => Ok(()),
        other => other.map_err(session.failed(step)),
    }
}
