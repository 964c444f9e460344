//! What waits to be explored, first in, first out, packed.

use std::collections::VecDeque;

use super::state::State;

const BLOCK: usize = 1 << 20;

/// A queue of states in blocks; a block that has been read is freed.
pub(super) struct Frontier {
    blocks: VecDeque<Vec<u8>>,
    read: usize,
    waiting: u64,
}

impl Frontier {
    pub(super) fn new() -> Self {
        Self { blocks: VecDeque::new(), read: 0, waiting: 0 }
    }

    pub(super) fn push(&mut self, state: &State) {
        if self.blocks.back().is_none_or(|block| block.len() + 64 > BLOCK) {
            self.blocks.push_back(Vec::with_capacity(BLOCK));
        }
        let block = self.blocks.back_mut().expect("invariant: there is a block with room");
        state.encode(block);
        self.waiting += 1;
    }

    pub(super) fn pop(&mut self) -> Option<State> {
        if self.blocks.front()?.len() == self.read {
            self.blocks.pop_front();
            self.read = 0;
        }
        let bytes = &self.blocks.front()?[self.read..];
        self.read += State::encoded_length(*bytes.first()?);
        self.waiting -= 1;
        Some(State::decode(bytes.get(..State::encoded_length(bytes[0]))?))
    }

    pub(super) fn len(&self) -> u64 {
        self.waiting
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.blocks.len() * BLOCK) as u64
    }
}
