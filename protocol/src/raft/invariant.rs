//! What is always true of one node, whatever it is told.

use super::{Raft, State};

impl Raft {
    /// Checks the laws written at the types, in their order. Runs after every input where debug
    /// assertions are on; costs a walk over peers and term runs, not over entries.
    ///
    /// # Panics
    ///
    /// When one is broken, which is a bug in this crate.
    pub fn assert_invariants(&self) {
        let last = self.log.last().index;
        assert!(self.applied <= self.delivered, "only what was delivered is applied");
        assert!(self.delivered <= self.commit, "only what is committed is delivered");
        assert!(self.commit <= last, "only what is held is committed");
        assert!(self.log.last().term <= self.term, "no entry is ahead of the term");
        assert!(self.log.cached_from() <= self.applied.next(), "what is not applied is in memory");
        self.log.assert_invariants();
        self.writes.assert_invariants(self.log.written());
        if self.log.is_anew() {
            let base = self.log.base().index;
            assert!(self.applied >= base, "the state covers what the log gives up");
            assert!(self.writes.durable() < base, "what storage has not seen is not durable");
        }
        match &self.state {
            State::Follower(follower) => {
                assert!(follower.verified <= last, "only what is held is verified");
                assert_ne!(self.leader, Some(self.config.id));
                let waits = !follower.reads.is_empty() || !follower.asked.is_empty();
                assert!(!waits || self.leader.is_some(), "nothing waits for nobody");
            }
            State::Candidate(candidate) => {
                assert!(self.leader.is_none() && self.may_campaign());
                if candidate.role() == super::Role::Candidate {
                    assert_eq!(self.vote, Some(self.config.id));
                }
            }
            State::Leader(leader) => {
                assert_eq!(self.leader, Some(self.config.id));
                assert_eq!(self.vote, Some(self.config.id));
                if leader.opening > self.log.base().index {
                    assert_eq!(self.log.run_start(leader.opening), {
                        self.log.position(leader.opening).filter(|held| held.term == self.term)
                    });
                }
                leader.reads.assert_invariants();
                for progress in leader.peers.values() {
                    progress.assert_invariants(last);
                }
            }
        }
    }
}
