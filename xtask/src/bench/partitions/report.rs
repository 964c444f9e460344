//! What a run came to, and the table of all.

use std::time::{Duration, Instant};

use super::load::Put;
use super::shape::Shape;
use crate::bench::spread::Spread;
use crate::bench::system::System;
use crate::bench::table::table;

/// One run of one shape on one system.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// The longest time in which no member acknowledged a put, from just before the cut on.
    pub(crate) gap: Duration,
    /// How much the highest term grew.
    pub(crate) terms: u64,
    /// For each part, the puts that failed and all of them, since the cut.
    pub(crate) failed: Vec<(usize, usize)>,
}

impl Outcome {
    /// Judges the puts of all parts.
    pub(crate) fn of(puts: &[Vec<Put>], cut: Instant, end: Instant, terms: u64) -> Self {
        let mut times: Vec<Instant> =
            puts.iter().flatten().filter_map(|put| put.acknowledged).collect();
        times.sort_unstable();
        let before = times.iter().rposition(|time| *time <= cut).map_or(cut, |at| times[at]);
        let after = times.iter().copied().filter(|time| *time > cut && *time <= end);
        let points: Vec<Instant> =
            std::iter::once(before).chain(after).chain(std::iter::once(end)).collect();
        let gaps = points.windows(2).map(|pair| pair[1] - pair[0]);
        let since = |part: &Vec<Put>| {
            let since = part.iter().filter(|put| put.called >= cut);
            let failed = since.clone().filter(|put| put.acknowledged.is_none()).count();
            (failed, since.count())
        };
        let failed = puts.iter().map(since).collect();
        Self { gap: gaps.max().unwrap_or_default(), terms, failed }
    }
}

/// All runs of one shape on one system.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) shape: Shape,
    pub(crate) system: System,
    pub(crate) outcomes: Vec<Outcome>,
}

/// A line each, for people.
pub(crate) fn lines(rows: &[Row]) -> String {
    let headings = ["partition", "system", "runs", "gap s", "terms", "failed puts", "worst member"];
    let cells = |row: &Row| {
        let spread = |figures: Vec<f64>, digits| {
            let spread = Spread::of(figures);
            spread.map_or_else(|| "-".to_owned(), |spread| format!("{spread:.digits$}"))
        };
        let gaps = row.outcomes.iter().map(|outcome| outcome.gap.as_secs_f64());
        let terms = row.outcomes.iter().map(|outcome| outcome.terms as f64);
        let failed = row.outcomes.iter().map(|outcome| failed(&row.shape, outcome) as f64);
        vec![
            row.shape.name.to_owned(),
            row.system.to_string(),
            row.outcomes.len().to_string(),
            spread(gaps.collect(), 2),
            spread(terms.collect(), 0),
            spread(failed.collect(), 0),
            worst(row),
        ]
    };
    table(&headings, &rows.iter().map(cells).collect::<Vec<_>>())
}

/// Puts that failed at members which reach anybody.
fn failed(shape: &Shape, outcome: &Outcome) -> usize {
    let alone = shape.alone();
    let parts = outcome.failed.iter().enumerate().filter(|(part, _)| !alone.contains(part));
    parts.map(|(_, (failed, _))| failed).sum()
}

/// The greatest share of failures at a member which reaches anybody, over all runs together.
fn worst(row: &Row) -> String {
    let alone = row.shape.alone();
    let share = |part: usize| {
        let counts = row.outcomes.iter().map(|outcome| outcome.failed[part]);
        let (failed, all) = counts.fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        100.0 * failed as f64 / all.max(1) as f64
    };
    let parts = (0..row.shape.members).filter(|part| !alone.contains(part));
    let worst = parts.map(share).fold(0.0, f64::max);
    format!("{worst:.1} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_begins_with_the_last_word_before_the_cut_and_may_last_to_the_end() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let put =
            |called, done: Option<u64>| Put { called: at(called), acknowledged: done.map(at) };
        let puts = [vec![put(10, Some(20)), put(90, Some(110)), put(130, None)], vec![]];
        let outcome = Outcome::of(&puts, at(100), at(500), 3);
        assert_eq!(outcome.gap, Duration::from_millis(390));
        assert_eq!((outcome.failed[0], outcome.failed[1]), ((1, 1), (0, 0)));
        let outcome = Outcome::of(&puts, at(100), at(120), 3);
        assert_eq!(outcome.gap, Duration::from_millis(90));
    }
}
