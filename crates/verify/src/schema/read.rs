//! Reads the fingerprint of one side.
#[cfg(test)]
use std::sync::Arc;
use std::time::Duration;

use futures::{TryStreamExt, pin_mut};
use pgupgrade_postgres::connection::Session;
use tokio_postgres::error::SqlState;
use tokio_postgres::{SimpleColumn, SimpleQueryMessage, SimpleQueryRow};

use super::object::{self, Key, Naming, Texts};
use super::version::for_major;
use super::{Fingerprint, Options, large_objects, stamp};
use crate::Error;
use crate::side::{Side, sql};

const BEGIN: &str = include_str!("../../sql/schema_begin.sql");
const SCOPE: &str = include_str!("../../sql/schema_scope.sql");

macro_rules! statements {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../sql/schema_", $name, ".sql")))),*]
    };
}

/// What is read of each database, by subject.
const STATEMENTS: &[(&str, &str)] = statements![
    "relations",
    "relation_options",
    "columns",
    "column_options",
    "constraints",
    "indexes",
    "triggers",
    "rules",
    "policies",
    "functions",
    "function_settings",
    "aggregates",
    "types",
    "domain_checks",
    "sequences",
    "schemas",
    "extensions",
    "event_triggers",
    "statistics",
    "comments",
    "grants",
    "system_grants",
    "default_privileges",
    "foreign",
    "text_search",
    "operators",
    "operator_classes",
    "casts",
    "collations",
    "conversions",
    "database",
    "settings",
    "publications",
    "subscriptions",
];

/// What all databases of a server share.
const SHARED: &[(&str, &str)] = statements!["roles", "role_settings"];
const PASSWORDS: (&str, &str) = ("passwords", include_str!("../../sql/schema_passwords.sql"));

/// How often the schema is read again when DDL came between.
const ATTEMPTS: u32 = 5;
/// The pause before the second attempt; each further one is longer by as much.
const PAUSE: Duration = Duration::from_millis(200);

/// Reads everything that is no row, in one `REPEATABLE READ`, read-only transaction. Needs no more than the right to
/// connect; what a role may not read is marked and comes out of [`Fingerprint::compare`] as not readable.
///
/// PostgreSQL's own functions describe objects as they are at the moment, whatever the snapshot, and fail for one that
/// was dropped meanwhile. Then, and where the catalogs changed during the reading, all is read again a few times.
///
/// # Errors
/// [`Error::Sql`], also where DDL got in the way of each attempt.
pub async fn fingerprint(session: &Session, side: Side, options: &Options) -> Result<Fingerprint, Error> {
    let mut attempt = 1;
    loop {
        let read = attempted(session, side, options).await;
        match read {
            Ok(fingerprint) if fingerprint.steady || attempt == ATTEMPTS => return Ok(fingerprint),
            Err(Error::Sql { source, .. }) if attempt == ATTEMPTS && may_pass(&source) => {
                return Err(gave_up(side, source));
            }
            Err(Error::Sql { ref source, .. }) if may_pass(source) => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        tracing::debug!(side = side.name(), attempt, "the schema changed while it was read");
        tokio::time::sleep(PAUSE * attempt).await;
        attempt += 1;
    }
}

fn gave_up(side: Side, source: tokio_postgres::Error) -> Error {
    let step = format!(
        "reading the schema, which other sessions changed during each of {ATTEMPTS} attempts (keep DDL away meanwhile)"
    );
    sql(side, step)(source)
}

/// Whether an error comes from objects that were dropped, or are locked, by somebody else.
fn may_pass(error: &tokio_postgres::Error) -> bool {
    let Some(error) = error.as_db_error() else {
        return false;
    };
    let gone = [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_OBJECT,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_COLUMN,
        SqlState::INVALID_SCHEMA_NAME,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ];
    // elog() gives XX000: "cache lookup failed for …", "could not open relation with OID …", "could not find tuple …".
    let internal = ["cache lookup failed", "could not open relation", "could not find tuple"];
    gone.contains(error.code())
        || (*error.code() == SqlState::INTERNAL_ERROR && internal.iter().any(|text| error.message().contains(text)))
}

async fn attempted(session: &Session, side: Side, options: &Options) -> Result<Fingerprint, Error> {
    session
        .batch_execute(BEGIN)
        .await
        .map_err(sql(side, "beginning to read the schema"))?;
    let read = within(session, side, options).await;
    let ended = session.batch_execute("ROLLBACK").await;
    let mut fingerprint = read?;
    ended.map_err(sql(side, "ending the transaction that read the schema"))?;
    fingerprint.steady = stamp::catalog_stamp(session, side).await? == fingerprint.stamp;
    Ok(fingerprint)
}

async fn within(session: &Session, side: Side, options: &Options) -> Result<Fingerprint, Error> {
    let mut texts = Texts::default();
    let mut fingerprint = Fingerprint {
        major: session.major(),
        stamp: stamp::catalog_stamp(session, side).await?,
        ..Fingerprint::default()
    };
    for statement in STATEMENTS {
        fingerprint.read(session, side, *statement, &mut texts).await?;
    }
    if options.roles {
        for statement in SHARED {
            fingerprint.read(session, side, *statement, &mut texts).await?;
        }
        if may_read_passwords(session, side).await? {
            fingerprint.read(session, side, PASSWORDS, &mut texts).await?;
        } else {
            let reason = "password: not readable; only a superuser may read pg_authid".to_owned();
            fingerprint.unread.push(("role", "all roles", reason));
        }
    }
    fingerprint.large_objects = large_objects::read(session, side, options.large_objects, &mut texts).await?;
    Ok(fingerprint)
}

async fn may_read_passwords(session: &Session, side: Side) -> Result<bool, Error> {
    let query = "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')";
    let row = session
        .query_one(query, &[])
        .await
        .map_err(sql(side, "asking whether passwords may be read"))?;
    Ok(row.get(0))
}

impl Fingerprint {
    /// Adds what a statement gives.
    async fn read(
        &mut self,
        session: &Session,
        side: Side,
        (subject, statement): (&str, &str),
        texts: &mut Texts,
    ) -> Result<(), Error> {
        let step = || format!("reading the schema ({})", subject.replace('_', " "));
        let statement = for_major(&format!("{SCOPE}{statement}"), session.major());
        let messages = session.simple_query_raw(&statement).await.map_err(sql(side, step()))?;
        pin_mut!(messages);
        while let Some(message) = messages.try_next().await.map_err(sql(side, step()))? {
            if let SimpleQueryMessage::Row(row) = message {
                self.add(&row, texts);
            }
        }
        Ok(())
    }

    /// Adds a row: one that has `attribute` and `value` is an entry of its object, any other has its attributes.
    fn add(&mut self, row: &SimpleQueryRow, texts: &mut Texts) {
        let mut kind = "";
        let mut naming = Naming::default();
        let mut entry = None;
        let mut value = None;
        let mut attributes = Vec::new();
        for (place, column) in row.columns().iter().map(SimpleColumn::name).enumerate() {
            let text = row.get(place);
            match column {
                "kind" => kind = text.and_then(object::kind).unwrap_or("object"),
                "schema" => naming.schema = text,
                "name" => naming.name = text,
                "part" => naming.part = text,
                "arguments" => naming.arguments = text,
                "described" => naming.described = text,
                "parent" => naming.parent = text,
                "parent_kind" => naming.parent_kind = text,
                "attribute" => entry = text,
                "value" => value = text,
                _ => attributes.push((texts.get(column), text.map(|text| texts.get(text)))),
            }
        }
        let object = self.object(naming.key(kind), &naming);
        object.attributes.extend(attributes);
        if let (Some(entry), Some(value)) = (entry, value) {
            object.entries.insert(texts.get(entry), texts.get(value));
        }
    }

    fn object(&mut self, key: Key, naming: &Naming<'_>) -> &mut object::Object {
        let object = self.objects.entry(key).or_default();
        if object.parent.is_none() {
            object.parent = naming.parent_key();
        }
        object
    }
}

/// For tests of pure functions: kind and name of an object, its attributes and its entries.
#[cfg(test)]
type Given<'a> = (
    &'static str,
    &'a str,
    &'a [(&'a str, Option<&'a str>)],
    &'a [(&'a str, &'a str)],
);

#[cfg(test)]
impl Fingerprint {
    pub(super) fn of(major: i32, objects: &[Given<'_>]) -> Self {
        let mut fingerprint = Self {
            major,
            ..Self::default()
        };
        for (kind, name, attributes, entries) in objects {
            let name = (*name).to_owned();
            let object = fingerprint.objects.entry(Key { kind, name }).or_default();
            let text = |text: &str| Arc::<str>::from(text);
            object
                .attributes
                .extend(attributes.iter().map(|(name, value)| (text(name), value.map(text))));
            object
                .entries
                .extend(entries.iter().map(|(name, value)| (text(name), text(value))));
        }
        fingerprint
    }
}
