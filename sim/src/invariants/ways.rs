//! Ways around broken links: over one other node, and to whom it is for.

use std::collections::BTreeMap;

use super::verdict::{Verdict, broken};
use crate::seen::Place;

pub(super) const LAW: &str = "VI1 ways";

/// Messages that are remembered; what comes later than that is judged by its passages alone.
const MEMORY: usize = 4_096;

/// Messages that have taken another way: who said each, and whom to.
#[derive(Clone, Debug, Default)]
pub(super) struct Ways {
    letters: BTreeMap<u64, (Place, Place)>,
}

impl Ways {
    /// Whoever says something may give it to anybody else; that one gives it to whom it is for.
    pub(super) fn passed(
        &mut self,
        number: u64,
        (by, to): (Place, Place),
        (origin, target): (Place, Place),
    ) -> Verdict {
        let what = || format!("of message {number} from node {origin} to node {target}");
        if by == target || to == origin || (by != origin && to != target) {
            return broken(LAW, format!("node {by} passes on to node {to}, {}", what()));
        }
        let known = self.letters.entry(number).or_insert((origin, target));
        if *known != (origin, target) {
            return broken(LAW, format!("node {by} has changed who it is for, {}", what()));
        }
        if self.letters.len() > MEMORY {
            self.letters.pop_first();
        }
        Ok(())
    }

    /// What took another way arrives where it was to go, as the word of who said it.
    pub(super) fn delivered(&self, number: u64, from: Place, to: Place) -> Verdict {
        match self.letters.get(&number) {
            Some(&(origin, target)) if (origin, target) != (from, to) => broken(
                LAW,
                format!(
                    "node {to} takes message {number} as node {from}'s: it is node {origin}'s, \
                     for node {target}"
                ),
            ),
            _ => Ok(()),
        }
    }
}
