//! Votes, and which is better.

use crate::{NodeId, Position, Term};

/// Whom a node would follow, and what it knows of that node.
///
/// The order is the one of fast leader election, by the fields in turn: whoever was synchronised
/// with the later leader, then whoever has the longer history, then the higher id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vote {
    /// The candidate's current epoch.
    pub epoch: Term,
    /// The end of the candidate's history.
    pub last: Position,
    /// The candidate.
    pub leader: NodeId,
}

/// What a node that sends its vote is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stance {
    /// It looks for a leader.
    Looking,
    /// It follows whom it votes for.
    Following,
    /// It leads.
    Leading,
}

/// A word of fast leader election. It promises nothing: it may be lost, repeated or late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notification {
    /// What the sender is doing.
    pub stance: Stance,
    /// Its election round: how many elections it has been in since it started, or has heard of.
    pub round: u64,
    /// Its vote; `None` from those who have none.
    pub vote: Option<Vote>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Index;

    fn vote(epoch: u64, term: u64, index: u64, leader: u64) -> Vote {
        let last = Position::new(Term(term), Index(index));
        Vote { epoch: Term(epoch), last, leader: NodeId(leader) }
    }

    #[test]
    fn epoch_comes_before_history_and_history_before_id() {
        assert!(vote(2, 1, 1, 1) > vote(1, 1, 9, 9), "the later epoch wins over a longer history");
        assert!(vote(1, 1, 2, 1) > vote(1, 1, 1, 9), "the longer history wins over a higher id");
        assert!(vote(1, 1, 1, 2) > vote(1, 1, 1, 1), "the higher id wins between equals");
        assert!(vote(2, 2, 3, 1) > vote(2, 1, 9, 9), "histories are compared by epoch first");
    }
}
