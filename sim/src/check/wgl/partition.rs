//! Judging keys apart.

use super::Verdict;
use super::budget::Budget;
use super::history::Interval;
use super::model::Keyed;
use super::search::Search;
use std::collections::BTreeMap;

/// Calls that share keys, directly or by way of other calls, and with no call outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<K> {
    /// The keys, ascending. Empty for a call that names none.
    pub keys: Vec<K>,
    /// The calls: positions in the history, ascending.
    pub calls: Vec<usize>,
}

/// How many keys a report names.
const KEYS_SHOWN: usize = 4;

/// Judges each part of a history alone, in the order of their smallest keys, and gives the first
/// refutation. `Unknown` when no part is refuted and the budget of some part ended.
///
/// Sound and complete because linearizability is local: a history is linearizable exactly when
/// the history of every object is (Herlihy–Wing, theorem 1).
///
/// # Panics
///
/// When an interval returns before it was invoked: no clock of ours gives that out.
#[must_use]
pub fn check_by_key<M: Keyed>(
    model: &M,
    history: &[Interval<M::Call, M::Response>],
    budget: Budget,
) -> Verdict {
    let mut verdict = Verdict::Linearizable;
    for part in partition(model, history) {
        match Search::new(model, history, &part.calls, budget).run(&name(&part.keys)) {
            Verdict::Linearizable => {}
            Verdict::Unknown => verdict = Verdict::Unknown,
            Verdict::Not(report) => return Verdict::Not(report),
        }
    }
    verdict
}

/// Splits a history into the finest parts that do not touch each other.
#[must_use]
pub fn partition<M: Keyed>(
    model: &M,
    history: &[Interval<M::Call, M::Response>],
) -> Vec<Part<M::Key>> {
    let mut numbers: BTreeMap<M::Key, usize> = BTreeMap::new();
    let mut forest = Forest::default();
    let mut keys = Vec::new();
    let mut keyless = Vec::new();
    // The keys of each call are one by then, so that the first stands for all.
    let mut first_key = Vec::with_capacity(history.len());
    for (position, interval) in history.iter().enumerate() {
        model.keys(&interval.call, &mut keys);
        let mut first = None;
        for key in keys.drain(..) {
            let number = *numbers.entry(key).or_insert_with(|| forest.grow());
            forest.join(*first.get_or_insert(number), number);
        }
        if first.is_none() {
            keyless.push(position);
        }
        first_key.push(first);
    }

    let mut parts: Vec<Part<M::Key>> = Vec::new();
    let mut part_of_root: BTreeMap<usize, usize> = BTreeMap::new();
    for (key, number) in numbers {
        let part = *part_of_root.entry(forest.root(number)).or_insert(parts.len());
        if part == parts.len() {
            parts.push(Part { keys: Vec::new(), calls: Vec::new() });
        }
        parts[part].keys.push(key);
    }
    for (position, first) in first_key.into_iter().enumerate() {
        if let Some(number) = first {
            parts[part_of_root[&forest.root(number)]].calls.push(position);
        }
    }
    parts.extend(
        keyless.into_iter().map(|position| Part { keys: Vec::new(), calls: vec![position] }),
    );
    parts
}

fn name<K: core::fmt::Debug>(keys: &[K]) -> String {
    let mut names: Vec<String> =
        keys.iter().take(KEYS_SHOWN).map(|key| format!("{key:?}")).collect();
    if keys.len() > KEYS_SHOWN {
        names.push(format!("{} more", keys.len() - KEYS_SHOWN));
    }
    names.join(", ")
}

/// Disjoint sets of numbers, joined by size, with paths halved on the way up.
#[derive(Debug, Default)]
struct Forest {
    parent: Vec<usize>,
    size: Vec<usize>,
}

impl Forest {
    /// A new set of one.
    fn grow(&mut self) -> usize {
        self.parent.push(self.parent.len());
        self.size.push(1);
        self.parent.len() - 1
    }

    fn root(&mut self, mut number: usize) -> usize {
        while self.parent[number] != number {
            self.parent[number] = self.parent[self.parent[number]];
            number = self.parent[number];
        }
        number
    }

    fn join(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        if left == right {
            return;
        }
        let (small, large) =
            if self.size[left] < self.size[right] { (left, right) } else { (right, left) };
        self.parent[small] = large;
        self.size[large] += self.size[small];
    }
}
