//! Leases: renewals travel together, and the leader's clock goes through the log.
//!
//! Time for leases is what leaders have seen pass, as told in `Tick` entries: while there is no
//! leader it stands still, and a process that was stopped lets at most [`MAX_TICK`] pass at once.
//! So neither a change of leaders nor a pause ever shortens a lease. And what a leader saw pass is
//! proposed in its own term or not at all: the next leader's time begins with its election, and a
//! lease granted since must not have older time counted against it.

use alloc::vec::Vec;
use core::time::Duration;

use protocol::Time;
use protocol::mutant::{Mutant, planted};
use protocol::raft::Role;
use store::{Command, LeaseId};

use crate::node::Node;
use crate::request::RequestId;
use crate::writes::Waiter;

/// The most time that one tick lets pass.
const MAX_TICK: Duration = Duration::from_millis(1_500);
/// The pause between ticks while leases are over that the last one had no room for.
const BACKLOG_TICK: Duration = Duration::from_millis(50);
/// Renewals in one command.
const MAX_RENEWALS: usize = 10_000;
/// How often a member tries to tell its name and addresses.
const PUBLISH_PAUSE: Duration = Duration::from_millis(500);

/// What waits to be said about leases.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    renewals: Vec<(RequestId, LeaseId)>,
    /// While leading: the moment up to which time has been told.
    told: Option<Time>,
    publish_at: Time,
}

impl Leases {
    /// A client renews a lease.
    pub(crate) fn renew(&mut self, id: RequestId, lease: LeaseId) {
        self.renewals.push((id, lease));
    }

    /// Renewals that wait to be proposed.
    pub(crate) fn waiting(&self) -> usize {
        self.renewals.len()
    }

    /// The role changed: a new leader's time begins now.
    pub(crate) fn role_changed(&mut self, leader: bool, now: Time) {
        let kept = self.told.filter(|_| leader || planted(Mutant::L1));
        self.told = if leader { kept.or(Some(now)) } else { kept };
    }
}

impl Node {
    /// As leader, lets the leases' clock go on. While proposals have to wait, or are not made any
    /// more, it stands still: a tick that waited could be proposed by a follower.
    pub(crate) fn tick_leases(&mut self) {
        let telling = self.tells_time() || planted(Mutant::L1);
        if !telling || self.now < self.writes.retry_at() {
            return;
        }
        let Some(told) = self.leases.told else { return };
        if !self.store.has_leases() && !self.store.has_sessions() {
            // Nobody's time passes; the next grant starts from here.
            self.leases.told = Some(self.now);
            return;
        }
        let elapsed = self.now.since(told);
        if elapsed < self.tick_interval() {
            return;
        }
        self.leases.told = Some(self.now);
        let elapsed_ms = u32::try_from(elapsed.min(MAX_TICK).as_millis()).unwrap_or(u32::MAX);
        self.write(Waiter::Nobody, &Command::Tick { elapsed_ms });
    }

    /// Whether the clock of leases goes by this member: it leads, and is not about to go.
    fn tells_time(&self) -> bool {
        self.core.role() == Role::Leader && !self.members.leaving
    }

    /// How long after a tick the next one is due: soon, while leases wait that are over, and as
    /// late as no time is lost, while only clients' sessions wait for their end.
    fn tick_interval(&self) -> Duration {
        let tick = self.config.tick;
        if !self.store.has_leases() {
            return tick.max(MAX_TICK);
        }
        if self.store.lease_due() { tick.min(BACKLOG_TICK) } else { tick }
    }

    /// Proposes all renewals that came in as one command.
    pub(crate) fn renew_leases(&mut self) {
        if self.leases.renewals.is_empty() {
            return;
        }
        let mut renewals = core::mem::take(&mut self.leases.renewals);
        while !renewals.is_empty() {
            let rest = renewals.split_off(renewals.len().min(MAX_RENEWALS));
            let mut ids: Vec<LeaseId> = renewals.iter().map(|(_, lease)| *lease).collect();
            ids.sort_unstable();
            ids.dedup();
            self.write(Waiter::Renewals(renewals), &Command::LeaseRenew { ids });
            renewals = rest;
        }
    }

    /// Tells this member's name and addresses until the store has them.
    pub(crate) fn publish(&mut self) {
        if self.now < self.leases.publish_at || self.core.leader().is_none() {
            return;
        }
        if self.is_published() {
            return;
        }
        self.leases.publish_at = self.now + PUBLISH_PAUSE;
        let publish = Command::Publish(self.config.publish.clone());
        self.write(Waiter::Nobody, &publish);
    }

    /// Whether the state has what this member tells of itself, or will not have it any more.
    fn is_published(&self) -> bool {
        self.store.members().any(|member| *member == self.config.publish)
            || self.store.was_removed(self.config.raft.id)
    }

    /// When the clock must go on, or the member must tell its name again.
    pub(crate) fn leases_timeout(&self) -> Option<Time> {
        let timed = self.store.has_leases() || self.store.has_sessions();
        let tick = self.leases.told.filter(|_| timed && self.tells_time());
        let tick = tick.map(|told| (told + self.tick_interval()).max(self.writes.retry_at()));
        let publish = (!self.is_published() && self.core.leader().is_some())
            .then_some(self.leases.publish_at);
        tick.into_iter().chain(publish).min()
    }
}
