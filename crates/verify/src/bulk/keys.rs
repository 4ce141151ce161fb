//! The keys behind hashes.
use std::collections::{HashMap, HashSet};

use pgupgrade_postgres::connection::Session;
use pgupgrade_postgres::quote_identifier;

use super::ranges;
use crate::catalog::Reading;
use crate::encoding::Fields;
use crate::side::{self, Side};
use crate::{Error, key_hash};

/// Bytes of the main fork that one statement reads. What is stored elsewhere is not read for the key.
const CHUNK: u64 = 256 << 20;

/// Finds the keys that have these hashes by reading the key's columns of the whole table, a range at a time, until all
/// are found. One whose row is moved meanwhile may be missed.
///
/// # Errors
/// [`Error::Sql`].
pub(crate) async fn keys_of(
    session: &Session,
    side: Side,
    reading: &Reading,
    wanted: &HashSet<u64>,
    seed: u64,
) -> Result<HashMap<u64, Vec<u8>>, Error> {
    let mut found = HashMap::with_capacity(wanted.len());
    if wanted.is_empty() || !reading.is_keyed() {
        return Ok(found);
    }
    let columns = reading.key.iter().map(|name| format!("t.{}", quote_identifier(name)));
    let columns = columns.collect::<Vec<_>>().join(", ");
    let storage = ranges::storages(session, side, std::slice::from_ref(reading)).await?;
    let storage = storage.first().copied().flatten().unwrap_or_default();
    for range in storage.main_fork().ranges(CHUNK) {
        let statement = reading.copy(&columns, range);
        side::each_row(session, side, &statement, &reading.name, |row| {
            // Only the key's fields are there, in its order.
            let key = Fields::new(row)?.rest();
            let hash = key_hash(key, seed);
            if wanted.contains(&hash) {
                found.insert(hash, key.to_vec());
            }
            Ok(())
        })
        .await?;
        if found.len() == wanted.len() {
            break;
        }
    }
    Ok(found)
}
