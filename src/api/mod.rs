//! The custom resource `PostgresUpgrade`: what a user writes and what the operator reports. No I/O.
pub mod conditions;
mod crd;
mod duration;
mod phase;
mod quantity;
mod spec;
mod status;
#[cfg(test)]
mod tests;
mod validation;

pub use crd::{crd, crd_yaml};
pub use duration::GoDuration;
pub use phase::Phase;
pub use quantity::Quantity;
pub use spec::*;
pub use status::*;

/// Holds a deleted resource until what was made for it is gone.
pub const FINALIZER: &str = "pgupgrade.dev/cleanup";
