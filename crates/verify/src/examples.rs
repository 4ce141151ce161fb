//! Rows that differ, as people read them.
use std::collections::{BTreeMap, HashMap, HashSet};

use futures::future::try_join;
use pgupgrade_postgres::connection::Session;

use crate::bulk::keys_of;
use crate::catalog::Reading;
use crate::lookup::{self, Shown};
use crate::side::Side;
use crate::sketch::Difference;
use crate::{ColumnDifference, Error, Example, Kind};

/// How the rows behind differences differ, by the hashes of their keys.
pub(crate) fn kinds(differences: &[Difference]) -> BTreeMap<u64, Kind> {
    let mut kinds = BTreeMap::new();
    for difference in differences {
        let kind = match difference.side {
            Side::Source => Kind::Missing,
            Side::Target => Kind::Extra,
        };
        let known = kinds.entry(difference.key_hash).or_insert(kind);
        if *known != kind {
            *known = Kind::Changed;
        }
    }
    kinds
}

/// At most `wanted` of the rows behind differences. Their keys are found by reading the key's columns of the table.
/// `scans` are sessions for that, `lookups` such that are made ready by [`lookup::prepare`].
///
/// # Errors
/// [`Error::Sql`].
pub(crate) async fn examples(
    scans: (&Session, &Session),
    lookups: (&Session, &Session),
    reading: &Reading,
    differences: &[Difference],
    seed: u64,
    wanted: usize,
    show_values: bool,
) -> Result<Vec<Example>, Error> {
    let kinds: BTreeMap<u64, Kind> = kinds(differences).into_iter().take(wanted).collect();
    let on_target = |kind: &Kind| *kind == Kind::Extra;
    let hashes = |target: bool| -> HashSet<u64> {
        let of_side = kinds.iter().filter(|(_, kind)| on_target(kind) == target);
        of_side.map(|(hash, _)| *hash).collect()
    };
    let (extra, others) = (hashes(true), hashes(false));
    let (mut keys, on_target): (HashMap<_, _>, _) = try_join(
        keys_of(scans.0, Side::Source, reading, &others, seed),
        keys_of(scans.1, Side::Target, reading, &extra, seed),
    )
    .await?;
    keys.extend(on_target);
    let mut found = Vec::with_capacity(keys.len());
    for (hash, kind) in kinds {
        if let Some(key) = keys.get(&hash) {
            found.push(example(lookups.0, lookups.1, reading, key, kind, show_values).await?);
        }
    }
    found.sort();
    Ok(found)
}

/// One row that differs, by its key. The sessions are made ready by [`lookup::prepare`].
///
/// # Errors
/// [`Error::Sql`].
pub(crate) async fn example(
    source: &Session,
    target: &Session,
    reading: &Reading,
    key: &[u8],
    kind: Kind,
    show_values: bool,
) -> Result<Example, Error> {
    let (on_source, on_target) = try_join(
        lookup::show(source, Side::Source, reading, key),
        lookup::show(target, Side::Target, reading, key),
    )
    .await?;
    let columns = match (&on_source, &on_target) {
        (Some(source), Some(target)) if kind == Kind::Changed => different(source, target, show_values),
        _ => Vec::new(),
    };
    let key = match on_source.or(on_target) {
        Some(row) => row.key,
        None => lookup::show_key(source, Side::Source, reading, key).await?,
    };
    Ok(Example { key, kind, columns })
}

fn different(source: &Shown, target: &Shown, show_values: bool) -> Vec<ColumnDifference> {
    let both = source.columns.iter().zip(&target.columns);
    let hashes = source.hashes.iter().zip(&target.hashes);
    both.zip(hashes)
        .filter(|(_, (source, target))| source != target)
        .map(|(((column, source), (_, target)), _)| ColumnDifference {
            column: column.clone(),
            source: source.clone().filter(|_| show_values),
            target: target.clone().filter(|_| show_values),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_row_differs_follows_from_the_sides_that_have_it() {
        let version = |key_hash, row_hash, side| Difference {
            key_hash,
            row_hash,
            side,
        };
        let differences = [
            version(1, 1, Side::Source),
            version(2, 1, Side::Target),
            version(3, 1, Side::Source),
            version(3, 2, Side::Target),
            // A version of a row that changed while it was read.
            version(4, 1, Side::Target),
            version(4, 2, Side::Source),
            version(4, 3, Side::Target),
        ];
        let expected = [
            (1, Kind::Missing),
            (2, Kind::Extra),
            (3, Kind::Changed),
            (4, Kind::Changed),
        ];
        assert_eq!(kinds(&differences), expected.into_iter().collect());
    }
}
