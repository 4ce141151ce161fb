//! Publications: what of the WAL a slot's decoding passes on.
use rand::distr::{Alphanumeric, SampleString as _};

use crate::connection::Session;
use crate::name::PREFIX;
use crate::{Error, QualifiedName, barrier, marker, quote_identifier, quote_literal};

const OWN: &str = include_str!("../sql/publication_own.sql");
const TABLES: &str = include_str!("../sql/publication_tables.sql");

/// What a publication names.
#[derive(Clone, Debug)]
pub struct Contents<'a> {
    /// The application's tables; of partitioned ones the roots.
    pub tables: Vec<QualifiedName>,
    /// The stream, whose marker and barrier tables come with them.
    pub stream: &'a str,
}

/// Creates a publication where it is not there, with a random proof in its comment by which the clone is recognized.
/// Returns whether it was made. One that exists stays as it is: it was made as a whole.
///
/// `publish_via_partition_root` is off: via the root the TRUNCATE of a leaf would be lost.
///
/// # Errors
/// [`Error::Sql`], with `INSUFFICIENT_PRIVILEGE` where a table's owner is a role that we are no member of, with
/// `LOCK_NOT_AVAILABLE` where a table is being maintained.
pub async fn create(session: &Session, name: &str, contents: &Contents<'_>) -> Result<bool, Error> {
    let step = format!("creating publication {name}");
    check_name(session, &step, name)?;
    if proof(session, name).await?.is_some() {
        return Ok(false);
    }
    let mut tables: Vec<String> = contents.tables.iter().map(|table| format!("ONLY {table}")).collect();
    tables.push(format!("ONLY {}", marker::table(contents.stream)));
    tables.push(format!("ONLY {}", barrier::table(contents.stream)));
    let name = quote_identifier(name);
    let random = Alphanumeric.sample_string(&mut rand::rng(), 32);
    let script = format!(
        "CREATE PUBLICATION {name} FOR TABLE {} \
         WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = false); \
         COMMENT ON PUBLICATION {name} IS {}",
        tables.join(", "),
        quote_literal(&random)
    );
    // One simple query, so one transaction.
    session.batch_execute(&script).await.map_err(session.failed(&step))?;
    Ok(true)
}

/// The proof in a publication's comment; `None` where there is no such publication.
///
/// # Errors
/// [`Error::Sql`].
pub async fn proof(session: &Session, name: &str) -> Result<Option<String>, Error> {
    let query = "SELECT COALESCE(obj_description(oid, 'pg_publication'), '') FROM pg_publication WHERE pubname = $1";
    let row = session
        .query_opt(query, &[&name])
        .await
        .map_err(session.failed(&format!("reading publication {name}")))?;
    Ok(row.map(|row| row.get(0)))
}

/// The tables that a publication names, without the marker and barrier tables: what another one needs to be its like.
///
/// # Errors
/// [`Error::Sql`].
pub async fn published_tables(session: &Session, name: &str) -> Result<Vec<QualifiedName>, Error> {
    let rows = session.query(TABLES, &[&name]).await;
    let rows = rows.map_err(session.failed(&format!("reading publication {name}")))?;
    Ok(rows
        .iter()
        .map(|row| QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1)))
        .collect())
}

/// Drops a publication of ours where it is there.
///
/// # Errors
/// [`Error::Unexpected`] for a name that is not ours, [`Error::Sql`].
pub async fn drop(session: &Session, name: &str) -> Result<(), Error> {
    let step = format!("dropping publication {name}");
    check_name(session, &step, name)?;
    let script = format!("DROP PUBLICATION IF EXISTS {}", quote_identifier(name));
    session.batch_execute(&script).await.map_err(session.failed(&step))
}

/// The publications whose names are ours.
pub(crate) async fn own(session: &Session) -> Result<Vec<String>, Error> {
    let rows = session
        .query(OWN, &[&PREFIX])
        .await
        .map_err(session.failed("listing publications"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Nothing that this operator did not make is ever changed or dropped.
pub(crate) fn check_name(session: &Session, step: &str, name: &str) -> Result<(), Error> {
    if name.starts_with(PREFIX) {
        return Ok(());
    }
    Err(session.unexpected(
        step,
        format!("the name {name} does not begin with {PREFIX}, so it is not this operator's"),
    ))
}
