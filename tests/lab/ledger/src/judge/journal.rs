//! All writers' records, read into one list of transactions and, table by table, their operations.

use std::collections::{BTreeMap, HashMap};

use super::content::read_baseline;
use super::history::Event;
use super::pace::Pace;
use crate::Error;
use crate::operation::Operation;
use crate::record::{Answering, LedgerDir, Line, read};
use crate::tables::TABLES;

/// A transaction that was acknowledged or whose outcome is unknown. The first of all is the baseline.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Place of the writer in [`Journal::writers`].
    writer: usize,
    /// Number in the writer's record.
    number: u32,
    /// Its kind.
    kind: String,
    /// Whether its COMMIT was acknowledged.
    pub acknowledged: bool,
    /// How many operations it has.
    pub operations: u32,
    /// How many of them took place.
    pub kept: u32,
    /// How many of them did not.
    pub lost: u32,
}

/// Operations of one table, each with the key of its row.
pub type Events = Vec<(Box<str>, Event)>;

/// All that the writers recorded.
#[derive(Debug)]
pub struct Journal {
    /// Transactions, the baseline first.
    pub transactions: Vec<Transaction>,
    /// Operations by table number, sorted by key and version.
    pub events: Vec<Events>,
    /// When the application was acknowledged, and by whom.
    pub pace: Pace,
    /// Errors of the application by SQLSTATE.
    pub failures: BTreeMap<String, u64>,
    /// How often the rogue was told that the database is read-only.
    pub rogue_refused: u64,
    /// Transactions of the rogue that were acknowledged.
    pub rogue_acknowledged: u64,
    writers: Vec<String>,
}

/// What is being read of one file.
struct Reader<'a> {
    journal: &'a mut Journal,
    open: HashMap<u32, (String, Vec<Operation>)>,
    application: bool,
    server: Option<Answering>,
}

impl Journal {
    /// Reads the baseline and all files of the ledger.
    ///
    /// # Errors
    /// A file can't be read or understood.
    pub fn read(ledger: &LedgerDir) -> Result<Self, Error> {
        let mut journal = Self {
            transactions: Vec::new(),
            events: TABLES.iter().map(|_| Vec::new()).collect(),
            pace: Pace::default(),
            failures: BTreeMap::new(),
            rogue_refused: 0,
            rogue_acknowledged: 0,
            writers: vec!["baseline".to_owned()],
        };
        journal.add_baseline(ledger)?;
        for path in ledger.files()? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            journal.writers.push(name);
            let mut reader = Reader {
                journal: &mut journal,
                open: HashMap::new(),
                application: true,
                server: None,
            };
            read(&path, |line| reader.line(line))?;
            let unanswered = std::mem::take(&mut reader.open);
            for (number, intent) in unanswered {
                reader.transaction(number, intent, false);
            }
        }
        for events in &mut journal.events {
            events.sort_by(|a, b| (&a.0, a.1.version).cmp(&(&b.0, b.1.version)));
        }
        journal.pace.sort();
        Ok(journal)
    }

    /// Names a transaction for people.
    #[must_use]
    pub fn describe(&self, place: u32) -> String {
        let Some(transaction) = usize::try_from(place)
            .ok()
            .and_then(|place| self.transactions.get(place))
        else {
            return "an unknown transaction".to_owned();
        };
        let writer = &self.writers[transaction.writer];
        format!("{writer} transaction {} {}", transaction.number, transaction.kind)
    }

    fn add_baseline(&mut self, ledger: &LedgerDir) -> Result<(), Error> {
        self.transactions.push(Transaction {
            acknowledged: true,
            kind: "Fill".into(),
            ..Transaction::default()
        });
        for (events, rows) in self.events.iter_mut().zip(read_baseline(ledger)?) {
            events.extend(rows.into_iter().map(|rows| {
                let state = rows.state();
                let (version, after, copies) = (state.version, Some(state.digest), state.count);
                (
                    rows.0,
                    Event {
                        transaction: 0,
                        acknowledged: true,
                        version,
                        before: None,
                        after,
                        copies,
                    },
                )
            }));
        }
        Ok(())
    }
}

impl Reader<'_> {
    fn line(&mut self, line: Line) {
        match line {
            Line::Writer { application, .. } => self.application = application,
            Line::Server(server) => self.server = Some(server),
            Line::Intent { x, k, o, .. } => {
                self.open.insert(x, (k, o));
            }
            Line::Ack { x, t } => {
                if let Some(intent) = self.open.remove(&x) {
                    self.transaction(x, intent, true);
                }
                self.acknowledged(t);
            }
            Line::Failed { x, code, .. } => {
                self.open.remove(&x);
                self.errors(code, 1);
            }
            // The intent stays open, which says the same.
            Line::Unknown { .. } => {}
            Line::Errors { code, n, .. } => self.errors(code, n),
        }
    }

    fn acknowledged(&mut self, time: u64) {
        if !self.application {
            self.journal.rogue_acknowledged += 1;
        } else if let Some(server) = &self.server {
            self.journal.pace.add(time, server);
        }
    }

    fn errors(&mut self, code: String, number: u64) {
        if self.application {
            *self.journal.failures.entry(code).or_default() += number;
        } else if code == "25006" {
            self.journal.rogue_refused += number;
        }
    }

    fn transaction(&mut self, number: u32, (kind, operations): (String, Vec<Operation>), acknowledged: bool) {
        let transaction = u32::try_from(self.journal.transactions.len()).unwrap_or(u32::MAX);
        self.journal.transactions.push(Transaction {
            writer: self.journal.writers.len() - 1,
            number,
            kind,
            acknowledged,
            operations: u32::try_from(operations.len()).unwrap_or(u32::MAX),
            ..Transaction::default()
        });
        for Operation(table, key, version, before, after, copies) in operations {
            if let Some(events) = self.journal.events.get_mut(usize::from(table)) {
                events.push((
                    key.into(),
                    Event {
                        transaction,
                        acknowledged,
                        version,
                        before,
                        after,
                        copies,
                    },
                ));
            }
        }
    }
}
