//! How many bytes of commands lie between two indexes, roughly: how far a log has to be kept.

use alloc::collections::VecDeque;

use protocol::Index;

/// Marks that are kept; with more, every other one goes.
const MARKS: usize = 256;

/// Bytes of commands that were applied in this run, with marks here and there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weights {
    total: u64,
    /// Indexes with the bytes up to and including each, ascending.
    marks: VecDeque<(Index, u64)>,
    /// Entries from mark to mark.
    stride: u64,
}

impl Weights {
    /// An entry of so many bytes was applied.
    pub(crate) fn note(&mut self, index: Index, bytes: u64) {
        self.total += bytes;
        let due = self.marks.back().is_none_or(|(last, _)| index.0 >= last.0 + self.stride.max(1));
        if !due {
            return;
        }
        self.marks.push_back((index, self.total));
        if self.marks.len() > MARKS {
            let mut odd = false;
            self.marks.retain(|_| {
                odd = !odd;
                odd
            });
            self.stride = self.stride.max(1) * 2;
        }
    }

    /// Bytes of all commands noted.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The least index known after which there are at most so many bytes; 0 when all there is
    /// weighs no more.
    pub(crate) fn within(&self, bytes: u64) -> Index {
        let floor = self.total.saturating_sub(bytes);
        if floor == 0 {
            return Index(0);
        }
        let place = self.marks.partition_point(|(_, before)| *before < floor);
        // Without a mark there, what was noted last is after all of it.
        self.marks.get(place).or(self.marks.back()).map_or(Index(0), |(index, _)| *index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_behind_weighs_about_as_much_as_was_asked_for() {
        let mut weights = Weights::default();
        assert_eq!(weights.within(10), Index(0));
        for index in 1..=100_000 {
            weights.note(Index(index), 10);
        }
        assert!(weights.marks.len() <= MARKS);
        for bytes in [10_000, 100_000, 500_000] {
            let behind = (100_000 - weights.within(bytes).0) * 10;
            assert!(behind <= bytes && behind + 20_000 >= bytes, "{behind} of {bytes}");
        }
        assert_eq!(weights.within(1_000_000), Index(0));
    }
}
