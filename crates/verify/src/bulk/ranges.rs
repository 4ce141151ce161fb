//! Tables in ranges of blocks.
use pgupgrade_postgres::connection::Session;

use crate::Error;
use crate::catalog::Reading;
use crate::side::{Side, sql};

const STORAGE: &str = include_str!("../../sql/storage.sql");

/// A range of blocks is read as such, and always the table itself instead of an index that has its columns.
const SETTINGS: &str = "SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off; \
    SET enable_bitmapscan = off";
const SETTINGS_WITHOUT_RANGES: &str = "SET enable_indexscan = off; SET enable_indexonlyscan = off; \
    SET enable_bitmapscan = off";

/// Ranges of TIDs are scanned from this version on, by others only by reading the whole table.
const RANGES: i32 = 14;

/// Makes a session ready to read ranges.
pub(super) async fn prepare(session: &Session, side: Side) -> Result<(), Error> {
    let settings = if has_ranges(session) {
        SETTINGS
    } else {
        SETTINGS_WITHOUT_RANGES
    };
    let step = "preparing a session that reads tables";
    session.batch_execute(settings).await.map_err(sql(side, step))
}

fn has_ranges(session: &Session) -> bool {
    session.major() >= RANGES
}

/// How a table is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Storage {
    /// The name of its files, which changes when it is truncated or rewritten.
    pub(super) filenode: u32,
    /// Of the main fork.
    blocks: u64,
    main_bytes: u64,
    /// Of the table and its TOAST table.
    pub(super) bytes: u64,
    has_ranges: bool,
}

/// How the tables are stored, as what the session sees.
pub(super) async fn storages(
    session: &Session,
    side: Side,
    readings: &[Reading],
) -> Result<Vec<Option<Storage>>, Error> {
    let oids: Vec<u32> = readings.iter().map(|reading| reading.on(side).oid).collect();
    let rows = session.query(STORAGE, &[&oids]).await;
    let rows = rows.map_err(sql(side, "looking at the size of the tables"))?;
    let count = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).unwrap_or_default();
    let storage = rows.iter().map(|row| {
        Some(Storage {
            filenode: row.get::<_, Option<u32>>("filenode")?,
            blocks: count(row.get("blocks")),
            main_bytes: count(row.get("main_bytes")),
            bytes: count(row.get("bytes")),
            has_ranges: has_ranges(session),
        })
    });
    Ok(storage.collect())
}

/// Blocks of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// The whole table.
    Whole,
    /// From a block on to the table's end, wherever that is then.
    From(u64),
    /// From a block on up to another one.
    Between(u64, u64),
}

impl Storage {
    /// The same without what is in TOAST.
    pub(super) fn main_fork(self) -> Self {
        Self {
            bytes: self.main_bytes,
            ..self
        }
    }

    /// The ranges that make up the table, each of about so many bytes.
    pub(super) fn ranges(self, bytes: u64) -> impl Iterator<Item = Range> {
        let step = u128::from(bytes) * u128::from(self.blocks) / u128::from(self.bytes.max(1));
        let step = u64::try_from(step).unwrap_or(u64::MAX).max(1);
        let count = if self.has_ranges {
            self.blocks.div_ceil(step).max(1)
        } else {
            1
        };
        (0..count).map(move |number| {
            let from = number * step;
            if !self.has_ranges {
                Range::Whole
            } else if number + 1 == count {
                Range::From(from)
            } else {
                Range::Between(from, from + step)
            }
        })
    }
}

impl Range {
    fn condition(self) -> String {
        match self {
            Self::Whole => String::new(),
            Self::From(block) => format!(" WHERE t.ctid >= '({block},0)'::pg_catalog.tid"),
            Self::Between(block, end) => {
                format!(" WHERE t.ctid >= '({block},0)'::pg_catalog.tid AND t.ctid < '({end},0)'::pg_catalog.tid")
            }
        }
    }
}

impl Reading {
    /// The statement that gives all columns of the rows in a range.
    pub(super) fn in_range(&self, range: Range) -> String {
        self.copy(self.columns(), range)
    }

    /// The statement that gives columns of the rows in a range.
    pub(super) fn copy(&self, columns: &str, range: Range) -> String {
        let (from, condition) = (self.from(), range.condition());
        format!("COPY (SELECT {columns} {from}{condition}) TO STDOUT (FORMAT binary)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_make_up_the_table() {
        use Range::{Between, From, Whole};
        let table: [(u64, u64, u64, Vec<Range>); 6] = [
            (0, 0, 64, vec![From(0)]),
            (8, 64, 64, vec![From(0)]),
            (9, 72, 64, vec![Between(0, 8), From(8)]),
            (16, 128, 64, vec![Between(0, 8), From(8)]),
            // All in TOAST: a block is the least.
            (2, 1 << 30, 64, vec![Between(0, 1), From(1)]),
            (3, 0, u64::MAX, vec![From(0)]),
        ];
        for (blocks, bytes, chunk, expected) in table {
            let storage = Storage {
                filenode: 1,
                blocks,
                main_bytes: 0,
                bytes,
                has_ranges: true,
            };
            assert_eq!(storage.ranges(chunk).collect::<Vec<_>>(), expected, "{blocks} {bytes}");
            let old = Storage {
                has_ranges: false,
                ..storage
            };
            assert_eq!(old.ranges(chunk).collect::<Vec<_>>(), [Whole]);
        }
    }
}
