//! Names to rows, without an order that depends on a process.
//!
//! An open-addressed table of row numbers with linear probing, at most seven eighths full: 4 to 9
//! bytes a member (6.6 at 10,000), one cache line a look-up in the usual case, and no copy of a
//! name. A sorted vector would take 4 bytes and move half of them for every newcomer; a tree takes
//! 30 and more. The hash is seeded by each member for itself, since names come from outside and
//! whoever knew the seed could choose names that meet in one place. Removing moves what follows
//! back, so there are no graves and a table never has to be cleaned.

use alloc::vec;
use alloc::vec::Vec;

use super::table::Slot;

/// No row.
const EMPTY: u32 = u32::MAX;

/// Where the rows are, by the hash of their names.
///
/// - A row stands at the place that its hash names, or behind it with no gap between.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Index {
    places: Vec<u32>,
    held: usize,
}

/// The hash of a name. Eight bytes at a time are mixed into a state that only who knows the seed
/// knows, by a folded multiplication.
pub(super) fn hash(name: &[u8], seed: u64) -> u64 {
    const MIX: [u64; 3] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];
    let fold = |left: u64, right: u64| {
        let [low, high] = halves(u128::from(left) * u128::from(right));
        low ^ high
    };
    let mut state = fold(seed ^ MIX[0], name.len() as u64 ^ MIX[1]);
    for chunk in name.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = fold(state ^ u64::from_le_bytes(word), MIX[2]);
    }
    fold(state ^ MIX[1], MIX[0])
}

fn halves(number: u128) -> [u64; 2] {
    let low = u64::try_from(number & u128::from(u64::MAX)).expect("invariant: masked");
    let high = u64::try_from(number >> 64).expect("invariant: shifted");
    [low, high]
}

impl Index {
    pub(super) const fn new() -> Self {
        Self { places: Vec::new(), held: 0 }
    }

    fn mask(&self) -> usize {
        self.places.len() - 1
    }

    /// The place that a hash names, among a power of two.
    fn home(&self, hash: u64) -> usize {
        usize::try_from(hash & self.mask() as u64).expect("invariant: below a length")
    }

    /// The row with this hash that `is` the one looked for.
    pub(super) fn find(&self, hash: u64, is: impl Fn(Slot) -> bool) -> Option<Slot> {
        if self.places.is_empty() {
            return None;
        }
        let mut place = self.home(hash);
        // It ends: an eighth of the places is empty.
        while self.places[place] != EMPTY {
            let slot = Slot(self.places[place]);
            if is(slot) {
                return Some(slot);
            }
            place = (place + 1) & self.mask();
        }
        None
    }

    /// Takes in a row that is not here. `hash_of` gives the hashes of those that are.
    pub(super) fn insert(&mut self, hash: u64, slot: Slot, hash_of: impl Fn(Slot) -> u64) {
        self.reserve(1, hash_of);
        self.put(hash, slot);
        self.held += 1;
    }

    /// Makes room for so many more rows.
    pub(super) fn reserve(&mut self, more: usize, hash_of: impl Fn(Slot) -> u64) {
        let mut places = self.places.len();
        while (self.held + more) * 8 > places * 7 {
            places = (places * 2).max(8);
        }
        if places > self.places.len() {
            self.grow(places, hash_of);
        }
    }

    fn put(&mut self, hash: u64, slot: Slot) {
        let mut place = self.home(hash);
        while self.places[place] != EMPTY {
            place = (place + 1) & self.mask();
        }
        self.places[place] = slot.0;
    }

    fn grow(&mut self, places: usize, hash_of: impl Fn(Slot) -> u64) {
        let longer = vec![EMPTY; places];
        let before = core::mem::replace(&mut self.places, longer);
        for slot in before.into_iter().filter(|&slot| slot != EMPTY) {
            self.put(hash_of(Slot(slot)), Slot(slot));
        }
    }

    /// Forgets a row that is here.
    pub(super) fn remove(&mut self, hash: u64, slot: Slot, hash_of: impl Fn(Slot) -> u64) {
        let mut gap = self.home(hash);
        while self.places[gap] != slot.0 {
            assert!(self.places[gap] != EMPTY, "a row to remove is there");
            gap = (gap + 1) & self.mask();
        }
        let mut place = gap;
        loop {
            place = (place + 1) & self.mask();
            if self.places[place] == EMPTY {
                break;
            }
            // It may fill the gap unless its home lies behind the gap.
            let home = self.home(hash_of(Slot(self.places[place])));
            let from_home = place.wrapping_sub(home) & self.mask();
            let from_gap = place.wrapping_sub(gap) & self.mask();
            if from_home >= from_gap {
                self.places[gap] = self.places[place];
                gap = place;
            }
        }
        self.places[gap] = EMPTY;
        self.held -= 1;
    }

    pub(super) const fn len(&self) -> usize {
        self.held
    }

    /// Bytes that it takes.
    pub(super) const fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;
    use crate::Rng;

    /// The dumb twin is a map; hashes of few bits make neighbours of everything.
    #[test]
    fn it_finds_what_a_map_finds() {
        for bits in [0_u32, 2, 4, 64] {
            let seed = 7 + u64::from(bits);
            let hash_of = |slot: Slot| {
                let hash = hash(&slot.0.to_le_bytes(), seed);
                if bits == 64 { hash } else { hash & ((1 << bits) - 1) }
            };
            let (mut index, mut twin) = (Index::new(), BTreeMap::new());
            let mut rng = Rng::new(seed);
            for _ in 0..3000 {
                let slot = Slot(u32::try_from(rng.below(100)).unwrap());
                let find = |index: &Index| index.find(hash_of(slot), |found| found == slot);
                assert_eq!(find(&index), twin.get(&slot).copied());
                if twin.remove(&slot).is_some() {
                    index.remove(hash_of(slot), slot, hash_of);
                } else {
                    twin.insert(slot, slot);
                    index.insert(hash_of(slot), slot, hash_of);
                }
                assert_eq!(index.len(), twin.len());
            }
            for slot in twin.keys() {
                assert_eq!(index.find(hash_of(*slot), |found| found == *slot), Some(*slot));
            }
        }
    }

    #[test]
    fn hashes_differ_by_seed_and_by_every_byte() {
        let names: [&[u8]; 7] =
            [b"", b"\0", b"\0\0", b"a", b"member-1", b"member-12", b"member-13"];
        let mut seen = alloc::collections::BTreeSet::new();
        for seed in [0, 1, u64::MAX] {
            for name in names {
                assert!(seen.insert(hash(name, seed)), "{name:?} under {seed}");
            }
        }
    }

    #[test]
    fn hashes_spread_over_the_places() {
        let mut places = [0_u32; 64];
        for number in 0..6400_u32 {
            let name = alloc::format!("node-{number:05}");
            places[usize::try_from(hash(name.as_bytes(), 3) % 64).unwrap()] += 1;
        }
        assert!(places.iter().all(|&count| (50..=150).contains(&count)), "{places:?}");
    }
}
