//! Messages of pgoutput into keys.
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use pgupgrade_pgoutput::{Column, Lsn, Message, RelationColumn};
use pgupgrade_postgres::QualifiedName;

use super::{FeedError, Watch, Watched};
use crate::dirty::{DirtySet, Entry};

/// So many bumps of a barrier are remembered with their positions.
const BUMPS: usize = 1000;
/// So many tables are named that others wrote to.
const EXAMPLES: usize = 5;
/// The column of a barrier's number.
const NUMBER: &[u8] = b"n";

/// Writes on the target that did not come from the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rogue {
    /// Transactions that changed at least one of the tables.
    pub(crate) transactions: u64,
    /// Some of those tables.
    pub(crate) examples: Vec<QualifiedName>,
}

/// Takes the messages of whole transactions in the order of their commits. Holds no rows.
#[derive(Debug)]
pub(super) struct Decoder {
    tables: BTreeMap<u32, Watched>,
    barriers: Vec<(QualifiedName, VecDeque<(i64, Lsn)>)>,
    own_origins: HashSet<Vec<u8>>,
    rogue: Option<Rogue>,
    relations: HashMap<u32, Relation>,
    open: Option<Transaction>,
    key: Vec<u8>,
    /// A transaction id of about the time, with its epoch.
    pub(super) near: u64,
}

#[derive(Clone, Copy, Debug)]
struct Transaction {
    entry: Entry,
    /// From the subscription, so no news.
    own: bool,
    counted: bool,
}

#[derive(Clone, Debug)]
enum Relation {
    Ignored,
    Table(Table),
    Barrier { index: usize, number: usize },
}

#[derive(Clone, Debug)]
struct Table {
    name: QualifiedName,
    index: u32,
    /// Rows have no names: the transactions that change it are noted instead.
    keyless: bool,
    /// Where the columns of the key are; none: not all of them are sent.
    key: Option<Vec<usize>>,
    /// Whether the replica identity has all of them: only then an update without an old row has kept the key.
    identified: bool,
}

type Row<'a> = Vec<Column<'a>>;

enum Change<'a> {
    Insert(Row<'a>),
    /// The old row is there where the replica identity's columns changed, where they lie out of line, or where it is all
    /// columns.
    Update(Option<Row<'a>>, Row<'a>),
    Delete(Row<'a>),
}

impl Change<'_> {
    fn new_row(&self) -> Option<&[Column<'_>]> {
        match self {
            Self::Insert(new) | Self::Update(_, new) => Some(new),
            Self::Delete(_) => None,
        }
    }
}

impl Table {
    /// Marks the rows that a change touches, or the whole table where it can't be told which.
    fn mark(
        &self,
        change: &Change<'_>,
        entry: Entry,
        buffer: &mut Vec<u8>,
        dirty: &mut DirtySet,
    ) -> Result<(), FeedError> {
        if let (true, Some(xid)) = (self.keyless, entry.xid) {
            dirty.insert(self.index, &xid.to_be_bytes(), entry)?;
            return Ok(());
        }
        let (rows, mut known): (&[_], bool) = match change {
            Change::Insert(new) => (&[(new, None)], true),
            Change::Update(None, new) => (&[(new, None)], self.identified),
            Change::Update(Some(old), new) => (&[(old, None), (new, Some(old))], true),
            Change::Delete(old) => (&[(old, None)], true),
        };
        for (row, before) in rows {
            if self.canonical(row, *before, buffer).is_some() {
                dirty.insert(self.index, buffer, entry)?;
            } else {
                known = false;
            }
        }
        if !known {
            dirty.insert_whole(self.index, entry);
        }
        Ok(())
    }

    /// Puts the key of a row into the buffer: of each column its length in 4 bytes, and its value as it is sent in
    /// binary. A value that is not sent because it did not change is taken from the row before.
    fn canonical(&self, row: &Row<'_>, before: Option<&Row<'_>>, buffer: &mut Vec<u8>) -> Option<()> {
        buffer.clear();
        for place in self.key.as_ref()? {
            let value = match row.get(*place)? {
                Column::Unchanged => before?.get(*place)?,
                sent => sent,
            };
            let Column::Binary(value) = value else { return None };
            buffer.extend(u32::try_from(value.len()).ok()?.to_be_bytes());
            buffer.extend_from_slice(value);
        }
        Some(())
    }
}

impl Decoder {
    pub(super) fn new(watch: Watch) -> Self {
        let barriers = watch.barriers.into_iter().map(|name| (name, VecDeque::new()));
        Self {
            tables: watch.tables,
            barriers: barriers.collect(),
            own_origins: watch.own_origins.into_iter().map(String::into_bytes).collect(),
            rogue: watch.rogue.then(Rogue::default),
            relations: HashMap::new(),
            open: None,
            key: Vec::new(),
            near: 0,
        }
    }

    pub(super) fn rogue(&self) -> Option<&Rogue> {
        self.rogue.as_ref()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.open.is_none()
    }

    /// The position of a barrier's number, once that or a later one was seen. Where the number itself was not, the
    /// position is one before it, so that what counts as committed before it was.
    pub(super) fn reached(&self, barrier: &QualifiedName, number: i64) -> Option<Lsn> {
        let (_, bumps) = self.barriers.iter().find(|(name, _)| name == barrier)?;
        let seen = bumps.iter().any(|(seen, _)| *seen >= number);
        let before = bumps.iter().filter(|(seen, _)| *seen <= number);
        let before = before.max_by_key(|(seen, lsn)| (*seen, Reverse(*lsn)));
        seen.then(|| before.map_or(Lsn(0), |(_, lsn)| *lsn))
    }

    /// Takes the next message.
    pub(super) fn push(&mut self, bytes: &[u8], dirty: &mut DirtySet) -> Result<(), FeedError> {
        let message = Message::parse(bytes).map_err(|error| FeedError::Message(error.to_string()))?;
        match message {
            Message::Begin { final_lsn, xid, .. } => self.begin(final_lsn, xid),
            Message::Commit { .. } => match self.open.take() {
                Some(_) => Ok(()),
                None => Err(outside()),
            },
            Message::Origin { name, .. } => {
                let own = self.own_origins.contains(name);
                self.open.as_mut().ok_or_else(outside)?.own |= own;
                Ok(())
            }
            Message::Relation {
                oid,
                schema,
                name,
                columns,
                ..
            } => {
                let relation = self.relation(oid, schema, name, &columns);
                self.relations.insert(oid, relation);
                Ok(())
            }
            Message::Type { .. } | Message::Logical { .. } => Ok(()),
            Message::Insert { relation, new } => self.change(relation, &Change::Insert(new), dirty),
            Message::Update { relation, old, new } => {
                self.change(relation, &Change::Update(old.map(|(_, old)| old), new), dirty)
            }
            Message::Delete { relation, old } => self.change(relation, &Change::Delete(old.1), dirty),
            Message::Truncate { relations, .. } => relations
                .into_iter()
                .try_for_each(|relation| self.truncate(relation, dirty)),
        }
    }

    fn begin(&mut self, lsn: Lsn, xid: u32) -> Result<(), FeedError> {
        if self.open.is_some() {
            return Err(FeedError::Message("a transaction begins inside another".to_owned()));
        }
        let entry = Entry {
            xid: Some(widen(xid, self.near)),
            lsn,
            rogue: self.rogue.is_some(),
        };
        self.open = Some(Transaction {
            entry,
            own: false,
            counted: false,
        });
        Ok(())
    }

    fn relation(&self, oid: u32, schema: &[u8], name: &[u8], columns: &[RelationColumn<'_>]) -> Relation {
        let place = |wanted: &[u8]| columns.iter().position(|column| column.name == wanted);
        let is_barrier =
            |barrier: &QualifiedName| barrier.schema.as_bytes() == schema && barrier.name.as_bytes() == name;
        if let Some(index) = self.barriers.iter().position(|(barrier, _)| is_barrier(barrier)) {
            return place(NUMBER).map_or(Relation::Ignored, |number| Relation::Barrier { index, number });
        }
        let Some(Watched { index, name, key }) = self.tables.get(&oid) else {
            return Relation::Ignored;
        };
        let keyless = key.is_empty();
        let key: Option<Vec<usize>> = key.iter().map(|column| place(column.as_bytes())).collect();
        let mut places = key.iter().flatten();
        let identified = places.all(|place| columns.get(*place).is_some_and(|column| column.is_key));
        Relation::Table(Table {
            name: name.clone(),
            index: *index,
            keyless,
            key,
            identified,
        })
    }

    fn change(&mut self, relation: u32, change: &Change<'_>, dirty: &mut DirtySet) -> Result<(), FeedError> {
        let transaction = self.open.as_mut().ok_or_else(outside)?;
        match self.relations.get(&relation).ok_or_else(|| unknown(relation))? {
            Relation::Barrier { index, number } => {
                if let (Some(row), Some((_, bumps))) = (change.new_row(), self.barriers.get_mut(*index)) {
                    bumped(bumps, number_at(row, *number)?, transaction.entry.lsn);
                }
            }
            Relation::Table(table) if !transaction.own => {
                count(transaction, &table.name, self.rogue.as_mut());
                table.mark(change, transaction.entry, &mut self.key, dirty)?;
            }
            Relation::Table(_) | Relation::Ignored => {}
        }
        Ok(())
    }

    fn truncate(&mut self, relation: u32, dirty: &mut DirtySet) -> Result<(), FeedError> {
        let transaction = self.open.as_mut().ok_or_else(outside)?;
        match self.relations.get(&relation).ok_or_else(|| unknown(relation))? {
            Relation::Table(table) if !transaction.own => {
                count(transaction, &table.name, self.rogue.as_mut());
                dirty.insert_whole(table.index, transaction.entry);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Takes note of a table that others wrote to.
fn count(transaction: &mut Transaction, table: &QualifiedName, rogue: Option<&mut Rogue>) {
    let Some(rogue) = rogue else { return };
    if !transaction.counted {
        transaction.counted = true;
        rogue.transactions += 1;
    }
    if rogue.examples.len() < EXAMPLES && !rogue.examples.contains(table) {
        rogue.examples.push(table.clone());
    }
}

fn number_at(row: &[Column<'_>], place: usize) -> Result<i64, FeedError> {
    let number = match row.get(place) {
        Some(Column::Binary(value)) => (*value).try_into().ok().map(i64::from_be_bytes),
        Some(Column::Text(value)) => std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    number.ok_or_else(|| FeedError::Message("the number of a barrier is no bigint".to_owned()))
}

/// Newest first. A number below the one before is that of another barrier, made anew under the same name.
fn bumped(bumps: &mut VecDeque<(i64, Lsn)>, number: i64, lsn: Lsn) {
    if bumps.front().is_some_and(|(newest, _)| number < *newest) {
        bumps.clear();
    }
    bumps.truncate(BUMPS - 1);
    bumps.push_front((number, lsn));
}

fn outside() -> FeedError {
    FeedError::Message("it stands outside of a transaction".to_owned())
}

fn unknown(relation: u32) -> FeedError {
    FeedError::Message(format!("the table with oid {relation} was not described"))
}

/// The 64-bit id with these lower 32 bits that is nearest to another one.
fn widen(xid: u32, near: u64) -> u64 {
    let [.., a, b, c, d] = near.to_be_bytes();
    let distance = xid.wrapping_sub(u32::from_be_bytes([a, b, c, d])).cast_signed();
    near.checked_add_signed(i64::from(distance)).unwrap_or(u64::from(xid))
}

#[cfg(test)]
mod tests {
    use super::widen;

    #[test]
    fn a_transaction_id_gets_the_nearest_epoch() {
        let epoch = 1_u64 << 32;
        for (xid, near, wide) in [
            (700, 750, 700),
            (800, 750, 800),
            (3, u64::from(u32::MAX), epoch + 3),
            (u32::MAX - 2, epoch + 5, epoch - 3),
            (3, 7 * epoch - 9, 7 * epoch + 3),
            (u32::MAX, 7 * epoch, 7 * epoch - 1),
            (5, 7 * epoch + 5, 7 * epoch + 5),
            (u32::MAX, 1, u64::from(u32::MAX)),
        ] {
            assert_eq!(widen(xid, near), wide, "{xid} near {near}");
        }
    }
}
