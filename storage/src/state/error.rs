//! What can go wrong with a state, sorted by who must act.

use std::io;

use protocol::{ClusterId, NodeId};
use store::BackendError;

/// Why a state could not be opened. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A file is damaged such that the last flush cannot be told, or what it named is not there.
    /// The state must be fetched from a peer.
    #[error("the state is corrupt: {0}")]
    Corrupt(String),
    /// The directory belongs to another node or cluster.
    #[error("the state belongs to node {node} of cluster {cluster}")]
    Foreign {
        /// Its cluster.
        cluster: ClusterId,
        /// Its node.
        node: NodeId,
    },
    /// The format is newer than this program.
    #[error("the state has format version {0}; this program reads version 1")]
    Version(u32),
    /// The file system failed.
    #[error("{0}")]
    Io(String),
}

impl OpenError {
    pub(super) fn io(what: &str, error: &io::Error) -> Self {
        Self::Io(format!("{what}: {error}"))
    }
}

impl From<BackendError> for OpenError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Corrupt(what) => Self::Corrupt(what),
            BackendError::Full(what) | BackendError::Io(what) => Self::Io(what),
        }
    }
}

/// The error of a failed read: a file that ends too early is damaged.
pub(super) fn read_error(what: &str, error: &io::Error) -> BackendError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound => {
            BackendError::Corrupt(format!("{what}: {error}"))
        }
        _ => BackendError::Io(format!("{what}: {error}")),
    }
}

/// The error of a failed write.
pub(super) fn write_error(what: &str, error: &io::Error) -> BackendError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            BackendError::Full(format!("{what}: {error}"))
        }
        _ => BackendError::Io(format!("{what}: {error}")),
    }
}
