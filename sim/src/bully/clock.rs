//! A clock that runs at a rate of its own.

use protocol::Time;

const WHOLE: u128 = 1_000_000;

/// Shows a time for each true time. The rate changes, and what it shows does not jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    at: u64,
    shows: u64,
    fast_ppm: u32,
}

impl Clock {
    pub(super) const fn new(shows: u64) -> Self {
        Self { at: 0, shows, fast_ppm: 0 }
    }

    /// From now on it is so much faster than the slowest.
    pub(super) fn run(&mut self, now: u64, fast_ppm: u32) {
        *self = Self { at: now, shows: self.time(now).0, fast_ppm };
    }

    pub(super) fn time(&self, now: u64) -> Time {
        let passed = u128::from(now - self.at) * (WHOLE + u128::from(self.fast_ppm)) / WHOLE;
        Time(self.shows.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)))
    }

    /// The first true time at which it shows this.
    pub(super) fn when(&self, time: Time) -> u64 {
        let ahead = u128::from(time.0.saturating_sub(self.shows)) * WHOLE;
        let true_ahead = ahead.div_ceil(WHOLE + u128::from(self.fast_ppm));
        self.at.saturating_add(u64::try_from(true_ahead).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_a_time_when_it_says_and_not_sooner() {
        let mut clock = Clock::new(1_000_000);
        for (now, fast) in [(0, 0), (500, 300_000), (12_345, 7), (99_999, 1_000_000)] {
            let before = clock.time(now);
            clock.run(now, fast);
            assert_eq!(clock.time(now), before, "it does not jump");
            for ahead in [1, 2, 3, 1_000, 777_777] {
                let target = Time(before.0 + ahead);
                let when = clock.when(target);
                assert!(clock.time(when) >= target && clock.time(when - 1) < target);
            }
        }
    }
}
