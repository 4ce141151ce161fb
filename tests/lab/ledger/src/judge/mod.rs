//! The judge: recomputes from the record what every table must hold, and compares.
//!
//! All writers must have ended. A row's operations form a chain: each names the version and the digest that it found
//! and made. What the table holds must be the end of that chain, and every acknowledged operation must be in it.

pub mod content;
mod history;
mod journal;
pub mod pace;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use crate::Error;
use crate::record::LedgerDir;
use crate::tables::{CREDIT_NOTES, INVOICES, TABLES, Table};
use history::{Event, State, explain};
use journal::{Events, Journal};
use pace::ServerShare;

/// How many examples are told.
const EXAMPLES: usize = 20;

/// What became of the recorded writes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Transactions whose COMMIT was acknowledged, those of the rogue included.
    pub acknowledged: u64,
    /// Those of them of which every effect is there.
    pub found: u64,
    /// Those of them of which an effect is not there.
    pub missing: u64,
    /// Rows above the number that there should be.
    pub doubled: u64,
    /// Rows or contents of rows that nobody wrote.
    pub invented: u64,
    /// Transactions without an answer of which a part is there and a part is not.
    pub torn: u64,
    /// Rows of before the first writer that are gone or were changed by nobody.
    pub baseline_missing: u64,
    /// Transactions without an answer that took place.
    pub unknown_committed: u64,
    /// Transactions without an answer that did not.
    pub unknown_lost: u64,
    /// Values that a sequence gave twice, over the two tables that share it.
    pub sequence_repeats: u64,
    /// Rows that were compared.
    pub rows: u64,
    /// Acknowledged to the rogue.
    pub rogue_acknowledged: u64,
    /// How often the rogue was refused with 25006 (`read_only_sql_transaction`).
    pub rogue_refused: u64,
    /// Errors that the application saw, by SQLSTATE (08006: connection lost).
    pub failures: BTreeMap<String, u64>,
    /// From the last acknowledgement on the old server to the first on the new one, over all application writers.
    pub write_gap_millis: Option<f64>,
    /// Acknowledged on the old server after the new one had begun.
    pub acknowledged_late: u64,
    /// The application's rate up to the last acknowledgement on the old server.
    pub transactions_per_second: f64,
    /// The same in the last second before it.
    pub transactions_per_second_last: f64,
    /// The servers that answered.
    pub servers: Vec<ServerShare>,
    /// Some of what is wrong, for people.
    pub examples: Vec<String>,
}

impl Verdict {
    /// Whether nothing is missing, doubled, invented or torn, and no two servers took writes at once.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let wrong = [
            self.missing,
            self.doubled,
            self.invented,
            self.torn,
            self.baseline_missing,
            self.sequence_repeats,
        ];
        wrong.iter().all(|number| *number == 0) && self.acknowledged_late == 0
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(text());
        }
    }
}

/// Judges what a database holds by the record.
///
/// # Errors
/// The record or the database can't be read.
pub async fn judge(ledger: &LedgerDir, client: &Client) -> Result<Verdict, Error> {
    let mut journal = Journal::read(ledger)?;
    let mut verdict = Verdict::default();
    for table in TABLES {
        let content = content::read(client, table).await?;
        let events = std::mem::take(&mut journal.events[usize::from(table.number)]);
        judge_table(table, &events, &content, &mut journal, &mut verdict);
        // The two tables follow each other; both are needed for the sequence that they share.
        journal.events[usize::from(table.number)] = events;
        if table.number == CREDIT_NOTES.number {
            verdict.sequence_repeats = repeats(&journal);
        }
    }
    judge_transactions(&journal, &mut verdict);
    pace_of(&journal, &mut verdict);
    verdict.failures = journal.failures;
    verdict.rogue_acknowledged = journal.rogue_acknowledged;
    verdict.rogue_refused = journal.rogue_refused;
    Ok(verdict)
}

/// Compares a table key by key; both lists are sorted by key.
fn judge_table(
    table: &Table,
    events: &Events,
    content: &[content::Rows],
    journal: &mut Journal,
    verdict: &mut Verdict,
) {
    let (mut events, mut content) = (events.as_slice(), content);
    loop {
        let key = match (events.first(), content.first()) {
            (None, None) => return,
            (Some(event), None) => event.0.clone(),
            (None, Some(rows)) => rows.0.clone(),
            (Some(event), Some(rows)) => event.0.clone().min(rows.0.clone()),
        };
        let (own, rest) = events.split_at(events.iter().take_while(|event| event.0 == key).count());
        let (rows, other) = content.split_at(content.iter().take_while(|rows| rows.0 == key).count());
        (events, content) = (rest, other);
        let history: Vec<_> = own.iter().map(|(_, event)| event.clone()).collect();
        let states: Vec<_> = rows.iter().map(content::Rows::state).collect();
        verdict.rows += states.iter().map(|state| u64::from(state.count)).sum::<u64>();
        judge_row(
            &format!("{} {key:?}", table.relation),
            &history,
            &states,
            journal,
            verdict,
        );
    }
}

fn judge_row(row: &str, history: &[Event], states: &[State], journal: &mut Journal, verdict: &mut Verdict) {
    let finding = explain(history, states);
    verdict.doubled += finding.doubled;
    verdict.invented += finding.invented;
    if finding.doubled > 0 {
        verdict.example(|| format!("doubled: {row}: {} too many", finding.doubled));
    }
    if finding.invented > 0 {
        verdict.example(|| format!("invented: {row}: {states:?}"));
    }
    for (index, event) in history.iter().enumerate() {
        let partial = finding.partial == Some(index);
        let (kept, lost) = (finding.kept[index] || partial, !finding.kept[index] || partial);
        if lost && event.acknowledged {
            verdict.example(|| {
                format!(
                    "missing: {row}: version {} by {}",
                    event.version,
                    journal.describe(event.transaction)
                )
            });
        }
        if lost && event.transaction == 0 {
            verdict.baseline_missing += 1;
        }
        if let Some(transaction) = usize::try_from(event.transaction)
            .ok()
            .and_then(|i| journal.transactions.get_mut(i))
        {
            transaction.kept += u32::from(kept);
            transaction.lost += u32::from(lost);
        }
    }
}

fn judge_transactions(journal: &Journal, verdict: &mut Verdict) {
    for (place, transaction) in (0..).zip(&journal.transactions).skip(1) {
        let torn = transaction.kept > 0 && transaction.lost > 0;
        match (transaction.acknowledged, transaction.lost == 0) {
            (true, true) => verdict.found += 1,
            (true, false) => verdict.missing += 1,
            (false, _) if torn => verdict.torn += 1,
            (false, true) => verdict.unknown_committed += 1,
            (false, false) => verdict.unknown_lost += 1,
        }
        if torn {
            let (kept, all) = (transaction.kept, transaction.operations);
            verdict.example(|| {
                format!(
                    "half applied: {}: {kept} of {all} effects are there",
                    journal.describe(place)
                )
            });
        }
    }
    verdict.acknowledged = verdict.found + verdict.missing;
}

/// Numbers that the shared sequence gave to an invoice and to a credit note.
fn repeats(journal: &Journal) -> u64 {
    let numbers = |table: &Table| {
        let events = &journal.events[usize::from(table.number)];
        events
            .iter()
            .filter(|(_, event)| event.acknowledged)
            .map(|(key, _)| key)
            .collect::<HashSet<_>>()
    };
    u64::try_from(numbers(&INVOICES).intersection(&numbers(&CREDIT_NOTES)).count()).unwrap_or(u64::MAX)
}

fn pace_of(journal: &Journal, verdict: &mut Verdict) {
    let pace = &journal.pace;
    if let Some(change) = pace.change() {
        let gap = pace::millis(change.first_on_new.saturating_sub(change.last_on_old));
        verdict.write_gap_millis = Some(gap);
        verdict.acknowledged_late = change.late;
    }
    (verdict.transactions_per_second, verdict.transactions_per_second_last) = pace.rates_before_change();
    verdict.servers = pace.servers();
}
