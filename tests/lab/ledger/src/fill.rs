//! The schema and its first rows.

use tokio_postgres::Client;

use crate::Error;

/// The tables, in the schemas `shop` and `audit`, owned by whoever runs it. Two have no primary key and so no usable
/// replica identity of their own: `shop.stock_levels` has the unique index `stock_levels_place`, `audit.events` has none.
pub const SCHEMA: &str = include_str!("schema.sql");
const FILL: &str = include_str!("fill.sql");
const MEBIBYTE: i64 = 1024 * 1024;

/// Makes the schema in an empty database.
///
/// # Errors
/// As the server says.
pub async fn create_schema(client: &Client) -> Result<(), Error> {
    Ok(client.batch_execute(SCHEMA).await?)
}

/// Fills the empty schema until the database has so many mebibytes; gives its size in bytes.
///
/// # Errors
/// As the server says.
pub async fn fill(client: &Client, megabytes: u32) -> Result<i64, Error> {
    let set = "SELECT set_config('ledger.megabytes', $1, false)";
    client.execute(set, &[&megabytes.max(1).to_string()]).await?;
    client.batch_execute(FILL).await?;
    let size: i64 = client
        .query_one("SELECT pg_database_size(current_database())", &[])
        .await?
        .try_get(0)?;
    if size < i64::from(megabytes) * MEBIBYTE {
        return Err(Error::Answer(format!(
            "the filled database has {size} bytes, wanted {megabytes} MiB"
        )));
    }
    Ok(size)
}
