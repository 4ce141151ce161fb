//! The canonical encoding of a row: equal values give equal bytes on every PostgreSQL version.
//!
//! Rows are read in the binary format of COPY. Types whose binary form names objects by OID, or that have none, are
//! read as text; what PostgreSQL writes in more than one way for one value is made one here: the flag word of arrays
//! (`src/backend/utils/adt/arrayfuncs.c`, set or not for an array that once had a NULL), the OID of their elements'
//! type, and the sign and payload of NaN.
use crate::Error;

/// How a column is read and made canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// In binary, as it is.
    Verbatim,
    /// Cast to text by the server.
    Text,
    /// Bytes of which nothing can be a NaN, so many, then only floats: `real`, `double precision`, geometric types.
    Floats(usize),
    /// An array of those.
    FloatsArray(usize),
    /// Any other array of what is read as it is.
    Array,
}

impl Encoding {
    fn is_plain(self) -> bool {
        matches!(self, Self::Verbatim | Self::Text)
    }
}

/// One field of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    Null,
    Value(&'a [u8]),
}

/// The fields of one row, as COPY sends them: a length of -1 is NULL.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    left: u16,
}

impl<'a> Fields<'a> {
    /// The fields of a whole row, which begins with their number.
    pub(crate) fn new(row: &'a [u8]) -> Result<Self, Error> {
        let (count, rest) = row
            .split_first_chunk::<2>()
            .ok_or(Error::Format("a row without a number of fields"))?;
        Ok(Self {
            rest,
            left: u16::from_be_bytes(*count),
        })
    }

    /// So many fields, without their number before them.
    pub(crate) fn of(rest: &'a [u8], count: usize) -> Result<Self, Error> {
        let left = u16::try_from(count).map_err(|_| Error::Format("more columns than a row can have"))?;
        Ok(Self { rest, left })
    }

    /// The next field.
    pub(crate) fn next(&mut self) -> Result<Option<Field<'a>>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let cut = Error::Format("a field that ends too early");
        let Some((length, rest)) = self.rest.split_first_chunk::<4>() else {
            return Err(cut);
        };
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            self.rest = rest;
            return Ok(Some(Field::Null));
        };
        let Some((value, rest)) = rest.split_at_checked(length) else {
            return Err(cut);
        };
        self.rest = rest;
        Ok(Some(Field::Value(value)))
    }

    /// What is left of the row, unread.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// How the rows of a table are made canonical.
#[derive(Clone, Debug)]
pub(crate) struct Canon {
    encodings: Vec<Encoding>,
    plain: bool,
}

impl Canon {
    pub(crate) fn new(encodings: Vec<Encoding>) -> Self {
        let plain = encodings.iter().all(|encoding| encoding.is_plain());
        Self { encodings, plain }
    }

    /// The canonical bytes of the fields; `buffer` is used only where something has to be changed.
    pub(crate) fn apply<'a>(&self, mut fields: Fields<'a>, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], Error> {
        if self.plain {
            return Ok(fields.rest());
        }
        buffer.clear();
        let mut encodings = self.encodings.iter();
        while let Some(field) = fields.next()? {
            let encoding = encodings.next().copied().unwrap_or(Encoding::Verbatim);
            let Field::Value(value) = field else {
                buffer.extend_from_slice(&[0xff; 4]);
                continue;
            };
            let length = u32::try_from(value.len()).map_err(|_| Error::Format("a field of more than 4 GB"))?;
            buffer.extend_from_slice(&length.to_be_bytes());
            let start = buffer.len();
            buffer.extend_from_slice(value);
            if let Some(value) = buffer.get_mut(start..) {
                canonical(encoding, value);
            }
        }
        Ok(buffer)
    }
}

fn canonical(encoding: Encoding, value: &mut [u8]) {
    match encoding {
        Encoding::Verbatim | Encoding::Text => {}
        Encoding::Floats(skipped) => one_nan(value, skipped),
        Encoding::Array => clear_header(value),
        Encoding::FloatsArray(skipped) => {
            clear_header(value);
            elements(value, skipped);
        }
    }
}

/// An array is: dimensions, flags, type of the elements, then length and lower bound of each dimension. The type is
/// known from the column; its OID differs between the sides if it is a user's.
fn clear_header(array: &mut [u8]) {
    if let Some(flags_and_type) = array.get_mut(4..12) {
        flags_and_type.fill(0);
    }
}

/// Behind the header of an array, each element has its length before it.
fn elements(array: &mut [u8], skipped: usize) {
    let dimensions = array
        .first_chunk::<4>()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes) as usize);
    let mut rest = array.get_mut(12 + dimensions.saturating_mul(8)..).unwrap_or_default();
    while let Some((length, tail)) = rest.split_first_chunk_mut::<4>() {
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        let Some((value, tail)) = tail.split_at_mut_checked(length) else {
            return;
        };
        one_nan(value, skipped);
        rest = tail;
    }
}

/// A NaN may carry a sign and a payload, which no comparison sees. A value of four bytes is a `real`.
fn one_nan(value: &mut [u8], skipped: usize) {
    if let Ok(bytes) = <[u8; 4]>::try_from(&*value) {
        if f32::from_be_bytes(bytes).is_nan() {
            value.copy_from_slice(&0x7fc0_0000_u32.to_be_bytes());
        }
        return;
    }
    let (floats, _) = value.get_mut(skipped..).unwrap_or_default().as_chunks_mut::<8>();
    for float in floats {
        if f64::from_be_bytes(*float).is_nan() {
            *float = 0x7ff8_0000_0000_0000_u64.to_be_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(fields: &[Option<&[u8]>]) -> Vec<u8> {
        let mut row = u16::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
        for field in fields {
            match field {
                None => row.extend((-1_i32).to_be_bytes()),
                Some(value) => {
                    row.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
                    row.extend_from_slice(value);
                }
            }
        }
        row
    }

    fn canon(encodings: &[Encoding], fields: &[Option<&[u8]>]) -> Vec<u8> {
        let row = row(fields);
        let mut buffer = Vec::new();
        Canon::new(encodings.to_vec())
            .apply(Fields::new(&row).unwrap(), &mut buffer)
            .unwrap()
            .to_vec()
    }

    #[test]
    fn null_is_not_empty() {
        assert_ne!(
            canon(&[Encoding::Verbatim], &[None]),
            canon(&[Encoding::Verbatim], &[Some(b"")])
        );
        assert_ne!(
            canon(&[Encoding::Floats(0)], &[None]),
            canon(&[Encoding::Floats(0)], &[Some(b"")])
        );
    }

    #[test]
    fn a_shifted_boundary_is_seen() {
        let two = [Encoding::Text, Encoding::Text];
        assert_ne!(
            canon(&two, &[Some(b"ab"), Some(b"c")]),
            canon(&two, &[Some(b"a"), Some(b"bc")])
        );
    }

    #[test]
    fn nan_is_one_value_and_zero_keeps_its_sign() {
        let bits = |float: f64| canon(&[Encoding::Floats(0)], &[Some(&float.to_be_bytes())]);
        assert_eq!(bits(f64::NAN), bits(-f64::NAN));
        assert_ne!(bits(0.0), bits(-0.0));
        let bits = |float: f32| canon(&[Encoding::Floats(0)], &[Some(&float.to_be_bytes())]);
        assert_eq!(bits(f32::NAN), bits(-f32::NAN));
    }

    #[test]
    fn a_geometric_value_has_one_nan_at_each_place() {
        // A path: closed, two points.
        let path = |nan: f64| {
            let floats = [1.0, nan, nan, -0.0].map(f64::to_be_bytes).concat();
            [vec![1, 0, 0, 0, 2], floats].concat()
        };
        let canon = |value: &[u8]| canon(&[Encoding::Floats(5)], &[Some(value)]);
        assert_eq!(canon(&path(f64::NAN)), canon(&path(-f64::NAN)));
        assert_ne!(canon(&path(f64::NAN)), canon(&path(0.0)));
        assert_eq!(canon(&path(3.0))[4..], path(3.0));
    }

    #[test]
    fn arrays_lose_their_flags_and_float_elements_their_nan() {
        let array = |flags: i32, float: f64| {
            let words = [1, flags, 701, 2, 1].map(i32::to_be_bytes).concat();
            let null = (-1_i32).to_be_bytes().to_vec();
            [words, null, 8_i32.to_be_bytes().to_vec(), float.to_be_bytes().to_vec()].concat()
        };
        let canon = |value: &[u8]| canon(&[Encoding::FloatsArray(0)], &[Some(value)]);
        assert_eq!(canon(&array(0, f64::NAN)), canon(&array(1, -f64::NAN)));
        assert_ne!(canon(&array(0, 1.0)), canon(&array(0, 2.0)));
    }

    #[test]
    fn cut_rows_are_refused() {
        let whole = row(&[Some(b"abc"), None]);
        for end in 0..whole.len() {
            let walk = || {
                let mut fields = Fields::new(&whole[..end])?;
                while fields.next()?.is_some() {}
                Ok::<(), Error>(())
            };
            assert!(walk().is_err(), "{end}");
        }
    }
}
