//! What grows with the size of the pool: how long a suspect has, how often a message is passed on,
//! how seldom members exchange all they know.
//!
//! Everything here is whole numbers. A logarithm in floating point would be as good as the machine
//! that computes it; these are the same everywhere, and exact at the powers where the formulas
//! step.

use core::time::Duration;

/// One in the fixed point of [`log2`].
const ONE: u64 = 1 << 32;
/// log10(2), in units of 2⁻³², rounded.
const LOG10_OF_2: u64 = 1_292_913_986;
/// What [`log2`] may lack, times a few: it is added before a floor, so that a power of ten is one.
const SLACK: u64 = 64;

/// How often one member sends a message on at most, in a pool of this size:
/// `multiplier · ⌈log10(members + 1)⌉`.
#[must_use]
pub fn retransmit_limit(members: usize, multiplier: u32) -> u32 {
    let mut digits = 0;
    let mut rest = members;
    while rest > 0 {
        rest /= 10;
        digits += 1;
    }
    multiplier.saturating_mul(digits)
}

/// By what the period of exchanges is stretched in a pool of this size: 1 up to 32 members, one
/// more for each doubling, `⌈log2 members − log2 32⌉ + 1`. The traffic of the whole pool then grows
/// little faster than its size.
#[must_use]
pub fn exchange_scale(members: usize) -> u32 {
    let mut scale = 1;
    let mut rest = members.saturating_sub(1) / 32;
    while rest > 0 {
        rest /= 2;
        scale += 1;
    }
    scale
}

/// The least time that a suspect has to defend itself, in a pool of this size:
/// `multiplier · max(1, log10 members) · interval`, the logarithm in whole thousandths.
#[must_use]
pub fn suspicion_time(members: usize, multiplier: u32, interval: Duration) -> Duration {
    let members = u32::try_from(members).unwrap_or(u32::MAX).max(1);
    let log10 = (u128::from(log2(members) + SLACK) * u128::from(LOG10_OF_2)) >> 32;
    let thousandths = u64::try_from((log10 * 1000) >> 32).unwrap_or(u64::MAX).max(1000);
    let nanos = interval.as_nanos() * u128::from(multiplier) * u128::from(thousandths) / 1000;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How much of the way from the longest to the shortest time a suspicion has gone when `confirmed`
/// of `wanted` others share it: `ln(confirmed + 1) / ln(wanted + 1)` of `span`, in whole
/// milliseconds, rounded up.
#[must_use]
pub(super) fn shortening(confirmed: u32, wanted: u32, span: Duration) -> Duration {
    if confirmed >= wanted {
        return span;
    }
    let ratio = u128::from(log2(confirmed + 1)) * u128::from(ONE) / u128::from(log2(wanted + 1));
    let nanos = (span.as_nanos() * ratio) >> 32;
    let millis = u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX);
    Duration::from_millis(millis)
}

/// The logarithm to base 2, in units of 2⁻³², rounded down. `number` is at least 1.
fn log2(number: u32) -> u64 {
    let whole = number.ilog2();
    // A number between 1 and 2, in units of 2⁻⁶³. Squaring it doubles its logarithm: what goes
    // beyond 2 is the next binary digit.
    let mut rest = u128::from(number) << (63 - whole);
    let mut digits = u64::from(whole);
    for _ in 0..32 {
        rest = (rest * rest) >> 63;
        let beyond = rest >> 64 != 0;
        digits = (digits << 1) | u64::from(beyond);
        rest >>= u32::from(beyond);
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn times_are_those_of_the_table() {
        let table = [(1, 4000), (10, 4000), (32, 6020), (100, 8000), (600, 11_112)];
        for (members, millis) in table {
            assert_eq!(suspicion_time(members, 4, SECOND), Duration::from_millis(millis));
        }
        for (power, millis) in [(1000, 12_000), (10_000, 16_000), (100_000, 20_000)] {
            assert_eq!(suspicion_time(power, 4, SECOND), Duration::from_millis(millis));
        }
        assert_eq!(suspicion_time(5000, 4, SECOND), Duration::from_millis(14_792));
        assert_eq!(suspicion_time(0, 4, SECOND), Duration::from_secs(4));
        assert_eq!(suspicion_time(usize::MAX, 4, SECOND), Duration::from_millis(38_528));
    }

    #[test]
    fn limits_step_at_one_less_than_a_power_of_ten() {
        let table = [(0, 0), (1, 4), (9, 4), (10, 8), (99, 8), (100, 12), (999, 12), (1000, 16)];
        for (members, limit) in table {
            assert_eq!(retransmit_limit(members, 4), limit, "{members}");
        }
        assert_eq!(retransmit_limit(100_000, 4), 24);
        assert_eq!(retransmit_limit(usize::MAX, 1), 20);
    }

    #[test]
    fn exchanges_are_stretched_with_each_doubling() {
        let table = [(0, 1), (32, 1), (33, 2), (64, 2), (65, 3), (128, 3), (600, 6), (1000, 6)];
        for (members, scale) in table {
            assert_eq!(exchange_scale(members), scale, "{members}");
        }
        assert_eq!((exchange_scale(5000), exchange_scale(10_000)), (9, 10));
        assert_eq!(exchange_scale(100_000), 13);
    }

    /// The dumb twin: the formulas as they stand, in floating point.
    #[test]
    #[allow(clippy::cast_possible_truncation, reason = "the twin rounds by hand")]
    fn whole_numbers_agree_with_floating_point() {
        for members in 1..20_000_u32 {
            let size = usize::try_from(members).unwrap();
            let log10 = series::log10(f64::from(members)).max(1.0);
            let ours = suspicion_time(size, 4, SECOND).as_secs_f64();
            assert!((ours - 4.0 * log10).abs() < 0.004_001, "{members}: {ours}");
        }
        for wanted in 1..12_u32 {
            for confirmed in 0..=wanted {
                let part =
                    series::log10(f64::from(confirmed + 1)) / series::log10(f64::from(wanted + 1));
                let ours = shortening(confirmed, wanted, 28 * SECOND).as_secs_f64();
                assert!((ours - 28.0 * part).abs() < 0.001_001, "{confirmed} of {wanted}: {ours}");
            }
        }
    }

    /// A series instead of the shifts above.
    mod series {
        pub(super) fn log10(number: f64) -> f64 {
            let (mut number, mut twos) = (number, 0.0);
            while number > 1.5 {
                (number, twos) = (number / 2.0, twos + 1.0);
            }
            let z = (number - 1.0) / (number + 1.0);
            let (mut term, mut sum, mut odd) = (z, 0.0, 1.0);
            for _ in 0..40 {
                sum += term / odd;
                (term, odd) = (term * z * z, odd + 2.0);
            }
            (2.0 * sum + twos * core::f64::consts::LN_2) / core::f64::consts::LN_10
        }
    }
}
