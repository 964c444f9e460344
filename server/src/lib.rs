//! The tokio shell: threads, disks, sockets, and the APIs that existing clients speak.

mod agent;
pub mod api;
mod bootstrap;
mod config;
pub mod elections;
pub mod gossip;
mod reserve;
pub mod runtime;

pub use agent::{Agent, AgentError};
pub use bootstrap::PoolSide;
pub use config::{BackupSchedule, Config, Consensus, InitialMember, Reads, Threads};
pub use reserve::DiskReserve;
pub use runtime::{
    Found, Looked, Recover, RecoverError, Recovered, Recovering, Restore, RestoreError, Restored,
    RunError, ServerError, restore, run,
};
