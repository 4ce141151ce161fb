//! One row's history: which recorded operations led to what the table holds.

use crate::operation::Digest;

/// A recorded operation on the row, by a transaction that was acknowledged or whose outcome is unknown.
#[derive(Clone, Debug)]
pub struct Event {
    /// Place of the transaction in the journal.
    pub transaction: u32,
    /// Whether its COMMIT was acknowledged.
    pub acknowledged: bool,
    /// Version of the row after it.
    pub version: i32,
    /// Digest of the row before it; none for INSERT.
    pub before: Option<Digest>,
    /// Digest of the row after it; none for DELETE.
    pub after: Option<Digest>,
    /// How many equal rows there are.
    pub copies: u32,
}

/// Equal rows of one key that the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Their version.
    pub version: i32,
    /// Their digest.
    pub digest: Digest,
    /// How many they are.
    pub count: u32,
}

/// What the table's rows of one key say about the operations on it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// For each event, whether it took place.
    pub kept: Vec<bool>,
    /// An event that took place on fewer rows than it should have.
    pub partial: Option<usize>,
    /// Rows above the number that there should be.
    pub doubled: u64,
    /// Contents that nobody wrote.
    pub invented: u64,
}

/// Explains the observed rows by a history of events, walking from the present back: the event that made the row
/// what it is, the one that made what that one found, and so on to the INSERT. Acknowledged events that are not on
/// this way were lost. Events must be sorted by version.
#[must_use]
pub fn explain(events: &[Event], observed: &[State]) -> Finding {
    let Some(current) = current(events, observed) else {
        return explain_absence(events);
    };
    let mut finding = Finding {
        kept: vec![false; events.len()],
        ..Finding::default()
    };
    let rest: u32 = observed
        .iter()
        .filter(|state| *state != current)
        .map(|state| state.count)
        .sum();
    finding.doubled += u64::from(rest);
    if events.is_empty() {
        finding.invented = finding.doubled + u64::from(current.count);
        finding.doubled = 0;
        return finding;
    }
    let last = find(events, &finding.kept, current.version, Some(current.digest));
    let copies = last.map_or(1, |index| events[index].copies);
    finding.doubled += u64::from(current.count.saturating_sub(copies));
    trace(events, &mut finding, (current.version, current.digest));
    if current.count < copies {
        finding.partial = last;
    }
    finding
}

/// The state that counts: one that an event explains, and of these the newest.
fn current<'a>(events: &[Event], observed: &'a [State]) -> Option<&'a State> {
    let explained =
        |state: &State| find(events, &vec![false; events.len()], state.version, Some(state.digest)).is_some();
    observed.iter().max_by_key(|state| (explained(state), state.version))
}

/// No row: either a DELETE took place, or nothing ever did. The one that loses fewest acknowledged events is taken.
fn explain_absence(events: &[Event]) -> Finding {
    let nothing = Finding {
        kept: vec![false; events.len()],
        ..Finding::default()
    };
    let deletes = (0..events.len()).rev().filter(|&index| events[index].after.is_none());
    let mut best = nothing;
    for index in deletes {
        let mut finding = Finding {
            kept: vec![false; events.len()],
            ..Finding::default()
        };
        finding.kept[index] = true;
        if let Some(before) = events[index].before {
            trace(events, &mut finding, (events[index].version - 1, before));
        }
        if lost(events, &finding) < lost(events, &best) {
            best = finding;
        }
    }
    best
}

fn lost(events: &[Event], finding: &Finding) -> usize {
    events
        .iter()
        .zip(&finding.kept)
        .filter(|(event, kept)| event.acknowledged && !**kept)
        .count()
}

/// Marks the events that led to a state as kept.
fn trace(events: &[Event], finding: &mut Finding, state: (i32, Digest)) {
    let (mut version, mut digest) = state;
    loop {
        let step = if let Some(index) = find(events, &finding.kept, version, Some(digest)) {
            finding.kept[index] = true;
            index
        } else {
            finding.invented += 1;
            let earlier = |event: &Event| event.acknowledged && event.after.is_some() && event.version <= version;
            let Some(index) = events.iter().rposition(earlier) else {
                return;
            };
            // An event of the same version was overwritten by the invented state; one below it may have stood.
            finding.kept[index] = events[index].version < version;
            index
        };
        match events[step].before {
            None => return,
            Some(before) => (version, digest) = (events[step].version - 1, before),
        }
    }
}

/// The event with this result that is not yet part of the history; an acknowledged one first.
fn find(events: &[Event], kept: &[bool], version: i32, after: Option<Digest>) -> Option<usize> {
    let first = events.partition_point(|event| event.version < version);
    let same = || (first..events.len()).take_while(|&index| events[index].version == version);
    let fits = |index: &usize| !kept[*index] && events[*index].after == after;
    same()
        .filter(fits)
        .find(|&index| events[index].acknowledged)
        .or_else(|| same().find(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(transaction: u32, acknowledged: bool, version: i32, before: u64, after: u64) -> Event {
        let digest = |digest| (digest > 0).then_some(Digest(digest));
        Event {
            transaction,
            acknowledged,
            version,
            before: digest(before),
            after: digest(after),
            copies: 1,
        }
    }

    fn row(version: i32, digest: u64, count: u32) -> State {
        State {
            version,
            digest: Digest(digest),
            count,
        }
    }

    /// INSERT, UPDATE, UPDATE, all acknowledged.
    fn three() -> Vec<Event> {
        vec![
            event(1, true, 1, 0, 10),
            event(2, true, 2, 10, 20),
            event(3, true, 3, 20, 30),
        ]
    }

    #[test]
    fn all_there() {
        let finding = explain(&three(), &[row(3, 30, 1)]);
        assert_eq!(
            finding,
            Finding {
                kept: vec![true; 3],
                ..Finding::default()
            }
        );
    }

    #[test]
    fn a_lost_update_is_missing() {
        assert_eq!(explain(&three(), &[row(2, 20, 1)]).kept, [true, true, false]);
        let overwritten = [
            event(1, true, 1, 0, 10),
            event(2, true, 2, 10, 20),
            event(3, true, 2, 10, 25),
        ];
        assert_eq!(explain(&overwritten, &[row(2, 25, 1)]).kept, [true, false, true]);
    }

    #[test]
    fn a_row_that_is_gone_is_missing() {
        assert_eq!(explain(&three(), &[]).kept, [false; 3]);
    }

    #[test]
    fn a_changed_row_is_missing_and_invented() {
        let finding = explain(&three(), &[row(3, 99, 1)]);
        assert_eq!(
            (finding.kept.as_slice(), finding.invented),
            ([true, true, false].as_slice(), 1)
        );
        let finding = explain(&three(), &[row(4, 99, 1)]);
        assert_eq!((finding.kept.as_slice(), finding.invented), ([true; 3].as_slice(), 1));
    }

    #[test]
    fn a_row_that_nobody_wrote_is_invented() {
        assert_eq!(explain(&[], &[row(1, 1, 2)]).invented, 2);
    }

    #[test]
    fn more_rows_than_written_are_doubled() {
        assert_eq!(explain(&three(), &[row(3, 30, 2)]).doubled, 1);
        assert_eq!(explain(&three(), &[row(3, 30, 1), row(3, 31, 1)]).doubled, 1);
        assert_eq!(explain(&three(), &[row(2, 20, 1), row(3, 30, 1)]).doubled, 1);
    }

    #[test]
    fn fewer_equal_rows_than_written_are_partial() {
        let mut pair = event(1, true, 1, 0, 10);
        pair.copies = 2;
        assert_eq!(explain(&[pair.clone()], &[row(1, 10, 1)]).partial, Some(0));
        assert_eq!(explain(&[pair], &[row(1, 10, 2)]).partial, None);
    }

    #[test]
    fn a_delete_took_place_or_not() {
        let deleted = [event(1, true, 1, 0, 10), event(2, true, 2, 10, 0)];
        assert_eq!(explain(&deleted, &[]).kept, [true, true]);
        assert_eq!(explain(&deleted, &[row(1, 10, 1)]).kept, [true, false]);
    }

    #[test]
    fn an_unknown_event_may_or_may_not_have_taken_place() {
        let events = [event(1, true, 1, 0, 10), event(2, false, 2, 10, 20)];
        assert_eq!(explain(&events, &[row(1, 10, 1)]).kept, [true, false]);
        assert_eq!(explain(&events, &[row(2, 20, 1)]).kept, [true, true]);
        let followed = [
            event(1, true, 1, 0, 10),
            event(2, false, 2, 10, 20),
            event(3, true, 3, 20, 30),
        ];
        assert_eq!(explain(&followed, &[row(3, 30, 1)]).kept, [true; 3]);
        let replaced = [
            event(1, true, 1, 0, 10),
            event(2, false, 2, 10, 20),
            event(3, true, 2, 10, 30),
        ];
        assert_eq!(explain(&replaced, &[row(2, 30, 1)]).kept, [true, false, true]);
        let deleted = [event(1, true, 1, 0, 10), event(2, false, 2, 10, 0)];
        assert_eq!(explain(&deleted, &[]).kept, [true, true]);
    }
}
