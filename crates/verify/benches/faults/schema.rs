//! Faults of a schema, each made on a target that has everything a schema may hold.
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pgupgrade_verify::schema::{self, Severity};

use crate::schema_faults::{FAULTS, Fault};
use crate::schema_server::Server;

const RICH: &str = include_str!("../../tests/support/schema_rich.sql");

/// What came of a fault.
pub struct Outcome {
    pub name: &'static str,
    pub took: Duration,
    /// What was not said of it, or of others.
    pub missed: Vec<String>,
}

/// A finding: kind, object, detail.
type Finding = (&'static str, String, String);

pub struct Both {
    source: Server,
    target: Server,
    /// What is found without a fault.
    known: BTreeSet<Finding>,
    to: u16,
}

impl Both {
    pub async fn start(from: u16, to: u16) -> Self {
        let (source, target) = tokio::join!(Server::start(from), Server::start(to));
        for server in [&source, &target] {
            server.client.batch_execute(RICH).await.unwrap();
        }
        let mut both = Self {
            source,
            target,
            known: BTreeSet::new(),
            to,
        };
        both.copy_passwords().await;
        both.known = both.findings().await;
        both
    }

    /// A password's verifier holds a random salt.
    async fn copy_passwords(&self) {
        let query = "SELECT string_agg(format('UPDATE pg_authid SET rolpassword = %L WHERE rolname = %L', rolpassword, rolname), '; ')
            FROM pg_authid WHERE rolpassword IS NOT NULL";
        let script: String = self.source.client.query_one(query, &[]).await.unwrap().get(0);
        self.target.client.batch_execute(&script).await.unwrap();
    }

    /// What is found although no fault was made.
    pub fn alarms(&self) -> Vec<String> {
        let known = self.known.iter();
        known
            .map(|(kind, object, detail)| format!("{kind} {object}: {detail}"))
            .collect()
    }

    pub fn faults(&self) -> impl Iterator<Item = &'static Fault> + use<> {
        let to = self.to;
        FAULTS.iter().filter(move |fault| fault.from <= to)
    }

    pub async fn run(&self, fault: &'static Fault) -> Outcome {
        let mut missed = Vec::new();
        if let Err(error) = self.target.client.batch_execute(fault.make).await {
            missed.push(format!("made: {error:?}"));
        }
        let start = Instant::now();
        let mut found: BTreeSet<Finding> = self.findings().await.difference(&self.known).cloned().collect();
        let took = start.elapsed();
        for (kind, object, beginning) in fault.found {
            let is_it = |found: &&Finding| found.0 == *kind && found.1 == *object && found.2.starts_with(beginning);
            match found.iter().find(is_it).cloned() {
                Some(it) => drop(found.remove(&it)),
                None => missed.push(format!("not found: {kind} {object}: {beginning}")),
            }
        }
        missed.extend(found.iter().map(|found| format!("found beside it: {found:?}")));
        if let Err(error) = self.target.client.batch_execute(fault.undo).await {
            missed.push(format!("undone: {error:?}"));
        }
        self.copy_passwords().await;
        Outcome {
            name: fault.make,
            took,
            missed,
        }
    }

    async fn findings(&self) -> BTreeSet<Finding> {
        let options = schema::Options::default();
        let findings = schema::compare(&self.source.session, &self.target.session, &options).await;
        let findings = findings.unwrap().into_iter();
        findings
            .filter(|found| !matches!(found.severity, Severity::Benign(_)))
            .map(|found| (found.kind, found.object, found.detail))
            .collect()
    }
}
