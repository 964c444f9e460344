//! The threads that may wait for a disk, so that the driver need not.

mod log;
mod state;

pub(crate) use log::{AnyDisk, LogWorker};
pub(crate) use state::StateWorkers;

use node::Input;
use protocol::raft::WriteId;
use storage::log::LogError;

/// What workers tell the driver.
#[derive(Debug)]
pub(crate) enum Done {
    /// Feed this to the node.
    Input(Input),
    /// The log is durable up to this write.
    Persisted(WriteId),
    /// The log failed: nothing may be acknowledged any more.
    LogFailed(LogError),
}
