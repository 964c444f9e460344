//! Lamport clocks: what was said later has the larger number, wherever it was said.

use super::message::LTime;

/// How far a time that somebody tells may be ahead of the own clock. A clock only ever moves by
/// what was said, so a number a million million ahead is an accident or an attack. Upstream
/// believes it, and the end of the range turns its clock back to 0: everything that is said from
/// then on is old to everybody.
const LEAP: u64 = 1 << 40;

/// A Lamport clock.
///
/// - Its time only grows, and is ahead of every time that it has witnessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Clock(u64);

/// The time told cannot have been told honestly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leapt;

impl Clock {
    /// A clock whose next message is not mistaken for one that has no time.
    pub(super) const fn new() -> Self {
        Self(1)
    }

    /// The time of what is said next.
    pub(super) const fn time(self) -> LTime {
        LTime(self.0)
    }

    /// Something was said at this time.
    pub(super) const fn witness(&mut self, ltime: LTime) -> Result<(), Leapt> {
        if ltime.0 > self.0.saturating_add(LEAP) || ltime.0 == u64::MAX {
            return Err(Leapt);
        }
        if ltime.0 >= self.0 {
            self.0 = ltime.0 + 1;
        }
        Ok(())
    }

    /// Another clock shows this. Nothing was said at that time yet.
    pub(super) const fn follow(&mut self, ltime: LTime) -> Result<(), Leapt> {
        match ltime.0.checked_sub(1) {
            Some(before) => self.witness(LTime(before)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_ahead_of_all_that_it_has_witnessed() {
        let mut clock = Clock::new();
        assert_eq!(clock.time(), LTime(1));
        for (told, time) in [(0, 1), (1, 2), (1, 2), (7, 8), (3, 8), (8, 9)] {
            assert_eq!(clock.witness(LTime(told)), Ok(()));
            assert_eq!(clock.time(), LTime(time), "after {told}");
        }
    }

    #[test]
    fn a_clock_follows_another_one_and_is_not_ahead_of_it() {
        let mut clock = Clock::new();
        for (told, time) in [(0, 1), (1, 1), (5, 5), (5, 5), (2, 5)] {
            assert_eq!(clock.follow(LTime(told)), Ok(()));
            assert_eq!(clock.time(), LTime(time), "after {told}");
        }
    }

    #[test]
    fn a_clock_does_not_leap_to_its_end() {
        let mut clock = Clock::new();
        for told in [u64::MAX, u64::MAX - 1, LEAP + 2] {
            assert_eq!(clock.witness(LTime(told)), Err(Leapt));
            assert_eq!(clock.time(), LTime(1));
        }
        assert_eq!(clock.witness(LTime(LEAP + 1)), Ok(()));
        clock.0 = u64::MAX - 1;
        assert_eq!(clock.witness(LTime(u64::MAX)), Err(Leapt));
        assert_eq!(clock.witness(LTime(u64::MAX - 1)), Ok(()));
        assert_eq!(clock.time(), LTime(u64::MAX), "the end is reached and not passed");
    }
}
