//! A sketch of two sets of rows that tells what is in one of them only, in memory that depends on how much that is and
//! not on how many rows there are: an invertible Bloom lookup table (Goodrich and Mitzenmacher, "Invertible Bloom Lookup
//! Tables", <https://arxiv.org/abs/1101.2245>).
//!
//! Each row is added to three cells, those of the source with the opposite sign of those of the target, so that what
//! both have leaves nothing. A cell that holds a single row gives it away, and once that is taken out of its two other
//! cells these may hold a single one. Where every cell comes to zero, all that differs has been found; where not, there
//! was too much of it for the cells. The rows of a share of the keys are therefore in smaller sketches too, from which
//! the number of the differing ones is estimated.
//!
//! Cells of a large sketch are divided into parts that fit into a processor's cache, with a row's three cells in the same
//! part, and rows wait until there are many for a part: memory is slower than everything else that is done with a row.
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::side::Side;

/// Rows that may differ, each with one version on either side, and still be told apart.
pub(crate) const CAPACITY: u64 = 100_000;

/// Cells of a row.
const PLACES: u64 = 3;
/// Three cells for each row work up to 0.818 rows a cell; so many are planned for 5 of them.
const CELLS_OF_FIVE: u64 = 7;
/// In few cells two rows too easily share all three.
const FEWEST: u64 = 3 << 10;
/// Cells of a part of a large sketch.
const PART: u64 = 3 << 12;
/// A part takes in the rows that wait once there are as many as a share of its cells.
const WAITING: usize = 2;
/// Cells of a sketch of a share of the keys.
const SAMPLE: u64 = 3 << 11;
/// The first has all keys, each further one a 64th of the one before.
const LEVELS: u32 = 4;
const SHARE_BITS: u32 = 6;
/// How often a version of a row may have been seen on one side more often than on the other: one that is written anew
/// without a change of its values has a new place each time.
const TIMES: u32 = 4;
/// At most so many of the rows that differ are given where there are too many.
const EXAMPLES: usize = 4096;

/// A version of a row that one side has and the other has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Difference {
    /// The hash of the row's key.
    pub(crate) key_hash: u64,
    /// The hash of the whole row.
    pub(crate) row_hash: u128,
    /// Which side has it.
    pub(crate) side: Side,
}

/// What a sketch gives away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Solved {
    /// All that differs.
    All(Vec<Difference>),
    /// More than the sketch can tell apart.
    TooMany {
        /// About so many keys differ.
        keys: u64,
        /// Some of the rows.
        examples: Vec<Difference>,
    },
}

/// Hash of the key, lower and higher word of the row's: without the gaps that a tuple of them has.
type Entry = [u64; 3];

#[allow(clippy::cast_possible_truncation, reason = "the words of a hash")]
fn entry(key_hash: u64, row_hash: u128) -> Entry {
    [key_hash, row_hash as u64, (row_hash >> 64) as u64]
}

fn hashes([key_hash, low, high]: Entry) -> (u64, u128) {
    (key_hash, (u128::from(high) << 64) | u128::from(low))
}

/// Rows of one side of a table that are not in its sketch so far.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    parts: Vec<Vec<Entry>>,
    samples: Vec<Entry>,
}

impl Staged {
    /// Takes rows for a sketch. All that were taken for another one have been handed over.
    pub(crate) fn begin(&mut self, sketch: &Sketch) {
        self.parts.resize_with(sketch.parts.len(), Vec::new);
    }

    /// Takes a row.
    pub(crate) fn push(&mut self, key_hash: u64, row_hash: u128) {
        let entry = entry(key_hash, row_hash);
        let part = usize::try_from(((entry[2] >> 32) * self.parts.len() as u64) >> 32).unwrap_or_default();
        if let Some(part) = self.parts.get_mut(part) {
            part.push(entry);
        }
        // The highest bits of the key's hash choose the samples, its lowest ones the share of a pass.
        if key_hash.leading_zeros() >= SHARE_BITS {
            self.samples.push(entry);
        }
    }
}

/// The rows of a table on both sides.
#[derive(Debug)]
pub(crate) struct Sketch {
    parts: Vec<Mutex<Part>>,
    /// Of ever fewer keys.
    samples: Mutex<Vec<Cells>>,
}

#[derive(Debug)]
struct Part {
    cells: Cells,
    /// Of each side.
    waiting: [Vec<Entry>; 2],
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sketch {
    /// A sketch for a table of about so many rows.
    pub(crate) fn for_rows(rows: u64) -> Self {
        let cells = cells_of(0, rows);
        let count = cells.div_ceil(PART);
        let part = || Part {
            cells: Cells::new(cells / count),
            waiting: Default::default(),
        };
        let samples = (1..LEVELS).map(|level| Cells::new(cells_of(level, rows)));
        Self {
            parts: (0..count).map(|_| Mutex::new(part())).collect(),
            samples: Mutex::new(samples.collect()),
        }
    }

    /// The memory that [`Self::for_rows`] takes at most, in bytes.
    pub(crate) fn bytes_for(rows: u64) -> usize {
        let cells: u64 = (0..LEVELS).map(|level| cells_of(level, rows)).sum();
        let cell = size_of::<Cell>() + size_of::<Entry>() / WAITING;
        usize::try_from(cells).map_or(usize::MAX, |cells| cells.saturating_mul(cell))
    }

    /// Adds the rows that were staged for this sketch.
    pub(crate) fn add(&self, side: Side, staged: &mut Staged) {
        for (part, entries) in self.parts.iter().zip(&mut staged.parts) {
            lock(part).add(side, entries);
            entries.clear();
        }
        let mut samples = lock(&self.samples);
        for entry in staged.samples.drain(..) {
            let (key_hash, row_hash) = hashes(entry);
            let deepest = (key_hash.leading_zeros() / SHARE_BITS) as usize;
            for sample in samples.iter_mut().take(deepest) {
                sample.add(side, key_hash, row_hash);
            }
        }
    }

    /// Finds out what differs, and leaves nothing behind.
    pub(crate) fn solve(&self) -> Solved {
        let mut all = Vec::new();
        let mut too_small = false;
        for part in &self.parts {
            match lock(part).take().decode() {
                Ok(mut found) => all.append(&mut found),
                Err(TooSmall(mut some)) => {
                    too_small = true;
                    all.append(&mut some);
                }
            }
        }
        all.sort_unstable();
        if !too_small {
            return Solved::All(all);
        }
        let known = distinct(&all);
        all.truncate(EXAMPLES);
        for (depth, sample) in (1..).zip(lock(&self.samples).drain(..)) {
            if let Ok(mut found) = sample.decode() {
                let keys = (distinct(&found) << (SHARE_BITS * depth)).max(known);
                found.truncate(EXAMPLES);
                let examples = if found.is_empty() { all } else { found };
                return Solved::TooMany { keys, examples };
            }
        }
        let keys = u64::MAX;
        Solved::TooMany { keys, examples: all }
    }
}

impl Part {
    fn add(&mut self, side: Side, entries: &[Entry]) {
        self.waiting[side.index()].extend_from_slice(entries);
        if self.waiting.iter().map(Vec::len).sum::<usize>() >= self.cells.cells.len() / WAITING {
            self.take_in();
        }
    }

    fn take_in(&mut self) {
        for (side, waiting) in [Side::Source, Side::Target].into_iter().zip(&mut self.waiting) {
            for entry in waiting.drain(..) {
                let (key_hash, row_hash) = hashes(entry);
                self.cells.add(side, key_hash, row_hash);
            }
        }
    }

    fn take(&mut self) -> Cells {
        self.take_in();
        self.waiting = Default::default();
        std::mem::replace(&mut self.cells, Cells::new(0))
    }
}

fn cells_of(level: u32, rows: u64) -> u64 {
    let versions = rows.min(CAPACITY).saturating_mul(2);
    let all = (versions * CELLS_OF_FIVE / 5).max(FEWEST);
    if level == 0 { all } else { all.min(SAMPLE) }
}

/// How many keys there are in differences that are sorted.
pub(crate) fn distinct(sorted: &[Difference]) -> u64 {
    let same = sorted
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if a.key_hash == b.key_hash));
    (sorted.len() - same.count()) as u64
}

/// The hash of a row, and [`labelled`]; both summed.
type Cell = [u128; 2];

/// A part of the cells was not resolved. The rows that were are likely right.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TooSmall(Vec<Difference>);

#[derive(Clone, Debug)]
struct Cells {
    /// A third for each of a row's places.
    cells: Vec<Cell>,
    third: u64,
}

impl Cells {
    fn new(cells: u64) -> Self {
        let third = cells.div_ceil(PLACES).min(u64::from(u32::MAX));
        Self {
            cells: vec![[0; 2]; usize::try_from(third * PLACES).unwrap_or_default()],
            third,
        }
    }

    /// Where a row is, by three words of its hash.
    #[allow(clippy::cast_possible_truncation, reason = "a word of the hash is wanted")]
    fn places(&self, row_hash: u128) -> [usize; 3] {
        let place = |word: u32, third: u64| (third * self.third + ((u64::from(word) * self.third) >> 32)) as usize;
        [
            place(row_hash as u32, 0),
            place((row_hash >> 32) as u32, 1),
            place((row_hash >> 64) as u32, 2),
        ]
    }

    fn add(&mut self, side: Side, key_hash: u64, row_hash: u128) {
        let value = [row_hash, labelled(key_hash, row_hash)];
        let value = match side {
            Side::Source => value,
            Side::Target => value.map(u128::wrapping_neg),
        };
        self.add_cell(row_hash, value);
    }

    fn add_cell(&mut self, row_hash: u128, value: Cell) {
        for place in self.places(row_hash) {
            if let Some([row, label]) = self.cells.get_mut(place) {
                *row = row.wrapping_add(value[0]);
                *label = label.wrapping_add(value[1]);
            }
        }
    }

    /// Takes out what stands alone in a cell until nothing is left, or nothing stands alone. Sorted.
    fn decode(mut self) -> Result<Vec<Difference>, TooSmall> {
        let mut found: Vec<Difference> = Vec::new();
        let mut promising: Vec<usize> = (0..self.cells.len())
            .filter(|place| self.single(*place).is_some())
            .collect();
        while let Some(place) = promising.pop() {
            let Some(difference) = self.single(place) else { continue };
            // A cell that only seemed to hold a single row could be filled and emptied for ever.
            if found.len() >= self.cells.len() {
                break;
            }
            let Some(cell) = self.cells.get(place) else { continue };
            self.add_cell(difference.row_hash, cell.map(u128::wrapping_neg));
            found.push(difference);
            promising.extend(self.places(difference.row_hash));
        }
        found.sort_unstable();
        let empty = self.cells.iter().all(|cell| *cell == [0; 2]);
        // Taken out twice: once put in by a mistake.
        let twice =
            |pair: &[Difference]| matches!(pair, [a, b] if (a.key_hash, a.row_hash) == (b.key_hash, b.row_hash));
        if empty && !found.windows(2).any(twice) {
            Ok(found)
        } else {
            Err(TooSmall(found))
        }
    }

    /// The row that is alone in a cell.
    fn single(&self, place: usize) -> Option<Difference> {
        let cell = self.cells.get(place)?;
        let count = count(cell[1]);
        let (times, side, [rows, labels]) = match count {
            0 => return None,
            1.. => (count.unsigned_abs(), Side::Source, *cell),
            _ => (count.unsigned_abs(), Side::Target, cell.map(u128::wrapping_neg)),
        };
        if times > TIMES {
            return None;
        }
        quotients(rows, times).find_map(|row_hash| {
            let is_here = self.places(row_hash).contains(&place);
            let label =
                is_here.then(|| quotients(labels, times).find(|label| *label == labelled(key(*label), row_hash)));
            label.flatten().map(|label| Difference {
                key_hash: key(label),
                row_hash,
                side,
            })
        })
    }
}

/// The hash of a row's key, a word by which a sum is told from a single row, and one, to be counted.
fn labelled(key_hash: u64, row_hash: u128) -> u128 {
    let (low, high) = (row_hash & u128::from(u64::MAX), row_hash >> 64);
    // Of a doubled sum the highest bits are lost: they have to meet in different bits here.
    #[allow(clippy::cast_possible_truncation, reason = "both are made of 64 bits")]
    let mut word = (low as u64).rotate_left(32) ^ (high as u64) ^ key_hash.rotate_left(16);
    // The finalizer of MurmurHash3: sums of rows have other words than the sums of their words.
    word = (word ^ (word >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    word = (word ^ (word >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    (u128::from(key_hash) << 64) | u128::from(word & !0xffff_ffff) | 1
}

#[allow(clippy::cast_possible_truncation, reason = "the words of a label")]
fn key(label: u128) -> u64 {
    (label >> 64) as u64
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "the words of a label; the count has a sign"
)]
fn count(labels: u128) -> i32 {
    labels as u32 as i32
}

/// All values that give the sum when added so many times, up to [`TIMES`]; sums have lost what exceeds 128 bits.
fn quotients(sum: u128, times: u32) -> impl Iterator<Item = u128> {
    /// The inverse of 3 modulo 2^128.
    const THIRD: u128 = 0xaaaa_aaaa_aaaa_aaaa_aaaa_aaaa_aaaa_aaab;
    let halvings = times.trailing_zeros();
    let possible = if sum.trailing_zeros() >= halvings {
        1_u128 << halvings
    } else {
        0
    };
    let inverse = if times >> halvings == 3 { THIRD } else { 1 };
    let low = (sum >> halvings).wrapping_mul(inverse) & (u128::MAX >> halvings);
    (0..possible).map(move |high| low | high.checked_shl(128 - halvings).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

    use super::*;

    fn hashes_of(key: u64, version: u64) -> (u64, u128) {
        let bytes = [key.to_be_bytes(), version.to_be_bytes()].concat();
        (xxh3_64_with_seed(&key.to_be_bytes(), 7), xxh3_128_with_seed(&bytes, 7))
    }

    fn add_rows(sketch: &Sketch, rows: impl Iterator<Item = Difference>) {
        let mut staged = [Staged::default(), Staged::default()];
        for staged in &mut staged {
            staged.begin(sketch);
        }
        for (number, row) in rows.enumerate() {
            staged[row.side.index()].push(row.key_hash, row.row_hash);
            if number % 4096 == 0 {
                sketch.add(row.side, &mut staged[row.side.index()]);
            }
        }
        sketch.add(Side::Source, &mut staged[0]);
        sketch.add(Side::Target, &mut staged[1]);
    }

    fn difference(key: u64, version: u64, side: Side) -> Difference {
        let (key_hash, row_hash) = hashes_of(key, version);
        Difference {
            key_hash,
            row_hash,
            side,
        }
    }

    fn changed(key: u64) -> [Difference; 2] {
        [difference(key, 1, Side::Source), difference(key, 2, Side::Target)]
    }

    fn add(cells: &mut Cells, of: &Difference) {
        cells.add(of.side, of.key_hash, of.row_hash);
    }

    /// A generator that gives the same numbers each time (`SplitMix64`).
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (word ^ (word >> 31)) % bound
        }
    }

    #[test]
    fn what_both_sides_have_leaves_nothing() {
        let sketch = Sketch::for_rows(10);
        let both = |key| [difference(key, 1, Side::Source), difference(key, 1, Side::Target)];
        add_rows(&sketch, (0..100_000).flat_map(both));
        assert_eq!(sketch.solve(), Solved::All(Vec::new()));
    }

    #[test]
    fn all_that_differs_is_found_up_to_the_capacity() {
        let sketch = Sketch::for_rows(u64::MAX);
        let mut expected: Vec<Difference> = (0..CAPACITY).flat_map(changed).collect();
        add_rows(&sketch, expected.iter().copied());
        expected.sort_unstable();
        assert_eq!(distinct(&expected), CAPACITY);
        assert_eq!(sketch.solve(), Solved::All(expected));
    }

    #[test]
    fn any_number_of_rows_in_small_sketches() {
        let mut random = Random(1);
        let (mut solved, mut too_small) = (0, 0);
        for trial in 0..100_000_u64 {
            let mut cells = Cells::new(30);
            let mut expected = BTreeSet::new();
            for number in 0..random.below(45) {
                let side = [Side::Source, Side::Target][usize::from(random.below(2) == 0)];
                let difference = difference(trial * 100 + random.below(20), number, side);
                for _ in 0..=random.below(20) / 19 {
                    add(&mut cells, &difference);
                }
                expected.insert(difference);
            }
            match cells.decode() {
                Ok(found) => {
                    assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "trial {trial}");
                    solved += 1;
                }
                Err(TooSmall(some)) => {
                    assert!(expected.len() > 1);
                    assert!(some.iter().all(|one| expected.contains(one)), "trial {trial}");
                    too_small += 1;
                }
            }
        }
        assert!(solved > 30_000 && too_small > 30_000, "{solved} {too_small}");
    }

    #[test]
    fn a_version_seen_several_times_is_one_difference() {
        for times in 1..=i32::try_from(TIMES).unwrap() {
            for side in [Side::Source, Side::Target] {
                let mut cells = Cells::new(FEWEST);
                let expected: Vec<Difference> = (0..50).map(|key| difference(key, 1, side)).collect();
                for one in &expected {
                    (0..times).for_each(|_| add(&mut cells, one));
                }
                let expected: BTreeSet<Difference> = expected.into_iter().collect();
                let found: BTreeSet<Difference> = cells.decode().unwrap().into_iter().collect();
                assert_eq!(found, expected, "{times}");
            }
        }
    }

    #[test]
    fn too_many_are_estimated_and_some_are_shown() {
        for (rows, capacity) in [(300_000, u64::MAX), (2_000_000, u64::MAX), (50_000, 100)] {
            let sketch = Sketch::for_rows(capacity);
            let all: BTreeSet<Difference> = (0..rows).flat_map(changed).collect();
            add_rows(&sketch, all.iter().copied());
            let Solved::TooMany { keys, examples } = sketch.solve() else {
                unreachable!("{rows} differences in a sketch for fewer");
            };
            assert!(keys.abs_diff(rows) < rows / 5, "{keys} of {rows}");
            assert!(!examples.is_empty() && examples.iter().all(|one| all.contains(one)));
        }
    }

    #[test]
    fn memory_is_bounded() {
        assert!(Sketch::bytes_for(u64::MAX) < 13 << 20);
        assert!(Sketch::bytes_for(0) < 1 << 20);
    }
}
