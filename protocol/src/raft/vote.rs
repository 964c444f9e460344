//! Giving votes, and following the clock of terms.

use super::message::{Body, Message, Rejection};
use super::writes::Held;
use super::{Raft, State};
use crate::mutant::{Mutant, planted};
use crate::{NodeId, Position, Term};

impl Raft {
    /// Raft §5.1: a higher term makes a follower of anyone. Gives whether to read on.
    pub(super) fn on_newer_term(&mut self, from: NodeId, term: Term, body: &Body) -> bool {
        match body {
            Body::PreVote { .. } if planted(Mutant::R23) => self.become_follower(term, None),
            // Thesis §9.6: asking changes nothing, and a grant carries the term asked for.
            Body::PreVote { .. } | Body::PreVoteReply { granted: true } => return true,
            // Thesis §4.2.3: while a leader is heard, candidates are not, unless it sent them.
            Body::Vote { transfer: false, .. } if self.is_sticky() => return false,
            Body::Append { .. } | Body::Heartbeat { .. } | Body::Snapshot { .. } => {
                self.become_follower(term, Some(from));
            }
            Body::PreVoteReply { granted: false }
            | Body::Vote { .. }
            | Body::VoteReply { .. }
            | Body::AppendAccepted { .. }
            | Body::AppendRejected(_)
            | Body::HeartbeatReply { .. }
            | Body::Propose { .. }
            | Body::ReadIndex { .. }
            | Body::ReadIndexReply { .. }
            | Body::TransferLeadership { .. }
            | Body::TimeoutNow
            | Body::SnapshotReply { .. } => self.become_follower(term, None),
            Body::Mend(_) => return false,
        }
        true
    }

    /// Old messages never reach a role. Those who lead or campaign in the past learn the present:
    /// without it, a node whose term ran ahead could neither follow nor be elected (etcd #8501).
    pub(super) fn on_older_term(&mut self, from: NodeId, term: Term, body: &Body) {
        debug_assert!(term < self.term);
        match body {
            &Body::AppendAccepted { matched } if planted(Mutant::R11) => {
                self.on_accepted(from, matched);
            }
            Body::PreVote { .. } => self.send(from, Body::PreVoteReply { granted: false }),
            Body::Vote { .. } => self.send(from, Body::VoteReply { granted: false }),
            Body::Append { base, .. } => {
                let (base, last) = (base.index, self.log.last());
                self.send(from, Body::AppendRejected(Rejection { base, conflict: None, last }));
            }
            &Body::Heartbeat { round, .. } => self.send(from, Body::HeartbeatReply { round }),
            &Body::Snapshot { last, .. } => {
                self.send(from, Body::SnapshotReply { last, next: None });
            }
            Body::PreVoteReply { .. }
            | Body::VoteReply { .. }
            | Body::AppendAccepted { .. }
            | Body::AppendRejected(_)
            | Body::HeartbeatReply { .. }
            | Body::Propose { .. }
            | Body::ReadIndex { .. }
            | Body::ReadIndexReply { .. }
            | Body::TransferLeadership { .. }
            | Body::TimeoutNow
            | Body::SnapshotReply { .. }
            | Body::Mend(_) => {}
        }
    }

    /// Whether a leader was heard so lately that nobody may be voted for. The promise is counted
    /// from the last word of *any* leader: were it forgotten at a change of term, an old reply that
    /// carries a higher term could break a lease.
    fn is_sticky(&self) -> bool {
        if !self.config.stickiness {
            return false;
        }
        let last = match &self.state {
            State::Leader(leader) => Some(self.confirmed_at(leader)),
            State::Follower(_) | State::Candidate(_) => self.heard,
        };
        last.is_some_and(|last| self.now - last < *self.config.election_timeout.start())
    }

    /// Raft §5.4.1: no vote for a log behind the own one; and none while entries that this node may
    /// once have acknowledged are missing.
    fn would_vote(&self, from: NodeId, last: Position) -> bool {
        let free = self.vote == Some(from) || (self.vote.is_none() && self.leader.is_none());
        let free = free || planted(Mutant::R2) && self.vote != Some(self.config.id);
        free && self.accepts_log(last)
    }

    fn accepts_log(&self, last: Position) -> bool {
        let own = self.log.last();
        let up_to_date = last >= own || planted(Mutant::R3);
        let longer = (last.index, last.term) >= (own.index, own.term);
        self.doubt.is_none() && if planted(Mutant::R4) { longer } else { up_to_date }
    }

    pub(super) fn on_pre_vote(&mut self, from: NodeId, term: Term, last: Position) {
        let legal =
            if term > self.term { self.accepts_log(last) } else { self.would_vote(from, last) };
        let granted = legal && !self.is_sticky();
        let term = if granted { term } else { self.term };
        let message = Message { term, body: Body::PreVoteReply { granted } };
        self.outbox.push_back(super::Output::Send { to: from, message });
    }

    pub(super) fn on_vote(&mut self, from: NodeId, last: Position, transfer: bool) {
        // The promise binds, too, where a reply has brought the term here before the candidate.
        if self.vote.is_none() && !transfer && self.is_sticky() {
            return;
        }
        if !self.would_vote(from, last) {
            return self.send(from, Body::VoteReply { granted: false });
        }
        self.vote = Some(from);
        self.reset_election_timer();
        if planted(Mutant::R1) {
            return self.send(from, Body::VoteReply { granted: true });
        }
        let message = Message { term: self.term, body: Body::VoteReply { granted: true } };
        // Raft figure 2: the vote is on stable storage before it is told.
        self.when_durable(Held::Send(from, message));
    }

    /// Draws the next election timeout.
    pub(super) fn reset_election_timer(&mut self) {
        let (start, end) =
            (self.config.election_timeout.start(), self.config.election_timeout.end());
        let width = u64::try_from(end.saturating_sub(*start).as_nanos()).unwrap_or(u64::MAX);
        let extra = core::time::Duration::from_nanos(self.rng.below(width.saturating_add(1)));
        self.election_at = self.now + *start + extra;
    }
}
