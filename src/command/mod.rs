//! Commands for people, which need neither Kubernetes nor AWS.
pub mod verify;
