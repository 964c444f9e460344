//! From memory to disk and on to the state machine.

use super::boundary::{Event, HardState, Output, Write, WriteId};
use super::message::{Body, Message};
use super::writes::Held;
use super::{Raft, State};
use crate::Index;
use crate::mutant::{Mutant, planted};

impl Raft {
    /// Hands out what storage has not seen, as one write.
    pub(super) fn persist(&mut self) {
        let (reset, entries) = (self.log.take_reset(), self.log.take_unwritten());
        let dirty = reset.is_some() || !entries.is_empty();
        if !dirty && !self.writes.outdated(self.term, self.vote) {
            return;
        }
        // The hard state takes effect before the rest: it must not commit what that replaces.
        let commit = self.commit.min(self.writes.durable());
        let hard_state = HardState { term: self.term, vote: self.vote, commit };
        let hard_state = self.writes.replace(hard_state);
        let id = self.writes.issue(self.log.last().index, self.now);
        self.outbox.push_back(Output::Persist { id, write: Write { hard_state, reset, entries } });
    }

    /// Lets `held` happen once all that it promises is durable.
    pub(super) fn when_durable(&mut self, held: Held) {
        let dirty = self.log.is_dirty() || self.writes.outdated(self.term, self.vote);
        if let Some(ready) = self.writes.hold(dirty, held) {
            self.release(ready);
        }
    }

    /// Whether a message that waited for the disk is still what this node has to say. A vote that
    /// was asked for on a disk that hung, in a term that is over, would be asked by whoever this
    /// node has become: perhaps by nobody who votes.
    fn still_says(&self, message: &Message) -> bool {
        let asks = matches!(message.body, Body::Vote { .. });
        message.term == self.term && (!asks || matches!(self.state, State::Candidate(_)))
    }

    fn release(&mut self, held: Held) {
        match held {
            Held::Send(to, message) => {
                if self.still_says(&message) {
                    self.outbox.push_back(Output::Send { to, message });
                }
            }
            Held::OwnVote(term) => self.on_own_vote(term),
            Held::Chunk(term, chunk) => self.pass_on(term, chunk),
        }
    }

    pub(super) fn on_persisted(&mut self, id: WriteId) {
        let before = self.writes.durable();
        if !self.writes.acknowledge(id, self.now) {
            return self.drop_message();
        }
        while let Some(held) = self.writes.release() {
            self.release(held);
        }
        match &mut self.state {
            State::Leader(_) => self.advance_commit(),
            State::Follower(follower) => {
                follower.grew |= self.writes.durable() > before;
                self.resolve_doubt();
            }
            State::Candidate(_) => {}
        }
    }

    /// Removes the entry at `from` and everything after it: it conflicts with the leader's log.
    pub(super) fn truncate(&mut self, from: Index) {
        assert!(from > self.commit, "what is committed stays");
        let through = self.log.last().index;
        self.log.truncate(from);
        if self.configurations.truncated(from) {
            self.reconfigured();
        }
        self.writes.truncated(self.log.last().index);
        self.outbox.push_back(Output::Event(Event::Truncated { from, through }));
    }

    /// Hands out what is committed and durable here.
    pub(super) fn deliver(&mut self) {
        let through = self.commit.min(self.writes.durable());
        let early = planted(Mutant::R9) && self.is_alone();
        let through = if early { self.commit } else { through };
        if through <= self.delivered {
            return;
        }
        let entries = self.log.range(self.delivered.next(), through).cloned().collect();
        self.delivered = through;
        self.outbox.push_back(Output::Commit(entries));
    }

    pub(super) fn on_applied(&mut self, index: Index) {
        self.applied = self.applied.max(index.min(self.delivered));
        self.evict();
    }

    /// Keeps the cache within its bound.
    pub(super) fn evict(&mut self) {
        let through = self.applied.min(self.writes.durable());
        self.log.evict(through, self.config.cache_bytes);
    }

    pub(super) fn on_trimmed(&mut self, through: Index) {
        self.log.trim(through.min(self.applied).min(self.writes.durable()));
    }
}
