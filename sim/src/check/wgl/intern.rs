//! Equal states get equal numbers.

use core::hash::{Hash, Hasher};
use hashbrown::HashTable;

/// The number of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StateId(pub(super) u32);

/// Every state met so far, numbered in the order of the first meeting.
#[derive(Debug)]
pub(super) struct States<S> {
    states: Vec<S>,
    hashes: Vec<u64>,
    table: HashTable<u32>,
}

impl<S: Eq + Hash> States<S> {
    pub(super) const fn new() -> Self {
        Self { states: Vec::new(), hashes: Vec::new(), table: HashTable::new() }
    }

    pub(super) const fn len(&self) -> usize {
        self.states.len()
    }

    pub(super) fn get(&self, id: StateId) -> &S {
        &self.states[id.0 as usize]
    }

    pub(super) fn intern(&mut self, state: S) -> StateId {
        let mut hasher = Mixer::default();
        state.hash(&mut hasher);
        let hash = hasher.finish();
        let states = &self.states;
        if let Some(&id) = self.table.find(hash, |&id| states[id as usize] == state) {
            return StateId(id);
        }
        let id = u32::try_from(self.states.len()).expect("invariant: a budget bounds the states");
        self.states.push(state);
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.table.insert_unique(hash, id, |&id| hashes[id as usize]);
        StateId(id)
    }
}

/// A small hasher without a seed: what it is given are states of ours, and a collision costs one
/// comparison.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0 ^ word);
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Spreads a word over all bits: one to one, so that different words stay different.
pub(super) const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
