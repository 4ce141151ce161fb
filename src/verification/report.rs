//! What the user sees of the comparison: totals and the worst tables in the status, every table in a `ConfigMap`.
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::{Api, Resource as _};
use pgupgrade_verify::{Report, TableResult};
use serde::Serialize;

use super::assess::{Compared, some};
use super::{Comparison, Seen};
use crate::api::conditions::{self, seconds};
use crate::api::{ReportReference, VerificationDepth, VerificationStatus, WorstTable};
use crate::controller::context::FIELD_MANAGER;
use crate::controller::scope::{Scope, now};
use crate::error::Error;

/// Tables that the status names.
const WORST: usize = 10;
/// The key in the `ConfigMap`: JSON, compressed with gzip.
const KEY: &str = "report.json.gz";

/// The name of the `ConfigMap`.
#[must_use]
pub fn name(resource: &str) -> String {
    format!("{resource}-report")
}

/// Enters totals, the worst tables and the condition into the status.
pub fn enter(scope: &mut Scope, seen: &Seen, assessed: &Result<Compared, String>) {
    let previous = scope.status.verification.take().unwrap_or_default();
    scope.status.verification = Some(status(seen, previous, now()));
    let (holds, reason, message) = match assessed {
        Ok(Compared::Reading(how_far)) => (false, "InProgress", how_far.clone()),
        Err(which) => (false, "DifferenceFound", which.clone()),
        Ok(Compared::Verified(remaining)) if !remaining.indexes.is_empty() => {
            (false, "IndexBroken", some(&remaining.indexes))
        }
        Ok(Compared::Verified(remaining)) if !remaining.accepted.is_empty() => {
            (true, "DifferencesAccepted", some(&remaining.accepted))
        }
        Ok(Compared::Verified(remaining)) => (true, "NoDifference", verified(seen, &remaining.undecided)),
    };
    scope.condition(conditions::VERIFIED, holds, reason, &message);
}

fn verified(seen: &Seen, undecided: &[String]) -> String {
    let (rows, tables) = seen
        .report
        .as_ref()
        .map_or((0, 0), |report| (report.rows, report.tables.len()));
    let changed = seen.report.as_ref().map_or(0, Report::tables_by_changes);
    let mut parts = vec![format!("{rows} rows of {} tables", tables - changed)];
    if changed > 0 {
        parts.push(format!("of {changed} the rows that changed since the clone"));
    }
    if !undecided.is_empty() {
        parts.push(format!("the verdict at the fence decides on {}", some(undecided)));
    }
    let unchecked = seen.indexes.unchecked();
    if !unchecked.is_empty() {
        parts.push(format!("not checked: {}", some(&unchecked)));
    }
    parts.join("; ")
}

fn status(seen: &Seen, previous: VerificationStatus, at: Timestamp) -> VerificationStatus {
    let count = |number: usize| i64::try_from(number).ok();
    let Some(report) = &seen.report else {
        return VerificationStatus {
            depth: seen.changed.as_ref().map(|_| VerificationDepth::Changed),
            progress: Some(format!("{}%", seen.progress.percent.min(99))),
            rows_verified: i64::try_from(seen.progress.rows).ok(),
            tables_verified: count(seen.progress.tables_done),
            ..previous
        };
    };
    VerificationStatus {
        depth: Some(report.depth().into()),
        progress: Some("100%".to_owned()),
        rows_verified: i64::try_from(report.rows).ok(),
        tables_verified: count(report.tables.len()),
        differences: count(report.differences),
        last_verified_at: Some(seconds(at)),
        worst_tables: worst(&report.tables),
        ..previous
    }
}

/// Those that differ, then those that are undecided.
fn worst(tables: &[TableResult]) -> Vec<WorstTable> {
    let mut noted: Vec<&TableResult> = tables
        .iter()
        .filter(|table| !table.equal || table.undecided.is_some())
        .collect();
    noted.sort_by_key(|table| (table.equal, std::cmp::Reverse(table.differing)));
    let line = |table: &&TableResult| WorstTable {
        name: table.name.plain(),
        rows: i64::try_from(table.rows).ok(),
        differences: i64::try_from(table.differing).ok(),
        message: table.undecided.clone().unwrap_or_else(|| table.to_string()),
    };
    noted.iter().take(WORST).map(line).collect()
}

/// Writes the `ConfigMap` with every table, owned by the resource: it goes with it.
///
/// # Errors
/// Where the API server refuses.
pub async fn publish(scope: &mut Scope, comparison: &Comparison) -> Result<(), Error> {
    let Some(report) = comparison.due_report() else {
        return Ok(());
    };
    let name = name(&scope.name());
    let object = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            owner_references: scope.object.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        binary_data: Some([(KEY.to_owned(), ByteString(compressed(&report)?))].into()),
        ..ConfigMap::default()
    };
    let api: Api<ConfigMap> = Api::namespaced(scope.context.client.clone(), &scope.namespace());
    api.patch(
        &name,
        &PatchParams::apply(FIELD_MANAGER).force(),
        &Patch::Apply(&object),
    )
    .await
    .map_err(Error::Report)?;
    scope.status.report_ref = Some(ReportReference { name });
    Ok(())
}

pub(super) fn compressed(report: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    serde_json::to_writer(&mut encoder, report).map_err(|error| Error::Task(format!("writing the report: {error}")))?;
    encoder
        .finish()
        .map_err(|error| Error::Task(format!("compressing the report: {error}")))
}
