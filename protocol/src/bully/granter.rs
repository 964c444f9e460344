//! Granting: what a member says to those who claim office and to those who hold it.

use core::time::Duration;

use super::ballot::{Epoch, Promise};
use super::boundary::Loss;
use super::message::{Body, Terms};
use super::rank::{Rank, Ranking};
use super::safe::{Role, Safe};
use crate::NodeId;
use crate::mutant::{Mutant, planted};

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
        let taken = epoch <= self.ballot_epoch();
        let sane = lease <= LEASE_MOST && self.is_member();
        if is_behind || taken || !sane || self.refuses(from, rank) {
            return self.send(from, Body::Refuse { epoch, ballot: self.ballot_epoch() });
        }
        self.yield_to(Promise { to: from, epoch, until: self.core.now + lease });
        self.vote(epoch, from, lease);
        self.core.follow(None);
        self.send(from, Body::Grant { epoch, sent });
    }

    /// A victory, or a renewal. Its sender was granted the epoch by a majority, and no majority
    /// would have done so while another lease could be in use: so an older promise stands for
    /// nothing any more, and neither does a grant of the same epoch to somebody who did not win.
    ///
    /// A claim of a later epoch may have failed while this leader won. Who granted it agrees with
    /// the leader again as soon as it is bound by no promise, and who made it gives it up; the
    /// ballot stays as high as it is.
    pub(super) fn on_renew(&mut self, from: NodeId, terms: Terms, is_behind: bool) {
        let Terms { epoch, sent, lease } = terms;
        let own = matches!(&self.role, Role::Leading(leading) if leading.epoch == epoch);
        let over = self.released.get(&from).is_some_and(|released| epoch <= *released);
        if own || over || lease > LEASE_MOST {
            self.core.dropped += 1;
            return;
        }
        if is_behind || self.is_bound_beyond(from, epoch) {
            return self.send(from, Body::Refuse { epoch, ballot: self.ballot_epoch() });
        }
        self.withdraw();
        let until = self.core.now + lease;
        let before = self.promise.filter(|promise| promise.to == from);
        let until = before.map_or(until, |promise| promise.until.max(until));
        self.yield_to(Promise { to: from, epoch, until });
        self.follow(from, epoch);
        if self.is_member() {
            if epoch >= self.ballot_epoch() || !planted(Mutant::G10) {
                self.vote(epoch.max(self.ballot_epoch()), from, lease);
            }
            let now = self.core.now;
            let began = self.core.started.max(self.stands).unwrap_or(now);
            let stands = self.stands.is_some();
            self.send(from, Body::Ack { epoch, sent, up: now - began, stands });
        }
    }

    /// Whether a promise keeps this member from agreeing to what the leader of that epoch asks.
    fn is_bound_beyond(&self, leader: NodeId, epoch: Epoch) -> bool {
        let claims = matches!(self.role, Role::Claiming(_));
        self.promise.is_some_and(|promise| match promise.to == leader {
            true => epoch < promise.epoch,
            false => epoch < self.ballot_epoch() && !claims,
        })
    }

    /// Whatever this member was about, another one goes before it. A lease of its own that had not
    /// run out would have kept the other from winning.
    fn yield_to(&mut self, promise: Promise) {
        if matches!(self.role, Role::Leading(_)) {
            self.leave_office(Loss::Superseded, None);
        }
        self.promise = Some(promise);
        let wake = promise.until + self.core.stagger(self.core.config.timing.alive);
        self.role = Role::Follower { wake, yielded: false };
    }

    /// The holder of the epoch does not use it any more.
    pub(super) fn on_release(&mut self, from: NodeId, epoch: Epoch, successor: Option<NodeId>) {
        let others = self.others();
        self.released.retain(|id, _| others.contains(id));
        let released = self.released.entry(from).or_insert(epoch);
        *released = epoch.max(*released);
        if !self.promise.is_some_and(|promise| promise.to == from && promise.epoch == epoch) {
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
