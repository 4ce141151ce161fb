//! The marker tables in schema `pgupgrade`, one a stream. The schema itself is made by [`crate::owner`].
use crate::connection::Session;
use crate::{Error, marker, quote_literal};

const STREAM: &str = include_str!("../sql/schema_stream.sql");
const STREAMS: &str = include_str!("../sql/schema_streams.sql");

/// Creates the marker table of a stream where it is not there, and writes its owner into the comment.
///
/// # Errors
/// [`Error::Sql`], mostly for the lack of CREATE on the database.
pub async fn install_stream(session: &Session, stream: &str, owner: &str) -> Result<(), Error> {
    let table = marker::table(stream).to_string();
    let script = STREAM
        .replace("{table}", &table)
        .replace("{owner}", &quote_literal(owner));
    session
        .batch_execute(&script)
        .await
        .map_err(session.failed(&format!("creating {table}")))
}

/// Drops the marker tables of all streams. They leave their publications with that.
///
/// # Errors
/// [`Error::Sql`].
pub async fn drop_streams(session: &Session) -> Result<(), Error> {
    let failed = || session.failed("dropping the marker tables");
    for row in session.query(STREAMS, &[]).await.map_err(failed())? {
        let table = crate::QualifiedName::new("pgupgrade", row.get::<_, String>(0));
        session
            .batch_execute(&format!("DROP TABLE IF EXISTS {table}"))
            .await
            .map_err(failed())?;
    }
    Ok(())
}
