//! Who belongs to the cluster, as the nodes of a world see it.

use protocol::Index;
use protocol::raft::Membership;

use super::{Status, World};
use crate::draw::Draw;
use crate::marks::Mark;
use crate::seen::Place;
use crate::trace::name;

impl World {
    /// The members as far as anybody knows them to be committed.
    pub(crate) fn committed_members(&self) -> &Membership {
        self.eyes.invariants.committed_members()
    }

    /// Another configuration is in force at a node, or the first one.
    pub(super) fn members_changed(&mut self, at: Place, since: Index, membership: Membership) {
        let Status::Up(running) = &mut self.machines[at].status else { return };
        let next = (since, membership);
        let (before, old) = std::mem::replace(&mut running.in_force, next.clone());
        let (_, membership) = next;
        self.meet(at, &membership);
        if membership.is_joint() {
            self.eyes.marks.hit(Mark::JointInForce);
        }
        if since < before {
            self.eyes.marks.hit(Mark::ChangeUndone);
        } else if old.learners.intersection(&membership.voters).next().is_some() {
            self.eyes.marks.hit(Mark::LearnerPromoted);
        }
        if self.options.changes_members() {
            self.note(&format!("{}: {membership} from {since} on", name(at)));
        }
    }

    /// A node was told that it is a member no more. Some operators end its process for good, others
    /// forget about it.
    pub(super) fn removed(&mut self, at: Place) {
        self.eyes.marks.hit(Mark::RemovalTold);
        if self.births.percent(50) {
            self.machines[at].retired = true;
            self.stopped(at);
        }
    }
}
