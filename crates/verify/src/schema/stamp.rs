//! Whether DDL has run between two moments.
use pgupgrade_postgres::connection::Session;

use super::version::for_major;
use crate::Error;
use crate::side::{Side, sql};

const STAMP: &str = include_str!("../../sql/schema_stamp.sql");

/// A digest over the versions of the rows of the catalogs that [`super::fingerprint`] reads: while it is equal, the
/// fingerprint of this database holds, apart from passwords and the content of large objects. VACUUM, ANALYZE, TRUNCATE, REINDEX (but not
/// CONCURRENTLY), REFRESH MATERIALIZED VIEW and temporary tables leave it as it is.
///
/// Takes some 10 ms a thousand tables.
///
/// # Errors
/// [`Error::Sql`].
pub async fn catalog_stamp(session: &Session, side: Side) -> Result<String, Error> {
    let statement = for_major(STAMP, session.major());
    let row = session
        .query_one(&statement, &[])
        .await
        .map_err(sql(side, "reading whether the catalogs have changed"))?;
    Ok(row.get(0))
}
