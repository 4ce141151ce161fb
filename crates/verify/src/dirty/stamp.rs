//! How an entry is kept: a name, which is in order, and a stamp.
use pgupgrade_pgoutput::Lsn;

use super::Entry;

/// What an entry costs in memory beside its name: its share of a tree's node, half filled, and the allocator's part.
const OVERHEAD: usize = 80;

/// An [`Entry`] without its side, which is part of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) lsn: u64,
    pub(super) xid: Option<u64>,
}

impl Stamp {
    /// Later changes replace earlier ones, changes replace suspects, and never the other way round.
    pub(super) fn replaces(self, other: Self) -> bool {
        (self.xid.is_some(), self.lsn) > (other.xid.is_some(), other.lsn)
    }

    pub(super) fn entry(self, rogue: bool) -> Entry {
        Entry {
            xid: self.xid,
            lsn: Lsn(self.lsn),
            rogue,
        }
    }
}

/// Table, side and key, as bytes in this order.
pub(super) type Name = Box<[u8]>;
const PREFIX: usize = 5;

pub(super) fn name(table: u32, rogue: bool, key: &[u8]) -> Name {
    let mut name = Vec::with_capacity(PREFIX + key.len());
    name.extend(table.to_be_bytes());
    name.push(u8::from(rogue));
    name.extend(key);
    name.into_boxed_slice()
}

pub(super) fn parts(name: &[u8]) -> (u32, bool, &[u8]) {
    let (table, rest) = name.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
    let (rogue, key) = rest.split_first().unwrap_or((&0, &[]));
    (u32::from_be_bytes(*table), *rogue == 1, key)
}

pub(super) fn cost(name: &[u8]) -> usize {
    OVERHEAD + name.len()
}
