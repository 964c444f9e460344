//! Whose files they are.

use protocol::{ClusterId, NodeId};

/// The owner of what is stored. Both numbers go into every checksum of the log and the state, so
/// that a file that strays in from another node or cluster is never read as one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The cluster.
    pub cluster: ClusterId,
    /// The member of it.
    pub node: NodeId,
}
