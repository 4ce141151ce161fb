//! The guard: a statement trigger on every user table whose function decides whether writes pass.
//!
//! A statement trigger fires only on the relation that the statement names, so partitioned tables carry it at every
//! level, and so do ancestors and descendants by inheritance. What the guard does is changed by replacing the
//! function's body, which locks no table (<https://www.postgresql.org/docs/current/sql-createtrigger.html>).
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::Client;

use crate::QualifiedName;
use crate::owner::Claim;
use crate::transaction::{SERIALIZE, assert_owner, may_pass, run, sql};

pub(crate) const FENCE_BODY: &str = include_str!("../sql/guard_fence.sql");
const IDLE: &str = include_str!("../sql/guard_idle.sql");
const NOT_OPEN: &str = include_str!("../sql/guard_not_open.sql");
const OPENING: &str = include_str!("../sql/guard_opening.sql");
const TABLES: &str = include_str!("../sql/guard_tables.sql");
const DIGEST: &str = include_str!("../sql/guard_digest.sql");
const COMMIT_POINT: &str = include_str!("../sql/fence_commit_point.sql");

/// What can go wrong with owner, guard and fence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement failed or the connection broke.
    #[error("{step}: {detail}")]
    Sql {
        /// What was being done.
        step: &'static str,
        /// The server's message.
        detail: String,
        /// The driver's error.
        source: tokio_postgres::Error,
    },
    /// Another leader has raised the epoch: this one must stop.
    #[error("{step}: this operator no longer leads: {detail}")]
    Stale {
        /// What was being done.
        step: &'static str,
        /// Who leads.
        detail: String,
    },
    /// The database belongs to another resource.
    #[error("the database is owned by {owner}: finish or delete that resource first")]
    OwnedByAnother {
        /// Resource and uid.
        owner: String,
    },
    /// The fence is closing or closed where it has to be open.
    #[error("{step}: {detail}; lift the fence first")]
    FenceNotOpen {
        /// What was being done.
        step: &'static str,
        /// Whose fence it is.
        detail: String,
    },
    /// The fence is not in the state that a step needs.
    #[error("{step}: {detail}")]
    WrongState {
        /// What was being done.
        step: &'static str,
        /// What was found.
        detail: String,
    },
    /// The commit point has passed: there is no way back.
    #[error(
        "the fence is closed since the commit point of {cutover}: only forward, or a cutover in the other direction"
    )]
    Closed {
        /// Uid, attempt and number of that cutover.
        cutover: String,
    },
    /// Some tables could not be locked in time.
    #[error(
        "{step}: no lock within {waited:?} on {}; end the transactions that use them or wait for a quieter time",
        names(tables)
    )]
    Busy {
        /// What was being done.
        step: &'static str,
        /// How long it was tried.
        waited: Duration,
        /// The tables that are left.
        tables: Vec<QualifiedName>,
    },
    /// The schema can't be dropped yet.
    #[error("tables still carry the guard: {}; remove it from them first", names(tables))]
    TriggersLeft {
        /// Those tables.
        tables: Vec<QualifiedName>,
    },
}

/// The first few names.
fn names(tables: &[QualifiedName]) -> String {
    let mut all = tables
        .iter()
        .take(5)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    if tables.len() > 5 {
        all = format!("{all} and {} more", tables.len() - 5);
    }
    all
}

/// What the guard does with writes. The fence's own body, which denies until its deadline, is set by
/// [`crate::fence::close`] only. Changes applied by logical replication always pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Lets everything pass.
    Idle,
    /// Denies everything: the target while it replicates.
    NotOpen,
    /// Lets everything pass and records the time of the first write, see [`first_write`].
    Opening,
}

impl Body {
    pub(crate) fn statement(self) -> String {
        match self {
            // Without SECURITY DEFINER and SET: it reads nothing, and its price is paid by every write.
            Self::Idle => create("", IDLE),
            Self::NotOpen => definer(NOT_OPEN),
            Self::Opening => definer(OPENING),
        }
    }
}

/// The statement that makes the guard a function that runs as the operator's role.
pub(crate) fn definer(body: &str) -> String {
    create("SECURITY DEFINER SET search_path = pg_catalog", body)
}

fn create(attributes: &str, body: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION pgupgrade.guard() RETURNS trigger LANGUAGE plpgsql {attributes} AS $guard${body}$guard$"
    )
}

/// The functions that list tables and decide the commit point; whoever fires the guard needs none of them.
pub(crate) fn functions() -> String {
    format!(
        "CREATE OR REPLACE FUNCTION pgupgrade.guard_tables() \
         RETURNS TABLE (oid oid, nspname name, relname name, present boolean, enabled boolean, guarded boolean, skipped boolean) \
         LANGUAGE sql SET search_path = pg_catalog AS $body${TABLES}$body$; \
         CREATE OR REPLACE FUNCTION pgupgrade.guard_digest() RETURNS bigint \
         LANGUAGE sql SET search_path = pg_catalog AS $body${DIGEST}$body$; \
         {COMMIT_POINT}; \
         REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pgupgrade FROM PUBLIC"
    )
}

/// How long to try for locks on tables that others use.
#[derive(Clone, Debug)]
pub struct Patience {
    /// How long in all.
    pub deadline: Duration,
    /// How long one table's lock is waited for; writers queue behind that wait.
    pub lock_timeout: Duration,
    /// Between two rounds over the tables that are left.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            lock_timeout: Duration::from_millis(200),
            pause: Duration::from_millis(100),
        }
    }
}

/// What [`prepare`] has done.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// Tables that got the trigger now, or got it enabled again.
    pub created: Vec<QualifiedName>,
    /// Tables of extensions or of `rdsadmin` that this role may not alter.
    pub skipped: Vec<QualifiedName>,
}

/// What there is under the guard's name on a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    Absent,
    Disabled,
    /// Enabled, but not always, or not as the guard is made.
    Other,
    Guard,
}

/// A user table and its guard.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) oid: u32,
    pub(crate) name: QualifiedName,
    pub(crate) trigger: Trigger,
    /// Belongs to an extension or to `rdsadmin`, and this role may not alter it.
    pub(crate) skipped: bool,
}

impl Table {
    /// The statements that put the guard on the table, or enable it again. `ONLY`, because older minors descend to
    /// partitions and then miss the trigger there.
    pub(crate) fn attach(&self) -> String {
        let name = &self.name;
        let create = format!(
            "CREATE TRIGGER pgupgrade_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {name} \
             FOR EACH STATEMENT EXECUTE FUNCTION pgupgrade.guard(); "
        );
        let enable = format!("ALTER TABLE ONLY {name} ENABLE ALWAYS TRIGGER pgupgrade_guard");
        if self.trigger == Trigger::Absent {
            create + &enable
        } else {
            enable
        }
    }
}

/// Every user table: permanent and unlogged, at every level of partitioning, outside of `pgupgrade`.
pub(crate) async fn tables(client: &Client) -> Result<Vec<Table>, Error> {
    let query = "SELECT oid, nspname, relname, present, enabled, guarded, skipped FROM pgupgrade.guard_tables()";
    let rows = client
        .query(query, &[])
        .await
        .map_err(sql("listing the tables to guard"))?;
    Ok(rows
        .iter()
        .map(|row| Table {
            oid: row.get(0),
            name: QualifiedName {
                schema: row.get(1),
                name: row.get(2),
            },
            trigger: match (row.get(3), row.get(4), row.get(5)) {
                (_, _, true) => Trigger::Guard,
                (_, true, _) => Trigger::Other,
                (true, _, _) => Trigger::Disabled,
                _ => Trigger::Absent,
            },
            skipped: row.get(6),
        })
        .collect())
}

/// Whether a table of the schema `pgupgrade` is there.
pub(crate) async fn exists(client: &Client, table: &str) -> Result<bool, Error> {
    let row = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await;
    row.map(|row| row.get(0))
        .map_err(sql("looking for the schema pgupgrade"))
}

/// Sets what the guard does, then puts it on every user table, table by table. A database whose fence is closed denies
/// already: with [`Body::NotOpen`] what its guard does stays.
///
/// # Errors
/// [`Error::Busy`] where tables are left at the deadline (what is done stays, a second call goes on),
/// [`Error::FenceNotOpen`], [`Error::Stale`], [`Error::Sql`], mostly for a table whose owner's role is not granted.
pub async fn prepare(client: &Client, claim: &Claim, body: Body, patience: &Patience) -> Result<Prepared, Error> {
    match set_body(client, claim, body).await {
        Err(Error::FenceNotOpen { .. }) if body == Body::NotOpen && is_closed(client).await? => {}
        other => other?,
    }
    let created = each(client, claim, patience, "putting the guard on tables", Work::Attach).await?;
    let skipped = tables(client)
        .await?
        .into_iter()
        .filter(|table| table.skipped)
        .map(|table| table.name)
        .collect();
    Ok(Prepared { created, skipped })
}

async fn is_closed(client: &Client) -> Result<bool, Error> {
    Ok(crate::fence::read(client)
        .await?
        .is_some_and(|row| row.state == crate::fence::State::Closed))
}

/// Replaces what the guard does, at once on all tables and without a lock on any. [`Body::Opening`] starts without a
/// first write.
///
/// # Errors
/// [`Error::FenceNotOpen`] while the database is fenced, [`Error::Stale`], [`Error::Sql`].
pub async fn set_body(client: &Client, claim: &Claim, body: Body) -> Result<(), Error> {
    let mut statements = vec![
        assert_owner(claim),
        SERIALIZE.to_owned(),
        "SELECT pgupgrade.assert_open()".to_owned(),
    ];
    if body == Body::Opening {
        statements.push("SELECT setval('pgupgrade.opened', 1, false)".to_owned());
    }
    statements.push(body.statement());
    statements.push("REVOKE ALL ON FUNCTION pgupgrade.guard() FROM PUBLIC".to_owned());
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    run(
        client,
        "setting what the guard does",
        Duration::from_secs(5),
        &statements,
    )
    .await
}

/// The tables that should carry an enabled guard and don't, as of now.
///
/// # Errors
/// [`Error::Sql`], also where [`crate::owner::install`] has not been done.
pub async fn unguarded(client: &Client) -> Result<Vec<QualifiedName>, Error> {
    let left = tables(client)
        .await?
        .into_iter()
        .filter(|table| table.trigger != Trigger::Guard && !table.skipped);
    Ok(left.map(|table| table.name).collect())
}

/// The tables that carry the guard, enabled or not.
pub(crate) async fn carrying(client: &Client) -> Result<Vec<QualifiedName>, Error> {
    Ok(tables(client)
        .await?
        .into_iter()
        .filter(|table| table.trigger != Trigger::Absent)
        .map(|table| table.name)
        .collect())
}

/// When the first write came after [`Body::Opening`] was set: microseconds since 1970 on the database's clock, at the
/// start of the statement's work; it counts even where that statement is rolled back.
///
/// # Errors
/// [`Error::Sql`].
pub async fn first_write(client: &Client) -> Result<Option<i64>, Error> {
    let row = client
        .query_one("SELECT last_value, is_called FROM pgupgrade.opened", &[])
        .await;
    let row = row.map_err(sql("reading the time of the first write"))?;
    Ok(row.get::<_, bool>(1).then(|| row.get(0)))
}

/// Disables the guard on every table: writes then cost what they did without it. A weaker lock than [`remove`] needs.
///
/// # Errors
/// As [`remove`].
pub async fn disable(client: &Client, claim: &Claim, patience: &Patience) -> Result<(), Error> {
    each(client, claim, patience, "disabling the guard", Work::Disable)
        .await
        .map(|_| ())
}

/// Drops the guard from every table, then its function.
///
/// # Errors
/// [`Error::Busy`] where tables are left at the deadline (a second call goes on), [`Error::FenceNotOpen`] while the
/// database is fenced, [`Error::Stale`], [`Error::Sql`].
pub async fn remove(client: &Client, claim: &Claim, patience: &Patience) -> Result<(), Error> {
    if !exists(client, "pgupgrade.owner").await? {
        return Ok(());
    }
    each(client, claim, patience, "dropping the guard", Work::Drop).await?;
    let owner = assert_owner(claim);
    let statements = [owner.as_str(), SERIALIZE, "DROP FUNCTION IF EXISTS pgupgrade.guard()"];
    run(
        client,
        "dropping the guard's function",
        patience.lock_timeout,
        &statements,
    )
    .await
}

/// What is done to one table at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Attach,
    Disable,
    Drop,
}

impl Work {
    fn is_due(self, table: &Table) -> bool {
        match self {
            Self::Attach => table.trigger != Trigger::Guard && !table.skipped,
            Self::Disable => matches!(table.trigger, Trigger::Guard | Trigger::Other),
            Self::Drop => table.trigger != Trigger::Absent,
        }
    }

    fn statement(self, table: &Table) -> String {
        let name = &table.name;
        match self {
            Self::Attach => table.attach(),
            Self::Disable => format!("ALTER TABLE ONLY {name} DISABLE TRIGGER pgupgrade_guard"),
            Self::Drop => format!("DROP TRIGGER IF EXISTS pgupgrade_guard ON {name}"),
        }
    }

    fn precondition(self) -> &'static str {
        if self == Self::Attach {
            "SELECT"
        } else {
            "SELECT pgupgrade.assert_open()"
        }
    }
}

/// Goes over the tables until nothing is left, each in a transaction of its own; a busy table is tried again in the
/// next round. Returns those that were altered.
async fn each(
    client: &Client,
    claim: &Claim,
    patience: &Patience,
    step: &'static str,
    work: Work,
) -> Result<Vec<QualifiedName>, Error> {
    let start = Instant::now();
    let owner = assert_owner(claim);
    let mut done = Vec::new();
    loop {
        let due: Vec<Table> = tables(client)
            .await?
            .into_iter()
            .filter(|table| work.is_due(table))
            .collect();
        if due.is_empty() {
            return Ok(done);
        }
        for table in &due {
            let statements = [owner.as_str(), work.precondition(), &work.statement(table)];
            match run(client, step, patience.lock_timeout, &statements).await {
                Ok(()) => done.push(table.name.clone()),
                Err(Error::Sql { source, .. }) if may_pass(&source) => {}
                Err(other) => return Err(other),
            }
            if start.elapsed() >= patience.deadline {
                break;
            }
        }
        let left: Vec<Table> = tables(client)
            .await?
            .into_iter()
            .filter(|table| work.is_due(table))
            .collect();
        if left.is_empty() {
            return Ok(done);
        }
        if start.elapsed() >= patience.deadline {
            let tables = left.into_iter().map(|table| table.name).collect();
            return Err(Error::Busy {
                step,
                waited: patience.deadline,
                tables,
            });
        }
        sleep(patience.pause).await;
    }
}
