//! One row of the table: what is believed of one member, in 16 bytes.
//!
//! A pool of 10,000 members in one process is 10⁸ rows, so a row holds what differs between those
//! who believe it and shares the rest: the facts are behind one pointer, one for each member and
//! not one for each row.

use alloc::sync::Arc;
use core::time::Duration;

use super::message::{Facts, State};
use crate::Time;

/// The unit of [`Moment`].
const UNIT: u64 = 100_000_000;
/// The bits of [`Row::stamp`] that hold the moment; the state is in the two above.
const MOMENT_BITS: u32 = 30;

/// A time in tenths of a second, for what lasts long: when a belief changed. It is good for 3.4
/// years of one life of a process; later moments are all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Moment(u32);

/// What is believed of a member. A row without facts is free, and names the next free one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Row {
    /// Who and where it is.
    pub(super) facts: Option<Arc<Facts>>,
    /// Its incarnation, as far as is known.
    pub(super) incarnation: u32,
    /// State and moment of its last change.
    stamp: u32,
}

impl Moment {
    /// The beginning of a life.
    #[cfg(test)]
    pub(super) const START: Self = Self(0);
    const LAST: u32 = (1 << MOMENT_BITS) - 1;

    pub(super) fn of(time: Time) -> Self {
        Self(u32::try_from(time.0 / UNIT).unwrap_or(Self::LAST).min(Self::LAST))
    }

    /// How long ago it was, a tenth of a second more or less.
    pub(super) fn age(self, now: Time) -> Duration {
        Duration::from_nanos(u64::from(Self::of(now).0.saturating_sub(self.0)) * UNIT)
    }

    pub(super) fn time(self) -> Time {
        Time(u64::from(self.0) * UNIT)
    }
}

impl Row {
    pub(super) fn new(facts: Arc<Facts>, incarnation: u32, state: State, since: Moment) -> Self {
        let mut row = Self { facts: Some(facts), incarnation, stamp: since.0 };
        row.put(state, since);
        row
    }

    pub(super) const fn free(next: u32) -> Self {
        Self { facts: None, incarnation: next, stamp: 0 }
    }

    pub(super) const fn state(&self) -> State {
        match self.stamp >> MOMENT_BITS {
            0 => State::Alive,
            1 => State::Suspect,
            2 => State::Dead,
            _ => State::Left,
        }
    }

    /// When the state became what it is.
    pub(super) const fn since(&self) -> Moment {
        Moment(self.stamp & Moment::LAST)
    }

    pub(super) const fn put(&mut self, state: State, since: Moment) {
        let state: u32 = match state {
            State::Alive => 0,
            State::Suspect => 1,
            State::Dead => 2,
            State::Left => 3,
        };
        self.stamp = state << MOMENT_BITS | since.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_sixteen_bytes() {
        assert_eq!(size_of::<Row>(), 16);
    }

    #[test]
    fn states_and_moments_share_a_word() {
        let mut row = Row::free(0);
        for state in [State::Left, State::Dead, State::Suspect, State::Alive] {
            for seconds in [0, 1, 86_400, 100_000_000, u64::MAX / 1_000_000_000] {
                let time = Time(seconds * 1_000_000_000);
                row.put(state, Moment::of(time));
                assert_eq!((row.state(), row.since()), (state, Moment::of(time)));
            }
        }
        let (then, now) = (Time(1_000_000_000), Time(4_250_000_000));
        assert_eq!(Moment::of(then).age(now), Duration::from_millis(3200));
        assert_eq!(Moment::of(now).age(then), Duration::ZERO);
        assert_eq!(Moment::of(now).time(), Time(4_200_000_000));
    }
}
