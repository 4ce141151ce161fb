//! What was measured, for people and for programs.
use std::path::Path;

use serde_json::{Value, json};

use crate::changes::{CHANGED, KEYS, MANY};
use crate::reader::Measured;

#[derive(Debug, Default)]
pub struct Report {
    /// Of the narrow and the wide table.
    pub rows: u64,
    /// psql, floor, engine, count.
    pub narrow: Vec<Measured>,
    pub wide: Vec<Measured>,
    /// The engine alone, on a tenth of the narrow rows.
    pub small: Option<Measured>,
    /// Floor and engine, on the narrow rows.
    pub encrypted: Vec<Measured>,
    pub changes: Changes,
}

/// How long it takes to compare what was changed.
#[derive(Debug, Default)]
pub struct Changes {
    /// Of a tenth of the narrow rows, and of all of them, so many rows.
    pub few: f64,
    pub all: f64,
    /// The verdict at the fence.
    pub verdict_millis: f64,
}

impl Report {
    fn sum(&self, reader: usize) -> f64 {
        [&self.narrow, &self.wide]
            .iter()
            .map(|table| table[reader].seconds)
            .sum()
    }

    fn peak_memory_mib(&self) -> f64 {
        let engines = [&self.narrow[2], &self.wide[2], &self.encrypted[1]];
        engines
            .iter()
            .map(|measured| measured.peak_memory_mib)
            .fold(0.0, f64::max)
    }

    fn ratio(&self) -> f64 {
        self.sum(2) / self.sum(1)
    }

    pub fn print(&self) {
        println!(
            "both sides, best of each, seconds{:>10}{:>10}{:>10}{:>10}{:>10}",
            "psql", "COPY", "engine", "ratio", "count(*)"
        );
        for (name, measured) in [("narrow", &self.narrow), ("wide", &self.wide)] {
            let [psql, floor, engine, count] = [0, 1, 2, 3].map(|reader| measured[reader].seconds);
            let ratio = engine / floor;
            println!("{name:<33}{psql:>10.2}{floor:>10.2}{engine:>10.2}{ratio:>10.2}{count:>10.2}");
        }
        let (floor, engine) = (self.encrypted[0].seconds, self.encrypted[1].seconds);
        println!(
            "{:<33}{:>10}{floor:>10.2}{engine:>10.2}{:>10.2}",
            "narrow, encrypted",
            "",
            engine / floor
        );
        println!(
            "all: ratio {:.2}, peak memory {:.0} MiB",
            self.ratio(),
            self.peak_memory_mib()
        );
        if let Some(small) = self.small {
            let times = self.narrow[2].seconds / small.seconds;
            println!(
                "ten times the rows take {times:.1} times as long ({:.2} s)",
                small.seconds
            );
        }
        let Changes {
            few,
            all,
            verdict_millis,
        } = self.changes;
        println!("{CHANGED} changed keys: {few:.2} s in a tenth of the rows, {all:.2} s in all of them");
        println!("verdict with {MANY} tables and {KEYS} changed keys: {verdict_millis:.0} ms");
    }

    fn to_json(&self) -> Value {
        json!({
            "rows": self.rows,
            "floorSeconds": self.sum(1),
            "engineSeconds": self.sum(2),
            "ratio": self.ratio(),
            "peakMemoryMiB": self.peak_memory_mib(),
            "changedSecondsAt1M": self.changes.few,
            "changedSecondsAt10M": self.changes.all,
            "verdictMillis": self.changes.verdict_millis,
        })
    }

    /// Writes `target/bench-verify/report.json` of the repository.
    pub fn write(&self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench-verify");
        std::fs::create_dir_all(&folder).unwrap();
        let text = serde_json::to_string_pretty(&self.to_json()).unwrap();
        std::fs::write(folder.join("report.json"), text + "\n").unwrap();
    }
}
