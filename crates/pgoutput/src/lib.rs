//! Decoder of the pgoutput protocol and the cut interval; no I/O.
//!
//! [`Message`] is one message of the stream, [`Fold`] turns messages into [`Transaction`]s of constant size, and
//! [`CutFinder`] finds the last transaction that two streams have in common.

mod cut;
mod lsn;
mod message;
mod transaction;

pub use cut::{Common, CutFinder, Mismatch, Need};
pub use lsn::Lsn;
pub use message::{Column, DecodeError, Identity, Message, RelationColumn};
pub use transaction::{Fold, FoldError, Transaction};
