//! Creates a feed's publication and slot.
use std::collections::BTreeSet;
use std::time::Duration;

use pgupgrade_pgoutput::Lsn;
use pgupgrade_postgres::connection::Session;
use pgupgrade_postgres::{QualifiedName, publication, quote_identifier, slot};
use tokio_postgres::error::SqlState;

use super::{FeedError, FeedNames};

/// The longest `statement_timeout`, in milliseconds.
const MAX_TIMEOUT: u128 = i32::MAX as u128;
const IDENTITY: &str = include_str!("../../sql/feed_identity.sql");
const PREPARED: &str = include_str!("../../sql/feed_prepared.sql");
const BLOCKERS: &str = include_str!("../../sql/feed_blockers.sql");
const PUBLICATION: &str = include_str!("../../sql/feed_publication.sql");

/// Creates the publication, then the slot, where they are not there; returns the slot's position. What is committed
/// from there on is seen.
///
/// The tables are ordinary ones, leaves of partitioned ones by name: via a root the TRUNCATE of a leaf is never sent.
/// Rows are published whole, since with a list of columns a table whose replica identity is FULL refuses UPDATE and
/// DELETE. Slot creation waits for every open transaction of the server.
///
/// # Errors
/// [`FeedError::Prepared`], [`FeedError::Blocked`] after the deadline, [`FeedError::NoIdentity`],
/// [`FeedError::Incomplete`] where the slot was made for other tables, [`FeedError::Postgres`].
pub async fn create(
    session: &Session,
    names: &FeedNames,
    tables: &[QualifiedName],
    barriers: &[QualifiedName],
    deadline: Duration,
) -> Result<Lsn, FeedError> {
    let wanted: BTreeSet<&QualifiedName> = tables.iter().chain(barriers).collect();
    if slot::facts(session, &names.slot).await?.is_some() {
        covered(session, names, &wanted).await?;
    } else {
        refuse_prepared(session, names).await?;
        publish(session, names, &wanted).await?;
        create_slot(session, names, deadline).await?;
    }
    // Also where it is there: it may be another's, or unfinished.
    slot::create(session, &names.slot).await?;
    let facts = slot::facts(session, &names.slot).await?;
    let position = facts.and_then(|slot| slot.confirmed_flush_lsn).unwrap_or(0.into());
    Ok(Lsn(position.into()))
}

/// The tables of the publication; none where there is no such publication.
async fn published(session: &Session, name: &str) -> Result<Option<BTreeSet<QualifiedName>>, FeedError> {
    let rows = session.query(PUBLICATION, &[&name]).await;
    let rows = rows.map_err(session.failed(&format!("reading publication {name}")))?;
    let table = |row: &tokio_postgres::Row| {
        let (schema, name): (Option<String>, Option<String>) = (row.get(0), row.get(1));
        Some(QualifiedName::new(schema?, name?))
    };
    Ok((!rows.is_empty()).then(|| rows.iter().filter_map(table).collect()))
}

async fn covered(session: &Session, names: &FeedNames, wanted: &BTreeSet<&QualifiedName>) -> Result<(), FeedError> {
    let missing = match published(session, &names.publication).await? {
        None => Some("anything: it is gone".to_owned()),
        Some(there) => {
            let missing: Vec<String> = wanted
                .iter()
                .filter(|name| !there.contains(**name))
                .map(ToString::to_string)
                .collect();
            (!missing.is_empty()).then(|| missing.join(", "))
        }
    };
    match missing {
        None => Ok(()),
        Some(missing) => Err(FeedError::Incomplete {
            slot: names.slot.clone(),
            publication: names.publication.clone(),
            missing,
        }),
    }
}

async fn refuse_prepared(session: &Session, names: &FeedNames) -> Result<(), FeedError> {
    match text(session, PREPARED, "listing prepared transactions").await? {
        None => Ok(()),
        Some(transactions) => Err(FeedError::Prepared {
            slot: names.slot.clone(),
            transactions,
        }),
    }
}

async fn text(session: &Session, query: &str, step: &str) -> Result<Option<String>, FeedError> {
    let row = session.query_one(query, &[]).await.map_err(session.failed(step))?;
    Ok(row.get(0))
}

/// Before the slot: what the WAL holds is decoded by the catalogs of its time, so a publication made later would not be
/// found.
async fn publish(session: &Session, names: &FeedNames, wanted: &BTreeSet<&QualifiedName>) -> Result<(), FeedError> {
    let name = &names.publication;
    if let Some(there) = published(session, name).await?
        && there.iter().collect::<BTreeSet<_>>() == *wanted
    {
        return Ok(());
    }
    check_identities(session, name, wanted).await?;
    publication::drop(session, name).await?;
    let only: Vec<String> = wanted.iter().map(|table| format!("ONLY {table}")).collect();
    let tables = if only.is_empty() {
        String::new()
    } else {
        format!("FOR TABLE {}", only.join(", "))
    };
    let mut options = "publish = 'insert, update, delete, truncate'".to_owned();
    if session.major() >= 13 {
        options.push_str(", publish_via_partition_root = false");
    }
    // Otherwise a table refuses UPDATE and DELETE whose replica identity has a stored generated column.
    if session.major() >= 18 {
        options.push_str(", publish_generated_columns = stored");
    }
    let script = format!(
        "CREATE PUBLICATION {} {tables} WITH ({options})",
        quote_identifier(name)
    );
    let done = session.batch_execute(&script).await;
    Ok(done.map_err(session.failed(&format!("creating publication {name}")))?)
}

async fn check_identities(
    session: &Session,
    publication: &str,
    wanted: &BTreeSet<&QualifiedName>,
) -> Result<(), FeedError> {
    let refused = refused(session, publication, wanted.iter().copied()).await?;
    if refused.is_empty() {
        return Ok(());
    }
    let tables: Vec<String> = refused.iter().map(|(name, why)| format!("{name} ({why})")).collect();
    Err(FeedError::NoIdentity {
        publication: publication.to_owned(),
        tables: tables.join(", "),
    })
}

/// The tables on which this publication would forbid UPDATE and DELETE, with the reasons.
async fn refused(
    session: &Session,
    publication: &str,
    wanted: impl Iterator<Item = &QualifiedName>,
) -> Result<Vec<(QualifiedName, String)>, FeedError> {
    let (schemas, tables): (Vec<&str>, Vec<&str>) = wanted.map(|name| (&*name.schema, &*name.name)).unzip();
    let rows = session.query(IDENTITY, &[&schemas, &tables, &publication]).await;
    let rows = rows.map_err(session.failed("reading replica identities"))?;
    let refused = rows.iter().map(|row| {
        let name = QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1));
        (name, row.get(2))
    });
    Ok(refused.collect())
}

/// Those of the tables that [`create`] does not refuse for their replica identity.
///
/// # Errors
/// [`FeedError::Postgres`].
pub async fn watchable(
    session: &Session,
    names: &FeedNames,
    tables: &[QualifiedName],
) -> Result<Vec<QualifiedName>, FeedError> {
    let refused = refused(session, &names.publication, tables.iter()).await?;
    let fine = |table: &&QualifiedName| !refused.iter().any(|(name, _)| name == *table);
    Ok(tables.iter().filter(fine).cloned().collect())
}

async fn create_slot(session: &Session, names: &FeedNames, deadline: Duration) -> Result<(), FeedError> {
    let step = format!("creating slot {}", names.slot);
    let begin = format!(
        "BEGIN; SET LOCAL statement_timeout = {}",
        deadline.as_millis().clamp(1, MAX_TIMEOUT)
    );
    session.batch_execute(&begin).await.map_err(session.failed(&step))?;
    let created = slot::create(session, &names.slot).await;
    let end = if created.is_ok() { "COMMIT" } else { "ROLLBACK" };
    session.batch_execute(end).await.map_err(session.failed(&step))?;
    match created {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => Err(FeedError::Blocked {
            slot: names.slot.clone(),
            waited: deadline,
            transactions: blockers(session).await?,
        }),
        Err(error) => Err(error.into()),
    }
}

async fn blockers(session: &Session) -> Result<String, FeedError> {
    let open = text(session, BLOCKERS, "listing open transactions").await?;
    let prepared = text(session, PREPARED, "listing prepared transactions").await?;
    let prepared = prepared.map(|prepared| format!("prepared transactions {prepared}"));
    let all: Vec<String> = open.into_iter().chain(prepared).collect();
    if all.is_empty() {
        return Ok("transactions that have ended meanwhile".to_owned());
    }
    Ok(all.join(", "))
}
