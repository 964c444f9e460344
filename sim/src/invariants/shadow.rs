//! A node's log as the world remembers it: one small slot an entry.

use protocol::raft::{Entry, Payload};
use protocol::{Index, Position, Term};

/// The chain of the empty log.
const ORIGIN: u64 = 0x9e37_79b9_7f4a_7c15;

/// An entry: its term, and a hash of it and of everything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The term that created it.
    pub term: Term,
    /// Two logs with the same chain at an index are the same up to it.
    pub chain: u64,
}

impl Slot {
    /// The place before the first entry.
    pub const ORIGIN: Self = Self { term: Term(0), chain: ORIGIN };

    /// The entry after this one.
    pub(crate) fn then(self, entry: &Entry) -> Self {
        let (kind, content) = match &entry.payload {
            Payload::Empty => (1, 0),
            Payload::Command(bytes) => (2, xxhash_rust::xxh3::xxh3_64(bytes)),
            Payload::Membership(bytes) => (3, xxhash_rust::xxh3::xxh3_64(bytes)),
        };
        let Position { term, index } = entry.position;
        let own = mix(content ^ mix(term.0 ^ (kind << 60)) ^ index.0.rotate_left(32));
        Self { term, chain: mix(self.chain.rotate_left(23) ^ own) }
    }
}

/// Spreads every bit over all bits (the finalizer of SplitMix64).
const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A log from its first entry on; what a node trimmed is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shadow {
    slots: Vec<Slot>,
}

impl FromIterator<Slot> for Shadow {
    fn from_iter<T: IntoIterator<Item = Slot>>(slots: T) -> Self {
        Self { slots: slots.into_iter().collect() }
    }
}

impl Shadow {
    /// The end of the log.
    #[must_use]
    pub fn last(&self) -> Position {
        let term = self.slots.last().map_or(Term(0), |slot| slot.term);
        Position { term, index: self.last_index() }
    }

    /// The index of the last entry.
    #[must_use]
    pub fn last_index(&self) -> Index {
        Index(self.slots.len() as u64)
    }

    /// The entry at `index`; for index 0, the place before the first. `None` beyond the end.
    #[must_use]
    pub fn slot(&self, index: Index) -> Option<Slot> {
        match index.0.checked_sub(1) {
            None => Some(Slot::ORIGIN),
            Some(place) => self.slots.get(usize::try_from(place).ok()?).copied(),
        }
    }

    /// The position of the entry at `index`.
    #[must_use]
    pub fn position(&self, index: Index) -> Option<Position> {
        self.slot(index).map(|slot| Position { term: slot.term, index })
    }

    /// The last entry; in an empty log, the place before the first.
    #[must_use]
    pub fn end(&self) -> Slot {
        self.slots.last().copied().unwrap_or(Slot::ORIGIN)
    }

    /// Whether it holds this very entry, and so everything before it, too.
    #[must_use]
    pub fn holds(&self, index: Index, chain: u64) -> bool {
        self.slot(index).is_some_and(|slot| slot.chain == chain)
    }

    /// All entries, the first first.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The last index up to which both logs are the same.
    pub(crate) fn common(&self, other: &Self) -> Index {
        // Chains agree up to some place and nowhere after it.
        let shorter = self.slots.len().min(other.slots.len());
        let (mut low, mut high) = (0, shorter);
        while low < high {
            let middle = (low + high).div_ceil(2);
            if self.slots[middle - 1].chain == other.slots[middle - 1].chain {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Index(low as u64)
    }

    pub(crate) fn push(&mut self, slot: Slot) {
        self.slots.push(slot);
    }

    /// Removes the entry at `from` and everything after it.
    pub(crate) fn cut(&mut self, from: Index) {
        self.slots.truncate(usize::try_from(from.previous().0).unwrap_or(usize::MAX));
    }
}
