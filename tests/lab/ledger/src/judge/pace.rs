//! When the application's commits were acknowledged, and by which server: rates and pauses.

use serde::{Deserialize, Serialize};

use super::journal::Journal;
use crate::Error;
use crate::record::{Answering, LedgerDir};

const SECOND: u64 = 1_000_000;

/// What one server acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerShare {
    /// The server.
    #[serde(flatten)]
    pub server: Answering,
    /// Transactions that it acknowledged to the application.
    pub acknowledged: u64,
}

/// Acknowledgements to the application (not to the rogue) in the order of time. Times are microseconds since 1970.
#[derive(Debug, Default)]
pub struct Pace {
    acknowledged: Vec<(u64, usize)>,
    servers: Vec<Answering>,
}

/// The change from the first server that answered to the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Time of the last acknowledgement by the old server.
    pub last_on_old: u64,
    /// Time of the first acknowledgement by the new server.
    pub first_on_new: u64,
    /// How many the old server acknowledged after the new one had begun: there must be none.
    pub late: u64,
}

impl Pace {
    /// Reads the record for its times only.
    ///
    /// # Errors
    /// A file can't be read or understood.
    pub fn read(ledger: &LedgerDir) -> Result<Self, Error> {
        Ok(Journal::read(ledger)?.pace)
    }

    /// Adds an acknowledgement.
    pub(super) fn add(&mut self, time: u64, server: &Answering) {
        let place = self
            .servers
            .iter()
            .position(|known| known == server)
            .unwrap_or_else(|| {
                self.servers.push(server.clone());
                self.servers.len() - 1
            });
        self.acknowledged.push((time, place));
    }

    /// Puts all in the order of time.
    pub(super) fn sort(&mut self) {
        self.acknowledged.sort_unstable();
    }

    /// The servers with what each acknowledged.
    #[must_use]
    pub fn servers(&self) -> Vec<ServerShare> {
        let count = |place| u64::try_from(self.acknowledged.iter().filter(|ack| ack.1 == place).count()).unwrap_or(0);
        let share = |(place, server): (usize, &Answering)| ServerShare {
            server: server.clone(),
            acknowledged: count(place),
        };
        self.servers.iter().enumerate().map(share).collect()
    }

    /// The change of servers; none where all was acknowledged by one. Servers are told apart by version and system
    /// identifier, so a restart or another address of the same data is no change.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        let identity = |ack: &(u64, usize)| (self.servers[ack.1].version, &self.servers[ack.1].system);
        let (old, new) = (
            identity(self.acknowledged.first()?),
            identity(self.acknowledged.last()?),
        );
        let last_on_old = self.acknowledged.iter().rfind(|ack| identity(ack) == old)?.0;
        let first_on_new = self.acknowledged.iter().find(|ack| identity(ack) == new)?.0;
        let late = self
            .acknowledged
            .iter()
            .filter(|ack| identity(ack) == old && ack.0 > first_on_new)
            .count();
        (old != new).then_some(Change {
            last_on_old,
            first_on_new,
            late: u64::try_from(late).unwrap_or(u64::MAX),
        })
    }

    /// The longest time without an acknowledgement that begins within `from..to`, in milliseconds. An end that never
    /// came doesn't count.
    #[must_use]
    pub fn longest_pause_millis(&self, from: u64, to: u64) -> Option<f64> {
        let pairs = self
            .acknowledged
            .windows(2)
            .filter(|pair| (from..to).contains(&pair[0].0));
        pairs.map(|pair| pair[1].0 - pair[0].0).max().map(millis)
    }

    /// Acknowledgements within `from..to` for each second.
    #[must_use]
    pub fn rate(&self, from: u64, to: u64) -> f64 {
        let first = self.acknowledged.partition_point(|ack| ack.0 < from);
        let end = self.acknowledged.partition_point(|ack| ack.0 < to);
        let seconds = millis(to.saturating_sub(from)) / 1000.0;
        if seconds > 0.0 {
            f64::from(u32::try_from(end.saturating_sub(first)).unwrap_or(u32::MAX)) / seconds
        } else {
            0.0
        }
    }

    /// The rate from the first acknowledgement to the last one before the change, and that of the last second before.
    #[must_use]
    pub fn rates_before_change(&self) -> (f64, f64) {
        let (Some(first), Some(last)) = (self.acknowledged.first(), self.acknowledged.last()) else {
            return (0.0, 0.0);
        };
        let end = self.change().map_or(last.0, |change| change.last_on_old) + 1;
        (self.rate(first.0, end), self.rate(end.saturating_sub(SECOND), end))
    }
}

/// Microseconds as milliseconds.
#[must_use]
pub fn millis(micros: u64) -> f64 {
    f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version: i32) -> Answering {
        Answering {
            address: "127.0.0.1:1".into(),
            version,
            system: version.to_string(),
        }
    }

    fn pace(acknowledged: &[(u64, i32)]) -> Pace {
        let mut pace = Pace::default();
        for (time, version) in acknowledged {
            pace.add(*time, &server(*version));
        }
        pace.sort();
        pace
    }

    #[test]
    fn the_gap_lies_between_the_servers() {
        let change = pace(&[(1000, 17), (3000, 17), (2000, 17), (250_000, 18), (260_000, 18)])
            .change()
            .unwrap();
        assert_eq!(
            change,
            Change {
                last_on_old: 3000,
                first_on_new: 250_000,
                late: 0
            }
        );
        let change = pace(&[(1000, 17), (2000, 18), (3000, 17), (4000, 18)])
            .change()
            .unwrap();
        assert_eq!(change.late, 1);
        assert_eq!(pace(&[(1, 17), (2, 17)]).change(), None);
    }

    #[test]
    fn pauses_and_rates() {
        let pace = pace(&[(0, 17), (1_000_000, 17), (1_250_000, 17), (4_000_000, 17)]);
        assert_eq!(pace.longest_pause_millis(0, 1_100_000), Some(1000.0));
        assert_eq!(pace.longest_pause_millis(0, u64::MAX), Some(2750.0));
        assert!((pace.rate(0, 2_000_000) - 1.5).abs() < 1e-9);
        assert!((pace.rates_before_change().1 - 1.0).abs() < 1e-9);
    }
}
