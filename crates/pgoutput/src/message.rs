//! Messages of protocol version 1
//! (<https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html>).
use crate::Lsn;

/// One message, borrowing its strings and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A transaction begins.
    Begin {
        /// Where its commit record begins.
        final_lsn: Lsn,
        /// Microseconds since 2000.
        commit_time: i64,
        /// Its id, without the epoch.
        xid: u32,
    },
    /// It ends.
    Commit {
        /// Unused so far.
        flags: u8,
        /// Where the commit record begins.
        commit_lsn: Lsn,
        /// Where it ends.
        end_lsn: Lsn,
        /// Microseconds since 2000.
        commit_time: i64,
    },
    /// It was first made on another server.
    Origin {
        /// The commit's position there.
        commit_lsn: Lsn,
        /// The origin's name.
        name: &'a [u8],
    },
    /// Describes a table before its first change.
    Relation {
        /// Its oid.
        oid: u32,
        /// Its schema; empty for `pg_catalog`.
        schema: &'a [u8],
        /// Its name.
        name: &'a [u8],
        /// `pg_class.relreplident`.
        replica_identity: u8,
        /// Its columns.
        columns: Vec<RelationColumn<'a>>,
    },
    /// Describes a type before the first table that uses it.
    Type {
        /// Its oid.
        oid: u32,
        /// Its schema; empty for `pg_catalog`.
        schema: &'a [u8],
        /// Its name.
        name: &'a [u8],
    },
    /// A new row.
    Insert {
        /// The table's oid.
        relation: u32,
        /// The row.
        new: Vec<Column<'a>>,
    },
    /// A changed row.
    Update {
        /// The table's oid.
        relation: u32,
        /// What the row is found by; none where the key did not change.
        old: Option<(Identity, Vec<Column<'a>>)>,
        /// The row as it is now.
        new: Vec<Column<'a>>,
    },
    /// A deleted row.
    Delete {
        /// The table's oid.
        relation: u32,
        /// What the row is found by.
        old: (Identity, Vec<Column<'a>>),
    },
    /// Emptied tables.
    Truncate {
        /// 1: CASCADE, 2: RESTART IDENTITY.
        options: u8,
        /// The tables' oids.
        relations: Vec<u32>,
    },
    /// From `pg_logical_emit_message`.
    Logical {
        /// 1: part of a transaction.
        flags: u8,
        /// Its position.
        lsn: Lsn,
        /// Its prefix.
        prefix: &'a [u8],
        /// What it says.
        content: &'a [u8],
    },
}

/// What an old row consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The columns of the replica identity.
    Key,
    /// All columns (`REPLICA IDENTITY FULL`).
    Full,
}

/// A column of a [`Message::Relation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelationColumn<'a> {
    /// Whether it belongs to the replica identity.
    pub is_key: bool,
    /// Its name.
    pub name: &'a [u8],
    /// Its type's oid.
    pub type_oid: u32,
    /// Its `atttypmod`.
    pub type_modifier: i32,
}

/// A value in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column<'a> {
    /// NULL.
    Null,
    /// A value stored out of line that did not change, and is not sent.
    Unchanged,
    /// The value as text.
    Text(&'a [u8]),
    /// The value as its type's send function gives it.
    Binary(&'a [u8]),
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There is nothing, or less than the message says.
    #[error("a message of type {kind:?} ends after {length} bytes")]
    Short {
        /// The first byte.
        kind: char,
        /// How long it is.
        length: usize,
    },
    /// Bytes follow the message's end.
    #[error("{excess} bytes follow a message of type {kind:?}")]
    Excess {
        /// The first byte.
        kind: char,
        /// How many.
        excess: usize,
    },
    /// An unknown type of message, or part of one.
    #[error("{found:#04x} is no {what}")]
    Unknown {
        /// What it should be.
        what: &'static str,
        /// The byte.
        found: u8,
    },
}

/// What is left of a message; `None` from its methods means that it ends too early.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    fn lsn(&mut self) -> Option<Lsn> {
        self.array().map(u64::from_be_bytes).map(Lsn)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let string = self.bytes(end)?;
        self.u8()?;
        Some(string)
    }

    fn value(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.bytes(length)
    }
}

type Parsed<T> = Result<Option<T>, DecodeError>;

/// Unwraps what a reader gives; the surrounding function returns where the message ends too early.
macro_rules! take {
    ($value:expr) => {
        match $value {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}

impl<'a> Message<'a> {
    /// Decodes one message.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that is not exactly one message; never panics.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(bytes);
        let kind = reader.u8().unwrap_or_default();
        let short = DecodeError::Short {
            kind: char::from(kind),
            length: bytes.len(),
        };
        if bytes.is_empty() {
            return Err(short);
        }
        let message = body(kind, &mut reader)?.ok_or(short)?;
        match reader.0.len() {
            0 => Ok(message),
            excess => Err(DecodeError::Excess {
                kind: char::from(kind),
                excess,
            }),
        }
    }
}

fn body<'a>(kind: u8, reader: &mut Reader<'a>) -> Parsed<Message<'a>> {
    Ok(Some(match kind {
        b'B' => Message::Begin {
            final_lsn: take!(reader.lsn()),
            commit_time: take!(reader.i64()),
            xid: take!(reader.u32()),
        },
        b'C' => Message::Commit {
            flags: take!(reader.u8()),
            commit_lsn: take!(reader.lsn()),
            end_lsn: take!(reader.lsn()),
            commit_time: take!(reader.i64()),
        },
        b'O' => Message::Origin {
            commit_lsn: take!(reader.lsn()),
            name: take!(reader.string()),
        },
        b'R' => take!(relation(reader)),
        b'Y' => Message::Type {
            oid: take!(reader.u32()),
            schema: take!(reader.string()),
            name: take!(reader.string()),
        },
        b'I' => {
            let relation = take!(reader.u32());
            let kind = take!(reader.u8());
            Message::Insert {
                relation,
                new: take!(row(kind, b'N', reader)?),
            }
        }
        b'U' => return update(reader),
        b'D' => {
            let relation = take!(reader.u32());
            let kind = take!(reader.u8());
            Message::Delete {
                relation,
                old: (identity(kind)?, take!(columns(reader)?)),
            }
        }
        b'T' => {
            let count = take!(reader.u32());
            let options = take!(reader.u8());
            let relations: Option<Vec<u32>> = (0..count).map(|_| reader.u32()).collect();
            Message::Truncate {
                options,
                relations: take!(relations),
            }
        }
        b'M' => Message::Logical {
            flags: take!(reader.u8()),
            lsn: take!(reader.lsn()),
            prefix: take!(reader.string()),
            content: take!(reader.value()),
        },
        found => {
            return Err(DecodeError::Unknown {
                what: "type of message",
                found,
            });
        }
    }))
}

fn relation<'a>(reader: &mut Reader<'a>) -> Option<Message<'a>> {
    let (oid, schema, name) = (reader.u32()?, reader.string()?, reader.string()?);
    let replica_identity = reader.u8()?;
    let count = reader.u16()?;
    let column = |_| {
        Some(RelationColumn {
            is_key: reader.u8()? & 1 == 1,
            name: reader.string()?,
            type_oid: reader.u32()?,
            type_modifier: reader.array().map(i32::from_be_bytes)?,
        })
    };
    let columns: Option<Vec<_>> = (0..count).map(column).collect();
    Some(Message::Relation {
        oid,
        schema,
        name,
        replica_identity,
        columns: columns?,
    })
}

fn update<'a>(reader: &mut Reader<'a>) -> Parsed<Message<'a>> {
    let relation = take!(reader.u32());
    let mut kind = take!(reader.u8());
    let mut old = None;
    if kind != b'N' {
        old = Some((identity(kind)?, take!(columns(reader)?)));
        kind = take!(reader.u8());
    }
    Ok(Some(Message::Update {
        relation,
        old,
        new: take!(row(kind, b'N', reader)?),
    }))
}

fn identity(kind: u8) -> Result<Identity, DecodeError> {
    match kind {
        b'K' => Ok(Identity::Key),
        b'O' => Ok(Identity::Full),
        found => Err(DecodeError::Unknown {
            what: "kind of old row",
            found,
        }),
    }
}

fn row<'a>(kind: u8, wanted: u8, reader: &mut Reader<'a>) -> Parsed<Vec<Column<'a>>> {
    if kind != wanted {
        return Err(DecodeError::Unknown {
            what: "kind of row",
            found: kind,
        });
    }
    columns(reader)
}

fn columns<'a>(reader: &mut Reader<'a>) -> Parsed<Vec<Column<'a>>> {
    let count = take!(reader.u16());
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(match take!(reader.u8()) {
            b'n' => Column::Null,
            b'u' => Column::Unchanged,
            b't' => Column::Text(take!(reader.value())),
            b'b' => Column::Binary(take!(reader.value())),
            found => {
                return Err(DecodeError::Unknown {
                    what: "kind of column",
                    found,
                });
            }
        });
    }
    Ok(Some(columns))
}
