//! A leader whose disk does not answer.
//!
//! Its heartbeats go on, so nobody deposes it, and what it appends is committed by the others for
//! as long as they are enough; but its own copy counts for nothing, and reads from its log fail.
//! A disk that hangs for an election timeout is taken for one that may never come back: the leader
//! hands over to a voter that answers, if those that answer are enough to elect it. As a follower
//! it harms nobody: it acknowledges nothing and gives no vote, for both wait for its disk.
//!
//! Left out: a driver that waits for the disk on the core's own thread hangs with it. Such a leader
//! is silent, and deposed for that.

use super::boundary::{Event, Output};
use super::leader::Leader;
use super::{Raft, State};
use crate::quorum::Outcome;
use crate::{NodeId, Time};

/// After a vain attempt, the next one waits for this many election timeouts: meanwhile, those who
/// are enough without this disk commit what is proposed.
const PAUSE: u32 = 4;

impl Raft {
    /// When to look at the disk again: not while leadership is being handed over.
    pub(super) fn stall_at(&self, leader: &Leader) -> Option<Time> {
        let watched = leader.transfer.is_none() && !leader.peers.is_empty();
        let since = self.writes.silent_since().filter(|_| watched)?;
        let suspect = since + *self.config.election_timeout.start();
        Some(suspect.max(leader.bear_until))
    }

    /// Hands over when the disk hangs.
    pub(super) fn watch_disk(&mut self) {
        let State::Leader(leader) = &self.state else { return };
        if self.stall_at(leader).is_none_or(|at| self.now < at) {
            return;
        }
        let heir = self.heir(leader);
        let timeout = *self.config.election_timeout.start();
        let pause = if heir.is_some() { timeout * PAUSE } else { self.config.heartbeat };
        let now = self.now;
        if let State::Leader(leader) = &mut self.state {
            leader.bear_until = now + pause;
        }
        if let Some(heir) = heir {
            self.outbox.push_back(Output::Event(Event::Stalled { heir }));
            self.transfer_to(heir);
        }
    }

    /// The voter that knows most of those that answered lately, when these are enough to elect it
    /// without this node.
    fn heir(&self, leader: &Leader) -> Option<NodeId> {
        let timeout = *self.config.election_timeout.start();
        let answers = |id: &NodeId| {
            let confirmed = leader.peers.get(id).and_then(|progress| progress.confirmed);
            confirmed.is_some_and(|at| self.now - at < timeout)
        };
        if self.voters.outcome(|id| Some(answers(&id))) != Outcome::Won {
            return None;
        }
        let voters = self.membership().voters.iter().filter(|id| answers(id));
        let matched = |id: &&NodeId| leader.peers.get(id).map(|progress| progress.matched);
        voters.max_by_key(matched).copied()
    }
}
