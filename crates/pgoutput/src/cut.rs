//! The cut: the last transaction that the clone's copy of the slot and the source's slot have in common.
use crate::{Lsn, Transaction};

/// Compares two streams of transactions one by one, with memory for two of them.
///
/// The clone is a copy of the source as of some instant, so what its slot decodes is a prefix of what the source's does.
/// Anything else means that somebody wrote on the clone, or that it is no clone of this source.
#[derive(Clone, Debug, Default)]
pub struct CutFinder {
    last: Option<Transaction>,
    count: u64,
}

/// What two streams have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Common {
    /// The last common transaction.
    pub last: Transaction,
    /// How many there are.
    pub count: u64,
    /// Where the commit record of the first one begins that the clone lacks; none where the source has no more either.
    pub next_commit_lsn: Option<Lsn>,
}

/// Whether the comparison goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The next transaction of both.
    More,
    /// The clone's stream has ended, and with it the comparison.
    Nothing(Option<Common>),
}

/// Why the clone's stream is no prefix of the source's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The source has another transaction in this place, or none: the clone wrote its own.
    #[error(
        "the clone has transaction {} with its commit at {} where the source has another or none: somebody wrote on the clone",
        .0.xid, .0.commit_lsn
    )]
    Foreign(Transaction),
    /// The same transaction in the same place with another content.
    #[error("transaction {} with its commit at {} is not the same on both sides", .0.xid, .0.commit_lsn)]
    Different(Transaction),
    /// Positions do not rise within a stream.
    #[error("the commit at {} does not follow the one at {}", .next, .last)]
    Disorder {
        /// The position before.
        last: Lsn,
        /// The position that should be behind it.
        next: Lsn,
    },
}

impl CutFinder {
    /// Takes the next transaction of each stream; none where it has ended.
    ///
    /// # Errors
    /// [`Mismatch`]: there is no cut.
    pub fn push(&mut self, source: Option<Transaction>, clone: Option<Transaction>) -> Result<Need, Mismatch> {
        self.check_order(source)?;
        let Some(clone) = clone else {
            let common = |last| Common {
                last,
                count: self.count,
                next_commit_lsn: source.map(|next| next.commit_lsn),
            };
            return Ok(Need::Nothing(self.last.map(common)));
        };
        match source {
            Some(source) if source == clone => {
                self.last = Some(clone);
                self.count += 1;
                Ok(Need::More)
            }
            Some(source) if source.xid == clone.xid && source.commit_lsn == clone.commit_lsn => {
                Err(Mismatch::Different(clone))
            }
            _ => Err(Mismatch::Foreign(clone)),
        }
    }

    fn check_order(&self, next: Option<Transaction>) -> Result<(), Mismatch> {
        match (self.last, next) {
            (Some(last), Some(next)) if next.commit_lsn < last.end_lsn => Err(Mismatch::Disorder {
                last: last.commit_lsn,
                next: next.commit_lsn,
            }),
            _ => Ok(()),
        }
    }
}
