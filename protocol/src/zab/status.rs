//! What a core looks like from outside.

use alloc::collections::BTreeMap;

use super::boundary::Epochs;
use crate::{Index, NodeId, Position};

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks for a leader, or waits for its disk before it may.
    Looking,
    /// Follows a leader.
    Following,
    /// Learns from a leader without counting.
    Observing,
    /// Leads.
    Leading,
}

/// How far a node has got with its leader, or as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// There is none.
    Election,
    /// The epoch is being agreed on.
    Discovery,
    /// Histories are being made equal.
    Synchronization,
    /// Proposals are made and committed.
    Broadcast,
}

/// A leader's view of one learner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The highest index known to be durable there, in this leader's epoch.
    pub matched: Index,
    /// The next index to send.
    pub next: Index,
    /// Where its session stands, in a word.
    pub state: &'static str,
    /// Whether it holds all that this leader began with, and counts.
    pub synced: bool,
}

/// A look at a core, for operators and tests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// What it is.
    pub role: Role,
    /// How far it has got.
    pub phase: Phase,
    /// Its epochs.
    pub epochs: Epochs,
    /// The election round.
    pub round: u64,
    /// The established leader, where known.
    pub leader: Option<NodeId>,
    /// The last index known to be committed.
    pub commit: Index,
    /// The last index applied.
    pub applied: Index,
    /// The end of the history.
    pub last: Position,
    /// The position before the first entry held.
    pub base: Position,
    /// How far the log may be trimmed without stranding any member.
    pub trim_bound: Index,
    /// The learners that have a session, on a leader.
    pub peers: BTreeMap<NodeId, Peer>,
    /// Messages dropped because they were malformed or came from nobody who may say so.
    pub dropped: u64,
    /// Set while this node withholds its vote.
    pub doubt: Option<Index>,
}
