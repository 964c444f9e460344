//! Changing the members (Raft §6; thesis chapter 4).
//!
//! ```text
//! Reconfigure ─▶ one voter differs: the new configuration ─▶ committed: done
//!            ─▶ more: both joined ─▶ committed ─▶ the new one ─▶ committed: done
//! ```
//!
//! What makes it safe:
//!
//! - A configuration counts from its append on, for elections and for commits alike.
//! - Old and new majorities share a node: by both being asked for, or because a single voter
//!   differs. That reasoning is about *neighbours*, so a leader changes nothing while the last
//!   change is not committed, and not before an entry of its own term is: until then it may hold a
//!   configuration that another leader has replaced (Ongaro on raft-dev, 2015).
//! - Whoever is asked, votes; whoever leads, is heard. Members that were added or removed may be
//!   the only ones with the newest configuration, and a node cannot judge that from its own.
//!
//! A leader that is no longer a voter leads on until that is committed, without counting itself,
//! and then hands over. Members that were removed are still told for a while, so that they learn
//! it; nothing depends on that.

use alloc::vec::Vec;

use super::boundary::{Event, Output, Payload, Refusal};
use super::membership::Membership;
use super::message::Body;
use super::progress::Progress;
use super::{Raft, State};
use crate::mutant::{Mutant, planted};
use crate::quorum::Voters;
use crate::{Index, NodeId};

impl Raft {
    pub(super) fn on_reconfigure(&mut self, target: Membership) {
        if let Err(reason) = self.may_reconfigure() {
            return self.outbox.push_back(Output::ReconfigureRefused { reason });
        }
        assert!(target.is_sane() && !target.is_joint(), "a wish is a configuration by itself");
        let next = self.configurations.current().toward(target);
        self.append_own(Payload::Membership(next.encode()));
    }

    fn may_reconfigure(&self) -> Result<(), Refusal> {
        let State::Leader(leader) = &self.state else { return Err(Refusal::NoLeader) };
        if leader.transfer.is_some() || leader.departed {
            return Err(Refusal::Transferring);
        }
        if !self.knows_commit(leader) && !planted(Mutant::R20) {
            return Err(Refusal::NotReady);
        }
        let pending = self.configurations.since() > self.commit;
        if pending && !planted(Mutant::R19) || self.configurations.current().is_joint() {
            return Err(Refusal::ChangePending);
        }
        Ok(())
    }

    /// Another configuration is in force.
    pub(super) fn reconfigured(&mut self) {
        let membership = self.configurations.current().clone();
        self.voters = membership.quorum();
        let at = self.configurations.since();
        if let State::Leader(_) = &self.state {
            self.enroll(&membership);
        }
        self.outbox.push_back(Output::Membership { at, membership });
    }

    /// Leads these members from now on.
    fn enroll(&mut self, membership: &Membership) {
        let next = self.log.last().index.next();
        let first_check = self.first_check();
        let (own, now) = (self.config.id, self.now);
        let State::Leader(leader) = &mut self.state else { return };
        for id in membership.members() {
            if id != own {
                leader.peers.entry(id).or_insert_with(|| Progress::new(next));
                leader.leaving.remove(&id);
            }
        }
        for &id in leader.peers.keys() {
            if !membership.contains(id) {
                leader.leaving.entry(id).or_insert(None);
            }
        }
        // Those who decide from now on have had no time yet to answer.
        leader.since = now;
        leader.check_at = first_check;
    }

    /// The majorities that decide, as far as a planted bug leaves them alone.
    pub(super) fn deciding(&self) -> Voters {
        let membership = self.configurations.current();
        let own = self.config.id;
        let mut extra = Vec::new();
        if planted(Mutant::R21) {
            extra.extend(membership.learners.iter().copied());
        }
        if planted(Mutant::R22) && matches!(self.state, State::Leader(_)) {
            extra.push(own);
        }
        if extra.is_empty() {
            return self.voters.clone();
        }
        let voters = membership.voters.iter().copied().chain(extra).collect();
        Voters::joint(voters, membership.outgoing.clone())
    }

    /// What follows from configurations that are committed.
    pub(super) fn settle_configuration(&mut self) {
        self.configurations.committed(self.commit);
        let State::Leader(leader) = &self.state else { return };
        let committed = self.configurations.since() <= self.commit;
        if !committed || !self.knows_commit(leader) {
            return;
        }
        let membership = self.configurations.current();
        if membership.is_joint() {
            // Raft §6: as soon as both majorities hold the joint one, the new one alone will do.
            let settled = membership.settled();
            return self.append_own(Payload::Membership(settled.encode()));
        }
        let votes = membership.votes(self.config.id);
        let until = self.now + *self.config.election_timeout.end();
        let State::Leader(leader) = &mut self.state else { return };
        for told in leader.leaving.values_mut() {
            told.get_or_insert(until);
        }
        leader.departed = !votes;
    }

    /// Stops telling those who were removed long ago.
    pub(super) fn dismiss(&mut self) {
        let now = self.now;
        let State::Leader(leader) = &mut self.state else { return };
        let gone = leader.leaving.extract_if(.., |_, until| until.is_some_and(|it| now >= it));
        for (id, _) in gone {
            if leader.peers.remove(&id).is_some_and(|progress| progress.needs_snapshot()) {
                self.outbox.push_back(Output::SnapshotEnded { peer: id });
            }
        }
    }

    /// A leader whose own removal is committed makes room for the voter that knows most.
    pub(super) fn depart(&mut self) {
        let State::Leader(leader) = &self.state else { return };
        if !leader.departed {
            return;
        }
        let voters = &self.configurations.current().voters;
        let matched = |id: &NodeId| leader.peers.get(id).map_or(Index(0), |it| it.matched);
        let heir = voters.iter().copied().max_by_key(matched);
        self.beat();
        if let Some(heir) = heir {
            self.send(heir, Body::TimeoutNow);
        }
        self.outbox.push_back(Output::Event(Event::Departed { heir }));
        self.become_follower(self.term, None);
    }

    /// The configuration in force.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        self.configurations.current()
    }
}
