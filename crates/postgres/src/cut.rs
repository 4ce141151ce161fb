//! Proves where the clone's data ends: the last transaction that the clone's own copy of the slot and the source's slot
//! have in common, checked against the marker rows.
//!
//! Both slots are peeked from their common start, as streams that are folded into hashes, so that memory stays bounded.
//! It must run before anything else is done on the clone, an upgrade above all.
use std::pin::Pin;

use futures::TryStreamExt as _;
use pgupgrade_pgoutput::{Common, CutFinder, Fold, FoldError, Lsn, Mismatch, Need, Transaction};
use tokio_postgres::RowStream;
use tokio_postgres::types::{PgLsn, ToSql};

use crate::connection::Session;
use crate::marker::{self, Marker};
use crate::{Error, publication, slot};

const PEEK: &str = include_str!("../sql/cut_peek.sql");
const FORWARD: &str = "forward";

/// One stream of replication.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// The slot, of the same name on both sides.
    pub slot: &'a str,
    /// The publication.
    pub publication: &'a str,
    /// The stream's name, by which its marker table is called.
    pub name: &'a str,
    /// The attempt that its markers carry.
    pub attempt: i32,
}

/// The last transaction in the clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutPoint {
    /// Its id, without the epoch.
    pub xid: u32,
    /// Where its commit record begins.
    pub commit_lsn: PgLsn,
    /// Where that ends: the position that the subscription's origin gets.
    pub end_lsn: PgLsn,
    /// How many transactions the two slots have in common.
    pub transactions_common: u64,
    /// Where the commit record of the first transaction begins that the clone lacks; none yet on an idle source.
    pub next_commit_lsn: Option<PgLsn>,
    /// The newest marker row in the clone.
    pub marker: i64,
    /// `aurora_volume_logical_start_lsn()` on the clone, where there is such a function. Shown, not decided on: whether
    /// it names the record before or after a commit is unknown.
    pub aurora_start_lsn: Option<PgLsn>,
}

/// Why there is no cut. Another clone is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Both sessions are on the same server.
    #[error("the clone's address leads to the source itself")]
    SameServer,
    /// The clone has no such publication, or one with another proof in its comment.
    #[error("publication {0} is not the same on both sides: this is no clone made after it")]
    AnotherClone(String),
    /// The clone has no copy of the slot.
    #[error("slot {0} is not on the clone: it was made before the slot, or by a way that loses slots")]
    NoSlot(String),
    /// The slots begin at different positions.
    #[error(
        "slot {slot} begins at {source_lsn} on the source and at {clone_lsn} on the clone: somebody has consumed it"
    )]
    SlotMoved {
        /// The slot.
        slot: String,
        /// `confirmed_flush_lsn` on the source.
        source_lsn: PgLsn,
        /// `confirmed_flush_lsn` on the clone.
        clone_lsn: PgLsn,
    },
    /// The clone wrote, or is no copy of this source.
    #[error(transparent)]
    NotAPrefix(#[from] Mismatch),
    /// The slots have no transaction in common.
    #[error("no transaction since the slot's creation is in the clone: it was made too early")]
    NoCommonTransaction,
    /// The clone has no marker row of this attempt.
    #[error("no marker row of this attempt is in the clone")]
    NoMarker,
    /// The newest marker row of the clone is in no common transaction.
    #[error(
        "marker {number} is in the clone, but its transaction {xid} is not in the clone's WAL: its slot does not tell all"
    )]
    MarkerBeyond {
        /// Its number.
        number: i64,
        /// Its transaction.
        xid: u64,
    },
    /// A common transaction has written a marker row that the clone does not have.
    #[error("transaction {xid} is in the clone's WAL, but its marker {number} is not in the clone: its data are older")]
    MarkerMissing {
        /// Its number.
        number: i64,
        /// Its transaction.
        xid: u64,
    },
}

/// What became of the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This is the cut.
    Proven(CutPoint),
    /// There is none.
    Refused(Refusal),
}

impl From<Result<CutPoint, Refusal>> for Verdict {
    fn from(result: Result<CutPoint, Refusal>) -> Self {
        result.map_or_else(Self::Refused, Self::Proven)
    }
}

/// Looks for the cut. Nothing changes on either side, but the slots are in use meanwhile.
///
/// # Errors
/// [`Error::Sql`], [`Error::Unexpected`] for messages that can't be decoded. Tried again, the answer is the same.
pub async fn prove(source: &Session, clone: &Session, stream: &Stream<'_>) -> Result<Verdict, Error> {
    if let Some(refusal) = preconditions(source, clone, stream).await? {
        return Ok(Verdict::Refused(refusal));
    }
    let Some(newest) = marker::newest(clone, stream.name, stream.attempt, FORWARD).await? else {
        return Ok(Verdict::Refused(Refusal::NoMarker));
    };
    // If this one is in the clone's WAL, it has been on the source since before the clone was made.
    let next = marker::after(source, stream.name, stream.attempt, FORWARD, newest.number).await?;
    let mut markers = Markers {
        newest,
        next,
        newest_found: false,
        next_found: false,
    };
    let common = match compare(source, clone, stream, &mut markers).await? {
        Ok(Some(common)) => common,
        Ok(None) => return Ok(Verdict::Refused(Refusal::NoCommonTransaction)),
        Err(mismatch) => return Ok(Verdict::Refused(mismatch.into())),
    };
    if let Some(refusal) = markers.refusal() {
        return Ok(Verdict::Refused(refusal));
    }
    Ok(Verdict::Proven(CutPoint {
        xid: common.last.xid,
        commit_lsn: lsn(common.last.commit_lsn),
        end_lsn: lsn(common.last.end_lsn),
        transactions_common: common.count,
        next_commit_lsn: common.next_commit_lsn.map(lsn),
        marker: newest.number,
        aurora_start_lsn: aurora_start_lsn(clone).await,
    }))
}

fn lsn(lsn: Lsn) -> PgLsn {
    PgLsn::from(lsn.0)
}

async fn preconditions(source: &Session, clone: &Session, stream: &Stream<'_>) -> Result<Option<Refusal>, Error> {
    if postmaster(source).await? == postmaster(clone).await? {
        return Ok(Some(Refusal::SameServer));
    }
    let publication = stream.publication;
    let (here, there) = (
        publication::proof(source, publication).await?,
        publication::proof(clone, publication).await?,
    );
    if here.is_none() || here != there {
        return Ok(Some(Refusal::AnotherClone(publication.to_owned())));
    }
    let (on_source, on_clone) = (
        slot::facts(source, stream.slot).await?,
        slot::facts(clone, stream.slot).await?,
    );
    let (Some(on_source), Some(on_clone)) = (on_source, on_clone) else {
        return Ok(Some(Refusal::NoSlot(stream.slot.to_owned())));
    };
    match (on_source.confirmed_flush_lsn, on_clone.confirmed_flush_lsn) {
        (Some(source_lsn), Some(clone_lsn)) if source_lsn != clone_lsn => Ok(Some(Refusal::SlotMoved {
            slot: stream.slot.to_owned(),
            source_lsn,
            clone_lsn,
        })),
        _ => Ok(None),
    }
}

/// What tells one running server from another: a clone shares its system identifier with the source.
async fn postmaster(session: &Session) -> Result<(jiff::Timestamp, String), Error> {
    let query = "SELECT pg_postmaster_start_time(), current_setting('port')";
    let row = session
        .query_one(query, &[])
        .await
        .map_err(session.failed("reading when the server was started"))?;
    Ok((row.get(0), row.get(1)))
}

/// The marker rows that bound the cut from both sides.
struct Markers {
    newest: Marker,
    next: Option<Marker>,
    newest_found: bool,
    next_found: bool,
}

impl Markers {
    /// Takes note of a common transaction. Within a slot's window 32 bits of a transaction id are unique.
    fn common(&mut self, transaction: &Transaction) {
        let is = |marker: Marker| marker.xid & 0xFFFF_FFFF == u64::from(transaction.xid);
        self.newest_found |= is(self.newest);
        self.next_found |= self.next.is_some_and(is);
    }

    fn refusal(&self) -> Option<Refusal> {
        if !self.newest_found {
            return Some(Refusal::MarkerBeyond {
                number: self.newest.number,
                xid: self.newest.xid,
            });
        }
        let next = self.next.filter(|_| self.next_found)?;
        Some(Refusal::MarkerMissing {
            number: next.number,
            xid: next.xid,
        })
    }
}

async fn compare(
    source: &Session,
    clone: &Session,
    stream: &Stream<'_>,
    markers: &mut Markers,
) -> Result<Result<Option<Common>, Mismatch>, Error> {
    // Both servers decode at the same time; each answers when it has decoded all.
    let (mut source, mut clone) = futures::try_join!(Peek::start(source, stream), Peek::start(clone, stream))?;
    let mut finder = CutFinder::default();
    loop {
        let (from_source, from_clone) = futures::try_join!(source.next(), clone.next())?;
        match finder.push(from_source, from_clone) {
            Ok(Need::More) => {
                if let Some(transaction) = from_clone {
                    markers.common(&transaction);
                }
            }
            Ok(Need::Nothing(common)) => return Ok(Ok(common)),
            Err(mismatch) => return Ok(Err(mismatch)),
        }
    }
}

/// The transactions that a slot decodes.
struct Peek<'a> {
    session: &'a Session,
    step: String,
    rows: Pin<Box<RowStream>>,
    fold: Fold,
}

impl<'a> Peek<'a> {
    async fn start(session: &'a Session, stream: &Stream<'_>) -> Result<Self, Error> {
        let step = format!("peeking slot {}", stream.slot);
        let parameters: [&(dyn ToSql + Sync); 2] = [&stream.slot, &stream.publication];
        let rows = session
            .query_raw(PEEK, parameters)
            .await
            .map_err(session.failed(&step))?;
        Ok(Self {
            session,
            step,
            rows: Box::pin(rows),
            fold: Fold::default(),
        })
    }

    async fn next(&mut self) -> Result<Option<Transaction>, Error> {
        let undecodable = |error: FoldError| self.session.unexpected(&self.step, error.to_string());
        while let Some(row) = self.rows.try_next().await.map_err(self.session.failed(&self.step))? {
            if let Some(transaction) = self.fold.push(row.get(0)).map_err(undecodable)? {
                return Ok(Some(transaction));
            }
        }
        if self.fold.is_complete() {
            return Ok(None);
        }
        Err(self.session.unexpected(&self.step, "the last transaction has no end"))
    }
}

/// In a statement of its own: on other engines and versions the function is missing or raises.
async fn aurora_start_lsn(clone: &Session) -> Option<PgLsn> {
    match clone
        .query_one("SELECT aurora_volume_logical_start_lsn()::text::pg_lsn", &[])
        .await
    {
        Ok(row) => row.get(0),
        Err(error) => {
            tracing::debug!(%error, "no aurora_volume_logical_start_lsn()");
            None
        }
    }
}
