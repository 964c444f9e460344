//! Standing for election: asking who would agree, then claiming an epoch.
//!
//! Asking changes nothing anywhere. It decides who tries, as the algorithm's first stage always
//! did: whoever hears from a better one that would stand leaves it to that one, and waits; once.
//! And whoever hears that no majority is free does not claim, so that a candidate which cannot win
//! does not drive up the epoch of those who have a leader.

use super::ballot::{Epoch, Promise};
use super::boundary::WriteId;
use super::message::{Body, Terms};
use super::rank::Rank;
use super::safe::{Answers, Role, Safe};
use crate::mutant::{Mutant, planted};
use crate::quorum::Outcome;
use crate::{NodeId, Time};

/// A question to all members.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asking {
    pub(super) until: Time,
    answers: Answers<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Answer {
    rank: Rank,
    free: bool,
    stands: bool,
}

/// A claim. Laws:
///
/// - it is sent once the own ballot is durable, so that no later life claims the epoch again;
/// - a grant counts when it answers this very request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Claiming {
    pub(super) epoch: Epoch,
    pub(super) until: Time,
    /// The write of the own ballot.
    write: Option<WriteId>,
    sent: Option<Time>,
    replies: Answers<bool>,
}

impl Claiming {
    pub(super) fn waits_for(&self, durable: WriteId) -> bool {
        self.sent.is_none() && self.write.is_none_or(|write| write <= durable)
    }
}

impl Safe {
    /// Asks all members.
    pub(super) fn ask(&mut self) {
        let until = self.core.now + self.core.config.timing.alive;
        self.role = Role::Asking(Asking { until, answers: Answers::new() });
        self.tell_members(Body::Ask);
        self.maybe_decide();
    }

    pub(super) fn on_ask(&mut self, from: NodeId, rank: Rank) {
        let (free, may) = (!self.refuses(from, rank), self.may_stand());
        let stands = may || matches!(self.role, Role::Claiming(_));
        self.send(from, Body::Answer { free, stands, seen: self.seen });
        let idle = matches!(self.role, Role::Follower { yielded: false, .. });
        if may && idle && self.core.rank() > rank {
            self.ask();
        }
    }

    pub(super) fn on_answer(&mut self, from: NodeId, rank: Rank, free: bool, stands: bool) {
        if let Role::Asking(asking) = &mut self.role {
            asking.answers.insert(from, Answer { rank, free, stands });
            self.maybe_decide();
        }
    }

    /// Decides once everybody has answered.
    fn maybe_decide(&mut self) {
        let others = self.others();
        let Role::Asking(asking) = &self.role else { return };
        if others.iter().all(|id| asking.answers.contains_key(id)) {
            self.decide();
        }
    }

    /// What follows from the answers so far.
    pub(super) fn decide(&mut self) {
        let (own, rank) = (self.core.id(), self.core.rank());
        let Role::Asking(asking) = &self.role else { return };
        let better = asking.answers.values().any(|it| it.stands && it.rank > rank);
        if better && !self.impatient {
            let wake = self.core.now + self.core.config.timing.victory;
            self.role = Role::Follower { wake, yielded: true };
            return;
        }
        let free = |id| match asking.answers.get(&id) {
            Some(answer) => Some(answer.free),
            None => (id == own).then_some(true),
        };
        let voters = self.durable.electorate.as_ref().map(super::Electorate::voters);
        let won = voters.is_some_and(|voters| voters.outcome(free) == Outcome::Won);
        if (won || planted(Mutant::G1)) && self.may_stand() {
            self.claim();
        } else {
            self.wait(false);
        }
    }

    /// Claims the next epoch.
    pub(super) fn claim(&mut self) {
        let now = self.core.now;
        let Some(epoch) = self.seen.max(self.ballot_epoch()).next() else {
            return self.wait(true);
        };
        let (own, lease) = (self.core.id(), self.safety.lease);
        let until = now + self.core.config.timing.victory;
        self.promise = Some(Promise { to: own, epoch, until: until + lease });
        self.vote(epoch, own, lease);
        let write = self.writes.pending();
        let replies = Answers::from([(own, true)]);
        self.role = Role::Claiming(Claiming { epoch, until, write, sent: None, replies });
    }

    /// The own ballot is durable: now the others are asked for theirs.
    pub(super) fn send_claims(&mut self) {
        let (now, lease) = (self.core.now, self.safety.lease);
        let Role::Claiming(claiming) = &mut self.role else { return };
        claiming.sent = Some(now);
        let terms = Terms { epoch: claiming.epoch, sent: now, lease };
        self.tell_members(Body::Claim(terms));
        self.count();
    }

    pub(super) fn on_grant(&mut self, from: NodeId, epoch: Epoch, sent: Time) {
        if let Role::Claiming(claiming) = &mut self.role
            && claiming.epoch == epoch
            && claiming.sent == Some(sent)
        {
            claiming.replies.insert(from, true);
            self.count();
        }
    }

    /// A claim was refused, or a renewal. A leader goes on as long as a majority agrees: that one
    /// member has granted a later epoch does not say that anybody has won it.
    pub(super) fn on_refuse(&mut self, from: NodeId, epoch: Epoch, ballot: Epoch) {
        self.seen = self.seen.max(ballot);
        match &mut self.role {
            Role::Claiming(claiming) if claiming.epoch == epoch => {
                claiming.replies.entry(from).or_insert(false);
                self.count();
            }
            Role::Leading(leading) if leading.epoch == epoch && planted(Mutant::G9) => {
                self.leave_office(super::Loss::Superseded, None);
            }
            Role::Claiming(_)
            | Role::Leading(_)
            | Role::Follower { .. }
            | Role::Asking(_)
            | Role::Stopping { .. } => {}
        }
    }

    fn count(&mut self) {
        let Role::Claiming(claiming) = &self.role else { return };
        let Some(electorate) = &self.durable.electorate else { return };
        let replies = &claiming.replies;
        let outcome = electorate.voters().outcome(|id| replies.get(&id).copied());
        match (outcome, claiming.sent) {
            (Outcome::Won, Some(sent)) => self.become_leader(claiming.epoch, sent),
            (Outcome::Open, Some(sent)) if planted(Mutant::G1) => {
                self.become_leader(claiming.epoch, sent);
            }
            (Outcome::Lost, _) => self.withdraw(),
            (Outcome::Won | Outcome::Open, _) => {}
        }
    }

    /// Those who had granted are free again. The epoch is never used.
    pub(super) fn withdraw(&mut self) {
        let Role::Claiming(claiming) = &self.role else { return };
        let epoch = claiming.epoch;
        self.release(epoch, None);
        self.wait(true);
    }

    /// Who granted the claim, and when it was asked.
    pub(super) fn granted(&self) -> Answers<Time> {
        let Role::Claiming(claiming) = &self.role else { return Answers::new() };
        let sent = claiming.sent.into_iter();
        let yes = claiming.replies.iter().filter(|(_, granted)| **granted);
        sent.flat_map(|sent| yes.clone().map(move |(id, _)| (*id, sent))).collect()
    }
}
