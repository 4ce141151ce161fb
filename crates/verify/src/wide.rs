//! Values too large to be sent: a row of more than 1 GB can't be, and one of some hundred megabytes is too much for a
//! reader with little memory. What is sent of such a value is its length and its SHA-256.
//!
//! Which values these are follows from the value, not from how a side stores it, so that both decide alike.
use crate::Error;
use crate::encoding::Encoding;

/// A value that takes more bytes than this when it is sent is hashed by the server.
const LIMIT: u32 = 16 << 20;

/// A value of a type that says its size only when sent is looked at from this size on, as stored. Compression makes
/// nothing 256 times smaller (`pglz` at most 91 times, LZ4 at most 255 times).
const STORED: u32 = LIMIT / 256;

/// Bytes of number, length and SHA-256 of a value that is hashed by the server.
const ENTRY: usize = 4 + 8 + 32;

/// How large the values of a column may be, and how one is measured and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// They are small.
    Bounded,
    /// Of any size, which is known without reading them; the function that sends them.
    Measured(String),
    /// Of any size; the function that sends them.
    Sent(String),
    /// Of any size, and read or hashed as text, which has one form where the binary form has several.
    Text,
}

/// A column of a table called `t`.
pub(crate) struct Column<'a> {
    /// `t.` and its name in quotes.
    pub(crate) name: String,
    pub(crate) encoding: Encoding,
    pub(crate) width: &'a Width,
}

impl Column<'_> {
    fn value(&self) -> String {
        let cast = if self.encoding == Encoding::Text {
            "::pg_catalog.text"
        } else {
            ""
        };
        format!("{}{cast}", self.name)
    }

    /// The bytes that are hashed; none for a column whose values are small.
    fn sent(&self) -> Option<String> {
        let name = &self.name;
        match self.width {
            Width::Bounded => None,
            _ if self.encoding == Encoding::Text => Some(format!("pg_catalog.textsend({name}::pg_catalog.text)")),
            Width::Text => Some(format!("pg_catalog.textsend({name}::pg_catalog.text)")),
            Width::Measured(function) | Width::Sent(function) => Some(format!("{function}({name})")),
        }
    }

    /// The number of bytes that are sent.
    fn length(&self, sent: &str) -> String {
        format!(
            "pg_catalog.octet_length({})",
            if self.is_measured() { &self.name } else { sent }
        )
    }

    fn is_measured(&self) -> bool {
        matches!(self.width, Width::Measured(_)) && self.encoding != Encoding::Text
    }

    fn is_large(&self, sent: &str) -> String {
        let (name, length) = (&self.name, self.length(sent));
        if self.is_measured() {
            return format!("{length} > {LIMIT}");
        }
        format!("(pg_catalog.pg_column_size({name}) > {STORED} AND {length} > {LIMIT})")
    }
}

/// Whether a table with so many bytes in its TOAST table may have a value that is too large.
pub(crate) fn possible(toast: u64) -> bool {
    toast > u64::from(STORED)
}

/// What the field behind the columns says: for each large value of the row the position of its column, from zero, and
/// its length and hash.
pub(crate) fn hashes(field: &[u8]) -> Result<Vec<(usize, &[u8])>, Error> {
    let wrong = Error::Format("a field of hashes that has not their length");
    let (entries, []) = field.as_chunks::<ENTRY>() else {
        return Err(wrong);
    };
    let entries = entries.iter().map(|entry| {
        let (number, hash) = entry.split_first_chunk::<4>()?;
        Some((usize::try_from(u32::from_be_bytes(*number)).ok()?, hash))
    });
    entries.collect::<Option<Vec<_>>>().ok_or(wrong)
}

/// The expressions that give all columns. In `hashing`, a value that is too large is NULL, and one more field at the
/// end has number, length and hash of each such value of the row.
pub(crate) fn expressions(columns: &[Column], hashing: bool) -> Vec<String> {
    let mut all = Vec::with_capacity(columns.len() + 1);
    let (mut large, mut hashes) = (Vec::new(), Vec::new());
    for (number, column) in columns.iter().enumerate() {
        let value = column.value();
        let Some(sent) = column.sent().filter(|_| hashing) else {
            all.push(value);
            continue;
        };
        let is_large = column.is_large(&sent);
        all.push(format!("CASE WHEN {is_large} THEN NULL ELSE {value} END"));
        hashes.push(format!(
            "CASE WHEN {is_large} THEN pg_catalog.int4send({number}) || \
             pg_catalog.int8send({}) || pg_catalog.sha256({sent}) ELSE '' END",
            column.length(&sent)
        ));
        large.push(is_large);
    }
    if !large.is_empty() {
        // Nothing is put together for a row of small values, as nearly all are.
        let (any, hashes) = (large.join(" OR "), hashes.join(" || "));
        all.push(format!("CASE WHEN {any} THEN {hashes} END"));
    }
    all
}
