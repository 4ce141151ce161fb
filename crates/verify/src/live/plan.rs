//! What is compared, and whether that is still what there is.
use std::collections::BTreeSet;

use futures::future::try_join;
use pgupgrade_postgres::QualifiedName;

use super::{Live, Sessions, Table};
use crate::catalog::{self, Plan, Reading};
use crate::feed::FeedNames;
use crate::known::writers;
use crate::schema::catalog_stamp;
use crate::side::{Side, sql};
use crate::{Error, TableResult, Tables};

/// Tables whose rows the subscription still copies, with their partitions: the barriers don't tell of these.
const COPIED: &str = include_str!("../../sql/live_copied.sql");

/// What the catalogues were when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Basis {
    stamps: (String, String),
    /// Names, places, columns and keys of all tables, and what can't be compared.
    digest: String,
}

/// Decides for each table. Those that the verification slot does not tell of are undecided: without it a difference
/// can't be told from what is on its way.
pub(super) async fn make(sessions: &Sessions, tables: &Tables, changes: &FeedNames) -> Result<(Plan, Basis), Error> {
    let stamps = stamps(sessions).await?;
    let mut plan = catalog::plan_of(&sessions.source, &sessions.target, tables).await?;
    let publication = std::slice::from_ref(&changes.publication);
    let told = catalog::published_leaves(&sessions.source, publication).await?;
    let told: BTreeSet<QualifiedName> = told.into_iter().collect();
    let copied = copied(sessions).await?;
    let mut readings = Vec::with_capacity(plan.readings.len());
    for reading in plan.readings {
        let why = if !told.contains(&reading.name) {
            "the verification slot does not tell of its changes: it was published later, or is not replicated"
        } else if copied.contains(&reading.name) {
            "its subscription still copies it"
        } else {
            readings.push(reading);
            continue;
        };
        plan.problems.push(undecided(&reading, why));
    }
    plan.readings = readings;
    let digest = digest(&plan);
    Ok((plan, Basis { stamps, digest }))
}

async fn stamps(sessions: &Sessions) -> Result<(String, String), Error> {
    try_join(
        catalog_stamp(&sessions.bumper, Side::Source),
        catalog_stamp(&sessions.looker, Side::Target),
    )
    .await
}

async fn copied(sessions: &Sessions) -> Result<BTreeSet<QualifiedName>, Error> {
    let rows = sessions.looker.query(COPIED, &[]).await;
    let rows = rows.map_err(sql(Side::Target, "looking at what the subscriptions still copy"))?;
    let name = |row: &tokio_postgres::Row| QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1));
    Ok(rows.iter().map(name).collect())
}

fn undecided(reading: &Reading, why: &str) -> TableResult {
    TableResult {
        undecided: Some(why.to_owned()),
        ..Table::default().result(reading, None)
    }
}

fn digest(plan: &Plan) -> String {
    let places = |reading: &Reading| {
        let (source, target) = (reading.on(Side::Source), reading.on(Side::Target));
        format!(
            "{} {} {} {} {:?}\n",
            reading.name,
            source.oid,
            target.oid,
            reading.columns(),
            reading.key
        )
    };
    let mut lines: Vec<String> = plan.readings.iter().map(places).collect();
    let problem = |result: &TableResult| format!("{} {:?} {:?}\n", result.name, result.problem, result.undecided);
    lines.extend(plan.problems.iter().map(problem));
    lines.extend(
        plan.skipped
            .iter()
            .map(|skipped| format!("{} {}\n", skipped.name, skipped.reason)),
    );
    lines.sort();
    lines.concat()
}

impl Live {
    /// Takes note where tables were created, dropped, moved or altered since the plan was made: what was read then is
    /// not what is there.
    ///
    /// # Errors
    /// Where a side can't be reached.
    pub(super) async fn check_plan(&mut self) -> Result<(), Error> {
        self.writer = writers(&self.sessions.target).await?;
        if self.outdated || stamps(&self.sessions).await? == self.basis.stamps {
            return Ok(());
        }
        self.find_altered().await?;
        let (_, basis) = make(&self.sessions, &self.which, &self.replication.changes).await?;
        self.outdated = basis.digest != self.basis.digest;
        if !self.outdated {
            self.basis = basis;
        }
        Ok(())
    }

    /// Whether tables were created, dropped, moved or altered since the comparison began: only a new one can tell of
    /// all of them.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.outdated
    }
}
