//! Indexes of the new database that another version of a collation may have put out of order. Each is checked once the
//! target has caught up, beside the comparison of rows: that reads the index and its table, which takes its time.
use std::time::Duration;

use pgupgrade_postgres::connection::{Connector, Profile, Session};
use pgupgrade_verify::schema::{self, SuspectIndex};

use super::assess::some;
use super::{Comparison, Work};
use crate::error::Error;

/// How often the check is tried.
const ATTEMPTS: u32 = 3;
/// Before it is tried again.
const PAUSE: Duration = Duration::from_secs(10);

/// What is known of them.
#[derive(Clone, Debug, Default)]
pub struct Indexes {
    /// Those that are not known to be in order.
    suspects: Vec<SuspectIndex>,
    /// Why it is not known which they are.
    failed: Option<String>,
    /// Whether they are being checked.
    pub checking: bool,
    /// Whether the user has been told.
    told: bool,
}

impl Indexes {
    /// Those that have to be built anew before anything is cut over, each with the statement for it.
    #[must_use]
    pub fn broken(&self) -> Vec<String> {
        let broken = self.suspects.iter().filter(|index| index.is_broken());
        broken.map(ToString::to_string).collect()
    }

    /// Those of which nothing is known, each with what to do.
    #[must_use]
    pub fn unchecked(&self) -> Vec<String> {
        let unchecked = self.suspects.iter().filter(|index| index.is_unchecked());
        let failed = self
            .failed
            .as_ref()
            .map(|why| format!("indexes could not be checked: {why}"));
        unchecked.map(ToString::to_string).chain(failed).collect()
    }
}

impl Comparison {
    /// What the user has not been told so far: the events' reasons and notes.
    pub fn take_index_news(&self) -> Vec<(&'static str, String)> {
        let mut seen = self.lock();
        let indexes = &mut seen.indexes;
        if indexes.checking || std::mem::replace(&mut indexes.told, true) {
            return Vec::new();
        }
        let news = [
            ("IndexBroken", indexes.broken()),
            ("IndexNotChecked", indexes.unchecked()),
        ];
        let news = news.into_iter().filter(|(_, indexes)| !indexes.is_empty());
        news.map(|(reason, indexes)| (reason, some(&indexes))).collect()
    }
}

/// Checks while `reading` goes on, and returns when both are done. A check that fails ends nothing: it is told.
pub(super) async fn check_beside(
    work: &Work,
    reading: impl Future<Output = Result<(), pgupgrade_verify::Error>>,
) -> Result<(), Error> {
    work.comparison.lock().indexes.checking = true;
    let checking = async {
        let found = check(&work.source, &work.target, &work.database.name).await;
        work.comparison.lock().indexes = found;
        Ok(())
    };
    let reading = async { reading.await.map_err(Error::from) };
    tokio::try_join!(reading, checking).map(|_| ())
}

async fn check(source: &Connector, target: &Connector, database: &str) -> Indexes {
    let mut attempt = 1;
    loop {
        match try_check(source, target, database).await {
            Ok(found) => {
                return Indexes {
                    suspects: found
                        .into_iter()
                        .filter(|index| index.is_broken() || index.is_unchecked())
                        .collect(),
                    ..Indexes::default()
                };
            }
            Err(error) if attempt == ATTEMPTS => {
                return Indexes {
                    failed: Some(error.to_string()),
                    ..Indexes::default()
                };
            }
            Err(error) => tracing::warn!(%error, attempt, "indexes could not be checked; they are tried again"),
        }
        attempt += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn try_check(source: &Connector, target: &Connector, database: &str) -> Result<Vec<SuspectIndex>, Error> {
    let source = source.connect(database, Profile::Long).await?;
    let target = target.connect(database, Profile::Long).await?;
    Ok(schema::suspect_indexes(&source, &target).await?)
}

/// Takes from the list what was built anew since. Looks at files' names only.
pub(super) async fn forget_rebuilt(comparison: &Comparison, target: &Session) -> Result<(), Error> {
    let suspects = comparison.lock().indexes.suspects.clone();
    if !suspects.is_empty() {
        let left = schema::not_rebuilt(target, suspects).await?;
        comparison.lock().indexes.suspects = left;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
