//! Drawing more than numbers from a generator.

use std::ops::RangeInclusive;
use std::time::Duration;

use protocol::Rng;

/// What a generator of numbers can be asked for besides.
pub(crate) trait Draw {
    /// A duration from a range, to the nanosecond.
    fn between(&mut self, range: &RangeInclusive<Duration>) -> Duration;
    /// True in so many of a hundred cases.
    fn percent(&mut self, chance: u64) -> bool;
    /// A place in a list of this length; 0 when it is empty.
    fn place(&mut self, length: usize) -> usize;
    /// One of these.
    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T;
    /// The same things in another order.
    fn shuffle<T>(&mut self, things: &mut [T]);
}

impl Draw for Rng {
    fn between(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let width = range.end().saturating_sub(*range.start());
        let width = u64::try_from(width.as_nanos()).unwrap_or(u64::MAX - 1);
        if width == 0 { *range.start() } else { *range.start() + nanos(self.below(width + 1)) }
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.place(choices.len())]
    }

    fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let other = self.place(last + 1);
            things.swap(last, other);
        }
    }
}

fn nanos(count: u64) -> Duration {
    Duration::from_nanos(count)
}
