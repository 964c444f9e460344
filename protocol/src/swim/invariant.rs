//! The laws of a member's state, for whoever can afford to look at all of it.

use super::message::State;
use super::{SELF, Swim};

impl Swim {
    /// Asserts what must be true between any two calls.
    ///
    /// It looks at every row: it is for tests, and not called on the way.
    pub fn assert_invariants(&self) {
        self.table.assert_invariants();
        self.suspicions.assert_invariants();
        self.queue.assert_invariants();
        self.lanes.iter().for_each(super::queue::Queue::assert_invariants);
        let own = self.table.row(SELF);
        let state = if self.is_leaving() { State::Left } else { State::Alive };
        assert!(own.state() == state, "the own row is alive until it goes");
        assert!(own.incarnation == self.incarnation, "the own row has the own incarnation");
        assert!(self.suspicions.len() == self.table.count(State::Suspect), "suspects are in time");
        for (slot, row, _) in self.table.iter() {
            let suspect = row.state() == State::Suspect;
            assert!(suspect == self.suspicions.contains(slot), "a suspect has a deadline");
        }
    }
}
