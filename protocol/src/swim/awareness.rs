//! How much a member trusts itself.
//!
//! A member that misses answers may be the one that is slow. Lifeguard §IV-A ("local health"): the
//! more signs of that, the longer it waits before it accuses anyone. The score goes up when a probe
//! fails, when helpers do not even say that they failed, and when others had to be told that this
//! member lives; down when a probe is answered.

use core::time::Duration;

/// The score, 0 (healthy) up to one less than the multiplier it may reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Awareness {
    score: u32,
    highest: u32,
}

impl Awareness {
    /// A healthy member; intervals grow to at most `multiplier` times. 1 turns the score off.
    pub(super) const fn new(multiplier: u32) -> Self {
        Self { score: 0, highest: multiplier.saturating_sub(1) }
    }

    /// A sign of health (`false`) or of the lack of it.
    pub(super) fn apply(&mut self, worse: u32, better: u32) {
        self.score = self.score.saturating_add(worse).min(self.highest).saturating_sub(better);
    }

    pub(super) const fn score(&self) -> u32 {
        self.score
    }

    /// Lifeguard §IV-A: an interval stretched by the score.
    pub(super) fn scale(&self, interval: Duration) -> Duration {
        interval.saturating_mul(self.score + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_stays_within_its_bounds_and_stretches() {
        let mut awareness = Awareness::new(8);
        let second = Duration::from_secs(1);
        let mut seen = alloc::vec::Vec::new();
        for (worse, better) in [(0, 1), (1, 0), (1, 0), (0, 1), (10, 0), (1, 0), (0, 1)] {
            awareness.apply(worse, better);
            seen.push((awareness.score(), awareness.scale(second).as_secs()));
        }
        assert_eq!(seen, [(0, 1), (1, 2), (2, 3), (1, 2), (7, 8), (7, 8), (6, 7)]);
    }

    #[test]
    fn a_multiplier_of_one_turns_it_off() {
        let mut awareness = Awareness::new(1);
        awareness.apply(5, 0);
        assert_eq!(awareness.score(), 0);
    }
}
