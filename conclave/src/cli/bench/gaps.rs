//! How long nothing succeeded: what a failover looks like from outside.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The shortest silence that counts.
const GAP_MIN: Duration = Duration::from_millis(50);
/// How many gaps are kept; of more, the longest and the count are still right.
const GAPS_KEPT: usize = 10_000;

/// A time in which no request was acknowledged, from one acknowledgement to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// When the last acknowledgement before it came, in milliseconds since 1970.
    pub(crate) since_unix_ms: u128,
    /// Until the first acknowledgement after it.
    pub(crate) length: Duration,
}

/// The gaps of a run.
#[derive(Debug)]
pub(crate) struct Gaps {
    last: Instant,
    kept: Vec<Gap>,
    count: u64,
    longest: Duration,
}

impl Gaps {
    /// The run starts now.
    pub(crate) fn new(now: Instant) -> Gaps {
        Gaps { last: now, kept: Vec::new(), count: 0, longest: Duration::ZERO }
    }

    /// A request was acknowledged.
    pub(crate) fn acknowledged(&mut self, now: Instant) {
        let length = now.saturating_duration_since(self.last);
        self.last = now;
        self.longest = self.longest.max(length);
        if length <= GAP_MIN {
            return;
        }
        self.count += 1;
        if self.kept.len() < GAPS_KEPT {
            let ended = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let since_unix_ms = ended.saturating_sub(length).as_millis();
            self.kept.push(Gap { since_unix_ms, length });
        }
    }

    pub(crate) fn kept(&self) -> &[Gap] {
        &self.kept
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The longest time between two acknowledgements, also if it is too short for a gap.
    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_silences_are_gaps() {
        let start = Instant::now();
        let mut gaps = Gaps::new(start);
        for ms in [10, 60, 200, 240, 1_000] {
            gaps.acknowledged(start + Duration::from_millis(ms));
        }
        let lengths: Vec<_> = gaps.kept().iter().map(|gap| gap.length.as_millis()).collect();
        assert_eq!(lengths, [140, 760]);
        assert_eq!((gaps.count(), gaps.longest()), (2, Duration::from_millis(760)));
    }
}
