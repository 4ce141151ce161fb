//! Indexes that another version of a collation may have put out of order.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pgupgrade_postgres::connection::Session;
use pgupgrade_postgres::{QualifiedName, quote_identifier};
use serde::Serialize;
use tokio_postgres::error::SqlState;

use super::version::for_major;
use crate::side::{Side, sql};
use crate::{Error, plain};

const SCOPE: &str = include_str!("../../sql/schema_scope.sql");
const INDEXES: &str = include_str!("../../sql/schema_collated_indexes.sql");

/// An index on the target whose collation has another version than the index was made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SuspectIndex {
    /// The index.
    #[serde(serialize_with = "plain")]
    pub index: QualifiedName,
    /// Its table.
    #[serde(serialize_with = "plain")]
    pub table: QualifiedName,
    /// The collation and its versions: `de-x-icu: version 153.14 on the source, 153.120 on the target`.
    pub collation: String,
    /// What a look at the index gave.
    pub checked: Checked,
    /// Its OID and its file as of then.
    #[serde(skip)]
    built: (u32, Option<u32>),
}

impl SuspectIndex {
    /// Whether it is known to be out of order.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        matches!(self.checked, Checked::Broken(_))
    }

    /// Whether nothing is known of it.
    #[must_use]
    pub fn is_unchecked(&self) -> bool {
        matches!(self.checked, Checked::NotChecked(_))
    }
}

impl fmt::Display for SuspectIndex {
    /// One line for people: which, why, what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "index {} of {} (collation {})",
            self.index, self.table, self.collation
        )?;
        match &self.checked {
            Checked::Sound => f.write_str(" is in order"),
            Checked::Broken(why) => write!(
                f,
                " is out of order: {why}; run REINDEX INDEX CONCURRENTLY {}",
                self.index
            ),
            Checked::NotChecked(why) => write!(f, " may be out of order: {why}"),
        }
    }
}

/// What a look at an index gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Checked {
    /// Its entries are in order, and each row of the table is in it.
    Sound,
    /// It is not in order, for this reason; it has to be built anew.
    Broken(String),
    /// It was not looked at; why, and what to do.
    NotChecked(String),
}

/// One collation of an index on one side.
#[derive(Clone, Debug)]
struct Collated {
    table: String,
    method: String,
    oid: u32,
    file: Option<u32>,
    recorded: Option<String>,
    actual: Option<String>,
}

/// `(schema, index, collation)`.
type Key = (String, String, String);

/// Finds the valid indexes on the target that are sorted by a collation whose version is another than on the source,
/// or than the one the target has on record, and checks each B-tree with `bt_index_check(index, true)` where the
/// extension amcheck is there and the role may use it. The check reads index and table under a lock that stands in
/// nobody's way but that of DDL.
///
/// Rules of versions: documentation, "Collation Support" and `pg_collation_actual_version`.
///
/// # Errors
/// [`Error::Sql`].
pub async fn suspect_indexes(source: &Session, target: &Session) -> Result<Vec<SuspectIndex>, Error> {
    let on_source = read(source, Side::Source).await?;
    let on_target = read(target, Side::Target).await?;
    let amcheck = amcheck(target).await?;
    let mut found = Vec::new();
    let mut last: Option<(u32, Checked)> = None;
    for (key, index) in &on_target {
        let Some(change) = change(&key.2, on_source.get(key), index) else {
            continue;
        };
        let name = QualifiedName::new(&key.0, &key.1);
        let checked = match last.take_if(|(oid, _)| *oid == index.oid) {
            Some((_, checked)) => checked,
            None => check(target, amcheck.as_deref(), &name, index).await?,
        };
        last = Some((index.oid, checked.clone()));
        found.push(SuspectIndex {
            index: name,
            table: QualifiedName::new(&key.0, &index.table),
            collation: change,
            checked,
            built: (index.oid, index.file),
        });
    }
    Ok(found)
}

/// Those that are still what they were when they were looked at. One that was built anew since has the order of the
/// versions in use, and one that was dropped needs none; nothing is checked again.
///
/// # Errors
/// [`Error::Sql`].
pub async fn not_rebuilt(target: &Session, indexes: Vec<SuspectIndex>) -> Result<Vec<SuspectIndex>, Error> {
    if indexes.is_empty() {
        return Ok(indexes);
    }
    let query = "SELECT i.indexrelid, pg_catalog.pg_relation_filenode(i.indexrelid) FROM pg_catalog.pg_index i \
                 WHERE i.indisvalid AND i.indexrelid = ANY($1)";
    let oids: Vec<u32> = indexes.iter().map(|index| index.built.0).collect();
    let rows = target
        .query(query, &[&oids])
        .await
        .map_err(sql(Side::Target, "looking at the files of indexes"))?;
    let there: BTreeSet<(u32, Option<u32>)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let same = |index: &SuspectIndex| there.contains(&index.built);
    Ok(indexes.into_iter().filter(same).collect())
}

async fn read(session: &Session, side: Side) -> Result<BTreeMap<Key, Collated>, Error> {
    let statement = for_major(&format!("{SCOPE}{INDEXES}"), session.major());
    let rows = session
        .query(&statement, &[])
        .await
        .map_err(sql(side, "reading the collations of indexes"))?;
    let indexes = rows.iter().map(|row| {
        let index = Collated {
            table: row.get("table"),
            method: row.get("method"),
            oid: row.get("oid"),
            file: row.get("file"),
            recorded: row.get("recorded"),
            actual: row.get("actual"),
        };
        ((row.get("schema"), row.get("index"), row.get("collation")), index)
    });
    Ok(indexes.collect())
}

/// How the version changed, if it did.
fn change(collation: &str, source: Option<&Collated>, target: &Collated) -> Option<String> {
    let shown = |version: Option<&String>| version.cloned().unwrap_or_else(|| "unknown".to_owned());
    if let Some(source) = source.filter(|source| source.actual != target.actual) {
        let (source, target) = (shown(source.actual.as_ref()), shown(target.actual.as_ref()));
        return Some(format!(
            "{collation}: version {source} on the source, {target} on the target"
        ));
    }
    if target.recorded.is_some() && target.recorded != target.actual {
        let (recorded, actual) = (shown(target.recorded.as_ref()), shown(target.actual.as_ref()));
        return Some(format!(
            "{collation}: version {recorded} on record, {actual} in use on the target"
        ));
    }
    None
}

/// The schema of amcheck, if it is there.
async fn amcheck(target: &Session) -> Result<Option<String>, Error> {
    let query = "SELECT n.nspname::text FROM pg_catalog.pg_extension e \
                 JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'";
    let row = target
        .query_opt(query, &[])
        .await
        .map_err(sql(Side::Target, "looking for amcheck"))?;
    Ok(row.map(|row| row.get(0)))
}

async fn check(
    target: &Session,
    amcheck: Option<&str>,
    name: &QualifiedName,
    index: &Collated,
) -> Result<Checked, Error> {
    if index.method != "btree" {
        let advice = format!("amcheck reads B-trees only; run REINDEX INDEX CONCURRENTLY {name}");
        return Ok(Checked::NotChecked(advice));
    }
    let Some(schema) = amcheck else {
        let advice = format!(
            "the extension amcheck is not there; run CREATE EXTENSION amcheck, or REINDEX INDEX CONCURRENTLY {name}"
        );
        return Ok(Checked::NotChecked(advice));
    };
    let statement = format!(
        "SELECT {}.bt_index_check({}::oid::pg_catalog.regclass, true)",
        quote_identifier(schema),
        index.oid
    );
    let error = match target.batch_execute(&statement).await {
        Ok(()) => return Ok(Checked::Sound),
        Err(error) => error,
    };
    let message = error
        .as_db_error()
        .map(|db| db.message().to_owned())
        .unwrap_or_default();
    match error.code() {
        Some(&SqlState::INDEX_CORRUPTED | &SqlState::DATA_CORRUPTED) => Ok(Checked::Broken(message)),
        Some(&SqlState::INSUFFICIENT_PRIVILEGE | &SqlState::UNDEFINED_FUNCTION) => Ok(Checked::NotChecked(format!(
            "{message}; grant EXECUTE on {}.bt_index_check(regclass, boolean) to {}, or run REINDEX INDEX CONCURRENTLY {name}",
            quote_identifier(schema),
            user(target).await?,
        ))),
        _ => Err(sql(Side::Target, format!("checking index {name}"))(error)),
    }
}

async fn user(target: &Session) -> Result<String, Error> {
    let row = target
        .query_one("SELECT pg_catalog.quote_ident(current_user)", &[])
        .await
        .map_err(sql(Side::Target, "asking for the user"))?;
    Ok(row.get(0))
}
