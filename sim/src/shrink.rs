//! From a failing seed to the least that still fails.
//!
//! What can be left out is left out as long as the same law is broken: the end of the storm, the
//! clients' later operations, clients, and every strike that is not needed (delta debugging, as in
//! Zeller and Hildebrandt's *Simplifying and Isolating Failure-Inducing Input*). A strike draws
//! from a generator of its own, so that one less leaves the others as they are.

use std::collections::BTreeSet;

use crate::case::Case;
use crate::run::{self, Report};

/// What is left, and how it fails.
pub struct Shrunk {
    /// The least case found.
    pub case: Case,
    /// Its run.
    pub report: Report,
    /// How many worlds were tried.
    pub tried: u32,
}

/// Shrinks a case that breaks a law; `None` when it breaks none. At most `budget` worlds are
/// tried; `progress` hears of each success.
pub fn shrink(
    case: &Case,
    budget: u32,
    progress: &mut dyn FnMut(&Case, &Report),
) -> Option<Shrunk> {
    let report = run::world(case.options(), case.seed);
    let law = report.violation.as_ref()?.law;
    let mut shrinker = Shrinker { law, best: case.clone(), report, tried: 1, budget, progress };
    shrinker.shorten();
    shrinker.drop_strikes();
    shrinker.fewer_operations();
    shrinker.fewer_clients();
    shrinker.drop_strikes();
    shrinker.shorten();
    Some(Shrunk { case: shrinker.best, report: shrinker.report, tried: shrinker.tried })
}

struct Shrinker<'a> {
    law: &'static str,
    best: Case,
    report: Report,
    tried: u32,
    budget: u32,
    progress: &'a mut dyn FnMut(&Case, &Report),
}

impl Shrinker<'_> {
    /// Whether this case breaks the same law; then it is the best from now on.
    fn fails(&mut self, case: Case) -> bool {
        if self.tried >= self.budget || case == self.best {
            return false;
        }
        self.tried += 1;
        let report = run::world(case.options(), case.seed);
        let same = report.violation.as_ref().is_some_and(|broken| broken.law == self.law);
        if same {
            (self.progress)(&case, &report);
            self.best = case;
            self.report = report;
        }
        same
    }

    /// Ends the storm right after the law was broken, or earlier.
    fn shorten(&mut self) {
        let Some(broken) = &self.report.violation else { return };
        let at = broken.at.0 / 1_000_000 + 1;
        let length = self.length();
        if at < length {
            self.fails(Case { length: Some(at), ..self.best.clone() });
        }
        for part in [2, 4, 8] {
            let length = self.length();
            self.fails(Case { length: Some(length - length / part), ..self.best.clone() });
        }
    }

    fn length(&self) -> u64 {
        let length = self.best.options().storm.length.as_millis();
        u64::try_from(length).unwrap_or(u64::MAX)
    }

    /// Delta debugging over the strikes.
    fn drop_strikes(&mut self) {
        let all = (1..=self.report.strikes).collect();
        let mut kept: Vec<u32> = self.best.strikes.clone().unwrap_or(all).into_iter().collect();
        let mut pieces = 1;
        while !kept.is_empty() && pieces <= kept.len() {
            let size = kept.len().div_ceil(pieces);
            let smaller = kept.chunks(size).enumerate().map(|(number, _)| number).find(|number| {
                let rest = without(&kept, *number, size);
                self.fails(Case { strikes: Some(rest), ..self.best.clone() })
            });
            match smaller {
                Some(number) => {
                    kept = without(&kept, number, size).into_iter().collect();
                    pieces = pieces.saturating_sub(1).max(1);
                }
                None if size == 1 => break,
                None => pieces = (pieces * 2).min(kept.len()),
            }
        }
    }

    fn fewer_operations(&mut self) {
        let called = self.report.counts.all.called;
        let mut most = self.best.operations.unwrap_or(called).min(called);
        for part in [1, 2, 2, 4, 8] {
            let fewer = if part == 1 { most } else { most - most / part };
            if self.fails(Case { operations: Some(fewer), ..self.best.clone() }) {
                most = fewer;
            }
        }
    }

    fn fewer_clients(&mut self) {
        for clients in [1, 2, 4, 8] {
            if clients < self.best.options().crowd.clients
                && self.fails(Case { clients: Some(clients), ..self.best.clone() })
            {
                return;
            }
        }
    }
}

fn without(kept: &[u32], number: usize, size: usize) -> BTreeSet<u32> {
    let chunks = kept.chunks(size).enumerate().filter(|(other, _)| *other != number);
    chunks.flat_map(|(_, chunk)| chunk.iter().copied()).collect()
}
