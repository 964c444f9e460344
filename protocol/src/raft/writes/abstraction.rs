//! What an exhaustive exploration may forget of a core, because nothing that it does depends on it.
//!
//! An explorer tells cores apart by all they hold. Two that behave alike for ever should then be
//! equal, or it explores the same future twice, or without end. What keeps them apart is history:
//! how far the generator has turned, how many writes there have been, when a leader was last heard.
//! Forgetting is only right under the terms of [`Raft::forget_history`]; it is no part of any node
//! that runs.

use super::super::{Raft, State};
use super::{WriteId, Writes};
use crate::{Index, Rng};

impl Raft {
    /// Brings a core to the one that stands for all that behave like it. Gives by how much the ids
    /// of writes have been lowered: a write that is under way as `id` is from now on
    /// `id` less that number.
    ///
    /// Behaviour is kept when the core is only ever told one time, its timers are of width zero,
    /// check-quorum, stickiness and leases are off, no reads are asked for and the log is not
    /// trimmed. The trim bound is forgotten too: it flows into nothing but itself.
    ///
    /// # Panics
    ///
    /// When outputs have not been drained: they name writes.
    pub fn forget_history(&mut self) -> u64 {
        assert!(self.outbox.is_empty() && !self.unflushed, "only a drained core forgets");
        self.rng = Rng::new(0);
        self.next_question = 0;
        self.dropped = 0;
        self.heard = None;
        self.trim = Index(0);
        if let State::Leader(leader) = &mut self.state {
            for progress in leader.peers.values_mut() {
                progress.confirmed = None;
            }
        }
        self.writes.forget_acknowledged()
    }
}

impl Writes {
    /// Counts from the last acknowledgement.
    fn forget_acknowledged(&mut self) -> u64 {
        let by = self.acknowledged.0;
        let lower = |id: &mut WriteId| id.0 = id.0.saturating_sub(by);
        lower(&mut self.issued);
        lower(&mut self.acknowledged);
        lower(&mut self.promised);
        self.in_flight.iter_mut().for_each(|(id, _)| lower(id));
        self.held.iter_mut().for_each(|(id, _)| lower(id));
        by
    }
}
