//! What is always true of one node, whatever it is told.

use super::{State, Zab};
use crate::mutant::{Mutant, planted};

impl Zab {
    /// Checks the laws written at the types, in their order. Runs after every input where debug
    /// assertions are on; costs a walk over peers and runs of epochs, not over entries.
    ///
    /// # Panics
    ///
    /// When one is broken, which is a bug in this crate.
    pub fn assert_invariants(&self) {
        let last = self.history.last();
        assert!(self.applied <= self.delivered, "only what was delivered is applied");
        assert!(self.delivered <= self.commit, "only what is committed is delivered");
        assert!(self.commit <= last.index, "only what is held is committed");
        assert!(self.epochs.current <= self.epochs.accepted, "a leader's epoch was promised");
        assert!(last.term <= self.epochs.accepted, "no entry is ahead of every promise");
        assert!(self.history.cached_from() <= self.applied.next(), "what is not applied is here");
        self.history.assert_invariants();
        self.writes.assert_invariants(self.history.written());
        match &self.state {
            State::Draining => {}
            State::Looking(_) => {
                let durable = self.writes.is_idle() && !self.history.is_dirty();
                assert!(durable || planted(Mutant::Z9), "the end is durable");
            }
            State::Following(learner) => learner.assert_invariants(),
            State::Leading(leader) => leader.assert_invariants(&self.history, self.config.id),
        }
    }
}
