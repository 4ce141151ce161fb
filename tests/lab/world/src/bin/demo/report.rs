//! The end of the demo: what it took, what it cost, and what became of every write.
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lab_ledger::judge::Verdict;
use lab_world::Error;
use pgupgrade::api::{Phase, PostgresUpgradeStatus};
use serde::Serialize;

/// The report, as `report.json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    acknowledged: u64,
    found: u64,
    missing: u64,
    doubled: u64,
    invented: u64,
    torn: u64,
    acknowledged_late: u64,
    rogue_acknowledged: u64,
    rogue_refused: u64,
    transactions_per_second: f64,
    transactions_per_second_last: f64,
    /// As the writers saw it: last acknowledged on the old side, first on the new.
    write_gap_millis: Option<f64>,
    /// The operator's own figure, from the scale-down on.
    operator_write_gap_millis: Option<i64>,
    restart_floor_millis: f64,
    cutover_steps: BTreeMap<String, i64>,
    phases: BTreeMap<String, i64>,
    rows_verified: Option<i64>,
    source_version: Option<String>,
    target_version: Option<String>,
    secret_rewritten: bool,
    succeeded: bool,
    total_seconds: f64,
    clean: bool,
    examples: Vec<String>,
}

impl Report {
    /// Puts it together.
    pub fn new(
        status: &PostgresUpgradeStatus,
        verdict: &Verdict,
        floor: f64,
        total: Duration,
        rewritten: bool,
    ) -> Self {
        let cutover = status.cutover.as_ref();
        let resolved = status.resolved.as_ref();
        let seconds = |record: &pgupgrade::api::PhaseRecord| {
            let (began, ended) = (record.started_at.as_ref()?.0, record.finished_at.as_ref()?.0);
            Some((record.name.name().to_owned(), ended.duration_since(began).as_secs()))
        };
        Self {
            acknowledged: verdict.acknowledged,
            found: verdict.found,
            missing: verdict.missing,
            doubled: verdict.doubled,
            invented: verdict.invented,
            torn: verdict.torn,
            acknowledged_late: verdict.acknowledged_late,
            rogue_acknowledged: verdict.rogue_acknowledged,
            rogue_refused: verdict.rogue_refused,
            transactions_per_second: verdict.transactions_per_second,
            transactions_per_second_last: verdict.transactions_per_second_last,
            write_gap_millis: verdict.write_gap_millis,
            operator_write_gap_millis: cutover.and_then(|cutover| cutover.write_gap_millis),
            restart_floor_millis: floor,
            cutover_steps: cutover
                .iter()
                .flat_map(|cutover| &cutover.steps)
                .filter_map(|step| Some((step.name.name().to_owned(), step.duration_millis?)))
                .collect(),
            phases: status.phases.iter().filter_map(seconds).collect(),
            rows_verified: status
                .verification
                .as_ref()
                .and_then(|verification| verification.rows_verified),
            source_version: resolved.and_then(|resolved| resolved.source_engine_version.clone()),
            target_version: resolved.and_then(|resolved| resolved.target_engine_version.clone()),
            secret_rewritten: rewritten,
            succeeded: status.phase == Phase::Succeeded,
            total_seconds: total.as_secs_f64(),
            clean: verdict.is_clean(),
            examples: verdict.examples.clone(),
        }
    }

    /// Whether the demo ended as it should.
    pub fn is_good(&self) -> bool {
        self.succeeded
            && self.clean
            && self.missing == 0
            && self.doubled == 0
            && self.secret_rewritten
            && self.write_gap_millis.is_some()
    }

    /// For people.
    pub fn print(&self) {
        let text = |version: &Option<String>| version.clone().unwrap_or_default();
        println!(
            "\n{} → {} in {:.0} s\n",
            text(&self.source_version),
            text(&self.target_version),
            self.total_seconds
        );
        println!("  phase              seconds");
        for (phase, seconds) in &self.phases {
            println!("  {phase:<18} {seconds:>7}");
        }
        println!("\n  cutover step       milliseconds");
        for (step, millis) in &self.cutover_steps {
            println!("  {step:<18} {millis:>12}");
        }
        let millis = |value: Option<f64>| value.map_or("none".to_owned(), |value| format!("{value:.0} ms"));
        println!(
            "\n  write gap, as the application saw it   {}",
            millis(self.write_gap_millis)
        );
        println!(
            "  restart alone, in the same run         {}",
            millis(Some(self.restart_floor_millis))
        );
        println!(
            "  write gap, as the operator reports it  {}",
            self.operator_write_gap_millis
                .map_or("none".to_owned(), |gap| format!("{gap} ms"))
        );
        println!(
            "  rows compared under the fence          {}",
            self.rows_verified.unwrap_or_default()
        );
        println!(
            "  load                                   {:.0} transactions/s, {:.0} in the last second before",
            self.transactions_per_second, self.transactions_per_second_last
        );
        println!(
            "  rogue writer                           {} acknowledged, {} refused",
            self.rogue_acknowledged, self.rogue_refused
        );
        println!(
            "\n  acknowledged {}   found {}   missing {}   doubled {}   invented {}   torn {}",
            self.acknowledged, self.found, self.missing, self.doubled, self.invented, self.torn
        );
        for example in &self.examples {
            println!("    {example}");
        }
        println!("  {}", if self.is_good() { "PASSED" } else { "FAILED" });
    }

    /// `report.json`.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
        let file = folder.join("report.json");
        let text = serde_json::to_string_pretty(self).map_err(|error| Error::Unexpected(error.to_string()))?;
        std::fs::write(&file, text + "\n").map_err(Error::file(&file))
    }
}
