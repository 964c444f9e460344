//! Who decides: the electorate, and how one follows another.
//!
//! The scheme is that of a configuration without a log: an electorate is one small value with a
//! version, which whoever sees a newer one takes over. It is safe because of three rules, and the
//! world that judges this protocol changes electorates while leaders come and go.
//!
//! - Versions are ordered by the epoch of the leader that made them, then by a number of its own; a
//!   leader makes each once, so no version has two contents.
//! - No member grants a claim that goes by an older electorate than its own.
//! - A leader makes the next electorate only when the present one is durable, in its own epoch, at
//!   a majority (of both sets, while there are two). One electorate and the next share a member of
//!   any two majorities: sets are only exchanged by way of an electorate that has both.

use alloc::collections::BTreeSet;

use super::ballot::Epoch;
use crate::quorum::Voters;
use crate::{ClusterId, NodeId, Rng};

/// Members that one electorate can have.
pub const MOST: usize = 64;

/// Changes that a group can see: one each nanosecond for a century.
const CHANGES: u64 = 1 << 62;

/// Which of two electorates is newer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The epoch of the leader that made it, or took it over when it was elected.
    pub epoch: Epoch,
    /// Counts changes.
    pub number: u64,
}

/// Those whose grants count. Laws:
///
/// - somebody is in it, and at most [`MOST`] are in each set;
/// - all electorates of a group have its id, which follows from the first one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Electorate {
    /// Which group of candidates this is. Groups never mix.
    pub group: ClusterId,
    /// Which electorate of that group.
    pub version: Version,
    /// Those who decide.
    pub members: BTreeSet<NodeId>,
    /// Those who still decide beside them while they are being replaced; empty otherwise.
    pub outgoing: BTreeSet<NodeId>,
}

impl Electorate {
    /// The first electorate of a group. Its members give the group its id.
    #[must_use]
    pub fn first(members: BTreeSet<NodeId>) -> Self {
        let mix = |id: u64, member: &NodeId| Rng::new(id ^ member.0).next();
        let group = ClusterId(members.iter().fold(0xb011, mix));
        Self { group, version: Version::default(), members, outgoing: BTreeSet::new() }
    }

    /// Whether this one's grants count.
    #[must_use]
    pub fn has(&self, id: NodeId) -> bool {
        self.members.contains(&id) || self.outgoing.contains(&id)
    }

    /// Everybody whose grants count, once each.
    pub fn everybody(&self) -> impl Iterator<Item = NodeId> {
        self.members.union(&self.outgoing).copied()
    }

    /// Whether a change is under way.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// What a decision takes: a majority of the members, and of the outgoing ones.
    #[must_use]
    pub fn voters(&self) -> Voters {
        match self.is_joint() {
            true => Voters::joint(self.members.clone(), self.outgoing.clone()),
            false => Voters::simple(self.members.clone()),
        }
    }

    /// The same one, as the leader of this epoch has it.
    pub(super) fn of(&self, epoch: Epoch) -> Self {
        let version = Version { epoch, ..self.version };
        Self { version, ..self.clone() }
    }

    /// The one in which both decide.
    pub(super) fn towards(&self, members: BTreeSet<NodeId>) -> Self {
        let version = self.next();
        Self { version, members, outgoing: self.members.clone(), ..self.clone() }
    }

    /// The one in which only the new ones decide.
    pub(super) fn settled(&self) -> Self {
        Self { version: self.next(), outgoing: BTreeSet::new(), ..self.clone() }
    }

    const fn next(&self) -> Version {
        Version { epoch: self.version.epoch, number: self.version.number + 1 }
    }

    /// Whether somebody can have made it: others send what they like.
    pub(super) fn is_sane(&self) -> bool {
        let sizes = !self.members.is_empty() && self.members.len() <= MOST;
        sizes && self.outgoing.len() <= MOST && self.version.number < CHANGES
    }

    pub(super) fn assert_invariants(&self) {
        assert!(!self.members.is_empty(), "somebody decides");
        assert!(self.members.len() <= MOST, "an electorate has a limit");
        assert!(self.outgoing.len() <= MOST, "an electorate has a limit");
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::quorum::Outcome;

    fn sets() -> Vec<BTreeSet<NodeId>> {
        let set = |bits: u64| (0..5).filter(|id| bits >> id & 1 == 1).map(NodeId).collect();
        (1..32).map(set).collect()
    }

    fn decides(electorate: &Electorate, yes: &BTreeSet<NodeId>) -> bool {
        electorate.voters().outcome(|id| Some(yes.contains(&id))) == Outcome::Won
    }

    #[test]
    fn no_two_neighbours_decide_without_a_common_member() {
        let meet = |one: &Electorate, other: &Electorate| {
            for yes in sets() {
                let rest: BTreeSet<NodeId> =
                    (0..5).map(NodeId).filter(|id| !yes.contains(id)).collect();
                assert!(!(decides(one, &yes) && decides(other, &rest)), "{one:?} {other:?}");
            }
        };
        for (old, new) in sets().into_iter().zip(sets().into_iter().rev()) {
            let old = Electorate::first(old);
            let joint = old.towards(new);
            let settled = joint.settled();
            assert!(old.version < joint.version && joint.version < settled.version);
            meet(&old, &joint);
            meet(&joint, &settled);
            meet(&joint, &joint);
        }
    }
}
