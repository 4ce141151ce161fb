//! The application's transactions: a mix of all that the tables allow.

mod transactions;
mod values;

use std::collections::{HashMap, VecDeque};

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::Error;
use crate::session::{Held, Session, Value};
use crate::tables::{CUSTOMERS, DOCUMENTS, ORDERS, Table};
use values::{Values, text};

/// How many rows of each table a writer remembers as its own.
const REMEMBERED: usize = 400;

/// The kinds of transaction, each with its share in a thousand.
const MIX: [(u32, Kind); 21] = [
    (240, Kind::PlaceOrder),
    (100, Kind::ChangeCustomer),
    (130, Kind::ChangeOrder),
    (50, Kind::ChangeLine),
    (60, Kind::RegisterCustomer),
    (80, Kind::CountStock),
    (40, Kind::AddProduct),
    (40, Kind::ChangeProduct),
    (30, Kind::RenameProduct),
    (80, Kind::Measure),
    (40, Kind::MoveMeasurement),
    (12, Kind::StoreDocument),
    (14, Kind::ChangeDocument),
    (4, Kind::DropDocument),
    (15, Kind::CloseAccount),
    (15, Kind::CancelOrder),
    (22, Kind::Credit),
    (15, Kind::ChangeEvent),
    (8, Kind::Savepoints),
    (2, Kind::Import),
    (3, Kind::RefillWork),
];

/// A kind of transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    PlaceOrder,
    ChangeCustomer,
    ChangeOrder,
    ChangeLine,
    RegisterCustomer,
    CountStock,
    AddProduct,
    ChangeProduct,
    RenameProduct,
    Measure,
    MoveMeasurement,
    StoreDocument,
    ChangeDocument,
    DropDocument,
    CloseAccount,
    CancelOrder,
    Credit,
    ChangeEvent,
    Savepoints,
    Import,
    RefillWork,
}

/// One worker of the application, across its connections.
pub struct Application {
    name: String,
    counter: u64,
    values: Values,
    known: HashMap<u8, VecDeque<Vec<Value>>>,
    highest: HashMap<u8, i64>,
}

impl Application {
    /// The worker of this name, which nobody else has.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            counter: 0,
            values: Values::new(StdRng::from_os_rng()),
            known: HashMap::new(),
            highest: HashMap::new(),
        }
    }

    /// Looks how far the numbered tables go, so that old rows of every origin can be drawn.
    ///
    /// # Errors
    /// As the server says.
    pub async fn survey(&mut self, session: &mut Session) -> Result<(), Error> {
        for table in [&CUSTOMERS, &ORDERS, &DOCUMENTS] {
            let sql = format!("SELECT coalesce(max(id), 0)::bigint FROM {}", table.relation);
            let rows = session.query(&sql, &[]).await?;
            let highest = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
            self.highest.insert(table.number, highest);
        }
        Ok(())
    }

    /// The statement that begins the next transaction; a few run at a higher isolation level.
    pub fn begin(&mut self) -> &'static str {
        match self.values.up_to(100) {
            1..=4 => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            5 => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            _ => "BEGIN",
        }
    }

    /// Runs one transaction of a random kind up to its COMMIT, which is the caller's. The session knows then what it
    /// did. Gives the kind's name.
    ///
    /// # Errors
    /// As the server says; the caller rolls back then.
    pub async fn transact(&mut self, session: &mut Session) -> Result<String, Error> {
        let kind = self.draw();
        self.perform(kind, session).await?;
        if session.mark() == 0 {
            self.note(session).await?;
        }
        if self.values.in_thousand(20) {
            self.fill_cart(session).await?;
        }
        Ok(format!("{kind:?}"))
    }

    fn draw(&mut self) -> Kind {
        let mut ticket = self.values.random_ticket(MIX.iter().map(|(share, _)| share).sum());
        for (share, kind) in MIX {
            if ticket < share {
                return kind;
            }
            ticket -= share;
        }
        Kind::PlaceOrder
    }

    /// A name for a new row, never used before.
    fn reference(&mut self) -> Value {
        self.counter += 1;
        text(format!("{}:{}", self.name, self.counter))
    }

    fn remember(&mut self, table: &Table, row: &Held) {
        let rows = self.known.entry(table.number).or_default();
        if rows.len() == REMEMBERED {
            rows.pop_front();
        }
        rows.push_back(row.at(table.locator));
    }

    /// The locator of one of the rows that this worker made; it may have been rolled back or deleted since.
    fn own(&mut self, table: &Table) -> Option<Vec<Value>> {
        let rows = self.known.get(&table.number).filter(|rows| !rows.is_empty())?;
        let place = self.values.random_ticket(u32::try_from(rows.len()).ok()?);
        rows.get(usize::try_from(place).ok()?).cloned()
    }

    /// The locator of any row of a numbered table, often an old one, sometimes of another writer; it may not exist.
    fn any(&mut self, table: &Table) -> Option<Vec<Value>> {
        if self.values.in_thousand(400) {
            return self.own(table);
        }
        let highest = self
            .highest
            .get(&table.number)
            .copied()
            .filter(|highest| *highest > 0)?;
        Some(vec![text(self.values.up_to(highest))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_make_a_thousand() {
        assert_eq!(MIX.iter().map(|(share, _)| share).sum::<u32>(), 1000);
    }

    #[test]
    fn every_kind_is_drawn() {
        let mut application = Application::new("w");
        let mut seen = Vec::new();
        for _ in 0..20_000 {
            let kind = application.draw();
            if !seen.contains(&kind) {
                seen.push(kind);
            }
        }
        assert_eq!(seen.len(), MIX.len());
    }
}
