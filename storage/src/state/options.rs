//! How a state on disk is laid out.

/// Sizes, in bytes. They may differ from one start to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateOptions {
    /// Blocks end after this many bytes; a larger record has one of its own. What a point read
    /// reads.
    pub block_bytes: usize,
    /// Tables are merged up to this size.
    pub table_bytes: u64,
    /// What one step of maintenance reads, about.
    pub step_bytes: u64,
    /// The least size of a manifest's file.
    pub manifest_bytes: u64,
}

impl Default for StateOptions {
    fn default() -> Self {
        Self {
            block_bytes: 16 << 10,
            table_bytes: 512 << 20,
            step_bytes: 4 << 20,
            manifest_bytes: 1 << 20,
        }
    }
}
