//! Whether a changed key is settled, after its row was read on both sides while writes go on.
//!
//! Between two barriers `b` and `b'` the target shows at least what was committed before `b`, and whatever either side
//! showed beyond that was committed before `b'`, so that the verification slot tells of it. A key of which it told
//! nothing new between the two was read in one state on both sides.
use pgupgrade_pgoutput::Lsn;

use crate::dirty::Entry;
use crate::snapshot::Snapshot;

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Both sides have the same row, or none.
    Equal,
    /// They differ, and no change that is under way explains it.
    Different,
    /// It was changed meanwhile; a later drain decides.
    Later,
}

/// A look at both sides.
pub(crate) struct Look<'a> {
    /// The first barrier's commit on the source.
    pub(crate) barrier: Lsn,
    /// What the read of the source saw.
    pub(crate) snapshot: &'a Snapshot,
}

/// An entry when the first barrier had been reached, and once the verification slot had been read up to the second.
pub(crate) type Between<'a> = (Option<&'a Entry>, Option<&'a Entry>);

impl Look<'_> {
    /// Decides about a key by its own entry and by that of its whole table; `same` tells whether both rows are.
    pub(crate) fn decide(&self, key: Between<'_>, table: Between<'_>, same: bool) -> Decision {
        if key.0.is_none() || !self.stood_still(key) || !self.stood_still(table) {
            Decision::Later
        } else if same {
            Decision::Equal
        } else {
            Decision::Different
        }
    }

    fn stood_still(&self, (before, after): Between<'_>) -> bool {
        // A commit that waits for a synchronous standby is in the WAL, and on the target, but not yet seen on the source.
        let seen = |entry: &Entry| entry.xid.is_none_or(|xid| self.snapshot.sees(xid));
        before == after && before.is_none_or(|entry| entry.lsn < self.barrier && seen(entry))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry(xid: Option<u64>, lsn: u64) -> Entry {
        Entry {
            xid,
            lsn: Lsn(lsn),
            rogue: false,
        }
    }

    #[test]
    fn only_what_stood_still_is_decided() {
        use Decision::{Different, Equal, Later};
        let snapshot: Snapshot = "100:110:105".parse().unwrap();
        let look = Look {
            barrier: Lsn(50),
            snapshot: &snapshot,
        };
        let changed = entry(Some(99), 10);
        // entry before, entry after, same, decision
        let table = [
            (changed, Some(changed), true, Equal),
            (changed, Some(changed), false, Different),
            (changed, Some(entry(Some(99), 11)), false, Later),
            (changed, None, false, Later),
            (entry(Some(99), 50), Some(entry(Some(99), 50)), true, Later),
            (entry(Some(99), 60), Some(entry(Some(99), 60)), false, Later),
            (entry(Some(105), 10), Some(entry(Some(105), 10)), false, Later),
            (entry(Some(106), 10), Some(entry(Some(106), 10)), false, Different),
            (entry(Some(110), 10), Some(entry(Some(110), 10)), true, Later),
            (entry(None, 0), Some(entry(None, 0)), true, Equal),
            (entry(None, 0), Some(entry(None, 0)), false, Different),
            (entry(None, 0), Some(entry(Some(106), 20)), false, Later),
        ];
        for (before, after, same, expected) in table {
            let found = look.decide((Some(&before), after.as_ref()), (None, None), same);
            assert_eq!(found, expected, "{before:?} {after:?} {same}");
            if before.xid.is_some() {
                let key = entry(Some(90), 5);
                let of_table = look.decide((Some(&key), Some(&key)), (Some(&before), after.as_ref()), same);
                assert_eq!(of_table, expected, "truncated: {before:?} {after:?} {same}");
            }
        }
        let key = entry(Some(90), 5);
        let truncated = look.decide((Some(&key), Some(&key)), (None, Some(&changed)), false);
        assert_eq!(truncated, Later);
    }
}
