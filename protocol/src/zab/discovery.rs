//! Phase 1: which epoch, and who is in it.
//!
//! A leader waits until a quorum has come, itself included, and chooses an epoch beyond all that
//! they have promised. Each of them promises it durably, or had done so before, and then tells what
//! it holds. When a quorum has promised *anew*, and nobody of it is ahead, two things are certain:
//!
//! - no other leader gets through discovery with this epoch, since any two quorums share a member
//!   and each member promises an epoch once;
//! - the leader holds whatever may have been committed in lower epochs: it was acknowledged by a
//!   quorum before the members of this one promised, and one member of both is not ahead.
//!
//! A learner that has promised a higher epoch than an established leader's could never follow it,
//! and would knock until the next election. Here the leader gives up once instead, and the next
//! epoch overtakes: it is beyond everything that its leader has ever heard of.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::boundary::{Abandon, Event};
use super::election::Knock;
use super::leader::{Epoch, Leader, Learning, Stage};
use super::learner::Step;
use super::message::{Message, Tail};
use super::status::Phase;
use super::writes::Held;
use super::{State, Zab};
use crate::mutant::{Mutant, planted};
use crate::quorum::Outcome;
use crate::{NodeId, Term};

impl Zab {
    pub(super) fn become_leading(&mut self) {
        assert!(self.votes() && matches!(self.state, State::Looking(_)));
        let knocks = match &mut self.state {
            State::Looking(election) => election.take_knocks(),
            State::Draining | State::Following(_) | State::Leading(_) => BTreeMap::new(),
        };
        let until = self.now + self.config.timing.init_limit;
        self.state = State::Leading(Leader::new(self.now, until, self.config.id).into());
        self.maybe_choose_epoch();
        for (peer, Knock { generation, accepted, observer }) in knocks {
            if self.links.get(&peer) == Some(&generation) {
                self.on_learner_info(peer, accepted, observer);
            }
        }
    }

    /// Somebody wants to learn from this node.
    pub(super) fn on_learner_info(&mut self, from: NodeId, accepted: Term, observer: bool) {
        if observer != self.config.observers.contains(&from) || !self.config.is_peer(from) {
            self.drop_message();
            return self.reset(from);
        }
        self.seen = self.seen.max(accepted);
        let (now, epoch) = (self.now, self.leading_epoch());
        let leader = match &mut self.state {
            State::Leading(leader) => leader,
            State::Looking(election) => {
                // It may come to lead.
                if let Some(&generation) = self.links.get(&from) {
                    election.remember(from, Knock { generation, accepted, observer });
                }
                return;
            }
            State::Following(_) | State::Draining => {
                return self.send(from, Message::NotLeading);
            }
        };
        if leader.learners.contains_key(&from) {
            return;
        }
        if leader.is_fixed() && accepted > epoch {
            return self.abandon(Abandon::Overtaken);
        }
        leader.connect(from, observer, now);
        match leader.epoch {
            Epoch::Open if observer => {}
            Epoch::Open => {
                leader.connecting.insert(from);
                self.maybe_choose_epoch();
            }
            Epoch::Chosen => {}
            Epoch::Told | Epoch::Agreed => self.tell_epoch(from),
        }
    }

    fn maybe_choose_epoch(&mut self) {
        let State::Leading(leader) = &mut self.state else { return };
        let came = |id| leader.connecting.contains(&id).then_some(true);
        if leader.is_fixed() || self.voters.outcome(came) != Outcome::Won {
            return;
        }
        leader.epoch = Epoch::Chosen;
        self.epochs.accepted = self.seen.max(self.epochs.accepted).next();
        self.moved();
        self.when_durable(Held::Promised);
    }

    /// The leader's own promise is durable.
    pub(super) fn on_promised(&mut self) {
        let State::Leading(leader) = &mut self.state else { return };
        leader.epoch = Epoch::Told;
        leader.electing.insert(self.config.id);
        let here: Vec<NodeId> = leader.learners.keys().copied().collect();
        for peer in here {
            self.tell_epoch(peer);
        }
        self.maybe_agree();
    }

    fn tell_epoch(&mut self, peer: NodeId) {
        if let Some(learning) = self.learning(peer) {
            learning.stage = Stage::Told;
        }
        self.send(peer, Message::LeaderInfo { epoch: self.leading_epoch() });
    }

    /// A learner has promised, now or before.
    pub(super) fn on_ack_epoch(&mut self, from: NodeId, current: Option<Term>, tail: Tail) {
        let own = (self.epochs.current, self.history.last());
        let Some(learning) = self.learning(from).filter(|it| it.stage == Stage::Told) else {
            self.drop_message();
            return self.reset(from);
        };
        let ahead = |current| {
            if planted(Mutant::Z7) { current > own.0 } else { (current, tail.last) > own }
        };
        if current.is_some_and(ahead) {
            self.event(Event::PeerAhead { peer: from });
            return self.reset(from);
        }
        let counts = current.is_some() && !learning.observer;
        learning.stage = Stage::Waiting(tail);
        if let State::Leading(leader) = &mut self.state
            && counts
        {
            leader.electing.insert(from);
        }
        self.maybe_agree();
        self.maybe_synchronize(from);
    }

    fn maybe_agree(&mut self) {
        let epoch = self.leading_epoch();
        let State::Leading(leader) = &mut self.state else { return };
        let promised = |id| leader.electing.contains(&id).then_some(true);
        if leader.epoch == Epoch::Told && self.voters.outcome(promised) == Outcome::Won {
            leader.epoch = Epoch::Agreed;
            self.epochs.current = epoch;
            self.moved();
            self.when_durable(Held::Founded);
        }
    }

    /// The leader is of its own epoch, durably, with all that it holds.
    pub(super) fn on_founded(&mut self) {
        let (opening, id) = (self.history.last().index, self.config.id);
        let State::Leading(leader) = &mut self.state else { return };
        assert!(leader.phase == Phase::Discovery, "an epoch is founded once");
        leader.phase = Phase::Synchronization;
        leader.opening = opening;
        leader.synced.insert(id);
        leader.matched.insert(id, opening);
        let waits = |it: &(&NodeId, &Learning)| matches!(it.1.stage, Stage::Waiting(_));
        let waiting: Vec<NodeId> = leader.learners.iter().filter(waits).map(|it| *it.0).collect();
        self.moved();
        self.announce();
        for peer in waiting {
            self.maybe_synchronize(peer);
        }
        self.maybe_establish();
    }

    /// The leader tells its epoch.
    pub(super) fn on_leader_info(&mut self, epoch: Term) {
        if self.step() != Some(Step::Knocking) {
            return self.disbelieve();
        }
        self.seen = self.seen.max(epoch);
        if epoch < self.epochs.accepted {
            return self.abandon(Abandon::OldEpoch);
        }
        // What is promised twice might be promised to two.
        let anew = epoch > self.epochs.accepted && self.doubt.is_none();
        let current = anew.then_some(self.epochs.current);
        self.epochs.accepted = epoch;
        self.set_step(Step::Promised);
        let tail = self.history.tail(self.commit);
        self.when_durable(Held::Tell(Message::AckEpoch { current, tail }));
    }
}
