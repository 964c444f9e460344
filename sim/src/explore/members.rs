//! Who the members of a box are at first, and what a leader is asked to make of them.
//!
//! Wishes come in order, each once, at any moment and to whoever leads then; a leader that refuses
//! one may be asked again. Names mean something here: a wish says who is to go, so states that
//! differ in names only are not one.

use std::collections::BTreeSet;
use std::fmt;

use protocol::NodeId;
use protocol::raft::Membership;

/// A configuration, by the names of its nodes: from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Members {
    /// Whose votes count.
    pub voters: &'static [u64],
    /// Who receives the log and does not count.
    pub learners: &'static [u64],
}

impl Members {
    /// All nodes vote.
    pub const ALL: Self = Self::voting(&[1, 2, 3]);

    /// These nodes vote, and nobody else takes part.
    #[must_use]
    pub const fn voting(voters: &'static [u64]) -> Self {
        Self { voters, learners: &[] }
    }

    pub(super) fn membership(self) -> Membership {
        let learners = self.learners.iter().copied().map(NodeId).collect();
        Membership { learners, ..Membership::of(self.voters.iter().copied().map(NodeId)) }
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ids: &[u64]| ids.iter().map(u64::to_string).collect::<Vec<_>>().join("+");
        f.write_str(&list(self.voters))?;
        let learners = list(self.learners);
        if learners.is_empty() { Ok(()) } else { write!(f, " (learning {learners})") }
    }
}

/// Whether these nodes are enough to decide (Raft §6: while voters change, a majority of the old
/// ones and one of the new ones).
pub(super) fn decide(membership: &Membership, nodes: &BTreeSet<NodeId>) -> bool {
    let majority =
        |voters: &BTreeSet<NodeId>| voters.intersection(nodes).count() * 2 > voters.len();
    majority(&membership.voters)
        && (membership.outgoing.is_empty() || majority(&membership.outgoing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_majorities_decide_and_learners_do_not() {
        let some = |ids: &[u64]| ids.iter().copied().map(NodeId).collect();
        let learner = Members { voters: &[1, 2], learners: &[3] };
        assert!(decide(&learner.membership(), &some(&[1, 2])));
        assert!(!decide(&learner.membership(), &some(&[1, 3])));
        let mut joint = Members::voting(&[3]).membership();
        joint.outgoing = some(&[1, 2]);
        assert!(!decide(&joint, &some(&[1, 2])) && !decide(&joint, &some(&[1, 3])));
        assert!(decide(&joint, &some(&[1, 2, 3])));
        assert_eq!(learner.to_string(), "1+2 (learning 3)");
    }
}
