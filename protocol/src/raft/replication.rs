//! Bringing the log to the peers.

use alloc::vec::Vec;

use super::boundary::Entry;
use super::message::Rejection;
use super::progress::{Frame, Progress};
use super::{Raft, State};
use crate::{Index, NodeId};

impl Raft {
    /// Sends every peer what it may have now.
    pub(super) fn replicate(&mut self) {
        let State::Leader(leader) = &mut self.state else { return };
        let members = leader.peers.iter().filter(|(id, _)| !leader.leaving.contains_key(id));
        let held = members.map(|(_, progress)| progress.matched).min();
        let held = held.map_or(self.commit, |held| held.min(self.commit));
        self.trim = self.trim.max(held.min(self.writes.durable()));
        let (term, commit, trim) = (self.term, self.commit, self.trim);
        let frame = Frame { term, commit, trim, config: &self.config, log: &self.log };
        for (&peer, progress) in &mut leader.peers {
            while let Some(output) = progress.step(peer, &frame) {
                self.outbox.push_back(output);
            }
        }
    }

    pub(super) fn progress(&mut self, peer: NodeId) -> Option<&mut Progress> {
        match &mut self.state {
            State::Leader(leader) => leader.peers.get_mut(&peer),
            State::Follower(_) | State::Candidate(_) => None,
        }
    }

    pub(super) fn on_accepted(&mut self, from: NodeId, matched: Index) {
        let State::Leader(leader) = &mut self.state else { return };
        let Some(progress) = leader.peers.get_mut(&from) else { return };
        if matched > self.log.last().index {
            return self.drop_message();
        }
        self.outbox.extend(progress.accepted(from, matched, &self.log));
        self.advance_commit();
        self.hand_over();
    }

    pub(super) fn on_rejected(&mut self, from: NodeId, rejection: &Rejection) {
        let State::Leader(leader) = &mut self.state else { return };
        if let Some(progress) = leader.peers.get_mut(&from) {
            self.outbox.extend(progress.rejected(from, rejection, &self.log));
        }
    }

    pub(super) fn on_unreachable(&mut self, peer: NodeId) {
        if let Some(progress) = self.progress(peer) {
            progress.unreachable();
        }
    }

    pub(super) fn on_fetched(&mut self, peer: NodeId, from: Index, entries: Option<Vec<Entry>>) {
        let State::Leader(leader) = &mut self.state else { return };
        let Some(progress) = leader.peers.get_mut(&peer) else { return };
        let (term, commit, trim) = (self.term, self.commit, self.trim);
        let frame = Frame { term, commit, trim, config: &self.config, log: &self.log };
        self.outbox.extend(progress.fetched(peer, &frame, from, entries));
    }
}
