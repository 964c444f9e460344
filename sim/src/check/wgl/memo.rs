//! The configurations that were entered before.

use super::done::Done;
use super::intern::StateId;
use crate::check::mixer::mix;
use hashbrown::HashTable;

/// Bytes that the table needs for an entry, with the room it keeps free.
const ENTRY_BYTES: usize = 2 * size_of::<Entry>();

/// Configurations as runs of words in one arena: the state, then the set of calls.
///
/// - Two configurations are the same when their words are; the hash only finds them.
/// - Never more than `limit` bytes; when full, nothing new is remembered.
#[derive(Debug)]
pub(super) struct Memo {
    arena: Vec<u64>,
    table: HashTable<Entry>,
    scratch: Vec<u64>,
    limit: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    start: u32,
    len: u32,
}

impl Entry {
    fn words(self, arena: &[u64]) -> &[u64] {
        &arena[self.start as usize..][..self.len as usize]
    }
}

impl Memo {
    pub(super) const fn new(limit: usize) -> Self {
        Self { arena: Vec::new(), table: HashTable::new(), scratch: Vec::new(), limit }
    }

    /// Remembers a configuration; false when it was known.
    pub(super) fn insert(&mut self, done: &Done, state: StateId) -> bool {
        self.scratch.clear();
        self.scratch.push(u64::from(state.0));
        done.write(&mut self.scratch);
        self.insert_scratch(done.hash() ^ mix(u64::from(state.0)))
    }

    fn insert_scratch(&mut self, hash: u64) -> bool {
        let (arena, scratch) = (&self.arena, &self.scratch);
        let same = |entry: &Entry| entry.hash == hash && entry.words(arena) == scratch;
        if self.table.find(hash, same).is_some() {
            return false;
        }
        if self.bytes() + scratch.len() * size_of::<u64>() + ENTRY_BYTES <= self.limit {
            self.remember(hash);
        }
        true
    }

    fn remember(&mut self, hash: u64) {
        let start = u32::try_from(self.arena.len());
        let len = u32::try_from(self.scratch.len());
        let (Ok(start), Ok(len)) = (start, len) else {
            return;
        };
        self.arena.extend_from_slice(&self.scratch);
        let entry = Entry { hash, start, len };
        self.table.insert_unique(hash, entry, |entry| entry.hash);
    }

    fn bytes(&self) -> usize {
        self.arena.len() * size_of::<u64>() + self.table.len() * ENTRY_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memo_configurations_of_one_hash_stay_apart() {
        let mut memo = Memo::new(1 << 20);
        for word in 0..100 {
            memo.scratch = vec![1, word];
            assert!(memo.insert_scratch(7));
        }
        for word in 0..100 {
            memo.scratch = vec![1, word];
            assert!(!memo.insert_scratch(7));
        }
        memo.scratch = vec![1];
        assert!(memo.insert_scratch(7));
    }

    #[test]
    fn memo_two_states_of_one_set_have_words_of_their_own() {
        let mut memo = Memo::new(1 << 20);
        let done = Done::new(3, 3);
        assert!(memo.insert(&done, StateId(0)));
        let first = memo.scratch.clone();
        assert!(memo.insert(&done, StateId(1)));
        assert_ne!(memo.scratch, first);
        assert!(!memo.insert(&done, StateId(0)));
    }

    #[test]
    fn memo_stays_below_its_limit_and_keeps_what_it_has() {
        let limit = 10_000;
        let mut memo = Memo::new(limit);
        let mut remembered = 0;
        for word in 0..10_000 {
            memo.scratch = vec![word; 3];
            let new = memo.insert_scratch(mix(word));
            assert!(new);
            assert!(memo.bytes() <= limit);
            memo.scratch = vec![word; 3];
            remembered += u64::from(!memo.insert_scratch(mix(word)));
        }
        assert_eq!(remembered, (limit / (3 * size_of::<u64>() + ENTRY_BYTES)) as u64);
        memo.scratch = vec![0; 3];
        assert!(!memo.insert_scratch(mix(0)));
    }
}
