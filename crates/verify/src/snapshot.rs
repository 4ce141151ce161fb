//! What a snapshot sees: the text of `txid_current_snapshot()`
//! (<https://www.postgresql.org/docs/current/functions-info.html>, "Transaction ID and Snapshot Information").
use std::str::FromStr;

use crate::Error;

/// A snapshot. Transaction ids have their epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    xmin: u64,
    xmax: u64,
    /// In ascending order.
    in_progress: Vec<u64>,
}

impl Snapshot {
    /// Whether a transaction that has committed is seen. One whose commit still waits for a synchronous standby is not.
    pub(crate) fn sees(&self, xid: u64) -> bool {
        xid < self.xmin || (xid < self.xmax && self.in_progress.binary_search(&xid).is_err())
    }
}

impl FromStr for Snapshot {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let broken = || Error::Format("the text of a snapshot is not xmin:xmax:xip_list");
        let number = |text: &str| text.parse::<u64>().map_err(|_| broken());
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().ok_or_else(broken);
        let (xmin, xmax, list) = (number(part()?)?, number(part()?)?, part()?);
        let ids = list.split(',').filter(|id| !id.is_empty()).map(number);
        let mut in_progress = ids.collect::<Result<Vec<_>, _>>()?;
        in_progress.sort_unstable();
        Ok(Self {
            xmin,
            xmax,
            in_progress,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_seen() {
        let epoch = 3_u64 << 32;
        let text = format!("{}:{}:{},{}", epoch + 10, epoch + 20, epoch + 15, epoch + 10);
        let snapshot: Snapshot = text.parse().unwrap();
        let seen = [9, 11, 14, 16, 19];
        let unseen = [10, 15, 20, 21];
        assert!(seen.iter().all(|xid| snapshot.sees(epoch + xid)));
        assert!(!unseen.iter().any(|xid| snapshot.sees(epoch + xid)));
        assert!(snapshot.sees(25), "of an earlier epoch");
        assert!(!snapshot.sees((4 << 32) + 1), "of a later epoch");
        let empty: Snapshot = "7:7:".parse().unwrap();
        assert!(empty.sees(6) && !empty.sees(7));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "1", "1:2", "a:2:", "1:2:x", "1:2:3,-4"] {
            assert!(text.parse::<Snapshot>().is_err(), "{text}");
        }
    }
}
