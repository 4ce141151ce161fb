//! A logical operation: what a transaction does to one row, as the record tells it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::tables::Table;

/// The first 64 bits of a SHA-256; sixteen hexadecimal digits in the record and in SQL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub u64);

impl Digest {
    /// The digest of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let hash = Sha256::digest(text.as_bytes());
        Self(hash.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
    }

    /// Reads sixteen hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not a digest")))
    }
}

/// The SHA-256 of bytes in hexadecimal, as large values stand for themselves in a row's digest.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// One row before and after, each side with the digest of all its columns. No digest before: INSERT. None after:
/// DELETE. The row's version counts its changes, so operations of several writers on one row have an order.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Operation(
    /// Number of the table.
    pub u8,
    /// Key of the row.
    pub String,
    /// Version after the operation; a DELETE counts as one.
    pub i32,
    /// Digest before.
    pub Option<Digest>,
    /// Digest after.
    pub Option<Digest>,
    /// Number of equal rows (more than one only in a table without a key).
    pub u32,
);

impl Operation {
    /// A new row.
    #[must_use]
    pub fn insert(table: &Table, key: String, after: Digest, copies: u32) -> Self {
        Self(table.number, key, 1, None, Some(after), copies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_survive_the_record() {
        let operation = Operation(3, "a\"b".into(), 7, Some(Digest(0xfe)), None, 1);
        let line = serde_json::to_string(&operation).unwrap();
        assert_eq!(line, r#"[3,"a\"b",7,"00000000000000fe",null,1]"#);
        assert_eq!(serde_json::from_str::<Operation>(&line).unwrap(), operation);
    }

    #[test]
    fn a_digest_is_the_beginning_of_sha256() {
        assert_eq!(format!("{:?}", Digest::of("abc")), "ba7816bf8f01cfea");
        assert_eq!(sha256_hex(b"abc")[..16], *"ba7816bf8f01cfea");
    }
}
