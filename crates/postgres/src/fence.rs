//! The fence: the row `pgupgrade.fence`, which says whether a database takes writes, and its transitions.
//!
//! `open` → [`close`] → `closing` → [`commit_point`] → `closed`; the way back is [`lift`], as long as the commit point
//! has not passed. A `closing` fence expires by itself at its deadline: the guard then lets writes pass and records
//! it, and the commit point refuses.
mod close;
mod commit;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::sleep;
use tokio_postgres::types::PgLsn;
use tokio_postgres::{Client, Row};

pub use close::{Fenced, Marker, Order, close};
pub use commit::{Backend, Decision, commit_point, prepare_commit, resolve};

use crate::guard::{self, Body, Error, FENCE_BODY};
use crate::owner::Claim;
use crate::transaction::{SERIALIZE, assert_owner, begin, may_pass, roll_back, sql};

const READ: &str = include_str!("../sql/fence_read.sql");
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a database takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Open,
    /// It does not until the deadline, then it does again.
    Closing,
    /// It never does again by itself.
    Closed,
}

/// Which try to cut over a fence belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cutover {
    /// The resource's uid.
    pub uid: String,
    /// The number of the clone.
    pub attempt: i32,
    /// The number of the try within the attempt, in either direction.
    pub cutover: i32,
}

impl std::fmt::Display for Cutover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "uid {}, attempt {}, cutover {}",
            self.uid, self.attempt, self.cutover
        )
    }
}

/// The row `pgupgrade.fence`. Everything but the state is of the last fence, and absent before the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceRow {
    /// Whether writes pass.
    pub state: State,
    /// The uid of the resource that it belongs to.
    pub uid: Option<String>,
    /// The number of the clone.
    pub attempt: Option<i32>,
    /// The number of the try within the attempt.
    pub cutover: Option<i32>,
    /// The epoch of the leader that holds it.
    pub epoch: Option<i64>,
    /// When it expires, on the database's clock.
    pub deadline: Option<Timestamp>,
    /// The name of the database that is moved to.
    pub target: Option<String>,
    /// When it was set, on the database's clock, shortly before its commit.
    pub at: Option<Timestamp>,
    /// The insert position then; the commit record lies behind it.
    pub lsn: Option<PgLsn>,
}

impl FenceRow {
    fn parse(row: &Row) -> Result<Self, Error> {
        let state = match row.get("state") {
            "open" => State::Open,
            "closing" => State::Closing,
            "closed" => State::Closed,
            other => return Err(wrong("reading the fence", format!("unknown state {other}"))),
        };
        Ok(Self {
            state,
            uid: row.get("uid"),
            attempt: row.get("attempt"),
            cutover: row.get("cutover"),
            epoch: row.get("epoch"),
            deadline: row.get("deadline"),
            target: row.get("target"),
            at: row.get("at"),
            lsn: row.get("lsn"),
        })
    }

    /// Whether the fence belongs to this try.
    #[must_use]
    pub fn is_of(&self, cutover: &Cutover) -> bool {
        self.identity().as_ref() == Some(cutover)
    }

    /// Which try it belongs to; `None` before the first fence.
    #[must_use]
    pub fn identity(&self) -> Option<Cutover> {
        Some(Cutover {
            uid: self.uid.clone()?,
            attempt: self.attempt?,
            cutover: self.cutover?,
        })
    }

    fn owner(&self) -> String {
        self.identity()
            .map_or_else(|| "nobody".to_owned(), |cutover| cutover.to_string())
    }
}

fn wrong(step: &'static str, detail: String) -> Error {
    Error::WrongState { step, detail }
}

/// The row as last committed; `None` where the database has no schema `pgupgrade`. While a commit point is under way
/// this still says `closing`: after a lost answer use [`resolve`].
///
/// # Errors
/// [`Error::Sql`].
pub async fn read(client: &Client) -> Result<Option<FenceRow>, Error> {
    if !guard::exists(client, "pgupgrade.fence").await? {
        return Ok(None);
    }
    let row = client.query_opt(READ, &[]).await.map_err(sql("reading the fence"))?;
    row.as_ref().map(FenceRow::parse).transpose()
}

/// Begins a transaction, checks the owner and reads the row under a lock of the given strength.
async fn begin_with_row(client: &Client, claim: &Claim, step: &'static str, lock: &str) -> Result<FenceRow, Error> {
    let script = format!(
        "{}; {}; {SERIALIZE}",
        begin(STEP_TIMEOUT, STEP_TIMEOUT),
        assert_owner(claim)
    );
    client.batch_execute(&script).await.map_err(sql(step))?;
    client
        .batch_execute(&format!("SELECT FROM pgupgrade.fence {lock}"))
        .await
        .map_err(sql(step))?;
    FenceRow::parse(&client.query_one(READ, &[]).await.map_err(sql(step))?)
}

async fn finish<T>(client: &Client, outcome: Result<T, Error>, step: &'static str) -> Result<T, Error> {
    if outcome.is_ok() {
        client.batch_execute("COMMIT").await.map_err(sql(step))?;
    } else {
        roll_back(client).await;
    }
    outcome
}

/// The way back: lets writes pass at once, then turns the row to `open`. Writes that passed after the deadline hold
/// the row until their transactions end; `patience` says how long to wait for those. Does nothing on a database that
/// is not fenced.
///
/// # Errors
/// [`Error::Closed`] when the commit point has passed; [`Error::Busy`] where the row is still held at the deadline
/// (writes pass all the same, the commit point can't be reached any more; call again); [`Error::Stale`];
/// [`Error::Sql`].
pub async fn lift(client: &Client, claim: &Claim, patience: Duration) -> Result<(), Error> {
    let step = "lifting the fence";
    if !guard::exists(client, "pgupgrade.fence").await? {
        return Ok(());
    }
    let outcome = let_writes_pass(client, claim, step).await;
    finish(client, outcome, step).await?;
    let start = Instant::now();
    loop {
        let outcome = open_row(client, claim, step).await;
        match finish(client, outcome, step).await {
            Err(Error::Sql { source, .. }) if may_pass(&source) => {}
            other => return other,
        }
        if start.elapsed() >= patience {
            return Err(Error::Busy {
                step,
                waited: patience,
                tables: Vec::new(),
            });
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Under a lock that keeps the commit point out but no writer: records that writes pass from now on, so that a commit
/// point that comes later refuses, and replaces the denying body.
async fn let_writes_pass(client: &Client, claim: &Claim, step: &'static str) -> Result<(), Error> {
    let row = begin_with_row(client, claim, step, "FOR SHARE").await?;
    if row.state == State::Closed {
        return Err(Error::Closed { cutover: row.owner() });
    }
    let query = "SELECT count(*) FROM pg_proc WHERE oid = to_regprocedure('pgupgrade.guard()') AND prosrc = $1";
    let fenced = client
        .query_one(query, &[&FENCE_BODY])
        .await
        .map_err(sql(step))?
        .get::<_, i64>(0)
        > 0;
    if fenced {
        let script = format!("SELECT setval('pgupgrade.lapsed', 1, true); {}", Body::Idle.statement());
        client.batch_execute(&script).await.map_err(sql(step))?;
    }
    Ok(())
}

async fn open_row(client: &Client, claim: &Claim, step: &'static str) -> Result<(), Error> {
    let row = begin_with_row(client, claim, step, "FOR UPDATE").await?;
    if row.state == State::Closed {
        return Err(Error::Closed { cutover: row.owner() });
    }
    if row.state == State::Closing {
        client
            .batch_execute("UPDATE pgupgrade.fence SET state = 'open'")
            .await
            .map_err(sql(step))?;
    }
    Ok(())
}
