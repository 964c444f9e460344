//! What followers pass on to the leader: each parcel counts once, however often it arrives.
//!
//! A follower numbers the parcels that it sends, anew in each of its lives. A leader takes them in
//! its own term only, so it need not remember longer than that term: what a network repeats later
//! is dropped for its term. Numbers may arrive in any order, up to [`WINDOW`] behind the highest;
//! what comes later than that is dropped, like anything that a network loses. Of one follower
//! [`LIVES`] lives are remembered within a term: who starts more often than that in one term, while
//! the network keeps a parcel of the first life to repeat it, may see it done twice.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::message::Parcel;
use crate::NodeId;
use crate::mutant::{Mutant, planted};

/// How far a parcel may fall behind the newest one of its sender.
const WINDOW: u64 = 64;
/// How many lives of one follower are remembered within a term.
const LIVES: usize = 16;

/// The parcels that arrived in this term.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Arrivals {
    lives: BTreeMap<NodeId, Vec<Life>>,
}

/// The parcels of one life of a follower.
///
/// - Bit `n` of `seen` stands for the parcel `highest - n`.
#[derive(Clone, Debug, Hash)]
struct Life {
    name: u64,
    highest: u64,
    seen: u64,
}

impl Arrivals {
    /// Notes a parcel; false when it was here before, or may have been.
    pub(super) fn is_new(&mut self, from: NodeId, parcel: Parcel) -> bool {
        if planted(Mutant::F1) {
            return true;
        }
        let lives = self.lives.entry(from).or_default();
        if let Some(life) = lives.iter_mut().find(|life| life.name == parcel.life) {
            return life.note(parcel.number);
        }
        if lives.len() == LIVES {
            lives.remove(0);
        }
        lives.push(Life { name: parcel.life, highest: parcel.number, seen: 1 });
        true
    }
}

impl Life {
    fn note(&mut self, number: u64) -> bool {
        if number > self.highest {
            let ahead = number - self.highest;
            self.seen = if ahead < WINDOW { self.seen << ahead } else { 0 } | 1;
            self.highest = number;
            return true;
        }
        let behind = self.highest - number;
        let bit = if behind < WINDOW { 1 << behind } else { 0 };
        let new = bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);

    fn arrive(arrivals: &mut Arrivals, life: u64, numbers: &[u64]) -> Vec<bool> {
        let new = |&number: &u64| arrivals.is_new(A, Parcel { life, number });
        numbers.iter().map(new).collect()
    }

    #[test]
    fn each_parcel_is_new_once_in_any_order() {
        let mut arrivals = Arrivals::default();
        let new = arrive(&mut arrivals, 7, &[1, 3, 2, 3, 1, 2, 64, 3, 4]);
        assert_eq!(new, [true, true, true, false, false, false, true, false, true]);
    }

    #[test]
    fn what_is_too_far_behind_counts_as_seen() {
        let mut arrivals = Arrivals::default();
        assert_eq!(
            arrive(&mut arrivals, 7, &[1, 65, 2, 1, 1000, 937, 936]),
            [true, true, true, false, true, true, false]
        );
    }

    #[test]
    fn lives_are_counted_apart_and_members_too() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrive(&mut arrivals, 7, &[5]), [true]);
        assert_eq!(arrive(&mut arrivals, 8, &[5, 5]), [true, false]);
        assert_eq!(arrive(&mut arrivals, 7, &[5]), [false]);
        assert!(arrivals.is_new(NodeId(2), Parcel { life: 7, number: 5 }));
    }
}
