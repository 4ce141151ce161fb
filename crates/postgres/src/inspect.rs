//! Facts about a server, its databases and what goes on in them. Reads only.
mod activity;
mod objects;
mod server;

pub use activity::{
    Maintenance, OldestTransaction, PreparedTransaction, maintenance, oldest_transaction, prepared_transactions,
};
pub use objects::{
    Database, database_size, databases, event_triggers, foreign_slots, invalid_indexes, large_objects,
    may_create_schema, publications_for_all_tables, replica_writers, subscriptions, written_tables,
};
pub use server::{OwnRole, Server, own_role, server};
