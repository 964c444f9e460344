//! The threads that may wait for a disk, so that the driver need not.

mod log;
mod state;

pub(crate) use log::{AnyDisk, LogWorker};
pub(crate) use state::StateWorkers;

use node::Input;
use protocol::raft::WriteId;
use storage::log::LogError;
use tokio::sync::mpsc;

/// What workers tell the driver.
#[derive(Debug)]
pub(crate) enum Done {
    /// Feed this to the node.
    Input(Input),
    /// The log is durable up to this write.
    Persisted(WriteId),
    /// The log failed: nothing may be acknowledged any more.
    LogFailed(LogError),
    /// The thread of this name has panicked: what it was asked will not be answered.
    Panicked(&'static str),
}

/// Lives on a worker's thread, and tells the driver when that ends by a panic. A driver that
/// waited for a thread which is no more would hold up its whole cluster.
struct Sentinel {
    thread: &'static str,
    done: mpsc::UnboundedSender<Done>,
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The driver is gone only when all is over.
            let _ = self.done.send(Done::Panicked(self.thread));
        }
    }
}
