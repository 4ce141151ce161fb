//! Rows out of the stream of `COPY … TO STDOUT (FORMAT binary)`
//! (<https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format").
use bytes::Bytes;

use crate::Error;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of the header's extension.
const HEADER: usize = 19;

/// Splits the stream into rows. The server sends a row a message, which is then not copied; other boundaries are
/// joined.
#[derive(Default)]
pub(crate) struct Rows {
    pending: Vec<u8>,
    started: bool,
    ended: bool,
}

impl Rows {
    /// Takes the next message and hands over each whole row, from its number of fields on.
    #[inline]
    pub(crate) fn push(
        &mut self,
        message: &Bytes,
        mut row: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let between_rows = self.started && !self.ended && self.pending.is_empty();
        if between_rows && is_one_row(message) {
            row(message)
        } else {
            self.join(message, row)
        }
    }

    fn join(&mut self, message: &Bytes, mut row: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        if self.pending.is_empty() {
            let used = self.take(message, &mut row)?;
            self.pending.extend_from_slice(message.get(used..).unwrap_or_default());
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.pending);
        all.extend_from_slice(message);
        let used = self.take(&all, &mut row)?;
        all.drain(..used);
        self.pending = all;
        Ok(())
    }

    /// Checks that the stream came to its end.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.ended && self.pending.is_empty() {
            Ok(())
        } else {
            Err(Error::Format("no end of the rows"))
        }
    }

    /// Hands over the whole rows at the start of the bytes and tells how many bytes that were.
    fn take(&mut self, bytes: &[u8], row: &mut impl FnMut(&[u8]) -> Result<(), Error>) -> Result<usize, Error> {
        let mut used = 0;
        if !self.started {
            let Some(length) = header(bytes)? else { return Ok(0) };
            self.started = true;
            used = length;
        }
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            if self.ended {
                return Err(Error::Format("bytes behind the end"));
            }
            match row_length(rest)? {
                Length::Unknown => break,
                Length::End => {
                    self.ended = true;
                    used += 2;
                }
                Length::Row(length) => {
                    row(rest.get(..length).unwrap_or_default())?;
                    used += length;
                }
            }
        }
        Ok(used)
    }
}

/// Whether the bytes are a row, and nothing but that.
#[inline]
fn is_one_row(bytes: &[u8]) -> bool {
    let Some((count, mut rest)) = bytes.split_first_chunk::<2>() else {
        return false;
    };
    let count = i16::from_be_bytes(*count);
    for _ in 0..count {
        match after_field(rest) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    count >= 0 && rest.is_empty()
}

/// What follows the field at the start of the bytes; none if the field is not whole.
#[inline]
pub(crate) fn after_field(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    match usize::try_from(i32::from_be_bytes(*length)) {
        Ok(length) => rest.get(length..),
        Err(_) => Some(rest),
    }
}

fn header(bytes: &[u8]) -> Result<Option<usize>, Error> {
    if !bytes.iter().zip(SIGNATURE).all(|(found, wanted)| found == wanted) {
        return Err(Error::Format("no signature of COPY"));
    }
    let Some(extension) = bytes.get(HEADER - 4..).and_then(|rest| rest.first_chunk::<4>()) else {
        return Ok(None);
    };
    let length = HEADER + u32::from_be_bytes(*extension) as usize;
    Ok((bytes.len() >= length).then_some(length))
}

enum Length {
    Unknown,
    End,
    Row(usize),
}

fn row_length(bytes: &[u8]) -> Result<Length, Error> {
    let Some((count, _)) = bytes.split_first_chunk::<2>() else {
        return Ok(Length::Unknown);
    };
    let count = i16::from_be_bytes(*count);
    if count == -1 {
        return Ok(Length::End);
    }
    let count = u16::try_from(count).map_err(|_| Error::Format("a negative number of fields"))?;
    let mut used: usize = 2;
    for _ in 0..count {
        let Some(length) = bytes.get(used..).and_then(|rest| rest.first_chunk::<4>()) else {
            return Ok(Length::Unknown);
        };
        used += 4 + usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
    }
    Ok(if used <= bytes.len() {
        Length::Row(used)
    } else {
        Length::Unknown
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stream() -> Vec<u8> {
        let mut all = [SIGNATURE, &[0; 8]].concat();
        all.extend([0, 2, 0, 0, 0, 3, b'a', b'b', b'c', 0xff, 0xff, 0xff, 0xff]);
        all.extend([0, 0]);
        all.extend([0, 1, 0, 0, 0, 0]);
        all.extend([0xff, 0xff]);
        all
    }

    fn split(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, Error> {
        let mut found = Vec::new();
        let mut rows = Rows::default();
        for piece in pieces {
            rows.push(&Bytes::copy_from_slice(piece), |row| {
                found.push(row.to_vec());
                Ok(())
            })?;
        }
        rows.finish()?;
        Ok(found)
    }

    #[test]
    fn any_boundary_gives_the_same_rows() {
        let all = stream();
        let whole = split(&[&all]).unwrap();
        assert_eq!(whole.iter().map(Vec::len).collect::<Vec<_>>(), [13, 2, 6]);
        for at in 0..=all.len() {
            let (head, tail) = all.split_at(at);
            assert_eq!(split(&[head, tail]).unwrap(), whole, "{at}");
        }
        let single: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(split(&single).unwrap(), whole);
    }

    #[test]
    fn a_stream_that_is_cut_or_goes_on_is_refused() {
        let all = stream();
        for end in 0..all.len() {
            assert!(split(&[&all[..end]]).is_err(), "{end}");
        }
        assert!(split(&[&all, &[0]]).is_err());
        assert!(split(&[b"ERROR"]).is_err());
    }
}
