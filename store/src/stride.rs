//! How many records to read at once.

use crate::{Record, Revision};

/// As many records as should have a number of bytes, going by those that were read before: from
/// one record on, so that the largest ones do not come by the hundred, at most twice as many as the
/// last time, and never more than a limit.
#[derive(Clone, Copy, Debug)]
pub struct Stride {
    records: usize,
    most: usize,
    aim_bytes: usize,
}

impl Stride {
    /// Of about `aim_bytes`, and of at most `most` records.
    #[must_use]
    pub const fn new(aim_bytes: usize, most: usize) -> Self {
        Self { records: 1, most, aim_bytes }
    }

    /// How many to read now; 1 or more.
    #[must_use]
    pub const fn records(&self) -> usize {
        self.records
    }

    /// These were read.
    pub fn learn(&mut self, read: &[(Revision, Record)]) {
        self.weigh(read.len(), read.iter().map(|(_, record)| record.weight()).sum());
    }

    /// So many were read, of so many bytes in all.
    pub fn weigh(&mut self, records: usize, bytes: usize) {
        let fitting = records.saturating_mul(self.aim_bytes) / bytes.max(1);
        let most = self.records.saturating_mul(2).min(self.most);
        self.records = fitting.min(most).max(1);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn it_doubles_up_to_the_limit_and_shrinks_at_once() {
        let mut stride = Stride::new(1_000, 64);
        let mut read = Vec::new();
        for bytes in [10, 10, 10, 10, 10, 10, 10, 10, 500, 500, 5_000, 5_000] {
            read.push(stride.records());
            stride.weigh(stride.records(), stride.records() * bytes);
        }
        assert_eq!(read, [1, 2, 4, 8, 16, 32, 64, 64, 64, 2, 2, 1]);
    }
}
