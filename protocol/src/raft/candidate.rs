//! Asking for leadership.
//!
//! First in the subjunctive (thesis §9.6): a pre-candidate asks who would vote for it, and changes
//! no term by asking, so that a node which was cut off does not depose a working leader when it
//! comes back. Then in earnest: the term grows, the own vote is written, and only then does anyone
//! hear of it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::message::{Body, Message};
use super::status::Role;
use super::writes::Held;
use super::{Raft, State};
use crate::quorum::Outcome;
use crate::{NodeId, Term};

/// What is being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Poll {
    /// Would you?
    PreVote,
    /// Do!
    Vote {
        /// At the wish of the leader.
        transfer: bool,
    },
}

/// A node that asks for votes.
///
/// - `answers` holds one answer a node, the first; the own one only once it is durable.
#[derive(Clone, Debug, Hash)]
pub(super) struct Candidate {
    poll: Poll,
    answers: BTreeMap<NodeId, bool>,
}

impl Candidate {
    pub(super) const fn role(&self) -> Role {
        match self.poll {
            Poll::PreVote => Role::PreCandidate,
            Poll::Vote { .. } => Role::Candidate,
        }
    }
}

impl Raft {
    /// Whether this node may lead: its vote counts, and its log holds all it ever acknowledged.
    ///
    /// Until its removal is committed, a removed node may still be needed: its log alone may hold
    /// what the others have to follow (thesis §4.2.2).
    pub(super) fn may_campaign(&self) -> bool {
        self.configurations.voted(self.config.id) && self.doubt.is_none()
    }

    pub(super) fn on_election_timeout(&mut self) {
        if !self.may_campaign() {
            self.become_follower(self.term, None);
            return self.reset_election_timer();
        }
        let poll = if self.config.pre_vote && !self.is_alone() {
            Poll::PreVote
        } else {
            Poll::Vote { transfer: false }
        };
        self.campaign(poll);
    }

    /// Starts to ask.
    pub(super) fn campaign(&mut self, poll: Poll) {
        assert!(self.may_campaign(), "only whole voters campaign");
        assert!(!matches!(self.state, State::Leader(_)), "leaders do not campaign");
        self.abandon_requests();
        self.leader = None;
        self.state = State::Candidate(Candidate { poll, answers: BTreeMap::new() });
        self.reset_election_timer();
        let last = self.log.last();
        match poll {
            Poll::PreVote => {
                let message = Message { term: self.term.next(), body: Body::PreVote { last } };
                for to in self.other_voters() {
                    let message = message.clone();
                    self.outbox.push_back(super::Output::Send { to, message });
                }
                self.on_answer(self.config.id, true);
            }
            Poll::Vote { transfer } => {
                self.term = self.term.next();
                self.vote = Some(self.config.id);
                self.when_durable(Held::OwnVote(self.term));
                // Not even asked before it is durable: after a crash the same term must not be
                // campaigned in again, with a log that may have become shorter.
                let message = Message { term: self.term, body: Body::Vote { last, transfer } };
                for to in self.other_voters() {
                    self.when_durable(Held::Send(to, message.clone()));
                }
            }
        }
    }

    fn other_voters(&self) -> Vec<NodeId> {
        self.voters.iter().filter(|&id| id != self.config.id).collect()
    }

    pub(super) fn on_own_vote(&mut self, term: Term) {
        if term == self.term && self.role() == Role::Candidate {
            self.on_answer(self.config.id, true);
        }
    }

    pub(super) fn on_vote_reply(&mut self, from: NodeId, granted: bool) {
        if self.role() == Role::Candidate {
            self.on_answer(from, granted);
        }
    }

    pub(super) fn on_pre_vote_reply(&mut self, from: NodeId, term: Term, granted: bool) {
        // A grant belongs to the term that was asked for, a refusal to the one that is.
        let asked = if granted { self.term.next() } else { self.term };
        if self.role() == Role::PreCandidate && term == asked {
            self.on_answer(from, granted);
        }
    }

    fn on_answer(&mut self, from: NodeId, granted: bool) {
        let State::Candidate(candidate) = &mut self.state else { return };
        candidate.answers.entry(from).or_insert(granted);
        let poll = candidate.poll;
        let outcome = self.voters.outcome(|id| candidate.answers.get(&id).copied());
        match (outcome, poll) {
            (Outcome::Open, _) => {}
            (Outcome::Lost, _) => self.become_follower(self.term, None),
            (Outcome::Won, Poll::PreVote) => self.campaign(Poll::Vote { transfer: false }),
            (Outcome::Won, Poll::Vote { .. }) => self.become_leader(),
        }
    }
}
