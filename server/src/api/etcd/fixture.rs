//! A healthy node's status.

use std::collections::BTreeMap;

use node::NodeStatus;
use protocol::raft::{HardState, Membership, Role, Status};
use protocol::{Index, NodeId, Position, Term};

/// A leader of a cluster of one.
pub(crate) fn status_of_one() -> NodeStatus {
    let last = Position::new(Term(2), Index(7));
    NodeStatus {
        core: Status {
            id: NodeId(1),
            role: Role::Leader,
            hard_state: HardState { term: Term(2), vote: Some(NodeId(1)), commit: Index(7) },
            leader: Some(NodeId(1)),
            applied: Index(7),
            last,
            base: Position::ORIGIN,
            trim_bound: Index(0),
            peers: BTreeMap::new(),
            dropped: 0,
            doubt: None,
            membership: Membership::of([NodeId(1)]),
        },
        applied: last,
        revision: 5,
        compact_revision: -1,
        keys: 3,
        sessions: 0,
        session_bytes: 0,
        unflushed_bytes: 100,
        pending: 0,
        watch_streams: 1,
        watchers: 2,
        slow_watchers: 1,
        leases: 0,
        alarms: Vec::new(),
        leader_changes: 1,
        proposals_applied: 6,
        proposals_failed: 0,
        snapshots_sent: 0,
        snapshots_installed: 0,
        space: None,
        short: false,
        states_compared: 0,
        disputed: None,
        condemned: None,
        rebuilding: false,
        deviants: Vec::new(),
    }
}
