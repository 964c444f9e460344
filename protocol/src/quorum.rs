//! The arithmetic of majorities, simple and joint.
//!
//! Two majorities of one set always share a member: that is all that consensus needs of them. While
//! the members change (Raft §6) a decision needs a majority of the old set **and** one of the new,
//! so a [`Voters`] holds both; outside a change the second is empty and constrains nothing.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::NodeId;
use crate::mutant::{Mutant, planted};

/// Those whose votes count.
///
/// - Nothing is ever decided when both sets are empty.
/// - An empty outgoing set agrees with everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Voters {
    incoming: BTreeSet<NodeId>,
    outgoing: BTreeSet<NodeId>,
}

/// How a vote stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Enough refused: it can no longer be won.
    Lost,
    /// Those who are silent decide.
    Open,
    /// A majority granted it.
    Won,
}

impl Voters {
    /// One set of voters.
    #[must_use]
    pub const fn simple(voters: BTreeSet<NodeId>) -> Self {
        Self { incoming: voters, outgoing: BTreeSet::new() }
    }

    /// The voters while `outgoing` is being replaced by `incoming` (Raft §6).
    #[must_use]
    pub const fn joint(incoming: BTreeSet<NodeId>, outgoing: BTreeSet<NodeId>) -> Self {
        Self { incoming, outgoing }
    }

    /// Whether this node's vote counts.
    #[must_use]
    pub fn contains(&self, id: NodeId) -> bool {
        self.incoming.contains(&id) || self.outgoing.contains(&id)
    }

    /// Whether this node decides alone.
    #[must_use]
    pub fn is_only(&self, id: NodeId) -> bool {
        self.contains(id) && self.iter().all(|other| other == id)
    }

    /// Everyone whose vote counts, ascending, once each.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> {
        self.incoming.union(&self.outgoing).copied()
    }

    /// The greatest value that a majority has reached; `None` without voters.
    #[must_use]
    pub fn reached<T: Ord + Copy>(&self, value: impl Fn(NodeId) -> T) -> Option<T> {
        let incoming = majority(self.incoming.iter().map(|&id| value(id)));
        let outgoing = majority(self.outgoing.iter().map(|&id| value(id)));
        match (incoming, outgoing) {
            (Some(incoming), Some(outgoing)) => Some(incoming.min(outgoing)),
            (one, other) => one.or(other),
        }
    }

    /// How a vote stands; `None` from those who have not spoken.
    #[must_use]
    pub fn outcome(&self, vote: impl Fn(NodeId) -> Option<bool>) -> Outcome {
        // Silence lies between yes and no: what a majority has reached is the outcome.
        let said = |id| match vote(id) {
            Some(true) => Outcome::Won,
            None => Outcome::Open,
            Some(false) => Outcome::Lost,
        };
        self.reached(said).unwrap_or(Outcome::Lost)
    }
}

/// The greatest value that more than half of `values` are not below.
fn majority<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    let needed = values.len() / 2 + 1;
    let needed = if planted(Mutant::R10) { (needed - 1).max(1) } else { needed };
    let place = values.len().checked_sub(needed)?;
    Some(values.swap_remove(place))
}
