//! The part of the set that is in a temporary file.
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase as _, StorageBackend, TableDefinition};

use super::{Name, Stamp};

const KEYS: TableDefinition<&[u8], (u64, u64)> = TableDefinition::new("keys");
/// Stands for the transaction of a suspect.
const NONE: u64 = u64::MAX;

/// A file without a name, whose content nobody reads after a crash: nothing is flushed to the device.
#[derive(Debug)]
struct Unsynced(File);

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

pub(super) struct Disk {
    database: Database,
    // As of the last write; it would hold that one's pages during the next.
    reader: Option<ReadOnlyTable<&'static [u8], (u64, u64)>>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Disk")
    }
}

impl Disk {
    pub(super) fn create(folder: &Path, cache: usize) -> Result<Self, redb::Error> {
        let file = tempfile::tempfile_in(folder)?;
        let database = Database::builder()
            .set_cache_size(cache)
            .create_with_backend(Unsynced(file))?;
        Ok(Self { database, reader: None })
    }

    /// Takes over all of these; none: removes.
    pub(super) fn write(&mut self, recent: &BTreeMap<Name, Option<Stamp>>) -> Result<(), redb::Error> {
        self.reader = None;
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut table = transaction.open_table(KEYS)?;
            for (name, stamp) in recent {
                match stamp {
                    Some(stamp) => table.insert(&**name, (stamp.lsn, stamp.xid.unwrap_or(NONE)))?,
                    None => table.remove(&**name)?,
                };
            }
        }
        transaction.commit()?;
        self.reader = Some(self.database.begin_read()?.open_table(KEYS)?);
        Ok(())
    }

    pub(super) fn get(&self, name: &[u8]) -> Result<Option<Stamp>, redb::Error> {
        let Some(reader) = &self.reader else { return Ok(None) };
        Ok(reader.get(name)?.map(|value| stamp(value.value())))
    }

    pub(super) fn range(
        &self,
        from: Bound<&[u8]>,
        end: Bound<&[u8]>,
    ) -> Result<impl Iterator<Item = Result<(Name, Stamp), redb::Error>> + use<>, redb::Error> {
        let range = match &self.reader {
            Some(reader) => Some(reader.range::<&[u8]>((from, end))?),
            None => None,
        };
        Ok(range.into_iter().flatten().map(|item| {
            let (name, value) = item?;
            Ok((name.value().into(), stamp(value.value())))
        }))
    }
}

fn stamp((lsn, xid): (u64, u64)) -> Stamp {
    Stamp {
        lsn,
        xid: (xid != NONE).then_some(xid),
    }
}
