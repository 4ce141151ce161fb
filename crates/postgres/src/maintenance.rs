//! What a freshly upgraded database needs before it serves: statistics, VACUUM if wanted, fresh materialized views.
use crate::connection::Session;
use crate::{Error, QualifiedName};

const LACKING: &str = include_str!("../sql/maintenance_lacking.sql");
const TABLES: &str = include_str!("../sql/maintenance_tables.sql");
const VIEWS: &str = include_str!("../sql/maintenance_views.sql");

async fn names(session: &Session, step: &str, query: &str) -> Result<Vec<QualifiedName>, Error> {
    let rows = session.query(query, &[]).await.map_err(session.failed(step))?;
    Ok(rows
        .iter()
        .map(|row| QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1)))
        .collect())
}

/// Runs a statement on one table after the other, each in a transaction of its own. One that is gone meanwhile is left
/// out.
async fn each(session: &Session, statement: &str, tables: &[QualifiedName]) -> Result<(), Error> {
    for table in tables {
        match session.batch_execute(&format!("{statement} {table}")).await {
            Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::UNDEFINED_TABLE) => {}
            other => other.map_err(session.failed(&format!("{statement} {table}")))?,
        }
    }
    Ok(())
}

/// Tables and materialized views that lack statistics of a column, of an indexed expression or of an extended
/// statistics object, the smallest first: what `vacuumdb --missing-stats-only` of 18 looks for, and that no role may
/// read from `pg_statistic` itself. Until 17 `pg_upgrade` keeps none, from 18 on all but the extended ones.
///
/// # Errors
/// [`Error::Sql`].
pub async fn without_statistics(session: &Session) -> Result<Vec<QualifiedName>, Error> {
    names(session, "looking for tables without statistics", LACKING).await
}

/// Runs ANALYZE on each table that lacks statistics, the smallest first, and returns how many there were.
///
/// # Errors
/// [`Error::Sql`].
pub async fn analyze(session: &Session) -> Result<usize, Error> {
    let tables = without_statistics(session).await?;
    each(session, "ANALYZE", &tables).await?;
    Ok(tables.len())
}

/// Runs VACUUM on each table that our role may vacuum, the smallest first, and returns how many there were.
///
/// # Errors
/// [`Error::Sql`].
pub async fn vacuum(session: &Session) -> Result<usize, Error> {
    let tables = names(session, "listing tables", TABLES).await?;
    each(session, "VACUUM", &tables).await?;
    Ok(tables.len())
}

/// Refreshes each materialized view that is populated, those first that others are built upon, and returns how many
/// there were. Replication does not carry them.
///
/// # Errors
/// [`Error::Sql`], with `INSUFFICIENT_PRIVILEGE` where our role is no member of a view's owner.
pub async fn refresh_materialized_views(session: &Session) -> Result<usize, Error> {
    let views = names(session, "listing materialized views", VIEWS).await?;
    each(session, "REFRESH MATERIALIZED VIEW", &views).await?;
    Ok(views.len())
}
