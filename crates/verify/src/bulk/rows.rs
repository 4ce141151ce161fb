//! Rows on their way into what all workers share.
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::Digest;
use crate::catalog::Reading;
use crate::copy_stream::after_field;
use crate::encoding::Fields;
use crate::sketch::Staged;
use crate::{Error, key_hash};

/// Rows of a batch, which stay in a processor's nearest cache, and bytes.
const ROWS: u64 = 1024;
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
    #[inline]
    fn key<'b>(&self, row: &'b [u8], buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Error> {
        if let Some((first, count)) = self.piece {
            return fields(row, first, count).ok_or_else(|| Error::Format("a key without a value"));
        }
        buffer.clear();
        self.reading.key(row, buffer)?;
        Ok(buffer)
    }

    #[inline]
    fn is_in_part(&self, key_hash: u64) -> bool {
        self.part
            .is_none_or(|(number, parts)| key_hash % parts.max(1) == number)
    }
}

/// The bytes of some fields of a row; none if one of them is NULL or missing.
#[inline]
fn fields(row: &[u8], first: usize, count: usize) -> Option<&[u8]> {
    let mut from = row.get(2..)?;
    for _ in 0..first {
        from = after_field(from)?;
    }
    let mut rest = from;
    for _ in 0..count {
        let is_null = rest.first()? & 0x80 != 0;
        rest = after_field(rest).filter(|_| !is_null)?;
    }
    from.get(..from.len() - rest.len())
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
    #[inline]
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
        self.digest.rows >= ROWS || self.digest.bytes >= BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_key() {
        // 7, NULL, "ab", ""
        let row = [
            0, 4, 0, 0, 0, 1, 7, 255, 255, 255, 255, 0, 0, 0, 2, b'a', b'b', 0, 0, 0, 0,
        ];
        let table: [(usize, usize, Option<&[u8]>); 8] = [
            (0, 1, Some(&row[2..7])),
            (2, 1, Some(&row[11..17])),
            (2, 2, Some(&row[11..21])),
            (3, 1, Some(&row[17..21])),
            (1, 1, None),
            (0, 2, None),
            (3, 2, None),
            (4, 1, None),
        ];
        for (first, count, expected) in table {
            assert_eq!(fields(&row, first, count), expected, "{first} {count}");
        }
        assert!((0..7).all(|end| fields(&row[..end], 0, 1).is_none()));
    }

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
