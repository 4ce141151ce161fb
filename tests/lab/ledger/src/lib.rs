//! A writing application and the judge of what became of its writes.
//!
//! `create_schema`, `fill` and `judge::content::write_baseline` prepare a database; `writer::write` works on it as a
//! Pod does, `writer::rogue` as somebody whom nobody scales down; `judge::judge` compares the record with what a
//! database holds once all of them have ended.

pub mod application;
pub mod connection;
mod error;
mod fill;
pub mod judge;
pub mod operation;
pub mod record;
mod rogue;
pub mod session;
pub mod tables;
mod worker;
pub mod writer;

pub use error::Error;
pub use fill::{SCHEMA, create_schema, fill};
