//! PostgreSQL binaries of every supported version, and servers made of them.
//!
//! [`Binaries::fetch`] brings one major version into the cache folder, [`Server`] is one data folder with its server
//! process, [`Scratch`] a started server in a temporary folder for tests.

mod account;
mod binaries;
mod cache;
mod copy;
mod error;
mod folder;
mod freeze;
mod prerequisites;
mod process;
mod scratch;
mod server;
mod tls;

pub use account::hand_over;
pub use binaries::{Binaries, MAJORS};
pub use cache::{FolderLock, cache_dir};
pub use error::{Error, Result};
pub use folder::Folder;
pub use freeze::frozen;
pub use prerequisites::missing_libraries;
pub use scratch::{Scratch, free_port};
pub use server::{Client, Options, Server, StopMode};
pub use tls::{Authority, Identity};
