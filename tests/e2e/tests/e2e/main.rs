//! End-to-end tests, one module a theme.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod admission;
mod approval;
mod attempts;
mod happy_path;
mod refusals;
mod restarts;
mod setback;
mod support;
