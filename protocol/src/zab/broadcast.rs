//! Phase 3: proposals, acknowledgements, commits.
//!
//! The leader appends a command, sends it to every follower that has been sent what came before,
//! and writes it in parallel; its own copy counts when it is durable, like any other. An entry is
//! committed when a quorum has it and everything before it: acknowledgements are cumulative, so
//! commits are in order whatever the order of the acknowledgements.
//!
//! All that piles up between two flushes is one write here, one message to each follower and one
//! write there.

use alloc::vec::Vec;

use bytes::Bytes;

use super::boundary::{Entry, Output, Payload, Refusal, Tag};
use super::history::weight;
use super::leader::Stage;
use super::learner::Step;
use super::message::Message;
use super::status::Phase;
use super::{State, Zab};
use crate::mutant::{Mutant, planted};
use crate::{Index, NodeId, Position};

impl Zab {
    pub(super) fn on_propose(&mut self, tag: Tag, command: Bytes) {
        match &mut self.state {
            State::Leading(leader) if leader.phase == Phase::Broadcast => {
                if let Err(reason) = self.propose(command, self.config.max_uncommitted_bytes) {
                    self.refuse_proposal(tag, reason);
                }
            }
            State::Following(learner) if learner.step == Step::Serving => {
                learner.requests.push((tag, command));
            }
            State::Leading(_) | State::Following(_) | State::Looking(_) | State::Draining => {
                self.refuse_proposal(tag, Refusal::NoLeader);
            }
        }
    }

    pub(super) fn refuse_proposal(&mut self, tag: Tag, reason: Refusal) {
        self.outbox.push_back(Output::ProposalRefused { tag, reason });
    }

    /// Takes a command in, with at most `room` bytes uncommitted.
    fn propose(&mut self, command: Bytes, room: usize) -> Result<(), Refusal> {
        let State::Leading(leader) = &self.state else { return Err(Refusal::NoLeader) };
        // One command always fits into an empty queue, however large it is.
        let full = leader.uncommitted_bytes.saturating_add(command.len());
        if leader.uncommitted_bytes > 0 && full > room {
            return Err(Refusal::Overloaded);
        }
        self.append(Payload::Command(command));
        Ok(())
    }

    /// Puts an entry of this leader's epoch at the end of the history.
    pub(super) fn append(&mut self, payload: Payload) {
        let position = Position::new(self.leading_epoch(), self.history.last().index.next());
        let entry = Entry { position, payload };
        let State::Leading(leader) = &mut self.state else { return };
        leader.uncommitted_bytes += weight(&entry);
        self.history.append(entry);
    }

    /// Commands that a learner passes on. They are of this epoch, since its session is.
    pub(super) fn on_requests(&mut self, from: NodeId, requests: Vec<(Tag, Bytes)>) {
        if !self.serves(from) {
            return self.drop_message();
        }
        let mut refused = Vec::new();
        for (tag, command) in requests {
            if self.propose(command, self.config.max_client_bytes()).is_err() {
                refused.push(tag);
            }
        }
        if !refused.is_empty() {
            let reason = Refusal::Overloaded;
            self.send(from, Message::RequestsRefused { tags: refused, reason });
        }
    }

    /// Whether `peer` has been told to serve by this leader.
    pub(super) fn serves(&mut self, peer: NodeId) -> bool {
        self.learning(peer).is_some_and(|learning| learning.told.is_some())
    }

    pub(super) fn on_requests_refused(&mut self, tags: Vec<Tag>, reason: Refusal) {
        for tag in tags {
            self.refuse_proposal(tag, reason);
        }
    }

    /// A follower holds everything through here.
    pub(super) fn on_ack(&mut self, from: NodeId, through: Index) {
        let now = self.now;
        let Some(learning) = self.learning(from) else { return };
        if learning.stage != Stage::Synced || !learning.settle(through, now) {
            self.drop_message();
            return self.reset(from);
        }
        if let State::Leading(leader) = &mut self.state {
            let held = leader.matched.entry(from).or_default();
            *held = through.max(*held);
        }
        self.advance_commit();
    }

    /// The leader's own copy counts as far as it is durable.
    pub(super) fn count_own_copy(&mut self) {
        let (durable, id) = (self.writes.durable(), self.config.id);
        let State::Leading(leader) = &mut self.state else { return };
        if leader.synced.contains(&id) {
            leader.matched.insert(id, durable);
            self.advance_commit();
        }
    }

    /// Commits what a quorum holds.
    pub(super) fn advance_commit(&mut self) {
        let State::Leading(leader) = &mut self.state else { return };
        if leader.phase != Phase::Broadcast {
            return;
        }
        let held = |id| {
            let synced = leader.synced.contains(&id);
            leader.matched.get(&id).copied().filter(|_| synced).unwrap_or_default()
        };
        let reached = self.voters.reached(held).unwrap_or_default();
        if reached > self.commit {
            let own = self.commit.max(leader.opening).next();
            let settled: usize = self.history.range(own, reached).map(weight).sum();
            leader.uncommitted_bytes = leader.uncommitted_bytes.saturating_sub(settled);
            self.commit = reached;
        }
    }

    /// Sends every learner what it may have and has not had.
    pub(super) fn flush_leader(&mut self) {
        self.start_read_round();
        let State::Leading(leader) = &self.state else { return };
        let learners = leader.learners.iter();
        let forwarded = learners.filter(|it| it.1.is_forwarded()).map(|it| *it.0);
        for peer in forwarded.collect::<Vec<NodeId>>() {
            self.stream(peer);
            self.complete(peer);
            self.tell_commit(peer);
        }
    }

    /// Sends entries, as many as the window allows.
    fn stream(&mut self, peer: NodeId) {
        let limits = (self.config.max_inflight_bytes, self.config.max_batch_bytes);
        loop {
            let through = self.stream_limit(peer);
            let cached_from = self.history.cached_from();
            let Some(learning) = self.learning(peer) else { return };
            let full = learning.inflight_bytes() >= limits.0;
            let from = learning.next;
            if full || learning.fetching || from > through {
                return;
            }
            if from < cached_from {
                learning.fetching = true;
                let fetch = Output::Fetch { peer, from, max_bytes: limits.1 };
                return self.outbox.push_back(fetch);
            }
            let entries = self.history.slice(from, through, limits.1);
            if !self.send_entries(peer, entries) {
                return;
            }
        }
    }

    /// Sends these entries, which come next. Gives `false` when the log has lost what is before
    /// them.
    fn send_entries(&mut self, peer: NodeId, entries: Vec<Entry>) -> bool {
        let now = self.now;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return false };
        let Some(base) = self.history.position(first.position.index.previous()) else {
            self.lost_track(peer);
            return false;
        };
        let (end, bytes) = (last.position.index, entries.iter().map(weight).sum());
        let Some(learning) = self.learning(peer) else { return false };
        learning.next = end.next();
        learning.inflight.push_back((end, bytes));
        learning.owing.get_or_insert(now);
        let message = if learning.observer {
            Message::Inform { base, entries }
        } else {
            Message::Proposals { base, entries }
        };
        self.send(peer, message);
        true
    }

    /// Entries came from storage for a learner.
    pub(super) fn on_fetched(&mut self, peer: NodeId, from: Index, entries: Option<Vec<Entry>>) {
        let through = self.stream_limit(peer);
        let Some(learning) = self.learning(peer) else { return };
        let wanted = learning.next == from && learning.is_forwarded();
        if !core::mem::take(&mut learning.fetching) || !wanted {
            return;
        }
        let right = |entry: &Entry| self.history.holds(entry.position);
        let usable = entries.filter(|entries| {
            entries.first().is_some_and(|it| it.position.index == from)
                && entries.is_sorted_by_key(|it| it.position.index)
                && entries.iter().all(right)
        });
        let Some(mut entries) = usable else { return self.lost_track(peer) };
        entries.retain(|entry| entry.position.index <= through);
        self.send_entries(peer, entries);
    }

    /// What the learner needs next is not in the log any more, or cannot be read.
    fn lost_track(&mut self, peer: NodeId) {
        let Some(learning) = self.learning(peer) else { return };
        match learning.stage {
            Stage::Streaming { .. } => self.send_state(peer),
            // It has to ask anew.
            Stage::Sent { .. } | Stage::Synced => self.reset(peer),
            Stage::Connected | Stage::Told | Stage::Waiting(_) | Stage::Snapshot { .. } => {}
        }
    }

    /// Tells a learner that it has everything, when it has.
    fn complete(&mut self, peer: NodeId) {
        let epoch = self.leading_epoch();
        let Some(learning) = self.learning(peer) else { return };
        if let Stage::Streaming { target } = learning.stage
            && learning.next > target
        {
            learning.stage = Stage::Sent { target };
            self.send(peer, Message::NewLeader { epoch });
        }
    }

    /// Tells a learner what is committed of that which it has been sent.
    fn tell_commit(&mut self, peer: NodeId) {
        let commit = self.commit;
        let established = self.leader().is_some();
        let Some(learning) = self.learning(peer) else { return };
        if learning.stage != Stage::Synced || !established {
            return;
        }
        let sent = learning.next.previous();
        let through = commit.min(sent);
        let message = match learning.told {
            None if planted(Mutant::Z2) => Message::UpToDate { commit: sent },
            None => Message::UpToDate { commit: through },
            Some(told) if told < through && !learning.observer => Message::Commit { through },
            Some(_) => return,
        };
        learning.told = Some(through);
        self.send(peer, message);
    }

    /// The leader says what is committed.
    pub(super) fn on_commit(&mut self, through: Index) {
        if through > self.history.last().index {
            return self.disbelieve();
        }
        let State::Following(learner) = &mut self.state else { return };
        match learner.step {
            Step::Serving => self.commit_through(through),
            // Not before this node serves (ZOOKEEPER-4394).
            Step::Syncing | Step::Complete => {
                learner.remembered = learner.remembered.max(through);
            }
            Step::Knocking | Step::Promised | Step::Installing => self.disbelieve(),
        }
    }

    pub(super) fn commit_through(&mut self, through: Index) {
        self.commit = self.commit.max(through);
    }
}
