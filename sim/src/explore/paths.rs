//! Where each state was found from.

const BLOCK: usize = 1 << 16;

/// For each state but the first, in the order in which they were found: which state it was found
/// from, and as which of its successors. Six bytes a state, in blocks, so that nothing is copied.
pub(super) struct Paths {
    blocks: Vec<Vec<(u32, u16)>>,
}

impl Paths {
    pub(super) fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    pub(super) fn push(&mut self, from: u64, ordinal: usize) {
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let from = u32::try_from(from).expect("invariant: a trail is left by small searches");
        let ordinal = u16::try_from(ordinal).expect("invariant: a state has few successors");
        let block = self.blocks.last_mut().expect("invariant: there is a block with room");
        block.push((from, ordinal));
    }

    /// Which successor to take at each state on the way from the first to this one.
    pub(super) fn to(&self, state: u64) -> Vec<usize> {
        let mut way = Vec::new();
        let mut at = usize::try_from(state).expect("invariant: it was found");
        while let Some(before) = at.checked_sub(1) {
            let (from, ordinal) = self.blocks[before / BLOCK][before % BLOCK];
            way.push(usize::from(ordinal));
            at = from as usize;
        }
        way.reverse();
        way
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.blocks.len() * BLOCK * size_of::<(u32, u16)>()) as u64
    }
}
