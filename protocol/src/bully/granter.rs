//! Granting: what a member says to those who claim office and to those who hold it.

use core::time::Duration;

use super::ballot::{Epoch, Promise};
use super::boundary::Loss;
use super::message::{Body, Terms};
use super::rank::{Rank, Ranking};
use super::safe::{Role, Safe};
use crate::mutant::{Mutant, planted};
use crate::{NodeId, Time};

/// The longest lease that is granted. A longer one is a mistake that nobody could wait out.
const LEASE_MOST: Duration = Duration::from_secs(3_600);

impl Safe {
    /// Whether a claim of this one would be refused, whatever its epoch: another one's lease may
    /// still be in use, or the state that it would go on with is behind.
    pub(super) fn refuses(&self, from: NodeId, rank: Rank) -> bool {
        let leased = self.promise.is_some_and(|promise| promise.to != from);
        let by_freshness = self.core.config.ranking == Ranking::Freshness;
        let is_stale = by_freshness && rank.freshness < self.core.rank().freshness;
        (leased && !planted(Mutant::G7)) || is_stale
    }

    pub(super) fn on_claim(&mut self, from: NodeId, rank: Rank, terms: Terms, is_behind: bool) {
        let Terms { epoch, sent, lease } = terms;
        let taken = self.durable.ballot.is_some_and(|ballot| {
            epoch < ballot.epoch || (epoch == ballot.epoch && ballot.holder != from)
        });
        let sane = lease <= LEASE_MOST && self.is_member();
        if is_behind || taken || !sane || self.refuses(from, rank) {
            return self.send(from, Body::Refuse { epoch, ballot: self.ballot_epoch() });
        }
        self.yield_to(from, self.core.now + lease);
        self.vote(epoch, from, lease);
        self.core.follow(None);
        self.send(from, Body::Grant { epoch, sent });
    }

    /// A victory, or a renewal. Its sender was granted the epoch by a majority, and no majority
    /// would have done so while another lease could be in use: so an older promise stands for
    /// nothing any more, and neither does a grant of the same epoch to somebody who did not win.
    pub(super) fn on_renew(&mut self, from: NodeId, terms: Terms, is_behind: bool) {
        let Terms { epoch, sent, lease } = terms;
        let own = matches!(&self.role, Role::Leading(leading) if leading.epoch == epoch);
        if own || lease > LEASE_MOST {
            self.core.dropped += 1;
            return;
        }
        if is_behind || epoch < self.ballot_epoch() {
            return self.send(from, Body::Refuse { epoch, ballot: self.ballot_epoch() });
        }
        let until = self.core.now + lease;
        let before = self.promise.filter(|promise| promise.to == from);
        let until = before.map_or(until, |promise| promise.until.max(until));
        self.yield_to(from, until);
        self.follow(from, epoch);
        if self.is_member() {
            self.vote(epoch, from, lease);
            let now = self.core.now;
            let began = self.core.started.max(self.stands).unwrap_or(now);
            let stands = self.stands.is_some();
            self.send(from, Body::Ack { epoch, sent, up: now - began, stands });
        }
    }

    /// Whatever this member was about, another one goes before it. A lease of its own that had not
    /// run out would have kept the other from winning.
    fn yield_to(&mut self, other: NodeId, until: Time) {
        if matches!(self.role, Role::Leading(_)) {
            self.leave_office(Loss::Superseded, None);
        }
        self.promise = Some(Promise { to: other, until });
        let wake = until + self.core.stagger(self.core.config.timing.alive);
        self.role = Role::Follower { wake, yielded: false };
    }

    /// The holder of the epoch does not use it any more.
    pub(super) fn on_release(&mut self, from: NodeId, epoch: Epoch, successor: Option<NodeId>) {
        let held = self.durable.ballot.is_some_and(|it| it.epoch == epoch && it.holder == from);
        let promised = self.promise.is_some_and(|promise| promise.to == from);
        if !held || !promised {
            return;
        }
        self.promise = None;
        self.core.follow(None);
        if !matches!(self.role, Role::Follower { .. }) {
            return;
        }
        let own = self.core.id();
        match successor {
            Some(id) if id == own && self.may_stand() => self.claim(),
            Some(_) => self.wait(true),
            None => {
                let wake = self.core.now + self.core.stagger(self.core.config.timing.alive);
                self.role = Role::Follower { wake, yielded: false };
            }
        }
    }
}
