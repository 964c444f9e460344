//! Fast leader election: who should try to lead.
//!
//! Everybody who looks for a leader says whom it would follow, itself at first, and takes over any
//! better vote that it hears (`vote.rs`). When a quorum says the same in the same *round* and
//! nothing better comes for a little while, that is the leader. Rounds keep words of old elections
//! out: a node that hears of a later round starts afresh in it.
//!
//! Whoever has a leader answers with it, and is not disturbed: a node that comes late joins what it
//! finds, however good its own vote is. It believes the leader's own word, once a quorum says the
//! same, itself included.
//!
//! The laws of this module are few: words promise nothing, so they may be lost, repeated and late,
//! and nothing here is durable. Whoever is elected in error does not get through discovery.
//!
//! Three details differ from `ZooKeeper`'s. The wait for a better vote is not prolonged by words
//! that are no better. A late comer counts itself among those who follow the leader that it hears,
//! so a follower that restarts is back at once even where the quorum depends on it. And words of
//! old rounds break no wait.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::boundary::{Abandon, Generation};
use super::message::Message;
use super::status::Phase;
use super::vote::{Notification, Stance, Vote};
use super::{State, Zab};
use crate::mutant::{Mutant, planted};
use crate::quorum::Outcome;
use crate::{NodeId, Term, Time};

/// What a node that looks for a leader knows.
///
/// - `received` holds the votes of this round, the own one among them.
/// - `outside` holds what those said who have a leader.
/// - While `finalize_at` is set, a quorum of `received` is for `proposal`.
#[derive(Clone, Debug, Hash)]
pub(super) struct Election {
    proposal: Option<Vote>,
    received: BTreeMap<NodeId, Vote>,
    outside: BTreeMap<NodeId, Notification>,
    /// Who takes this node for the leader already, on which link.
    knocks: BTreeMap<NodeId, Knock>,
    finalize_at: Option<Time>,
    backoff: Duration,
    resend_at: Time,
}

/// What a learner said that came before this node knew that it leads.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Knock {
    pub(super) generation: Generation,
    pub(super) accepted: Term,
    pub(super) observer: bool,
}

impl Election {
    pub(super) fn remember(&mut self, from: NodeId, knock: Knock) {
        self.knocks.insert(from, knock);
    }

    pub(super) fn take_knocks(&mut self) -> BTreeMap<NodeId, Knock> {
        core::mem::take(&mut self.knocks)
    }

    pub(super) fn timeout(&self) -> Time {
        self.finalize_at.map_or(self.resend_at, |at| at.min(self.resend_at))
    }
}

/// Which vote is better.
fn better(a: Vote, b: Vote) -> bool {
    if planted(Mutant::Z7) { (a.epoch, a.leader) > (b.epoch, b.leader) } else { a > b }
}

impl Zab {
    /// Begins an election of its own.
    pub(super) fn look(&mut self) {
        let durable = self.writes.is_idle() || planted(Mutant::Z9);
        assert!(durable, "the history that is voted with is durable");
        if let Some(last) = self.installed.take().filter(|last| last.index > self.applied) {
            self.stand_at(last);
            if self.history.is_anew() {
                return self.retire();
            }
        }
        if planted(Mutant::Z5) && self.round > 0 {
            // As when the state in memory outlives the leader, and the log is not asked.
            self.history.retreat(self.commit);
            self.writes.truncated(self.commit);
        }
        self.round += 1;
        self.state = State::Looking(self.election());
        self.broadcast_vote();
        self.count_votes();
    }

    fn election(&self) -> Election {
        let backoff = self.config.timing.backoff_min;
        let proposal = self.own_vote();
        let own = proposal.map(|vote| (self.config.id, vote));
        Election {
            proposal,
            received: own.into_iter().collect(),
            outside: BTreeMap::new(),
            knocks: BTreeMap::new(),
            finalize_at: None,
            backoff,
            resend_at: self.now + backoff,
        }
    }

    /// The vote for itself; none of a node that has none.
    fn own_vote(&self) -> Option<Vote> {
        let (epoch, last, leader) = (self.epochs.current, self.history.last(), self.config.id);
        self.votes().then_some(Vote { epoch, last, leader })
    }

    /// What this node says of the election; nothing while it waits for storage.
    fn word(&self) -> Option<Notification> {
        let round = self.round;
        let follows = |leader| {
            let own = Vote { epoch: self.epochs.current, last: self.history.last(), leader };
            // Until the leader is established its followers are of different epochs still, and
            // whoever comes late must find a quorum that says the same (ZOOKEEPER-1732).
            let elected = self.elected.filter(|vote| vote.leader == leader);
            elected.filter(|_| self.phase() != Phase::Broadcast).unwrap_or(own)
        };
        let (stance, vote) = match &self.state {
            State::Draining => return None,
            State::Looking(election) => (Stance::Looking, election.proposal),
            State::Following(learner) => {
                let counts = self.voters.contains(self.config.id);
                (Stance::Following, counts.then(|| follows(learner.leader)))
            }
            State::Leading(_) => (Stance::Leading, Some(follows(self.config.id))),
        };
        Some(Notification { stance, round, vote })
    }

    /// Tells `peer` what this node says of the election.
    pub(super) fn notify(&mut self, peer: NodeId) {
        if let Some(word) = self.word() {
            self.send(peer, Message::Notification(word));
        }
    }

    fn broadcast_vote(&mut self) {
        let id = self.config.id;
        let voters = self.config.voters.iter().copied();
        for peer in voters.filter(|&peer| peer != id).collect::<Vec<NodeId>>() {
            self.notify(peer);
        }
    }

    pub(super) fn on_election_timeout(&mut self) {
        let State::Looking(election) = &mut self.state else { return };
        if let (Some(at), Some(vote)) = (election.finalize_at, election.proposal)
            && self.now >= at
        {
            return self.decide(vote);
        }
        if self.now >= election.resend_at {
            election.backoff = (election.backoff * 2).min(self.config.timing.backoff_max);
            election.resend_at = self.now + election.backoff;
            self.broadcast_vote();
        }
    }

    pub(super) fn on_notification(&mut self, from: NodeId, word: Notification) {
        let known = word.vote.is_none_or(|vote| self.voters.contains(vote.leader));
        if !known || !self.config.is_peer(from) {
            return self.drop_message();
        }
        match &self.state {
            State::Draining => {}
            State::Looking(_) => match word.stance {
                Stance::Looking => self.on_vote(from, word),
                Stance::Following | Stance::Leading => self.on_outside_vote(from, word),
            },
            State::Following(_) | State::Leading(_) => {
                if word.stance == Stance::Looking {
                    self.notify(from);
                    self.maybe_desert(from, word.round);
                }
            }
        }
    }

    /// Somebody else looks for a leader, too.
    fn on_vote(&mut self, from: NodeId, word: Notification) {
        let Some(own) = self.own_vote() else {
            // Two that have no vote have nothing to tell each other.
            return;
        };
        let Some(vote) = word.vote.filter(|_| self.voters.contains(from)) else {
            // An observer asks, or a voter that is in doubt.
            return self.notify(from);
        };
        if word.round < self.round {
            return self.notify(from);
        }
        let afresh = word.round > self.round;
        if afresh {
            self.round = word.round;
        }
        let id = self.config.id;
        let State::Looking(election) = &mut self.state else { return };
        // The election goes on without being asked to.
        election.resend_at = self.now + election.backoff;
        if afresh {
            election.received.clear();
            election.finalize_at = None;
            election.proposal = Some(own);
        }
        election.received.insert(from, vote);
        let adopts = election.proposal.is_some_and(|held| better(vote, held));
        if adopts {
            election.proposal = Some(vote);
            election.finalize_at = None;
        }
        if let Some(proposal) = election.proposal.filter(|_| adopts || afresh) {
            election.received.insert(id, proposal);
            self.broadcast_vote();
        }
        self.count_votes();
    }

    /// Whether a quorum says what this node says.
    fn count_votes(&mut self) {
        let State::Looking(election) = &mut self.state else { return };
        let Some(proposal) = election.proposal else { return };
        let same = |id| election.received.get(&id).map(|&vote| vote == proposal);
        if self.voters.outcome(same) == Outcome::Won && election.finalize_at.is_none() {
            election.finalize_at = Some(self.now + self.config.timing.finalize_wait);
        }
    }

    /// Somebody has a leader already.
    fn on_outside_vote(&mut self, from: NodeId, word: Notification) {
        let id = self.config.id;
        let State::Looking(election) = &mut self.state else { return };
        let Some(vote) = word.vote.filter(|vote| vote.leader != id) else { return };
        election.outside.insert(from, word);
        // What members know of the leader's history differs; whose epoch they are of does not.
        let same = |word: &Notification| {
            word.vote.is_some_and(|it| (it.leader, it.epoch) == (vote.leader, vote.epoch))
        };
        let leads = election.outside.get(&vote.leader);
        let confirmed = leads.is_some_and(|word| word.stance == Stance::Leading && same(word));
        let follows = |peer| {
            let joins = peer == id;
            (joins || election.outside.get(&peer).is_some_and(same)).then_some(true)
        };
        if confirmed && self.voters.outcome(follows) == Outcome::Won {
            self.round = word.round;
            self.decide(vote);
        }
    }

    fn decide(&mut self, vote: Vote) {
        self.elected = Some(vote);
        if vote.leader == self.config.id {
            self.become_leading();
        } else {
            self.become_following(vote.leader);
        }
    }

    /// A voter looks for a leader while this one waits in vain for a quorum: it has changed its
    /// mind, and waiting longer helps nobody (ZOOKEEPER-3109).
    fn maybe_desert(&mut self, from: NodeId, round: u64) {
        let State::Leading(leader) = &self.state else { return };
        let changed = self.voters.contains(from) && round >= self.round;
        let late = self.now >= leader.since + self.config.timing.epoch_wait;
        if changed && late && !leader.is_fixed() && !leader.learners.contains_key(&from) {
            self.abandon(Abandon::Deserted);
        }
    }
}
