//! Which keys of a table differ: first the buckets of keys, then the rows of some of those.
use std::collections::{BTreeSet, HashMap};

use futures::future::try_join;
use tokio_postgres::Client;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

use crate::catalog::Reading;
use crate::encoding::Fields;
use crate::side::{self, Side};
use crate::{Error, Example, Kind};

/// So many that the rows of a few of them fit into memory, whatever the table's size.
const BUCKETS: usize = 1 << 15;

/// The keys, in text, of at most `wanted` rows that differ.
pub(crate) async fn examples(
    source: &Client,
    target: &Client,
    reading: &Reading,
    seed: u64,
    wanted: usize,
) -> Result<Vec<Example>, Error> {
    let (a, b) = try_join(
        buckets(source, Side::Source, reading, seed),
        buckets(target, Side::Target, reading, seed),
    )
    .await?;
    let different = (0..BUCKETS)
        .filter(|bucket| a.get(*bucket) != b.get(*bucket))
        .take(wanted)
        .collect();
    let (a, b) = try_join(
        rows(source, Side::Source, reading, seed, &different),
        rows(target, Side::Target, reading, seed, &different),
    )
    .await?;
    let show = |key: &[u8], kind| Example {
        key: reading.show(key),
        kind,
    };
    let mut found: Vec<Example> = b
        .keys()
        .filter(|key| !a.contains_key(*key))
        .map(|key| show(key, Kind::Extra))
        .collect();
    found.extend(a.iter().filter_map(|(key, row)| match b.get(key) {
        None => Some(show(key, Kind::Missing)),
        Some(other) if other != row => Some(show(key, Kind::Changed)),
        Some(_) => None,
    }));
    found.sort();
    found.truncate(wanted);
    Ok(found)
}

fn bucket(key: &[u8], seed: u64) -> usize {
    usize::try_from(xxh3_64_with_seed(key, seed) % BUCKETS as u64).unwrap_or_default()
}

async fn buckets(client: &Client, side: Side, reading: &Reading, seed: u64) -> Result<Vec<(u64, u128)>, Error> {
    let mut all = vec![(0, 0_u128); BUCKETS];
    keyed(client, side, reading, seed, |key, row| {
        if let Some((count, sum)) = all.get_mut(bucket(key, seed)) {
            *count += 1;
            *sum = sum.wrapping_add(row);
        }
    })
    .await?;
    Ok(all)
}

async fn rows(
    client: &Client,
    side: Side,
    reading: &Reading,
    seed: u64,
    wanted: &BTreeSet<usize>,
) -> Result<HashMap<Vec<u8>, u128>, Error> {
    let mut all = HashMap::new();
    keyed(client, side, reading, seed, |key, row| {
        if wanted.contains(&bucket(key, seed)) {
            all.insert(key.to_vec(), row);
        }
    })
    .await?;
    Ok(all)
}

/// Hands over the key's fields and the hash of key and row.
async fn keyed(
    client: &Client,
    side: Side,
    reading: &Reading,
    seed: u64,
    mut each: impl FnMut(&[u8], u128),
) -> Result<(), Error> {
    let mut buffer = Vec::new();
    side::each_row(client, side, &reading.keyed(), &reading.name, |row| {
        let mut fields = Fields::new(row)?;
        for _ in &reading.key {
            fields.next()?;
        }
        let key = row.get(2..row.len() - fields.rest().len()).unwrap_or_default();
        let key_hash = xxh3_64_with_seed(key, seed);
        let canonical = reading.canon.apply(fields, &mut buffer)?;
        each(key, xxh3_128_with_seed(canonical, seed ^ key_hash));
        Ok(())
    })
    .await
}

impl Reading {
    /// `column=value, …` out of the fields of a key.
    fn show(&self, mut key: &[u8]) -> String {
        let mut shown = Vec::new();
        for column in &self.key {
            let Some((length, rest)) = key.split_first_chunk::<4>() else {
                break;
            };
            let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
            let (value, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            shown.push(format!("{column}={}", String::from_utf8_lossy(value)));
            key = rest;
        }
        shown.join(", ")
    }
}
