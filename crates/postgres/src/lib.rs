//! What the operator says to PostgreSQL servers.
//!
//! [`connection`] opens sessions; every other module is one subject of the upgrade. Names of tables are always given
//! with their schema, since sessions search `pg_catalog` only.

pub mod barrier;
pub mod clone;
pub mod connection;
pub mod cut;
mod error;
pub mod fence;
pub mod guard;
pub mod inspect;
pub mod maintenance;
pub mod marker;
mod name;
pub mod owner;
pub mod publication;
pub mod replication;
pub mod role;
pub mod schema;
pub mod sequences;
mod session;
pub mod slot;
pub mod subscription;
pub mod tables;
mod transaction;
pub mod uri;

pub use error::Error;
pub use name::{QualifiedName, quote_identifier, quote_literal};
