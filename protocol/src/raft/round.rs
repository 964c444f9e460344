//! Numbered rounds of heartbeats, and everything that follows from their answers.
//!
//! A leader cannot know that it still leads; it can only know that it led when it *sent* a round
//! which a quorum answered. That moment, and never the one of the answer, is the measure for all
//! three: a read is confirmed by a round sent after it arrived (thesis §6.4), a lease is counted
//! from it (thesis §6.4.1), and a leader for which it lies too far back steps down (thesis §6.2).
//! So a process that was paused finds its certainty old, whatever answers wait in its buffers.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::config::ReadMode;
use super::leader::Leader;
use super::message::Body;
use super::{Raft, State};
use crate::mutant::{Mutant, planted};
use crate::{NodeId, Time};

/// The rounds of one term. Numbers grow by one and never start again within it.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Rounds {
    last: u64,
    /// When the latest rounds were sent; the last element belongs to `last`.
    sent: VecDeque<Time>,
}

impl Rounds {
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn start(&mut self, now: Time) -> u64 {
        self.last += 1;
        self.sent.push_back(now);
        self.last
    }

    /// When a round was sent; `None` for one so old that it proves nothing any more.
    fn sent_at(&self, round: u64) -> Option<Time> {
        let age = usize::try_from(self.last.checked_sub(round)?).ok()?;
        self.sent.get(self.sent.len().checked_sub(age + 1)?).copied()
    }

    fn forget(&mut self, now: Time, age: Duration) {
        while self.sent.front().is_some_and(|&sent| now - sent > age) {
            self.sent.pop_front();
        }
    }
}

impl Raft {
    /// The periodic round, to everyone.
    pub(super) fn beat(&mut self) {
        let State::Leader(leader) = &mut self.state else { return };
        leader.heartbeat_at = self.now + self.config.heartbeat;
        leader.rounds.forget(self.now, *self.config.election_timeout.end());
        let round = leader.rounds.start(self.now);
        for progress in leader.peers.values_mut() {
            progress.awaited.get_or_insert(round);
        }
        self.send_round(round, true);
        self.dismiss();
        self.expire_reads();
    }

    /// Sends a round; learners need to hear the periodic ones only.
    pub(super) fn send_round(&mut self, round: u64, learners: bool) {
        let State::Leader(leader) = &self.state else { return };
        for (&to, progress) in &leader.peers {
            if learners || self.voters.contains(to) {
                // Raft §5.3 through a heartbeat: no more than what the peer is known to hold.
                let commit = self.commit.min(progress.matched);
                let commit = if planted(Mutant::R12) { self.commit } else { commit };
                let body = Body::Heartbeat { round, commit, trim: self.trim };
                let message = super::Message { term: self.term, body };
                self.outbox.push_back(super::Output::Send { to, message });
            }
        }
    }

    pub(super) fn on_heartbeat_reply(&mut self, from: NodeId, round: u64) {
        let State::Leader(leader) = &mut self.state else { return };
        let Some(progress) = leader.peers.get_mut(&from) else { return };
        if round > leader.rounds.last() {
            return self.drop_message();
        }
        // Once a beat, and not only for the latest: answers may take longer than beats do.
        let late = planted(Mutant::F3) && round < leader.rounds.last();
        if !late && progress.awaited.is_some_and(|awaited| round >= awaited) {
            progress.awaited = None;
            progress.resume();
        }
        progress.round = progress.round.max(round);
        progress.confirmed = progress.confirmed.max(leader.rounds.sent_at(round));
        self.confirm_reads();
    }

    /// The latest round that a quorum has answered.
    pub(super) fn confirmed_round(&self, leader: &Leader) -> u64 {
        let own = self.config.id;
        let round = |id| {
            if id == own {
                leader.rounds.last()
            } else {
                leader.peers.get(&id).map_or(0, |p| p.round)
            }
        };
        self.voters.reached(round).unwrap_or(0)
    }

    /// When the latest round was sent that a quorum has answered; `None` before the first.
    fn confirmed_since(&self, leader: &Leader) -> Option<Time> {
        let own = self.config.id;
        let confirmed = |id| {
            if id == own { Some(self.now) } else { leader.peers.get(&id).and_then(|p| p.confirmed) }
        };
        self.voters.reached(confirmed).flatten()
    }

    /// The same, with the election itself as the first proof.
    pub(super) fn confirmed_at(&self, leader: &Leader) -> Time {
        self.confirmed_since(leader).unwrap_or(leader.since)
    }

    /// Thesis §6.2: a leader that no quorum has answered for an election timeout makes room.
    pub(super) fn check_quorum(&mut self) {
        let State::Leader(leader) = &self.state else { return };
        if leader.check_at.is_none_or(|at| self.now < at) {
            return;
        }
        let next = self.confirmed_at(leader) + *self.config.election_timeout.start();
        if self.now >= next {
            return self.become_follower(self.term, None);
        }
        if let State::Leader(leader) = &mut self.state {
            leader.check_at = Some(next);
        }
    }

    /// Whether no other leader can exist yet (thesis §6.4.1): a quorum has promised, at the latest
    /// when the round was sent, not to vote for the shortest election timeout. Their clocks may run
    /// faster than this one within the bound, and the promise holds only while stickiness is on.
    pub(super) fn holds_lease(&self, leader: &Leader) -> bool {
        let ReadMode::Lease { drift_per_mille } = self.config.read_mode else { return false };
        let promised = self.config.stickiness && self.config.check_quorum;
        if !promised || leader.lease_void || leader.transfer.is_some() {
            return false;
        }
        let length = *self.config.election_timeout.start() * 1000 / (1000 + drift_per_mille);
        let length =
            if planted(Mutant::R16) { *self.config.election_timeout.start() } else { length };
        self.confirmed_since(leader).is_some_and(|sent| self.now - sent < length)
    }

    /// Whether an entry of this term is committed: only then does a leader know what is
    /// (thesis §6.4, step 1).
    pub(super) fn knows_commit(&self, leader: &Leader) -> bool {
        self.commit >= leader.opening || planted(Mutant::R14)
    }
}
