//! What a server and a database hold, apart from ordinary tables (see [`crate::tables`]).
use crate::connection::Session;
use crate::name::PREFIX;
use crate::subscription::{self, State};
use crate::{Error, QualifiedName, slot};

const DATABASES: &str = include_str!("../../sql/inspect_databases.sql");
const INVALID_INDEXES: &str = include_str!("../../sql/inspect_invalid_indexes.sql");

/// A database of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Whether it takes connections; RDS refuses to upgrade where one does not.
    pub allows_connections: bool,
    /// Whether it is a template.
    pub is_template: bool,
    /// Its connection limit; -1 is none, -2 marks a database whose DROP was interrupted.
    pub connection_limit: i32,
}

impl Database {
    /// Whether a client's tables may be in it: not in templates nor in the provider's own.
    #[must_use]
    pub fn may_hold_tables(&self) -> bool {
        self.allows_connections && !self.is_template && self.connection_limit != -2 && self.name != "rdsadmin"
    }
}

/// The databases of the server by name.
///
/// # Errors
/// [`Error::Sql`].
pub async fn databases(session: &Session) -> Result<Vec<Database>, Error> {
    let rows = session
        .query(DATABASES, &[])
        .await
        .map_err(session.failed("listing databases"))?;
    let database = |row: &tokio_postgres::Row| Database {
        name: row.get("datname"),
        allows_connections: row.get("datallowconn"),
        is_template: row.get("datistemplate"),
        connection_limit: row.get("datconnlimit"),
    };
    Ok(rows.iter().map(database).collect())
}

async fn names(session: &Session, step: &str, query: &str) -> Result<Vec<String>, Error> {
    let rows = session.query(query, &[]).await.map_err(session.failed(step))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn qualified_names(session: &Session, step: &str, query: &str) -> Result<Vec<QualifiedName>, Error> {
    let rows = session.query(query, &[]).await.map_err(session.failed(step))?;
    Ok(rows
        .iter()
        .map(|row| QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1)))
        .collect())
}

/// Indexes that an interrupted concurrent build has left.
///
/// # Errors
/// [`Error::Sql`].
pub async fn invalid_indexes(session: &Session) -> Result<Vec<QualifiedName>, Error> {
    qualified_names(session, "listing invalid indexes", INVALID_INDEXES).await
}

/// How many large objects there are, which logical replication does not carry.
///
/// # Errors
/// [`Error::Sql`].
pub async fn large_objects(session: &Session) -> Result<i64, Error> {
    let row = session
        .query_one("SELECT count(*) FROM pg_largeobject_metadata", &[])
        .await;
    Ok(row.map_err(session.failed("counting large objects"))?.get(0))
}

/// Event triggers that are not disabled: they may refuse our own DDL.
///
/// # Errors
/// [`Error::Sql`].
pub async fn event_triggers(session: &Session) -> Result<Vec<String>, Error> {
    let query = "SELECT evtname::text FROM pg_event_trigger WHERE evtenabled <> 'D' ORDER BY evtname";
    names(session, "listing event triggers", query).await
}

/// Tables to which rows were written, as far as the server's statistics tell: they begin anew with `pg_upgrade`, and after
/// a crash (documentation, "The Cumulative Statistics System").
///
/// # Errors
/// [`Error::Sql`].
pub async fn written_tables(session: &Session) -> Result<Vec<QualifiedName>, Error> {
    let query = "SELECT schemaname::text, relname::text FROM pg_stat_user_tables \
                 WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND schemaname <> 'pgupgrade' ORDER BY 1, 2";
    let rows = session.query(query, &[]).await;
    let rows = rows.map_err(session.failed("listing tables that were written to"))?;
    let name = |row: &tokio_postgres::Row| QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1));
    Ok(rows.iter().map(name).collect())
}

/// Triggers and rules that fire while changes are applied (ENABLE ALWAYS or REPLICA): what they change passes for the
/// subscription's, and no slot tells of it. Internal ones and this operator's are not meant.
///
/// # Errors
/// [`Error::Sql`].
pub async fn replica_writers(session: &Session) -> Result<Vec<String>, Error> {
    let step = "listing triggers and rules that fire for a replica";
    names(session, step, include_str!("../../sql/inspect_replica_writers.sql")).await
}

/// Publications of all tables: they would publish what this operator makes.
///
/// # Errors
/// [`Error::Sql`].
pub async fn publications_for_all_tables(session: &Session) -> Result<Vec<String>, Error> {
    let query = "SELECT pubname::text FROM pg_publication WHERE puballtables ORDER BY pubname";
    names(session, "listing publications", query).await
}

/// Logical slots of the server that are not this operator's.
///
/// # Errors
/// [`Error::Sql`].
pub async fn foreign_slots(session: &Session) -> Result<Vec<String>, Error> {
    let slots = slot::list(session).await?.into_iter();
    Ok(slots
        .filter(|slot| slot.plugin.is_some() && !slot.name.starts_with(PREFIX))
        .map(|slot| slot.name)
        .collect())
}

/// Subscriptions of this database, whoever made them.
///
/// # Errors
/// [`Error::Sql`].
pub async fn subscriptions(session: &Session) -> Result<Vec<State>, Error> {
    subscription::all_states(session).await
}

/// Whether our role may create a schema in this database.
///
/// # Errors
/// [`Error::Sql`].
pub async fn may_create_schema(session: &Session) -> Result<bool, Error> {
    let row = session
        .query_one("SELECT has_database_privilege(current_database(), 'CREATE')", &[])
        .await;
    Ok(row.map_err(session.failed("looking at our own privileges"))?.get(0))
}

/// The size of this database on disk in bytes.
///
/// # Errors
/// [`Error::Sql`].
pub async fn database_size(session: &Session) -> Result<i64, Error> {
    let row = session
        .query_one("SELECT pg_database_size(current_database())", &[])
        .await;
    Ok(row.map_err(session.failed("measuring the database"))?.get(0))
}
