//! What carries out a node's outputs: threads, disks, links and clocks.
//!
//! ```text
//! APIs ──Call──▶ driver ──Persist──▶ log worker      (inline, or a thread)
//!      ◀─Reply──  feeds  ──Flush───▶ state worker    (a thread)
//! peers ─Messages▶ the   ──Load────▶ state reader    (a thread)
//!       ◀──Send─── node
//! ```
//!
//! On few cores the APIs, the driver and the log share one thread; on many each has its own. All
//! queues towards the driver that others can fill are bounded.

mod backups;
mod clock;
mod driver;
mod handle;
mod identity;
mod members;
mod mending;
mod open;
mod ownership;
mod peers;
mod reader;
mod rebuilding;
mod recover;
mod register;
mod rejoin;
mod restore;
mod server;
mod settings;
mod start_error;
mod ways;
mod who;
mod words;
mod workers;

pub(crate) use clock::Clock;
pub use driver::RunError;
pub use handle::{NodeHandle, Pinned, WatchStream};
pub(crate) use identity::{cluster_id, member_id, new_member_id};
pub(crate) use members::address_of;
pub(crate) use open::random;
pub use reader::NodeReader;
pub use recover::{Found, Looked, Recover, RecoverError, Recovered, Recovering};
pub use restore::{Restore, RestoreError, Restored, restore};
pub use server::{ServerError, run};
pub use start_error::StartError;
