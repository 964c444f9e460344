//! What a search may spend before it gives up.

/// The limits of one search; a history that is split by key has them once for each part.
///
/// All are counts, so that a verdict is the same on a slow machine and on a fast one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Evaluations of the model. When they are used up, the verdict is `Unknown`.
    pub steps: u64,
    /// Bytes of remembered configurations; what holds them may keep as much again in reserve. When
    /// they are full, new ones are no longer remembered: the search stays right and becomes
    /// slower, until its steps end it.
    pub memo_bytes: usize,
    /// Distinct states of the model. When they are used up, the verdict is `Unknown`.
    pub states: u32,
}

impl Default for Budget {
    /// A few seconds and well under 100 MB on a model of small states.
    fn default() -> Self {
        Self { steps: 20_000_000, memo_bytes: 32 << 20, states: 500_000 }
    }
}
