//! What the bench prints and writes.
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::{clean, schema, trial};

/// The counts so far.
pub struct Report {
    start: Instant,
    data: (usize, usize),
    controls: usize,
    schema: (usize, usize),
    clean: usize,
    undecided: usize,
    false_alarms: usize,
}

impl Report {
    pub fn begin() -> Self {
        println!("{:<78} {:<44} seconds", "fault", "found by");
        Self {
            start: Instant::now(),
            data: (0, 0),
            controls: 0,
            schema: (0, 0),
            clean: 0,
            undecided: 0,
            false_alarms: 0,
        }
    }

    pub fn data(&mut self, outcome: &trial::Outcome) {
        if outcome.is_control {
            self.controls += 1;
        } else {
            self.data.0 += 1;
            self.data.1 += usize::from(outcome.is_found());
        }
        self.false_alarms += outcome.alarms();
        let ways: Vec<String> = outcome.found.iter().map(|found| found.way.to_string()).collect();
        let seconds: Vec<String> = outcome.found.iter().map(|found| seconds(found.took)).collect();
        let by = if outcome.is_control {
            format!("(none: {})", ways.join(", "))
        } else {
            ways.join(", ")
        };
        line(&outcome.name, &by, &seconds.join(", "));
        for found in &outcome.found {
            print_all(&format!("NOT FOUND by {}", found.way), &found.missed);
            print_all(&format!("FALSE ALARM by {}", found.way), &found.alarms);
        }
    }

    pub fn schema(&mut self, outcome: &schema::Outcome) {
        self.schema.0 += 1;
        self.schema.1 += usize::from(outcome.missed.is_empty());
        line(outcome.name, "schema", &seconds(outcome.took));
        print_all("NOT AS EXPECTED", &outcome.missed);
    }

    pub fn schema_alarms(&mut self, alarms: &[String]) {
        self.false_alarms += usize::from(!alarms.is_empty());
        print_all("FALSE ALARM, nothing differs", alarms);
    }

    pub fn clean(&mut self, number: u64, clean: &clean::Clean) {
        self.clean += 1;
        self.undecided += usize::from(!clean.undecided.is_empty());
        self.false_alarms += usize::from(!clean.alarms.is_empty());
        let by = if clean.alarms.is_empty() {
            "(none)"
        } else {
            "false alarm"
        };
        line(&format!("clean run {}", number + 1), by, &seconds(clean.took));
        print_all("FALSE ALARM", &clean.alarms);
        print_all("not decided", &clean.undecided);
    }
    /// Writes the counts to a file, and tells whether all was as it has to be.
    pub fn end(self) -> ExitCode {
        let counts = json!({
            "dataInjected": self.data.0,
            "dataFound": self.data.1,
            "schemaInjected": self.schema.0,
            "schemaFound": self.schema.1,
            "cleanRuns": self.clean,
            "falseAlarms": self.false_alarms,
        });
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/faults");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("report.json");
        std::fs::write(&file, format!("{counts:#}\n")).unwrap();
        println!(
            "\ndata: {} of {} faults found, {} controls; schema: {} of {}; {} clean runs, {} of them not decided; \
             {} false alarms; {} s\n{}",
            self.data.1,
            self.data.0,
            self.controls,
            self.schema.1,
            self.schema.0,
            self.clean,
            self.undecided,
            self.false_alarms,
            self.start.elapsed().as_secs(),
            file.display()
        );
        let missed = self.data.0 - self.data.1 + self.schema.0 - self.schema.1;
        ExitCode::from(u8::from(missed + self.false_alarms > 0))
    }
}

fn line(name: &str, by: &str, seconds: &str) {
    let name: String = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = name.chars().take(78).collect();
    println!("{short:<78} {by:<44} {seconds}");
}

fn print_all(what: &str, lines: &[String]) {
    for line in lines {
        println!("    {what}: {line}");
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.2}", took.as_secs_f64())
}

pub fn written(transactions: u64) {
    println!("{transactions} transactions were written meanwhile");
}
