//! The set of calls taken so far.

use protocol::Rng;

const WORD: usize = 64;

/// A set of calls, hashed as it changes.
///
/// - `hash` is the exclusive or of one random word for each member (Zobrist).
/// - `base` is the first word of `returned` that is not full: everything before it is taken.
/// - `top` is one more than the last word that has a member, or less than `base`.
///
/// Concurrency is local in time, so that what lies between `base` and `top` is short, and a whole
/// set is compared by these words.
#[derive(Debug)]
pub(super) struct Done {
    /// Calls that returned, by invocation.
    returned: Vec<u64>,
    /// Optional calls, by invocation.
    optional: Vec<u64>,
    base: usize,
    top: usize,
    hash: u64,
    keys: Vec<u64>,
    count_returned: usize,
}

/// One call of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// A call that returned, numbered by invocation among its kind.
    Returned(u32),
    /// A call of unknown outcome, numbered by invocation among its kind.
    Optional(u32),
}

/// What a removal needs beside the call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(usize);

impl Done {
    pub(super) fn new(returned: usize, optional: usize) -> Self {
        // Any constant does: the words only have to differ.
        let mut rng = Rng::new(0x5eed);
        Self {
            returned: vec![0; returned.div_ceil(WORD)],
            optional: vec![0; optional.div_ceil(WORD)],
            base: 0,
            top: 0,
            hash: 0,
            keys: (0..returned + optional).map(|_| rng.next()).collect(),
            count_returned: returned,
        }
    }

    pub(super) fn insert(&mut self, op: Op) -> Mark {
        let mark = Mark(self.top);
        self.hash ^= self.key(op);
        match op {
            Op::Returned(call) => {
                let (word, bit) = place(call);
                self.returned[word] |= bit;
                self.top = self.top.max(word + 1);
                while self.returned.get(self.base) == Some(&u64::MAX) {
                    self.base += 1;
                }
            }
            Op::Optional(call) => {
                let (word, bit) = place(call);
                self.optional[word] |= bit;
            }
        }
        mark
    }

    /// Undoes the insertion that gave out `mark`, which was the last one.
    pub(super) fn remove(&mut self, op: Op, mark: Mark) {
        self.hash ^= self.key(op);
        match op {
            Op::Returned(call) => {
                let (word, bit) = place(call);
                self.returned[word] &= !bit;
                self.base = self.base.min(word);
                self.top = mark.0;
            }
            Op::Optional(call) => {
                let (word, bit) = place(call);
                self.optional[word] &= !bit;
            }
        }
    }

    pub(super) fn has_optional(&self, call: u32) -> bool {
        let (word, bit) = place(call);
        self.optional[word] & bit != 0
    }

    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    /// Adds words that are equal for equal sets and for no others.
    pub(super) fn write(&self, words: &mut Vec<u64>) {
        words.push(self.base as u64);
        words.extend_from_slice(&self.optional);
        words.extend_from_slice(self.returned.get(self.base..self.top).unwrap_or(&[]));
    }

    fn key(&self, op: Op) -> u64 {
        match op {
            Op::Returned(call) => self.keys[call as usize],
            Op::Optional(call) => self.keys[self.count_returned + call as usize],
        }
    }
}

const fn place(call: u32) -> (usize, u64) {
    (call as usize / WORD, 1 << (call as usize % WORD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    const OPTIONAL: u32 = 80;
    const RETURNED: u32 = 160;

    fn words(done: &Done) -> Vec<u64> {
        let mut words = Vec::new();
        done.write(&mut words);
        words
    }

    /// Walks through sets and holds the words and the hash against the sets themselves.
    #[test]
    fn done_words_and_hashes_are_equal_exactly_for_equal_sets() {
        let mut rng = Rng::new(2);
        let mut seen: BTreeMap<BTreeSet<u32>, (Vec<u64>, u64)> = BTreeMap::new();
        let mut met = 0;
        for _ in 0..40 {
            let mut done = Done::new(RETURNED as usize, OPTIONAL as usize);
            let mut stack: Vec<(u32, Op, Mark)> = Vec::new();
            for _ in 0..250 {
                let set: BTreeSet<u32> = stack.iter().map(|&(member, ..)| member).collect();
                let face = (words(&done), done.hash());
                if let Some(earlier) = seen.insert(set.clone(), face.clone()) {
                    assert_eq!(earlier, face);
                    met += 1;
                }
                // Calls are taken nearly in order, as in a search.
                let mut missing = (0..RETURNED + OPTIONAL).filter(|member| !set.contains(member));
                let near = usize::try_from(rng.below(3)).expect("invariant: small");
                match missing.nth(near) {
                    Some(member) if rng.below(3) > 0 => {
                        // Every third call has no response.
                        let op = match member % 3 {
                            0 => Op::Optional(member / 3),
                            rest => Op::Returned(member / 3 * 2 + rest - 1),
                        };
                        stack.push((member, op, done.insert(op)));
                    }
                    _ => {
                        if let Some((_, op, mark)) = stack.pop() {
                            done.remove(op, mark);
                        }
                    }
                }
            }
        }
        let faces: BTreeSet<_> = seen.values().map(|(words, _)| words).collect();
        assert_eq!(faces.len(), seen.len());
        assert!(met > 1_000 && seen.len() > 1_000, "{met} {}", seen.len());
        assert!(seen.keys().any(|set| set.len() > 64 + 5));
    }
}
