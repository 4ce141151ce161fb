//! Turns a stream of messages into transactions of constant size.
use xxhash_rust::xxh3::Xxh3;

use crate::{DecodeError, Lsn, Message};

/// A committed transaction: its place in the WAL and a hash over what it did. Equality means the same transaction with
/// the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its id, without the epoch.
    pub xid: u32,
    /// Where its commit record begins.
    pub commit_lsn: Lsn,
    /// Where that ends.
    pub end_lsn: Lsn,
    /// XXH3-128 over its messages in order, each preceded by its length; those that describe tables and types left out,
    /// because a decoding session sends them when it first needs them.
    pub hash: u128,
}

/// Why messages are no sequence of transactions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// No message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A message stands outside a transaction, or a transaction inside another.
    #[error("a message of type {found:?} stands {place} a transaction")]
    Order {
        /// Its first byte.
        found: char,
        /// `inside` or `outside`.
        place: &'static str,
    },
    /// Begin and commit name different positions.
    #[error("transaction {xid} begins with commit position {begun} and ends with {ended}")]
    Position {
        /// The transaction's id.
        xid: u32,
        /// What its begin message says.
        begun: Lsn,
        /// What its commit message says.
        ended: Lsn,
    },
}

/// Takes messages in order. Holds one hash state, however large a transaction is.
#[derive(Default)]
pub struct Fold {
    open: Option<Open>,
}

struct Open {
    xid: u32,
    final_lsn: Lsn,
    hash: Box<Xxh3>,
}

impl Open {
    fn add(&mut self, message: &[u8]) {
        self.hash.update(&(message.len() as u64).to_be_bytes());
        self.hash.update(message);
    }
}

impl Fold {
    /// Takes the next message, and returns the transaction that it ends.
    ///
    /// # Errors
    /// [`FoldError`]; the fold is of no use then.
    pub fn push(&mut self, message: &[u8]) -> Result<Option<Transaction>, FoldError> {
        let Some(kind) = message.first() else {
            return Err(DecodeError::Short { kind: '\0', length: 0 }.into());
        };
        match kind {
            b'B' => self.begin(message).map(|()| None),
            b'C' => self.commit(message).map(Some),
            b'R' | b'Y' => Ok(None),
            // A message from `pg_logical_emit_message` may stand between transactions; it changes no table.
            b'M' if self.open.is_none() => Ok(None),
            _ => {
                let order = FoldError::Order {
                    found: char::from(*kind),
                    place: "outside",
                };
                self.open.as_mut().ok_or(order)?.add(message);
                Ok(None)
            }
        }
    }

    /// Whether the messages so far end with a whole transaction.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.open.is_none()
    }

    fn begin(&mut self, message: &[u8]) -> Result<(), FoldError> {
        let Message::Begin { final_lsn, xid, .. } = Message::parse(message)? else {
            return Ok(());
        };
        if self.open.is_some() {
            return Err(FoldError::Order {
                found: 'B',
                place: "inside",
            });
        }
        let mut open = Open {
            xid,
            final_lsn,
            hash: Box::new(Xxh3::new()),
        };
        open.add(message);
        self.open = Some(open);
        Ok(())
    }

    fn commit(&mut self, message: &[u8]) -> Result<Transaction, FoldError> {
        let outside = FoldError::Order {
            found: 'C',
            place: "outside",
        };
        let mut open = self.open.take().ok_or(outside.clone())?;
        let Message::Commit {
            commit_lsn, end_lsn, ..
        } = Message::parse(message)?
        else {
            return Err(outside);
        };
        if commit_lsn != open.final_lsn {
            return Err(FoldError::Position {
                xid: open.xid,
                begun: open.final_lsn,
                ended: commit_lsn,
            });
        }
        open.add(message);
        Ok(Transaction {
            xid: open.xid,
            commit_lsn,
            end_lsn,
            hash: open.hash.digest128(),
        })
    }
}
