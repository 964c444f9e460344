//! A node's own clock: it begins somewhere, and runs at a rate of its own.

use protocol::Time;

/// True rate, in parts per million.
pub(crate) const TRUE_RATE: u64 = 1_000_000;

/// The monotonic clock of one node. Translates both ways, rounding such that a timer never fires
/// before its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    since: Time,
    shows: Time,
    rate: u64,
}

impl Clock {
    /// A clock that shows `shows` at true time `now`.
    pub(crate) const fn new(now: Time, shows: Time, rate: u64) -> Self {
        Self { since: now, shows, rate }
    }

    /// What it shows at a true time.
    pub(crate) fn local(&self, now: Time) -> Time {
        let passed = now.0.saturating_sub(self.since.0);
        if self.rate == TRUE_RATE {
            return Time(self.shows.0 + passed);
        }
        let passed = u128::from(passed) * u128::from(self.rate) / u128::from(TRUE_RATE);
        Time(self.shows.0.saturating_add(narrow(passed)))
    }

    /// The first true time at which it shows at least `local`.
    pub(crate) fn when(&self, local: Time) -> Time {
        let ahead = local.0.saturating_sub(self.shows.0);
        if self.rate == TRUE_RATE {
            return Time(self.since.0.saturating_add(ahead));
        }
        let ahead = (u128::from(ahead) * u128::from(TRUE_RATE)).div_ceil(u128::from(self.rate));
        Time(self.since.0.saturating_add(narrow(ahead)))
    }

    /// From now on it runs at another rate, and shows `leap` nanoseconds more.
    pub(crate) fn set(&mut self, now: Time, rate: u64, leap: u64) {
        *self = Self::new(now, Time(self.local(now).0.saturating_add(leap)), rate);
    }

    /// Its rate, in parts per million of true time.
    pub(crate) const fn rate(&self) -> u64 {
        self.rate
    }
}

fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_agree_at_any_rate() {
        for rate in [500_000, 999_999, TRUE_RATE, 1_300_001, 2_000_000] {
            let mut clock = Clock::new(Time(77), Time(1_000), rate);
            for local in [1_000, 1_001, 5_000, 123_456_789] {
                let when = clock.when(Time(local));
                assert!(clock.local(when) >= Time(local));
                assert!(when == Time(77) || clock.local(Time(when.0 - 1)) < Time(local));
            }
            let before = clock.local(Time(9_000));
            clock.set(Time(9_000), 700_000, 5);
            assert_eq!(clock.local(Time(9_000)).0, before.0 + 5);
        }
    }
}
