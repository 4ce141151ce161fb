//! Both sides as of one instant, kept by two open transactions and compared afterwards. It does not depend on what the
//! verification slot tells.
use futures::future::try_join;
use pgupgrade_postgres::QualifiedName;
use pgupgrade_postgres::connection::{Connector, Profile, Session};

use crate::live::{Files, files};
use crate::side::{self, Side, sql};
use crate::{Error, Options, Report, Tables, compare};

/// Two sessions that wait for the instant.
pub(crate) struct Pins {
    source: Session,
    target: Session,
}

impl Pins {
    pub(crate) async fn open(source: &Connector, target: &Connector, database: &str) -> Result<Self, Error> {
        Ok(Self {
            source: source.connect(database, Profile::Long).await?,
            target: target.connect(database, Profile::Long).await?,
        })
    }

    /// Takes both snapshots. The caller sees to it that they show the same: nobody writes, and all has arrived.
    pub(crate) async fn pin(self, database: &str, tables: &Tables, files: Vec<TableFiles>) -> Result<Pinned, Error> {
        let names = try_join(export(&self.source, Side::Source), export(&self.target, Side::Target)).await?;
        Ok(Pinned {
            database: database.to_owned(),
            tables: tables.clone(),
            names,
            files,
            open: self,
        })
    }
}

async fn export(session: &Session, side: Side) -> Result<String, Error> {
    side::begin(session, side, None).await?;
    let row = session.query_one("SELECT pg_export_snapshot()", &[]).await;
    Ok(row.map_err(sql(side, "exporting a snapshot"))?.get(0))
}

/// Both sides as of one instant. Dropping it gives the snapshots back, which hold VACUUM up as long.
pub struct Pinned {
    database: String,
    tables: Tables,
    names: (String, String),
    files: Vec<TableFiles>,
    open: Pins,
}

/// A table, its OIDs on both sides and the files that its rows are in.
pub(crate) struct TableFiles {
    pub(crate) name: QualifiedName,
    pub(crate) oids: [u32; 2],
    pub(crate) files: Files,
}

impl Pinned {
    /// Compares every row of both sides as of the instant. A table that was truncated or rewritten since is undecided.
    ///
    /// # Errors
    /// Where a side can't be reached, or the snapshots are gone with it.
    pub async fn compare(&self, source: &Connector, target: &Connector, options: Options) -> Result<Report, Error> {
        let options = Options {
            snapshots: Some(self.names.clone()),
            ..options
        };
        let mut report = compare(source, target, &self.database, &self.tables, &options).await?;
        self.discount_rewritten(&mut report).await?;
        Ok(report)
    }

    /// A snapshot keeps rows neither from TRUNCATE nor from being rewritten.
    async fn discount_rewritten(&self, report: &mut Report) -> Result<(), Error> {
        let of = |side: usize| self.files.iter().map(|table| table.oids[side]).collect();
        let (source, target) = try_join(
            files(&self.open.source, Side::Source, of(0)),
            files(&self.open.target, Side::Target, of(1)),
        )
        .await?;
        for (table, now) in self.files.iter().zip(source.into_iter().zip(target)) {
            let rewritten = report
                .tables
                .iter_mut()
                .filter(|result| table.files != now && result.name == table.name);
            for result in rewritten {
                (result.equal, result.differing) = (true, 0);
                result.examples.clear();
                result.undecided = Some("it was truncated or rewritten since".to_owned());
            }
        }
        report.differences = report.tables.iter().filter(|table| !table.equal).count();
        Ok(())
    }
}
