//! From memory to disk and on to the state machine.

use super::boundary::{Abandon, Event, Output, Write, WriteId};
use super::history::Unwritten;
use super::writes::Held;
use super::{State, Zab};
use crate::{Index, Position};

impl Zab {
    /// Hands out what storage has not seen, as one write.
    pub(super) fn persist(&mut self) {
        if !self.is_dirty() {
            return;
        }
        let Unwritten { reset, cut, entries } = self.history.take_unwritten();
        let epochs = self.writes.replace(self.epochs);
        let write = Write { reset, cut, entries, epochs };
        let id = self.writes.issue(&write, self.history.last().index, self.now);
        self.outbox.push_back(Output::Persist { id, write });
    }

    fn is_dirty(&self) -> bool {
        self.history.is_dirty() || self.writes.outdated(self.epochs)
    }

    /// Lets `held` happen once all that it promises is durable.
    pub(super) fn when_durable(&mut self, held: Held) {
        let dirty = self.is_dirty();
        if let Some(ready) = self.writes.hold(dirty, held) {
            self.release(ready);
        }
    }

    fn release(&mut self, held: Held) {
        match held {
            Held::Tell(message) => self.tell_leader(message),
            Held::Promised => self.on_promised(),
            Held::Founded => self.on_founded(),
        }
    }

    /// Storage has done what it was given.
    pub(super) fn on_persisted(&mut self, id: WriteId) {
        let before = self.writes.durable();
        if !self.writes.acknowledge(id, self.now) {
            return self.drop_message();
        }
        while let Some(held) = self.writes.release() {
            self.release(held);
        }
        let grew = self.writes.durable() > before;
        match &mut self.state {
            State::Leading(_) => self.count_own_copy(),
            State::Following(learner) => learner.owes |= grew,
            State::Draining if self.writes.is_idle() => self.look(),
            State::Draining | State::Looking(_) => {}
        }
    }

    /// Storage has dropped what it could.
    pub(super) fn on_cancelled(&mut self, through: WriteId) {
        if self.cancelling == 0 || !self.writes.acknowledge(through, self.now) {
            return self.drop_message();
        }
        self.cancelling -= 1;
        // It may have done everything before it was asked, and this node may have gone on since.
        if self.cancelling == 0 && matches!(self.state, State::Draining) {
            self.writes.cancelled();
            self.history.retreat(self.writes.durable());
            // Others hold what was dropped here, and will say again that it is committed.
            self.commit = self.commit.min(self.history.last().index);
            self.look();
        }
    }

    /// Removes everything after `through`: it conflicts with the leader's history.
    pub(super) fn truncate(&mut self, through: Index) {
        assert!(through >= self.commit, "what is committed stays");
        let end = self.history.last().index;
        self.history.truncate(through);
        self.writes.truncated(through);
        let event = Event::Truncated { from: through.next(), through: end };
        self.outbox.push_back(Output::Event(event));
    }

    /// Hands out what is committed and durable here.
    pub(super) fn deliver(&mut self) {
        let through = self.commit.min(self.writes.durable());
        if through <= self.delivered || self.installed.is_some() {
            return;
        }
        let entries = self.history.range(self.delivered.next(), through).cloned().collect();
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
        self.history.evict(through, self.config.cache_bytes);
    }

    pub(super) fn on_trimmed(&mut self, through: Index) {
        if !self.history.is_anew() {
            self.history.trim(through.min(self.applied).min(self.writes.durable()));
        }
    }

    /// The state has come from elsewhere, and has gone beyond what was applied.
    pub(super) fn on_installed(&mut self, last: Position) {
        if matches!(self.state, State::Draining) {
            // What the log looks like is not known before storage has answered.
            self.installed = self.installed.max(Some(last));
            return;
        }
        if last.index > self.applied {
            self.stand_at(last);
        }
        match &self.state {
            State::Following(_) => self.resume_learning(),
            State::Leading(_) if self.history.is_anew() => self.abandon(Abandon::Replaced),
            State::Looking(_) if self.history.is_anew() => self.retire(),
            State::Looking(_) | State::Leading(_) | State::Draining => {}
        }
    }

    /// The state machine is at `last`, ahead of what was applied: the history follows it.
    pub(super) fn stand_at(&mut self, last: Position) {
        assert!(last.term <= self.epochs.accepted, "the state is ahead of every promise");
        // What the driver has not taken yet is void like what it has taken and not applied.
        self.outbox.retain(|output| !matches!(output, Output::Commit(_)));
        if self.history.holds(last) {
            self.commit = self.commit.max(last.index);
        } else {
            assert!(last.index > self.commit, "the state contradicts what is committed");
            self.writes.truncated(self.commit.min(last.index.previous()));
            self.history.reset(last);
            self.commit = last.index;
        }
        (self.delivered, self.applied) = (last.index, last.index);
        self.evict();
    }
}
