//! What a database holds, row by row as key, version and digest; and the same as it was before the first writer.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::pin::pin;

use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::history::State;
use crate::Error;
use crate::operation::Digest;
use crate::record::LedgerDir;
use crate::tables::{TABLES, Table};

/// Equal rows of a table: key, version, digest, count.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rows(pub Box<str>, pub i32, pub Digest, pub u32);

impl Rows {
    /// Without the key.
    #[must_use]
    pub fn state(&self) -> State {
        State {
            version: self.1,
            digest: self.2,
            count: self.3,
        }
    }
}

/// Reads a table, sorted by key.
///
/// # Errors
/// As the server says, or it answers what is not expected.
pub async fn read(client: &Client, table: &Table) -> Result<Vec<Rows>, Error> {
    let none: [&(dyn ToSql + Sync); 0] = [];
    let mut stream = pin!(client.query_raw(&table.content_sql(), none).await?);
    let mut content = Vec::new();
    while let Some(row) = stream.try_next().await? {
        let unexpected = |what: &str| Error::Answer(format!("{what} in a row of {}", table.relation));
        let digest = Digest::parse(row.try_get(2)?).ok_or_else(|| unexpected("no digest"))?;
        let count = u32::try_from(row.try_get::<_, i64>(3)?).map_err(|_| unexpected("no count"))?;
        content.push(Rows(row.try_get::<_, &str>(0)?.into(), row.try_get(1)?, digest, count));
    }
    content.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(content)
}

/// Writes down what all tables hold, before the first writer starts.
///
/// # Errors
/// As the server says, or the file can't be written.
pub async fn write_baseline(ledger: &LedgerDir, client: &Client) -> Result<(), Error> {
    let mut tables = Vec::new();
    for table in TABLES {
        tables.push(read(client, table).await?);
    }
    std::fs::create_dir_all(ledger.path()).map_err(|error| Error::file(ledger.path(), error))?;
    let path = ledger.baseline();
    let file = File::create(&path).map_err(|error| Error::file(&path, error))?;
    serde_json::to_writer(BufWriter::new(file), &tables).map_err(|error| Error::file(&path, error.into()))
}

/// Reads what [`write_baseline`] wrote, by table number. Without the file the tables were empty.
///
/// # Errors
/// The file can't be read.
pub fn read_baseline(ledger: &LedgerDir) -> Result<Vec<Vec<Rows>>, Error> {
    let path = ledger.baseline();
    match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::file(&path, error)),
        Ok(file) => serde_json::from_reader(BufReader::new(file)).map_err(|error| Error::file(&path, error.into())),
    }
}
