//! What is known of each table while it is read, in bounded memory.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{Differing, Digest, Item, PassOptions, TablePass};
use crate::catalog::Reading;
use crate::side::Side;
use crate::sketch::{Difference, Sketch, Solved, distinct};

/// A permit stands for so many bytes.
const UNIT: usize = 1024;
/// No row takes less than that of its table.
const SMALLEST_ROW: u64 = 28;
/// Kept of differences that are too many for the memory.
const EXAMPLES: usize = 4096;

/// All tables of a pass.
pub(super) struct Tables {
    all: Vec<Table>,
    /// In which order they are read on both sides.
    order: Vec<usize>,
    /// How many of those have got their memory.
    admitted: watch::Sender<usize>,
    admission: tokio::sync::Mutex<()>,
    memory: Arc<Semaphore>,
    permits: u32,
    /// Differences that may be kept and are.
    most_differences: usize,
    differences: AtomicUsize,
}

struct Table {
    /// None for a table without a key.
    rows: Option<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    digests: [Digest; 2],
    /// Ranges that are still to be read.
    left: [usize; 2],
    /// From the table's admission until both sides have read it.
    sketch: Option<(Arc<Sketch>, OwnedSemaphorePermit)>,
    differing: Option<Differing>,
}

impl Table {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    pub(super) fn new(readings: &[Reading], order: Vec<usize>, options: &PassOptions, items: [&[Item]; 2]) -> Self {
        let parts = options.part.map_or(1, |(_, parts)| parts.max(1));
        let tables = readings.iter().map(|reading| Table {
            rows: reading.is_keyed().then(|| estimate(reading).div_ceil(parts)),
            state: Mutex::default(),
        });
        let tables: Vec<Table> = tables.collect();
        for (side, items) in items.into_iter().enumerate() {
            for table in items.iter().filter_map(|item| tables.get(item.table)) {
                table.state().left[side] += 1;
            }
        }
        let permits = u32::try_from(options.memory / UNIT).unwrap_or(u32::MAX).max(1);
        Self {
            all: tables,
            order,
            admitted: watch::Sender::new(0),
            admission: tokio::sync::Mutex::new(()),
            memory: Arc::new(Semaphore::new(permits as usize)),
            permits,
            most_differences: options.memory / size_of::<Difference>(),
            differences: AtomicUsize::new(0),
        }
    }

    /// Waits until the table at a place in the order has memory for its sketch. Those before it get theirs first: what
    /// they hold is given back by workers that wait for nothing.
    pub(super) async fn admit(&self, position: usize) {
        let mut admitted = self.admitted.subscribe();
        // Whoever has the turn may wait for the memory of tables that others, who wait for their turn, are to read.
        let _turn = tokio::select! {
            _ = admitted.wait_for(|admitted| position < *admitted) => return,
            turn = self.admission.lock() => turn,
        };
        let first = *admitted.borrow();
        for next in first..=position {
            let table = self.order.get(next).and_then(|table| self.all.get(*table));
            if let Some(table) = table
                && let Some(rows) = table.rows
            {
                let wanted = u32::try_from(Sketch::bytes_for(rows) / UNIT).unwrap_or(u32::MAX);
                let permit = Arc::clone(&self.memory).acquire_many_owned(wanted.min(self.permits));
                // The semaphore is never closed.
                if let Ok(permit) = permit.await {
                    table.state().sketch = Some((Arc::new(Sketch::for_rows(rows)), permit));
                }
            }
            self.admitted.send_replace(next + 1);
        }
    }

    /// The sketch that the rows of a table are added to, once the table is admitted.
    pub(super) fn sketch(&self, table: usize) -> Option<Arc<Sketch>> {
        let state = self.all.get(table)?.state();
        state.sketch.as_ref().map(|(sketch, _)| Arc::clone(sketch))
    }

    /// Adds to what is known of a side of a table.
    pub(super) fn add(&self, side: Side, table: usize, added: Digest) {
        if let Some(table) = self.all.get(table) {
            let digest = &mut table.state().digests[side.index()];
            digest.rows += added.rows;
            digest.bytes += added.bytes;
            digest.sum = digest.sum.wrapping_add(added.sum);
        }
    }

    /// One range has been read; whether it was the table's last one on that side.
    pub(super) fn read_range(&self, side: Side, table: usize) -> bool {
        let Some(table) = self.all.get(table) else {
            return false;
        };
        let mut state = table.state();
        state.left[side.index()] -= 1;
        let [source, target] = state.digests;
        let sketch = if state.left == [0, 0] {
            state.sketch.take()
        } else {
            None
        };
        let side_is_read = state.left[side.index()] == 0;
        if let Some((sketch, _permit)) = sketch {
            let differs = (source.rows, source.sum) != (target.rows, target.sum);
            state.differing = differs.then(|| self.solve(&sketch, source.rows.max(target.rows)));
        }
        side_is_read
    }

    fn solve(&self, sketch: &Sketch, rows: u64) -> Differing {
        match sketch.solve() {
            Solved::All(found) => {
                let kept = self.differences.fetch_add(found.len(), Ordering::Relaxed) + found.len();
                if kept <= self.most_differences {
                    return Differing::Hashes(found);
                }
                self.differences.fetch_sub(found.len(), Ordering::Relaxed);
                let examples = found.get(..EXAMPLES.min(found.len())).unwrap_or_default().to_vec();
                let estimate = distinct(&found);
                Differing::TooMany { estimate, examples }
            }
            Solved::TooMany { keys, examples } => Differing::TooMany {
                estimate: keys.min(rows),
                examples,
            },
        }
    }

    /// What was found out about each table. `rewritten` tells of each whether it was.
    pub(super) fn results(&self, rewritten: impl Iterator<Item = bool>) -> Vec<TablePass> {
        let result = |(table, rewritten): (&Table, bool)| {
            let mut state = table.state();
            let [source, target] = state.digests;
            let mut pass = TablePass {
                source,
                target,
                differing: Differing::None,
                rewritten,
            };
            if pass.differs() {
                pass.differing = state.differing.take().unwrap_or(Differing::WithoutKey);
            }
            pass
        };
        self.all.iter().zip(rewritten).map(result).collect()
    }
}

/// How many rows a table may have.
fn estimate(reading: &Reading) -> u64 {
    let of = |side| {
        let relation = reading.on(side);
        relation.tuples.unwrap_or(relation.bytes / SMALLEST_ROW)
    };
    of(Side::Source).max(of(Side::Target))
}
