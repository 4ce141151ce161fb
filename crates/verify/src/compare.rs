//! The comparison of two databases that hold still, or of a pair of snapshots.
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use futures::future::try_join;
use pgupgrade_postgres::connection::{Connector, Session};
use tokio::time::timeout;

use crate::bulk::{self, Differing, PassOptions, TablePass};
use crate::catalog::{self, Reading};
use crate::examples::examples;
use crate::side::{self, Side};
use crate::sketch::{Difference, distinct};
use crate::{Depth, Error, Options, Report, TableResult, Tables, lookup};

/// Compares all rows of the tables. While somebody writes on one side, or changes are still on their way, differences
/// are to be expected: it is meant for two databases that are behind a fence and drained, or for a pair of snapshots
/// that are known to show the same.
///
/// # Errors
/// [`Error::Connect`], [`Error::Sql`], also where the role may not read a table; a difference is no error.
pub async fn compare(
    source: &Connector,
    target: &Connector,
    database: &str,
    tables: &Tables,
    options: &Options,
) -> Result<Report, Error> {
    let start = Instant::now();
    let sides = Sides {
        source,
        target,
        database,
        options,
    };
    let (on_source, on_target) = sides.open().await?;
    let plan = catalog::plan_of(&on_source, &on_target, tables).await?;
    let readings: Arc<[Reading]> = plan.readings.into();
    let seed = RandomState::new().build_hasher().finish();
    let how = PassOptions {
        snapshots: options.snapshots.clone(),
        ..PassOptions::new(options, seed)
    };
    let passes = bulk::pass(source, target, database, &readings, &how).await?;
    let mut compared: Vec<TableResult> = readings.iter().zip(&passes).map(judge).collect();
    if options.examples > 0 && !options.search.is_zero() {
        let search = sides.add_examples((&on_source, &on_target), &readings, &passes, seed, &mut compared);
        if timeout(options.search, search).await.is_err() {
            tracing::warn!(within = ?options.search, "no time for all keys of the rows that differ");
        }
    }
    let mut report = Report {
        rows: passes.iter().map(|pass| pass.source.rows).sum(),
        bytes: passes.iter().map(|pass| pass.source.bytes).sum(),
        tables: plan.problems,
        skipped: plan.skipped,
        ..Report::default()
    };
    report.tables.append(&mut compared);
    report.differences = report.tables.iter().filter(|table| !table.equal).count();
    report.elapsed = start.elapsed();
    Ok(report)
}

fn judge((reading, pass): (&Reading, &TablePass)) -> TableResult {
    let (differing, estimated) = match &pass.differing {
        _ if pass.rewritten => (0, false),
        Differing::None => (0, false),
        Differing::Hashes(differences) => (distinct(differences), false),
        Differing::TooMany { estimate, .. } => (*estimate, true),
        Differing::WithoutKey => (pass.source.rows.abs_diff(pass.target.rows).max(1), false),
    };
    let rewritten = "it was truncated or rewritten meanwhile";
    TableResult {
        name: reading.name.clone(),
        depth: Some(Depth::Full),
        rows: pass.source.rows,
        target_rows: pass.target.rows,
        equal: !pass.differs() || pass.rewritten,
        problem: None,
        differing,
        estimated,
        examples: Vec::new(),
        undecided: pass.rewritten.then(|| rewritten.to_owned()),
        notes: reading.notes.clone(),
    }
}

struct Sides<'a> {
    source: &'a Connector,
    target: &'a Connector,
    database: &'a str,
    options: &'a Options,
}

impl Sides<'_> {
    async fn open(&self) -> Result<(Session, Session), Error> {
        let snapshots = self.options.snapshots.as_ref();
        let (source, target) = (
            snapshots.map(|pair| pair.0.as_str()),
            snapshots.map(|pair| pair.1.as_str()),
        );
        try_join(
            side::open(self.source, Side::Source, self.database, source),
            side::open(self.target, Side::Target, self.database, target),
        )
        .await
    }

    /// Adds rows to the tables that differ. What is found is settled by then: a failure here takes nothing back.
    async fn add_examples(
        &self,
        scans: (&Session, &Session),
        readings: &[Reading],
        passes: &[TablePass],
        seed: u64,
        results: &mut [TableResult],
    ) {
        if !passes.iter().any(|pass| !differences(pass).is_empty()) {
            return;
        }
        let failed = |error| tracing::warn!(%error, "no keys of the rows that differ");
        let (source, target) = match self.open_lookups().await {
            Ok(sessions) => sessions,
            Err(error) => return failed(error),
        };
        for ((reading, pass), result) in readings.iter().zip(passes).zip(results) {
            let (wanted, show_values) = (self.options.examples, self.options.show_values);
            let lookups = (&source, &target);
            match examples(scans, lookups, reading, differences(pass), seed, wanted, show_values).await {
                Ok(examples) => result.examples = examples,
                Err(error) => return failed(error),
            }
        }
    }

    async fn open_lookups(&self) -> Result<(Session, Session), Error> {
        let (source, target) = self.open().await?;
        try_join(
            lookup::prepare(&source, Side::Source),
            lookup::prepare(&target, Side::Target),
        )
        .await?;
        Ok((source, target))
    }
}

/// Rows that differ, at least some of them.
fn differences(pass: &TablePass) -> &[Difference] {
    match &pass.differing {
        Differing::Hashes(all) => all,
        Differing::TooMany { examples, .. } => examples,
        Differing::None | Differing::WithoutKey => &[],
    }
}
