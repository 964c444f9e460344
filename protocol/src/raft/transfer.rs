//! Handing leadership over (thesis §3.10).
//!
//! The leader refuses proposals, brings the successor's log up to its own end, and tells it to
//! campaign at once. When nothing has come of it after an election timeout, it goes on leading.
//! Once it has told a successor, it holds no lease in this term: the word may arrive at any time.

use super::candidate::Poll;
use super::message::Body;
use super::{Raft, State};
use crate::{NodeId, Time};

/// A wish under way.
#[derive(Clone, Debug, Hash)]
pub(super) struct Transfer {
    to: NodeId,
    pub(super) until: Time,
    told: bool,
}

impl Raft {
    pub(super) fn on_transfer_wish(&mut self, to: NodeId) {
        match (&self.state, self.leader) {
            (State::Leader(_), _) => self.transfer_to(to),
            (State::Follower(_), Some(leader)) => {
                self.send(leader, Body::TransferLeadership { to })
            }
            (State::Follower(_) | State::Candidate(_), _) => {}
        }
    }

    /// Begins on a leader. A wish for another successor replaces the one before; only voters can
    /// succeed.
    pub(super) fn transfer_to(&mut self, to: NodeId) {
        let votes = self.membership().voters.contains(&to);
        let State::Leader(leader) = &mut self.state else { return };
        let pending = leader.transfer.as_ref().is_some_and(|transfer| transfer.to == to);
        if pending || to == self.config.id || !votes {
            return;
        }
        let until = self.now + *self.config.election_timeout.start();
        leader.transfer = Some(Transfer { to, until, told: false });
        self.hand_over();
    }

    /// Tells the successor, once its log is complete.
    pub(super) fn hand_over(&mut self) {
        let State::Leader(leader) = &mut self.state else { return };
        let Some(transfer) = &mut leader.transfer else { return };
        let matched = leader.peers.get(&transfer.to).map(|progress| progress.matched);
        if transfer.told || matched != Some(self.log.last().index) {
            return;
        }
        transfer.told = true;
        leader.lease_void = true;
        let to = transfer.to;
        self.send(to, Body::TimeoutNow);
    }

    pub(super) fn on_timeout_now(&mut self, from: NodeId) {
        if self.leader == Some(from) && self.may_campaign() {
            self.campaign(Poll::Vote { transfer: true });
        }
    }
}
