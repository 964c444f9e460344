//! Ranks: who of two candidates is the better one.

use core::fmt;

use crate::NodeId;

/// A candidate's rank. The order is total: the fresher one, then the one of higher priority, then
/// the one of higher id.
///
/// What a [`Ranking`] does not go by is zero in all ranks, so that it decides nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// How much the candidate's program has of the state that the next leader goes on with.
    pub freshness: u64,
    /// What the operator gave it.
    pub priority: u64,
    /// Whose rank it is.
    pub id: NodeId,
}

/// What ranks go by. All candidates of a group have the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ranking {
    /// The id alone, as in the textbook.
    Id,
    /// A priority that is given, then the id.
    #[default]
    Priority,
    /// What the program reports, then priority and id. No member grants the claim of somebody less
    /// fresh than itself: who is elected is as fresh as a majority says that it is. What was
    /// reported is forgotten at a restart, and 0 until it is reported again.
    Freshness,
}

impl Ranking {
    /// The rank of a candidate with these.
    #[must_use]
    pub const fn rank(self, id: NodeId, priority: u64, freshness: u64) -> Rank {
        match self {
            Self::Id => Rank { freshness: 0, priority: 0, id },
            Self::Priority => Rank { freshness: 0, priority, id },
            Self::Freshness => Rank { freshness, priority, id },
        }
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.freshness, self.priority, self.id)
    }
}

impl fmt::Debug for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_total_and_goes_by_what_the_ranking_says() {
        let (low, high) = (NodeId(1), NodeId(2));
        let above = |ranking: Ranking, one: (u64, u64), other: (u64, u64)| {
            ranking.rank(low, one.0, one.1) > ranking.rank(high, other.0, other.1)
        };
        assert!(!above(Ranking::Id, (9, 9), (0, 0)));
        assert!(above(Ranking::Priority, (9, 0), (8, 9)));
        assert!(!above(Ranking::Priority, (8, 9), (8, 0)), "ties go by the id");
        assert!(above(Ranking::Freshness, (0, 9), (9, 8)));
        assert!(above(Ranking::Freshness, (9, 9), (8, 9)));
        assert!(!above(Ranking::Freshness, (8, 9), (8, 9)));
    }
}
