//! What is known of a table.
use std::collections::BTreeMap;

use crate::catalog::Reading;
use crate::known::KnownTable;
use crate::{Depth, Example, TableResult};

/// Keys that are known to differ and are held by name; further ones are counted.
const HELD: usize = 20_000;

/// `pg_relation_filenode` on source and target: another one later means that the rows were written anew or removed,
/// which the verification slot does not tell.
pub(crate) type Files = (Option<u32>, Option<u32>);

/// How far a table is.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// How much of it was compared on both sides: what differed by that is settled or in the dirty set.
    pub(super) depth: Option<Depth>,
    /// Whether it has to be read once more.
    pub(super) stale: bool,
    /// The files that its rows were in on both sides.
    pub(super) files: Files,
    pub(super) rows: u64,
    pub(super) target_rows: u64,
    pub(super) bytes: u64,
    pub(super) different: Different,
    /// What a reader of the result has to know.
    pub(super) note: Option<String>,
    /// Keys that were changed each time that they were looked at.
    pub(super) hot: usize,
    /// Why it can't be decided so far.
    pub(super) undecided: Option<String>,
}

/// Differences that are certain.
#[derive(Clone, Debug, Default)]
pub(super) struct Different {
    /// By key, as far as they are shown.
    keys: BTreeMap<Vec<u8>, Option<Example>>,
    /// Those that there are besides.
    beyond: u64,
    /// Of a table without a key.
    pub(super) unnamed: u64,
    /// More rows differ than were looked for.
    pub(super) more: bool,
}

impl Different {
    pub(super) fn count(&self) -> u64 {
        self.keys.len() as u64 + self.beyond + self.unnamed
    }

    pub(super) fn examples(&self) -> Vec<Example> {
        self.keys.values().flatten().cloned().collect()
    }

    /// How many are shown.
    pub(super) fn shown(&self) -> usize {
        self.keys.values().flatten().count()
    }

    pub(super) fn add(&mut self, key: Vec<u8>, example: Option<Example>) {
        if self.keys.contains_key(&key) {
            return;
        }
        if self.keys.len() < HELD {
            self.keys.insert(key, example);
        } else {
            self.beyond += 1;
        }
    }

    /// The row is the same on both sides by now.
    pub(super) fn remove(&mut self, key: &[u8]) {
        self.keys.remove(key);
    }
}

impl Table {
    pub(super) fn is_due(&self, wanted: Depth) -> bool {
        self.depth < Some(wanted) || self.stale
    }

    /// It is read from its beginning: what was found before will be found again.
    pub(super) fn begin(&mut self) {
        self.depth = None;
        self.different = Different::default();
    }

    pub(super) fn was_read(&mut self, files: Files) {
        self.files = files;
        (self.depth, self.stale) = (Some(Depth::Full), false);
        (self.undecided, self.note) = (None, None);
    }

    /// It is alike on both sides, but for what the slots tell.
    pub(super) fn take_over(&mut self, known: &KnownTable) {
        (self.depth, self.stale) = (Some(known.depth), false);
        self.files = (known.source.file, known.target.file);
        (self.rows, self.target_rows, self.bytes) = (known.rows, known.target_rows, known.bytes);
    }

    /// Whether nothing is known to differ, or to be left to read.
    pub(super) fn is_settled(&self) -> bool {
        let differs = self.different.count() > 0 || self.different.more;
        self.depth.is_some() && !self.stale && !differs && self.undecided.is_none()
    }

    /// `pending` tells why more has to be looked at, if that is so.
    pub(super) fn result(&self, reading: &Reading, pending: Option<&str>) -> TableResult {
        let differing = self.different.count();
        let reasons = [
            self.depth.is_none().then(|| "not every row was read so far".to_owned()),
            pending.map(str::to_owned),
            self.stale
                .then(|| "it was truncated or changed in another way that takes reading it again".to_owned()),
            (self.hot > 0).then(|| format!("{} rows were changed each time that they were looked at", self.hot)),
            (self.different.more && differing == 0)
                .then(|| "more rows differed than were looked for; compare it again".to_owned()),
        ];
        TableResult {
            name: reading.name.clone(),
            depth: self.depth.filter(|_| !self.stale),
            rows: self.rows,
            target_rows: self.target_rows,
            equal: differing == 0,
            problem: None,
            differing,
            estimated: self.different.more,
            examples: self.different.examples(),
            undecided: self.undecided.clone().or_else(|| reasons.into_iter().flatten().next()),
            notes: reading.notes.iter().chain(&self.note).cloned().collect(),
        }
    }
}
