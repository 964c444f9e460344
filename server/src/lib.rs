//! The tokio shell: threads, disks, sockets, and the APIs that existing clients speak.

pub mod api;
mod config;
pub mod runtime;

pub use config::{Config, InitialMember, Reads, Threads};
pub use runtime::{RunError, ServerError, run};
