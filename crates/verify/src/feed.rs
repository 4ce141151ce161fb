//! Which rows change: a logical slot of its own on the server, decoded into a [`crate::dirty::DirtySet`].
//!
//! The slot itself stays at the durable position, before which everything is decided. It is read through a temporary
//! copy, which goes with its session: after any failure the next one begins at the slot again, and nothing is lost.
mod create;
mod cursor;
mod decode;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use pgupgrade_postgres::QualifiedName;

use crate::dirty::SpillError;

pub use create::{create, watchable};
pub(crate) use cursor::Feed;

/// The objects of a feed on its server. Both names begin with `pgupgrade_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedNames {
    /// The slot.
    pub slot: String,
    /// The publication.
    pub publication: String,
}

/// What a feed looks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// The tables, leaves of partitioned ones, by their OIDs: a name may lead to another table for a while. Other tables
    /// are ignored.
    pub(crate) tables: BTreeMap<u32, Watched>,
    /// The barrier tables.
    pub(crate) barriers: Vec<QualifiedName>,
    /// Origins whose transactions are no news: on the target `pg_<oid of the subscription>`. The server forgets the
    /// origin of a transaction with the subscription, so the feed is read to its end before that is dropped.
    pub(crate) own_origins: Vec<String>,
    /// Whether this is the target's feed: what it finds was written by others.
    pub(crate) rogue: bool,
}

/// A table whose changes are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// Its place in the caller's list.
    pub(crate) index: u32,
    /// As people know it.
    pub(crate) name: QualifiedName,
    /// The columns of its key. Without any, the transactions that change it are noted by their ids, in 8 bytes, in place
    /// of keys.
    pub(crate) key: Vec<String>,
}

/// What can go wrong with a feed.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// A server did not do what was asked.
    #[error(transparent)]
    Postgres(#[from] pgupgrade_postgres::Error),
    /// A slot can't be created while there are prepared transactions.
    #[error(
        "slot {slot} can't be created while there are prepared transactions: {transactions}; end them by COMMIT PREPARED or ROLLBACK PREPARED"
    )]
    Prepared {
        /// The slot.
        slot: String,
        /// Their ids, databases and owners.
        transactions: String,
    },
    /// Open transactions kept the slot from being created.
    #[error("creating slot {slot}: not done within {waited:?}, it waits for {transactions}; end them or try again")]
    Blocked {
        /// The slot.
        slot: String,
        /// How long it was waited for.
        waited: Duration,
        /// Who is in the way.
        transactions: String,
    },
    /// The publication would break the application.
    #[error(
        "publication {publication} would make the server refuse UPDATE and DELETE on {tables}: set a replica identity there"
    )]
    NoIdentity {
        /// The publication.
        publication: String,
        /// The tables, with the reason.
        tables: String,
    },
    /// The slot was made for other tables.
    #[error(
        "slot {slot} has missed changes: publication {publication} does not name {missing}; drop both and create them anew"
    )]
    Incomplete {
        /// The slot.
        slot: String,
        /// The publication.
        publication: String,
        /// The tables that it lacks, or that it is missing itself.
        missing: String,
    },
    /// The slot can't be read.
    #[error("copying slot {slot}: {detail}; {advice}")]
    NoCopy {
        /// The slot.
        slot: String,
        /// The server's message.
        detail: String,
        /// What to do.
        advice: &'static str,
    },
    /// A reading did not come to its end, so part of it is lost with its session.
    #[error("reading slot {slot}: {detail}; the feed must be opened anew and then begins at the slot's position again")]
    Interrupted {
        /// The slot.
        slot: String,
        /// What happened.
        detail: String,
    },
    /// A barrier was not seen in time.
    #[error("reading slot {slot} up to barrier {number} of {barrier}: not there after {waited:?}")]
    Late {
        /// The slot.
        slot: String,
        /// The barrier's table.
        barrier: String,
        /// Its number.
        number: i64,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The messages are not what the documentation says.
    #[error("a message of pgoutput can't be understood: {0}")]
    Message(String),
    /// Keys could not be kept.
    #[error(transparent)]
    Spill(#[from] SpillError),
}
