//! A look at a replica, and the hand on its leadership.

use protocol::NodeId;
use protocol::raft::{self, Role};

use crate::node::Node;
use crate::request::{Body, Failure, NodeStatus, RequestId};

impl Node {
    /// How this replica is.
    #[must_use]
    pub fn status(&self) -> NodeStatus {
        NodeStatus {
            core: self.core.status(),
            applied: self.store.applied(),
            revision: self.store.revision(),
            compact_revision: self.store.compact_revision(),
            keys: self.store.keys(),
            unflushed_bytes: self.store.unflushed_bytes() as u64,
            pending: (self.writes.len() + self.reads.len()) as u64,
            watch_streams: self.hub.counts().streams as u64,
            watchers: self.hub.counts().watchers as u64,
            slow_watchers: (self.hub.counts().ready + self.hub.counts().blocked) as u64,
            sessions: self.store.session_count() as u64,
            session_bytes: self.store.session_bytes() as u64,
            leases: self.store.lease_count() as u64,
            alarms: self.store.alarms().collect(),
            leader_changes: self.counters.leader_changes,
            proposals_applied: self.counters.applied,
            proposals_failed: self.counters.failed,
            snapshots_sent: self.counters.snapshots_sent,
            snapshots_installed: self.counters.snapshots_installed,
            space: self.measured.space,
            short: self.measured.is_short(),
            states_compared: self.equality.compared,
            disputed: self.equality.disputed(),
            condemned: self.equality.condemned,
            rebuilding: self.equality.rebuild.is_under_way(),
            deviants: self.deviants().collect(),
        }
    }

    /// An operator wants another leader.
    pub(crate) fn move_leader(&mut self, id: RequestId, to: NodeId) {
        if !self.core.is_elastic() {
            self.reply(id, Err(Failure::FixedLeader));
        } else if self.core.role() != Role::Leader {
            self.reply(id, Err(Failure::NotLeader));
        } else if !self.core.membership().voters.contains(&to) {
            self.reply(id, Err(Failure::BadTransferee));
        } else if to == self.config.raft.id {
            self.reply(id, Ok(Body::Done));
        } else {
            self.transfers.push((id, to, self.now + self.config.request_timeout));
            self.consensus(raft::Input::TransferLeadership(to));
        }
    }

    /// Answers those who wanted another leader, once there is one or time is over.
    pub(crate) fn finish_transfers(&mut self) {
        let (leader, now) = (self.core.leader(), self.now);
        let mut waiting = core::mem::take(&mut self.transfers);
        waiting.retain(|(id, to, deadline)| {
            if leader == Some(*to) {
                self.reply(*id, Ok(Body::Done));
            } else if now >= *deadline {
                self.reply(*id, Err(Failure::Timeout));
            } else {
                return true;
            }
            false
        });
        self.transfers = waiting;
    }
}
