//! The calm where members come and go.
//!
//! Whatever has a vote in any configuration that may still count, and is whole, is healed; those
//! whose disks may be damaged are a minority of each, and are cut off. Then every wish must come to
//! its end: no change is under way, nobody waits in line, and who shall vote and can, votes. Only
//! now it is known who the members are, and the core can be drawn from them. Who was removed and
//! does not know it may go on disturbing a core that is protected from that.

use std::time::Duration;

use protocol::raft::{Membership, Role};
use store::{MemberTable, Part};

use super::{CATCH_UP, LAW};
use crate::draw::Draw;
use crate::seen::{Place, Violation, id, place};
use crate::world::World;

/// No message arrives later than so long after it was sent.
const LATEST: Duration = Duration::from_secs(12);
/// Wishes that may stand in line, each of which may wait for a learner as long as a request lasts.
const WISHES: u32 = 16;

impl World {
    /// Heals what is whole, lets every wish come to its end, and gives the core.
    ///
    /// # Errors
    /// The first law that was broken.
    pub(super) fn settle_members(&mut self) -> Result<Vec<Place>, Violation> {
        self.storm.end();
        let able = |at: &Place| self.is_whole(*at) && self.has_a_node(*at);
        let whole: Vec<Place> = (0..self.nodes()).filter(able).collect();
        self.mend(&whole);
        self.dismiss_doubts(&whole);
        self.crowd.restrict(&whole);
        for outsider in (0..self.nodes()).filter(|at| !whole.contains(at)) {
            self.set_links(outsider, &whole, (true, true));
        }
        let longest = *self.options.consensus.election.end();
        let request = self.options.stores.request_timeout;
        // What was wished before, and is still on its way to a leader, is in the log or void.
        self.run_for(request + longest * 2 + LATEST);
        self.judged()?;
        let bound = request * WISHES + CATCH_UP + longest * 22 + self.storm.slowest_restart();
        self.demand(LAW, "the members that were wished", bound, |world| world.is_settled(&whole))?;
        Ok(self.draw_core(&whole))
    }

    /// The machines that belong to the cluster in the end.
    pub(super) fn remaining(&self) -> Vec<Place> {
        let changes = self.options.changes_members();
        let belongs = |at: &Place| {
            !changes || self.has_a_node(*at) && self.committed_members().contains(id(*at))
        };
        (0..self.nodes()).filter(belongs).collect()
    }

    /// Whether a node runs on a machine, or could.
    fn has_a_node(&self, at: Place) -> bool {
        let machine = &self.machines[at];
        machine.life > 0 && !machine.retired
    }

    /// Whether one of these leads, and nothing is left to do about the members.
    fn is_settled(&self, whole: &[Place]) -> bool {
        let leads = |at: &&Place| self.view(**at).is_some_and(|view| view.role == Role::Leader);
        let leader = whole.iter().filter(leads).max_by_key(|at| self.view(**at).map(|it| it.term));
        let Some(node) = leader.and_then(|at| self.node(*at)) else { return false };
        let (raft, store) = (node.core(), node.store());
        let done = |members: &Membership| {
            !self.awaits_return()
                && members == raft.membership()
                && !members.is_joint()
                && store.wish().is_none()
                && !awaits_vote(members, whole)
        };
        store.applied().term == raft.term()
            && store.membership().map_or_else(|| !store.wants_membership(), done)
    }

    /// Draws the core from the members that are whole: of the voters a majority at least.
    fn draw_core(&mut self, whole: &[Place]) -> Vec<Place> {
        let members = self.committed_members().clone();
        let protected = self.keeps_promises();
        let mut core: Vec<Place> = members.voters.iter().filter_map(|id| place(*id)).collect();
        let majority = core.len() / 2 + 1;
        core.retain(|at| whole.contains(at));
        let learners = members.learners.iter().filter_map(|id| place(*id));
        let learners: Vec<Place> = learners.filter(|at| whole.contains(at)).collect();
        let rng = self.storm.rng();
        if protected && core.len() > majority {
            rng.shuffle(&mut core);
            let size = majority + rng.place(core.len() - majority + 1);
            core.truncate(size);
        }
        core.extend(learners.into_iter().filter(|_| !protected || rng.percent(70)));
        core.sort_unstable();
        self.crowd.restrict(&core);
        self.shut_out(&core);
        for stranger in (0..self.nodes()).filter(|at| !members.contains(id(*at))) {
            if protected && self.storm.rng().percent(50) {
                self.set_links(stranger, &core, (false, false));
            }
        }
        core
    }

    /// Whether a machine hears these, and is heard by them.
    fn set_links(&mut self, at: Place, others: &[Place], (deaf, mute): (bool, bool)) {
        for &other in others.iter().filter(|other| **other != at) {
            self.network.link(other, at).cut = deaf;
            self.network.link(at, other).cut = mute;
        }
    }
}

/// Whether one of these shall vote and does not yet.
fn awaits_vote(members: &Membership, whole: &[Place]) -> bool {
    let seats = MemberTable::of(members).unwrap_or_default().seats;
    seats.iter().any(|(id, seat)| {
        let able = place(*id).is_some_and(|at| whole.contains(&at));
        able && seat.part == Part::Voter && members.learners.contains(id)
    })
}
