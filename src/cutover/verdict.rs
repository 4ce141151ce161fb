//! Step 6: every row of every published table is the same on both sides, now that nobody writes.
use kube::runtime::events::EventType;
use pgupgrade_verify::{Options, Report, Tables, compare};

use super::{Cutover, Setback};
use crate::api::VerificationStatus;
use crate::api::conditions::seconds;
use crate::controller::scope::now;
use crate::error::Error;

pub(super) async fn run(cutover: &mut Cutover<'_>) -> Result<(), Setback> {
    let report = read(cutover).await.map_err(|error| Setback::Failed {
        step: "Verdict",
        error: Box::new(error),
    })?;
    record(cutover, &report);
    if let Some(table) = report.skipped.iter().find(|skipped| skipped.reason == "not published") {
        let why = format!("{} is not replicated: it was created after the capture", table.name);
        return Err(Setback::Different(why));
    }
    if report.differences == 0 {
        return Ok(());
    }
    let tables: Vec<String> = report
        .tables
        .iter()
        .filter(|table| !table.equal)
        .map(ToString::to_string)
        .collect();
    cutover
        .scope
        .event(EventType::Warning, "DifferenceFound", tables.join("; "));
    Err(Setback::Different(tables.join("; ")))
}

async fn read(cutover: &Cutover<'_>) -> Result<Report, Error> {
    let publications = cutover
        .scope
        .streams()
        .map(|stream| stream.publication.clone())
        .collect();
    let Direction { from, to } = &cutover.direction;
    Ok(compare(
        from,
        to,
        &cutover.database,
        &Tables::Published(publications),
        &Options::default(),
    )
    .await?)
}

fn record(cutover: &mut Cutover<'_>, report: &Report) {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    cutover.scope.status.verification = Some(VerificationStatus {
        progress: Some("100%".to_owned()),
        rows_verified: Some(i64::try_from(report.rows).unwrap_or(i64::MAX)),
        tables_verified: Some(count(report.tables.len())),
        differences: Some(count(report.differences)),
        last_verified_at: Some(seconds(now())),
    });
    let equal = report.differences == 0;
    let message = format!(
        "{} rows of {} tables compared under the fence",
        report.rows,
        report.tables.len()
    );
    cutover.scope.condition(
        "Verified",
        equal,
        if equal { "NoDifference" } else { "DifferenceFound" },
        &message,
    );
}

use super::Direction;
