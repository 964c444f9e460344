//! What a core looks like from outside.

use alloc::collections::BTreeMap;

use super::boundary::HardState;
use super::membership::Membership;
use crate::{Index, NodeId, Position};

/// What a node is in its term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Follows, or waits for a leader.
    Follower,
    /// Asks whether it could win an election, without disturbing the term.
    PreCandidate,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
}

/// A leader's view of one peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The highest index known to be durable there.
    pub matched: Index,
    /// The next index to send.
    pub next: Index,
    /// `probe`, `replicate` or `snapshot`.
    pub state: &'static str,
    /// Whether it answered this leader within the last election timeout.
    pub active: bool,
    /// Whether it has never answered this leader, and could not have had the time.
    pub awaited: bool,
}

/// A look at a core, for operators and tests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// What it is.
    pub role: Role,
    /// Its term, vote and commit index.
    pub hard_state: HardState,
    /// The leader, where known.
    pub leader: Option<NodeId>,
    /// The last index applied.
    pub applied: Index,
    /// The end of the log.
    pub last: Position,
    /// The position before the first entry held.
    pub base: Position,
    /// How far the log may be trimmed without stranding any member: the lowest match of all
    /// members, as the leader knows it or last told its followers.
    pub trim_bound: Index,
    /// The peers, on a leader.
    pub peers: BTreeMap<NodeId, Peer>,
    /// The configuration in force.
    pub membership: Membership,
    /// Messages dropped because they were malformed or came from nobody who may say so.
    pub dropped: u64,
    /// Set while this node withholds its vote.
    pub doubt: Option<Index>,
}
