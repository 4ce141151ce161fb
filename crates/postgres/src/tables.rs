//! The application's tables and their replica identities.
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use crate::connection::Session;
use crate::name::unquote;
use crate::{Error, QualifiedName, quote_identifier};

const LIST: &str = include_str!("../sql/tables.sql");
/// How long a busy table is tried for. Others queue behind each try, so one is short.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// Which columns of the old row an UPDATE or DELETE carries
/// (<https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-REPLICA-IDENTITY>). Its `Display` is
/// what follows `REPLICA IDENTITY` in SQL, parsed by `FromStr`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReplicaIdentity {
    /// The primary key's.
    Default,
    /// Those of the named unique index.
    Index(String),
    /// All.
    Full,
    /// None.
    Nothing,
}

impl fmt::Display for ReplicaIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("DEFAULT"),
            Self::Index(name) => write!(formatter, "USING INDEX {}", quote_identifier(name)),
            Self::Full => formatter.write_str("FULL"),
            Self::Nothing => formatter.write_str("NOTHING"),
        }
    }
}

/// A text that is no replica identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no replica identity")]
pub struct NoIdentity(String);

impl FromStr for ReplicaIdentity {
    type Err = NoIdentity;

    fn from_str(text: &str) -> Result<Self, NoIdentity> {
        let index = || {
            text.strip_prefix("USING INDEX ")
                .and_then(unquote)
                .filter(|(_, rest)| rest.is_empty())
        };
        match text {
            "DEFAULT" => Ok(Self::Default),
            "FULL" => Ok(Self::Full),
            "NOTHING" => Ok(Self::Nothing),
            _ => index()
                .map(|(name, _)| Self::Index(name))
                .ok_or_else(|| NoIdentity(text.to_owned())),
        }
    }
}

/// Whether a relation holds rows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It holds rows.
    Ordinary,
    /// Its partitions do.
    Partitioned,
}

/// Whether a relation's changes are in the WAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// They are.
    Permanent,
    /// They are not: such a table is never replicated, and empty after a crash.
    Unlogged,
}

/// A table of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own
pub struct Table {
    /// Its oid on this side.
    pub oid: u32,
    /// Its name.
    pub name: QualifiedName,
    /// Whether it holds rows itself.
    pub kind: Kind,
    /// Whether it is in the WAL.
    pub persistence: Persistence,
    /// Whether it is a partition of another.
    pub is_partition: bool,
    /// The role that owns it.
    pub owner: String,
    /// Whether this session's role has the owner's privileges.
    pub may_act_as_owner: bool,
    /// What it is set to; `Index` only where that index can be used, else `Nothing`.
    pub replica_identity: ReplicaIdentity,
    /// Whether it has a valid primary key that is not deferrable.
    pub has_primary_key: bool,
    /// Whether a column's type has no equality (json, xml, geometric types): `FULL` can't be applied then.
    pub has_column_without_equality: bool,
    /// Indexes fit for `REPLICA IDENTITY USING INDEX`, the narrowest first. One with a generated column is not.
    pub identity_candidates: Vec<String>,
    /// Its generated columns, which a publication leaves out.
    pub generated_columns: Vec<String>,
    /// Those of them that are in the key which is its replica identity.
    pub generated_key_columns: Vec<String>,
}

/// Whether UPDATE and DELETE can be published and applied. Without, the *source* rejects them as soon as the table is
/// published (`CheckCmdReplicaIdentity` in `src/backend/executor/execReplication.c`).
#[must_use]
pub fn identity_usable(identity: &ReplicaIdentity, has_primary_key: bool, has_column_without_equality: bool) -> bool {
    match identity {
        ReplicaIdentity::Default => has_primary_key,
        ReplicaIdentity::Index(_) => true,
        ReplicaIdentity::Full => !has_column_without_equality,
        ReplicaIdentity::Nothing => false,
    }
}

/// From this major version on a publisher refuses UPDATE and DELETE under `FULL` with a generated column.
const REFUSES_GENERATED: i32 = 18;

impl Table {
    /// As [`identity_usable`], and without [`Self::generated_in_identity`]; always for a partitioned table, whose
    /// partitions count one by one.
    #[must_use]
    pub fn identity_usable(&self, newest: i32) -> bool {
        self.is_partitioned()
            || identity_usable(
                &self.replica_identity,
                self.has_primary_key,
                self.has_column_without_equality,
            ) && self.generated_in_identity(newest).is_empty()
    }

    /// The generated columns for which its replica identity can't be used, where servers up to the major version
    /// `newest` publish it. A subscriber needs those of a key and is not sent them, so that its apply worker stops; from
    /// 18 on the publisher refuses UPDATE and DELETE itself, under `FULL` too (`CheckCmdReplicaIdentity` in
    /// `src/backend/executor/execReplication.c`). What `publish_generated_columns` sends no subscriber can write.
    #[must_use]
    pub fn generated_in_identity(&self, newest: i32) -> &[String] {
        match self.replica_identity {
            ReplicaIdentity::Default | ReplicaIdentity::Index(_) => &self.generated_key_columns,
            ReplicaIdentity::Full => self.generated_against_full(newest),
            ReplicaIdentity::Nothing => &[],
        }
    }

    /// The generated columns for which `FULL` can't be used, where servers up to the major version `newest` publish it.
    #[must_use]
    pub fn generated_against_full(&self, newest: i32) -> &[String] {
        if newest < REFUSES_GENERATED {
            &[]
        } else {
            &self.generated_columns
        }
    }

    /// Whether its changes are not in the WAL.
    #[must_use]
    pub fn is_unlogged(&self) -> bool {
        self.persistence == Persistence::Unlogged
    }

    /// Whether its rows are in its partitions.
    #[must_use]
    pub fn is_partitioned(&self) -> bool {
        self.kind == Kind::Partitioned
    }

    /// Whether a publication names it. Of a partitioned table only the root is named: its partitions follow, and one
    /// that is made later makes the subscriber stop with an error instead of losing rows.
    #[must_use]
    pub fn is_published(&self) -> bool {
        !self.is_unlogged() && !self.is_partition
    }

    /// Whether its rows are replicated under its own replica identity: ordinary tables and leaf partitions.
    #[must_use]
    pub fn needs_identity(&self) -> bool {
        !self.is_unlogged() && !self.is_partitioned()
    }
}

/// Every permanent and unlogged table outside system schemas and `pgupgrade`, by schema and name. Members of extensions
/// whose owner's privileges we don't have are left out.
///
/// # Errors
/// [`Error::Sql`].
pub async fn list(session: &Session) -> Result<Vec<Table>, Error> {
    let rows = session
        .query(LIST, &[])
        .await
        .map_err(session.failed("listing tables"))?;
    Ok(rows.iter().map(table).collect())
}

fn table(row: &Row) -> Table {
    let index: Option<String> = row.get("identity_index");
    Table {
        oid: row.get("oid"),
        name: QualifiedName::new(row.get::<_, String>("nspname"), row.get::<_, String>("relname")),
        kind: if row.get::<_, &str>("relkind") == "p" {
            Kind::Partitioned
        } else {
            Kind::Ordinary
        },
        persistence: if row.get::<_, &str>("relpersistence") == "u" {
            Persistence::Unlogged
        } else {
            Persistence::Permanent
        },
        is_partition: row.get("relispartition"),
        owner: row.get("owner"),
        may_act_as_owner: row.get("may_act_as_owner"),
        replica_identity: match (row.get("relreplident"), index) {
            ("d", _) => ReplicaIdentity::Default,
            ("f", _) => ReplicaIdentity::Full,
            ("i", Some(index)) => ReplicaIdentity::Index(index),
            _ => ReplicaIdentity::Nothing,
        },
        has_primary_key: row.get("has_primary_key"),
        has_column_without_equality: row.get("without_equality"),
        identity_candidates: row.get("identity_candidates"),
        generated_columns: row.get("generated_columns"),
        generated_key_columns: row.get("generated_key_columns"),
    }
}

/// Sets a table's replica identity, in short tries for its exclusive lock.
///
/// # Errors
/// [`Error::Sql`] with `LOCK_NOT_AVAILABLE` where the table was busy for ten seconds, or where the index is not fit.
pub async fn set_replica_identity(
    session: &Session,
    table: &QualifiedName,
    identity: &ReplicaIdentity,
) -> Result<(), Error> {
    let script = format!("SET LOCAL lock_timeout = '200ms'; ALTER TABLE {table} REPLICA IDENTITY {identity}");
    let start = Instant::now();
    loop {
        let error = match session.batch_execute(&script).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let busy = error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
        if !busy || start.elapsed() >= PATIENCE {
            return Err(session
                .failed(&format!("setting the replica identity of {table} to {identity}"))(
                error,
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Puts back what [`set_replica_identity`] changed: both are the `Display` forms. A table that is gone needs nothing.
///
/// # Errors
/// As [`set_replica_identity`]; [`Error::Unexpected`] for texts in another form.
pub async fn restore_replica_identity(session: &Session, table: &str, before: &str) -> Result<(), Error> {
    let step = "restoring a replica identity";
    let name: QualifiedName = table
        .parse()
        .map_err(|error| session.unexpected(step, format!("{error}")))?;
    let identity: ReplicaIdentity = before
        .parse()
        .map_err(|error| session.unexpected(step, format!("{error}")))?;
    match set_replica_identity(session, &name, &identity).await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn which_identity_can_be_used() {
        use ReplicaIdentity::{Default, Full, Index, Nothing};
        for (identity, has_primary_key, without_equality, usable) in [
            (Default, true, false, true),
            (Default, true, true, true),
            (Default, false, false, false),
            (Index("i".to_owned()), false, false, true),
            (Full, false, false, true),
            (Full, true, true, false),
            (Nothing, true, false, false),
        ] {
            assert_eq!(
                identity_usable(&identity, has_primary_key, without_equality),
                usable,
                "{identity} {has_primary_key} {without_equality}"
            );
        }
    }

    #[test]
    fn an_identity_survives_its_text() {
        for identity in [
            ReplicaIdentity::Default,
            ReplicaIdentity::Full,
            ReplicaIdentity::Nothing,
            ReplicaIdentity::Index(r#"a "b" c"#.to_owned()),
        ] {
            assert_eq!(identity.to_string().parse::<ReplicaIdentity>().unwrap(), identity);
        }
        for text in ["", "default", "USING INDEX a", r#"USING INDEX "a"b"#] {
            assert!(text.parse::<ReplicaIdentity>().is_err(), "{text}");
        }
    }
}
