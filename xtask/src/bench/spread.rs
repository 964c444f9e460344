//! The middle of a few figures, and how far they lie apart.

use std::fmt;

/// Median, least and greatest of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of figures in any order; none when there are none, or when one is not finite.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        if !sorted.iter().all(|figure| figure.is_finite()) {
            return None;
        }
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, min, max })
    }

    /// Of the quotients of neighbours. A quotient of medians would hide whether both systems met
    /// the same noise; neighbours in time met nearly the same.
    pub(crate) fn of_ratios(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Self> {
        Self::of(pairs.into_iter().map(|(ours, theirs)| ours / theirs))
    }
}

/// `1.52 [1.40–1.63]`, with two decimals unless a precision is given.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Self { median, min, max } = self;
        write!(f, "{median:.digits$} [{min:.digits$}–{max:.digits$}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(Spread::of([9.0, 1.0, 2.0]).unwrap().median, 2.0);
        assert_eq!(Spread::of([9.0, 1.0, 2.0, 4.0]).unwrap().median, 3.0);
        assert_eq!(Spread::of([5.0]), Some(Spread { median: 5.0, min: 5.0, max: 5.0 }));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        // The machine was twice as slow during the second pair: the ratio does not notice.
        let spread = Spread::of_ratios([(20.0, 10.0), (10.0, 5.0), (24.0, 8.0)]).unwrap();
        assert_eq!(spread, Spread { median: 2.0, min: 2.0, max: 3.0 });
        assert_eq!(spread.to_string(), "2.00 [2.00–3.00]");
        assert_eq!(format!("{spread:.0}"), "2 [2–3]");
    }

    #[test]
    fn a_division_by_nothing_has_no_spread() {
        assert_eq!(Spread::of_ratios([(1.0, 1.0), (1.0, 0.0)]), None);
        assert_eq!(Spread::of_ratios([(0.0, 0.0)]), None);
    }
}
