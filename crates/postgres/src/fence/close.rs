//! The transaction that fences a database: locks all user tables for a moment, swaps the guard's body, sets the row.
use std::collections::HashMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::Client;
use tokio_postgres::types::PgLsn;

use super::{Cutover, FenceRow, wrong};
use crate::QualifiedName;
use crate::error::describe;
use crate::guard::{self, Error, FENCE_BODY, Table, Trigger};
use crate::owner::Claim;
use crate::transaction::{SERIALIZE, assert_owner, begin, may_pass, roll_back, sql};

const STEP: &str = "fencing the database";
/// How long one try may wait for the locks: should this operator die meanwhile, the server waits no longer.
const TRY: Duration = Duration::from_secs(5);
const CLOSE: &str = include_str!("../../sql/fence_close.sql");

/// A row that shows on the other side that everything before the fence has been applied.
#[derive(Clone, Debug)]
pub struct Marker {
    /// The marker table of one stream.
    pub table: QualifiedName,
    /// The number of the clone.
    pub attempt: i32,
    /// `forward` or `reverse`.
    pub direction: String,
    /// The marker's number.
    pub number: i64,
}

/// What to fence, and how.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which try this is.
    pub cutover: Cutover,
    /// The name of the database that is moved to, for the error that writers get.
    pub target: String,
    /// The deadline lies this long after the call: what the locks take is part of it.
    pub hold: Duration,
    /// How long a transaction in the way may go on before it is ended; below the server's `deadlock_timeout`.
    pub grace: Duration,
    /// How long to try in all for the locks; writers wait as long.
    pub patience: Duration,
    /// The markers, one a stream.
    pub markers: Vec<Marker>,
}

/// A fence that is set.
#[derive(Clone, Debug)]
pub struct Fenced {
    /// The row.
    pub row: FenceRow,
    /// At or behind the end of the fence's commit record, flushed.
    pub flushed: PgLsn,
    /// How long the locks were waited for.
    pub waited: Duration,
    /// How long they were held until the commit was answered.
    pub held: Duration,
    /// The backends that were ended because they were in the way.
    pub ended: Vec<i32>,
    /// Tables that got their guard under the lock.
    pub guarded: Vec<QualifiedName>,
    /// How many tables are behind the fence.
    pub tables: usize,
}

/// Fences the database. `reaper` is a second connection that ends who is in the way.
///
/// # Errors
/// [`Error::FenceNotOpen`] where it is fenced already; [`Error::Busy`] where the locks were not got within the
/// patience; [`Error::WrongState`] for a table that can't be guarded; [`Error::Stale`]; [`Error::Sql`]: after a broken
/// connection [`super::read`] tells whether the fence was set.
pub async fn close(client: &Client, reaper: &Client, claim: &Claim, order: &Order) -> Result<Fenced, Error> {
    let start = Instant::now();
    let mut ended = Vec::new();
    loop {
        match attempt(client, reaper, claim, order, start, &mut ended).await {
            Ok(mut fenced) => {
                fenced.ended = ended;
                return Ok(fenced);
            }
            Err(error) => {
                roll_back(client).await;
                match error {
                    Error::Sql { source, .. } if may_pass(&source) => {
                        tracing::info!(error = %describe(&source), "fencing again");
                    }
                    other => return Err(other),
                }
            }
        }
        if start.elapsed() >= order.patience {
            return Err(Error::Busy {
                step: STEP,
                waited: order.patience,
                tables: Vec::new(),
            });
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn attempt(
    client: &Client,
    reaper: &Client,
    claim: &Claim,
    order: &Order,
    start: Instant,
    ended: &mut Vec<i32>,
) -> Result<Fenced, Error> {
    let left = order
        .patience
        .saturating_sub(start.elapsed())
        .clamp(Duration::from_millis(100), TRY);
    let script = format!(
        "{}; {}; {SERIALIZE}; SELECT pgupgrade.assert_open(); SELECT FROM pgupgrade.fence FOR UPDATE",
        begin(left, left),
        assert_owner(claim)
    );
    client.batch_execute(&script).await.map_err(sql(STEP))?;
    let pid: i32 = client
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .map_err(sql(STEP))?
        .get(0);
    let tables = tokio::select! {
        tables = lock_all(client) => tables?,
        never = reap(reaper, pid, order.grace, ended) => match never {},
    };
    let waited = start.elapsed();
    let guarded = guard_new(client, &tables).await?;
    let hold = order.hold.saturating_sub(waited);
    let row = set(client, claim, order, hold).await?;
    let locked_for = start.elapsed().saturating_sub(waited);
    let flushed = client
        .query_one("SELECT pg_current_wal_flush_lsn()", &[])
        .await
        .map_err(sql(STEP))?
        .get(0);
    Ok(Fenced {
        row,
        flushed,
        waited,
        held: locked_for,
        ended: Vec::new(),
        guarded,
        tables: tables.len(),
    })
}

/// Locks every user table against writes, until no table has come that is not locked.
async fn lock_all(client: &Client) -> Result<Vec<Table>, Error> {
    let mut locked = Vec::new();
    loop {
        let tables: Vec<Table> = guard::tables(client)
            .await?
            .into_iter()
            .filter(|table| !table.skipped)
            .collect();
        let new: Vec<&Table> = tables.iter().filter(|table| !locked.contains(&table.oid)).collect();
        if new.is_empty() {
            return Ok(tables);
        }
        let names = new
            .iter()
            .map(|table| table.name.to_string())
            .collect::<Vec<_>>()
            .join(", ONLY ");
        let lock = format!("LOCK TABLE ONLY {names} IN SHARE ROW EXCLUSIVE MODE");
        client.batch_execute(&lock).await.map_err(sql(STEP))?;
        locked.extend(new.iter().map(|table| table.oid));
    }
}

/// Ends, one by one, who has been in the way of a backend for longer than the grace, until it is dropped. Whom it may
/// not end stays in the way until the lock's timeout, and so does everybody once its own connection fails.
async fn reap(reaper: &Client, pid: i32, grace: Duration, ended: &mut Vec<i32>) -> Infallible {
    let kill = "SELECT pg_terminate_backend(b.pid) FROM unnest(pg_blocking_pids($1)) AS b (pid) WHERE b.pid = $2";
    let mut since: HashMap<i32, Instant> = HashMap::new();
    loop {
        let blocking: Vec<i32> = match reaper.query_one("SELECT pg_blocking_pids($1)", &[&pid]).await {
            Ok(row) => row.get(0),
            Err(error) => {
                tracing::warn!(error = %describe(&error), "who is in the way of the fence is not ended any more");
                return std::future::pending().await;
            }
        };
        since.retain(|blocker, _| blocking.contains(blocker));
        for blocker in blocking.into_iter().filter(|blocker| *blocker > 0) {
            let seen = *since.entry(blocker).or_insert_with(Instant::now);
            if seen.elapsed() < grace {
                continue;
            }
            match reaper.query(kill, &[&pid, &blocker]).await {
                Ok(rows) if rows.iter().any(|row| row.get(0)) && !ended.contains(&blocker) => ended.push(blocker),
                Ok(_) => {}
                Err(error) => tracing::warn!(blocker, error = %describe(&error), "not ended"),
            }
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Guards the tables that came after the preparation; all are locked, so nobody is waited for.
async fn guard_new(client: &Client, tables: &[Table]) -> Result<Vec<QualifiedName>, Error> {
    let new: Vec<&Table> = tables.iter().filter(|table| table.trigger != Trigger::Guard).collect();
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let attach = new.iter().map(|table| table.attach()).collect::<Vec<_>>().join("; ");
    client.batch_execute(&attach).await.map_err(sql(STEP))?;
    let left = guard::unguarded(client).await?;
    if let Some(name) = left.first() {
        let detail = format!("{name} has a trigger pgupgrade_guard that is not the guard: drop that trigger");
        return Err(wrong(STEP, detail));
    }
    Ok(new.iter().map(|table| table.name.clone()).collect())
}

/// Swaps the body, sets the row, writes the markers, commits.
async fn set(client: &Client, claim: &Claim, order: &Order, hold: Duration) -> Result<FenceRow, Error> {
    let swap = format!(
        "{}; SELECT setval('pgupgrade.lapsed', 1, false)",
        guard::definer(FENCE_BODY)
    );
    client.batch_execute(&swap).await.map_err(sql(STEP))?;
    let Cutover { uid, attempt, cutover } = &order.cutover;
    let hold = hold.as_secs_f64();
    let row = client
        .query_one(CLOSE, &[uid, attempt, cutover, &claim.epoch, &order.target, &hold])
        .await;
    let row = FenceRow::parse(&row.map_err(sql(STEP))?)?;
    for marker in &order.markers {
        let insert = format!(
            "INSERT INTO {} (attempt, direction, n, xid, lsn) \
             VALUES ($1, $2, $3, pg_current_xact_id(), pg_current_wal_insert_lsn())",
            marker.table
        );
        client
            .execute(&insert, &[&marker.attempt, &marker.direction, &marker.number])
            .await
            .map_err(sql(STEP))?;
    }
    client.batch_execute("COMMIT").await.map_err(sql(STEP))?;
    Ok(row)
}
