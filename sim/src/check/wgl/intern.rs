//! Equal states get equal numbers.

use core::hash::{Hash, Hasher};
use hashbrown::HashTable;

use crate::check::mixer::Mixer;

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
