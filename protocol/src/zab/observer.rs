//! Observers: they learn what is committed, and count for nothing.
//!
//! An observer is synchronised like a follower, but only with an established leader and only with
//! what is committed; from then on it is told of entries when they are. So nothing that it holds is
//! ever cut off, and its acknowledgements regulate the flow and no more. It serves reads and passes
//! commands on like a follower.

use alloc::vec::Vec;

use super::boundary::Entry;
use super::learner::Step;
use super::{State, Zab};
use crate::{Index, NodeId, Position};

impl Zab {
    /// The last entry that `peer` may be sent.
    pub(super) fn stream_limit(&self, peer: NodeId) -> Index {
        let State::Leading(leader) = &self.state else { return Index(0) };
        let observes = leader.learners.get(&peer).is_some_and(|learning| learning.observer);
        if observes { self.commit } else { self.history.last().index }
    }

    /// Entries that are committed.
    pub(super) fn on_inform(&mut self, base: Position, entries: Vec<Entry>) {
        if !self.config.observes() {
            return self.disbelieve();
        }
        self.on_proposals(base, entries);
        if self.step() == Some(Step::Serving) {
            self.commit_through(self.history.last().index);
        }
    }
}
