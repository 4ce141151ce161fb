//! Keys whose rows have to be looked at: those that changed, and those that a reading of whole tables suspects.
//!
//! In memory up to a budget; beyond it in a temporary file without a name, which goes when the process does.
mod disk;
mod stamp;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use pgupgrade_pgoutput::Lsn;

use disk::Disk;
use stamp::{Name, Stamp, cost, name, parts};

/// The temporary file failed.
#[derive(Debug, thiserror::Error)]
#[error("keeping changed keys in a temporary file in {}: {source}; that folder must be writable and have space for them", folder.display())]
pub struct SpillError {
    /// Where the file is.
    folder: PathBuf,
    source: Box<redb::Error>,
}

/// Why a key is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The last transaction that changed it, with its epoch; none: a suspect.
    pub(crate) xid: Option<u64>,
    /// Where that transaction's commit record begins; of a suspect, how far the feed was read.
    pub(crate) lsn: Lsn,
    /// Whether the feed of the target brought it: `xid` and `lsn` are the target's then.
    pub(crate) rogue: bool,
}

impl Entry {
    fn stamp(self) -> Stamp {
        Stamp {
            lsn: self.lsn.0,
            xid: self.xid,
        }
    }
}

/// A key with its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirtyKey {
    /// The table's place in the caller's list.
    pub(crate) table: u32,
    /// The key.
    pub(crate) key: Vec<u8>,
    /// Why it is here.
    pub(crate) entry: Entry,
}

/// The keys. One may be here twice: as the source changed it, and as somebody changed it on the target; positions of
/// different servers don't compare.
#[derive(Debug)]
pub(crate) struct DirtySet {
    budget: usize,
    folder: PathBuf,
    /// What the disk does not have yet; none: the disk has it, and it is removed.
    recent: BTreeMap<Name, Option<Stamp>>,
    recent_bytes: usize,
    disk: Option<Disk>,
    lengths: BTreeMap<u32, usize>,
    total: usize,
    whole: BTreeMap<(u32, bool), Stamp>,
}

impl DirtySet {
    /// An empty set that takes about this much memory, in bytes, and makes its temporary file in this folder, or in the
    /// system's.
    pub(crate) fn new(budget: usize, folder: Option<&Path>) -> Self {
        Self {
            budget,
            folder: folder.map_or_else(std::env::temp_dir, Path::to_owned),
            recent: BTreeMap::new(),
            recent_bytes: 0,
            disk: None,
            lengths: BTreeMap::new(),
            total: 0,
            whole: BTreeMap::new(),
        }
    }

    /// Adds a key. An entry of the same side stays where it is a later change, or a change and this is a suspect.
    pub(crate) fn insert(&mut self, table: u32, key: &[u8], entry: Entry) -> Result<(), SpillError> {
        let (name, stamp) = (name(table, entry.rogue, key), entry.stamp());
        match self.find(&name)? {
            Some(old) if !stamp.replaces(old) => return Ok(()),
            Some(_) => {}
            None => {
                self.total += 1;
                *self.lengths.entry(table).or_default() += 1;
            }
        }
        self.put(name, Some(stamp))
    }

    /// The entry of a key on one side.
    pub(crate) fn get(&self, table: u32, key: &[u8], rogue: bool) -> Result<Option<Entry>, SpillError> {
        let found = self.find(&name(table, rogue, key))?;
        Ok(found.map(|stamp| stamp.entry(rogue)))
    }

    /// Removes a key whose entry is this one, and tells whether it was.
    pub(crate) fn remove_if_unchanged(&mut self, table: u32, key: &[u8], entry: &Entry) -> Result<bool, SpillError> {
        let name = name(table, entry.rogue, key);
        if self.find(&name)? != Some(entry.stamp()) {
            return Ok(false);
        }
        self.total -= 1;
        if let Some(length) = self.lengths.get_mut(&table) {
            *length -= 1;
        }
        if self.total == 0 {
            self.recent.clear();
            self.recent_bytes = 0;
            self.disk = None;
        } else if self.on_disk(&name)?.is_some() {
            self.put(name, None)?;
        } else if self.recent.remove(&name).is_some() {
            self.recent_bytes -= cost(&name);
        }
        Ok(true)
    }

    /// Marks a whole table: it was truncated, or its changes can't be told by key. Its keys stay as they are.
    pub(crate) fn insert_whole(&mut self, table: u32, entry: Entry) {
        let whole = self.whole.entry((table, entry.rogue)).or_insert(entry.stamp());
        if entry.stamp().replaces(*whole) {
            *whole = entry.stamp();
        }
    }

    /// Why a whole table is marked.
    pub(crate) fn whole(&self, table: u32, rogue: bool) -> Option<Entry> {
        self.whole.get(&(table, rogue)).map(|stamp| stamp.entry(rogue))
    }

    /// Removes the mark of a whole table where it is this one, and tells whether it was.
    pub(crate) fn clear_whole_if_unchanged(&mut self, table: u32, entry: &Entry) -> bool {
        let unchanged = self.whole(table, entry.rogue) == Some(*entry);
        if unchanged {
            self.whole.remove(&(table, entry.rogue));
        }
        unchanged
    }

    /// At most `limit` keys behind this one, ordered by table, side and key.
    pub(crate) fn batch(&self, after: Option<&DirtyKey>, limit: usize) -> Result<Vec<DirtyKey>, SpillError> {
        self.page(after, Bound::Unbounded, limit)
    }

    /// As [`Self::batch`], of one table.
    pub(crate) fn batch_of(
        &self,
        table: u32,
        after: Option<&DirtyKey>,
        limit: usize,
    ) -> Result<Vec<DirtyKey>, SpillError> {
        let first = name(table, false, &[]);
        let end = table.checked_add(1).map(|next| name(next, false, &[]));
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        match after {
            Some(after) if after.table > table => Ok(Vec::new()),
            Some(after) if after.table == table => self.page(Some(after), end, limit),
            _ => self.range(Bound::Included(&first), end, limit),
        }
    }

    /// Hands over each key of a table, of both sides.
    pub(crate) fn for_each_key(&self, table: u32, mut each: impl FnMut(&[u8], Entry)) -> Result<(), SpillError> {
        const PAGE: usize = 1000;
        let mut last = None;
        loop {
            let page = self.batch_of(table, last.as_ref(), PAGE)?;
            for dirty in &page {
                each(&dirty.key, dirty.entry);
            }
            match page.into_iter().nth(PAGE - 1) {
                Some(next) => last = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// How many keys of a table are here, both sides counted.
    pub(crate) fn len(&self, table: u32) -> usize {
        self.lengths.get(&table).copied().unwrap_or_default()
    }

    /// How many keys are here.
    #[cfg(test)]
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    fn find(&self, name: &[u8]) -> Result<Option<Stamp>, SpillError> {
        match self.recent.get(name) {
            Some(recent) => Ok(*recent),
            None => self.on_disk(name),
        }
    }

    fn on_disk(&self, name: &[u8]) -> Result<Option<Stamp>, SpillError> {
        let Some(disk) = &self.disk else { return Ok(None) };
        disk.get(name).map_err(|source| self.failed(source))
    }

    fn put(&mut self, name: Name, stamp: Option<Stamp>) -> Result<(), SpillError> {
        let cost = cost(&name);
        if self.recent.insert(name, stamp).is_none() {
            self.recent_bytes += cost;
        }
        if self.recent_bytes <= self.budget - self.cache() {
            return Ok(());
        }
        self.spill().map_err(|source| self.failed(source))
    }

    /// The disk's part of the budget.
    fn cache(&self) -> usize {
        self.budget / 4
    }

    fn spill(&mut self) -> Result<(), redb::Error> {
        if self.disk.is_none() {
            self.disk = Some(Disk::create(&self.folder, self.cache())?);
        }
        if let Some(disk) = &mut self.disk {
            disk.write(&self.recent)?;
        }
        self.recent.clear();
        self.recent_bytes = 0;
        Ok(())
    }

    fn page(&self, after: Option<&DirtyKey>, end: Bound<&[u8]>, limit: usize) -> Result<Vec<DirtyKey>, SpillError> {
        let after = after.map(|after| name(after.table, after.entry.rogue, &after.key));
        self.range(after.as_deref().map_or(Bound::Unbounded, Bound::Excluded), end, limit)
    }

    fn range(&self, from: Bound<&[u8]>, end: Bound<&[u8]>, limit: usize) -> Result<Vec<DirtyKey>, SpillError> {
        let disk = match &self.disk {
            Some(disk) => Some(disk.range(from, end).map_err(|source| self.failed(source))?),
            None => None,
        };
        let mut disk = disk.into_iter().flatten();
        let mut next = || disk.next().transpose().map_err(|source| self.failed(source));
        let mut held = next()?;
        let mut recent = self.recent.range::<[u8], _>((from, end)).peekable();
        let mut found = Vec::new();
        while found.len() < limit {
            let newer = recent.next_if(|(name, _)| held.as_ref().is_none_or(|(held, _)| *name <= held));
            let (name, stamp) = match newer {
                Some((name, stamp)) => {
                    if held.as_ref().is_some_and(|(held, _)| held == name) {
                        held = next()?;
                    }
                    (name.clone(), *stamp)
                }
                None => match held.take() {
                    Some((name, stamp)) => {
                        held = next()?;
                        (name, Some(stamp))
                    }
                    None => break,
                },
            };
            let Some(stamp) = stamp else { continue };
            let (table, rogue, key) = parts(&name);
            found.push(DirtyKey {
                table,
                key: key.to_vec(),
                entry: stamp.entry(rogue),
            });
        }
        Ok(found)
    }

    fn failed(&self, source: redb::Error) -> SpillError {
        SpillError {
            folder: self.folder.clone(),
            source: Box::new(source),
        }
    }
}
