//! How far each side is.
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::limits::Pause;
use crate::side::Side;
use crate::{Progress, ProgressFn};

/// Counts what is read, and tells it.
pub(super) struct Counter {
    tables: usize,
    /// Of each side.
    ranges: [usize; 2],
    sides: [SideCounter; 2],
    /// Only the newest state is told, and each once.
    last: Mutex<Progress>,
    pause: Mutex<Option<Pause>>,
    report: Option<ProgressFn>,
}

#[derive(Default)]
struct SideCounter {
    tables: AtomicUsize,
    ranges: AtomicUsize,
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Counter {
    pub(super) fn new(tables: usize, ranges: [usize; 2], report: Option<ProgressFn>) -> Self {
        Self {
            tables,
            ranges,
            sides: Default::default(),
            last: Mutex::default(),
            pause: Mutex::default(),
            report,
        }
    }

    /// A side has read a table.
    pub(super) fn table(&self, side: Side) {
        self.sides[side.index()].tables.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    /// A side has read rows.
    pub(super) fn rows(&self, side: Side, rows: u64, bytes: u64) {
        let side = &self.sides[side.index()];
        side.rows.fetch_add(rows, Ordering::Relaxed);
        side.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
    }

    /// A side has read a range of a table.
    pub(super) fn range(&self, side: Side) {
        self.sides[side.index()].ranges.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    /// Whether reading waits, and why.
    pub(super) fn pause(&self, pause: Option<Pause>) {
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = pause;
        self.tell();
    }

    /// Ranges are alike in size, but for the last one of each table.
    fn percent(&self) -> u8 {
        let of_side = |(side, all): (&SideCounter, &usize)| {
            let done = side.ranges.load(Ordering::Relaxed);
            u8::try_from(done * 100 / (*all).max(1)).unwrap_or(100).min(100)
        };
        self.sides
            .iter()
            .zip(&self.ranges)
            .map(of_side)
            .min()
            .unwrap_or_default()
    }

    fn tell(&self) {
        let Some(report) = &self.report else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let of_both = |value: fn(&SideCounter) -> u64| self.sides.iter().map(value).min().unwrap_or_default();
        let tables_done = self.sides.iter().map(|side| side.tables.load(Ordering::Relaxed)).min();
        let progress = Progress {
            tables_done: tables_done.unwrap_or_default(),
            tables: self.tables,
            rows: of_both(|side| side.rows.load(Ordering::Relaxed)),
            bytes: of_both(|side| side.bytes.load(Ordering::Relaxed)),
            percent: self.percent(),
            paused: *self.pause.lock().unwrap_or_else(PoisonError::into_inner),
        };
        if *last != progress {
            *last = progress;
            report(progress);
        }
    }
}
