//! The operator behind the custom resource `PostgresUpgrade`.
pub mod api;
pub mod command;
pub mod controller;
pub mod cutover;
pub mod error;
pub mod health;
pub mod kubernetes;
pub mod metrics;
pub mod phases;
pub mod telemetry;
pub mod verification;
