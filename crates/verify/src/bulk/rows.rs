//! Rows on their way into what all workers share.
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::Digest;
use crate::catalog::Reading;
use crate::encoding::{Field, Fields};
use crate::sketch::Staged;
use crate::{Error, key_hash};

/// Rows and bytes of a batch.
const ROWS: usize = 4096;
const BYTES: u64 = 1 << 20;

/// How the rows of a table are hashed.
pub(super) struct Hasher<'a> {
    reading: &'a Reading,
    /// Number of the key's first field and of its fields, if these stand side by side in its order: then the key is a
    /// piece of the row.
    piece: Option<(usize, usize)>,
    seed: u64,
    part: Option<(u64, u64)>,
}

impl<'a> Hasher<'a> {
    pub(super) fn new(reading: &'a Reading, seed: u64, part: Option<(u64, u64)>) -> Self {
        Self {
            reading,
            piece: piece(&reading.key_positions),
            seed,
            part,
        }
    }

    /// The key's bytes, in the form of [`Reading::key`].
    fn key<'b>(&self, row: &'b [u8], buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Error> {
        let Some((first, count)) = self.piece else {
            buffer.clear();
            self.reading.key(row, buffer)?;
            return Ok(buffer);
        };
        let mut fields = Fields::new(row)?;
        for _ in 0..first {
            fields.next()?;
        }
        let from = fields.rest();
        for _ in 0..count {
            if !matches!(fields.next()?, Some(Field::Value(_))) {
                return Err(Error::Format("a key without a value"));
            }
        }
        Ok(from.get(..from.len() - fields.rest().len()).unwrap_or_default())
    }

    fn is_in_part(&self, key_hash: u64) -> bool {
        self.part
            .is_none_or(|(number, parts)| key_hash % parts.max(1) == number)
    }
}

fn piece(positions: &[usize]) -> Option<(usize, usize)> {
    let first = *positions.first()?;
    let side_by_side = positions
        .iter()
        .enumerate()
        .all(|(number, position)| *position == first + number);
    side_by_side.then_some((first, positions.len()))
}

/// Some rows of one side of a table.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) digest: Digest,
    /// For a table with a key.
    pub(super) staged: Staged,
    canonical: Vec<u8>,
    key: Vec<u8>,
}

impl Batch {
    /// Adds a row as COPY sends it.
    pub(super) fn add(&mut self, hasher: &Hasher, row: &[u8]) -> Result<(), Error> {
        let canonical = hasher.reading.canon.apply(Fields::new(row)?, &mut self.canonical)?;
        let row_hash = xxh3_128_with_seed(canonical, hasher.seed);
        self.digest.rows += 1;
        self.digest.bytes += row.len() as u64;
        self.digest.sum = self.digest.sum.wrapping_add(row_hash);
        if hasher.reading.is_keyed() {
            let key_hash = key_hash(hasher.key(row, &mut self.key)?, hasher.seed);
            if hasher.is_in_part(key_hash) {
                self.staged.push(key_hash, row_hash);
            }
        }
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.digest.rows >= ROWS as u64 || self.digest.bytes >= BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_keys_are_a_piece_of_the_row() {
        let table: [(&[usize], _); 6] = [
            (&[], None),
            (&[0], Some((0, 1))),
            (&[3], Some((3, 1))),
            (&[2, 3, 4], Some((2, 3))),
            (&[1, 0], None),
            (&[0, 2], None),
        ];
        for (positions, expected) in table {
            assert_eq!(piece(positions), expected, "{positions:?}");
        }
    }
}
