//! Moments as people write them, in UTC.

use std::fmt;

const SECONDS_OF_DAY: u64 = 86_400;

/// A moment, to the second. Its `Display` is that of RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    seconds: u64,
}

impl Stamp {
    /// Of milliseconds since 1970.
    #[must_use]
    pub const fn of_ms(milliseconds: u64) -> Self {
        Self { seconds: milliseconds / 1000 }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.seconds * 1000
    }

    /// As names of files have it: `20261122T113924Z`.
    #[must_use]
    pub fn compact(self) -> String {
        let (year, month, day) = civil(self.seconds / SECONDS_OF_DAY);
        let (hour, minute, second) = self.clock();
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }

    /// The moment that [`Stamp::compact`] has written; `None` when it has not.
    #[must_use]
    pub fn parse_compact(text: &str) -> Option<Self> {
        let part = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
        let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
        let (hour, minute, second) = (part(9, 11)?, part(11, 13)?, part(13, 15)?);
        let days = days(year, month, day)?;
        let seconds = days * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second;
        let stamp = Self { seconds };
        // Whatever is not written exactly so is not one of ours.
        (stamp.compact() == text).then_some(stamp)
    }

    fn clock(self) -> (u64, u64, u64) {
        let of_day = self.seconds % SECONDS_OF_DAY;
        (of_day / 3600, of_day / 60 % 60, of_day % 60)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.seconds / SECONDS_OF_DAY);
        let (hour, minute, second) = self.clock();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// The days of a month, counted from 1.
fn length(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days of all years from 1970 up to this one.
fn days_before(year: u64) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // No year has fewer than 365 days, so the estimate is not too early, and off by little.
    let mut year = 1970 + days / 366;
    while days_before(year + 1) <= days {
        year += 1;
    }
    let (mut month, mut left) = (1, days - days_before(year));
    while left >= length(year, month) {
        left -= length(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let real = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=length(year, month)).contains(&day);
    let of_months = |month| (1..month).map(|month| length(year, month)).sum::<u64>();
    real.then(|| days_before(year) + of_months(month) + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_as_the_calendar_has_them() {
        let known = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_795_347_564, "2026-11-22T11:39:24Z"),
        ];
        for (seconds, text) in known {
            assert_eq!(Stamp::of_ms(seconds * 1000).to_string(), text);
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before_and_is_read_back() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for number in 0..146_097 {
            assert_eq!(civil(number), (year, month, day));
            let stamp = Stamp { seconds: number * SECONDS_OF_DAY + number % SECONDS_OF_DAY };
            assert_eq!(Stamp::parse_compact(&stamp.compact()), Some(stamp));
            day += 1;
            if day > length(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn what_is_no_moment_is_not_read() {
        for text in [
            "",
            "20261122",
            "20261322T000000Z",
            "20260230T000000Z",
            "+0261122T000000Z",
            "20261122T000060Z",
            "20261122T240000Z",
            "20261122x000000Z",
            "20261122T000000Zx",
        ] {
            assert_eq!(Stamp::parse_compact(text), None, "{text}");
        }
    }
}
