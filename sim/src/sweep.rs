//! Many seeds, on all cores, and what they add up to.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::case::Case;
use crate::marks::{Mark, Marks};
use crate::run::{self, Report};
use crate::seen::Violation;
use crate::storm::Kind;

/// What a sweep runs.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Which seeds.
    pub seeds: Range<u64>,
    /// What its worlds have in common; the seed is another in each.
    pub ground: Case,
    /// Worlds at once.
    pub threads: usize,
    /// Each n-th seed runs twice, and must be the same both times; 0: none does.
    pub twice_every: u64,
    /// Stop at the failure with the lowest seed: all before it have run, and none behind it counts.
    pub fail_fast: bool,
}

/// A seed that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The case, whole.
    pub case: Case,
    /// The law that was broken.
    pub violation: Violation,
}

/// What a sweep adds up to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The worlds are of groups that run Zab.
    pub zab: bool,
    /// Seeds that ran.
    pub seeds: u64,
    /// Seeds that ran a second time, and were the same.
    pub twice: u64,
    /// Seeds that did not go through enough to count.
    pub meagre: u64,
    /// Virtual time of clusters.
    pub time: Duration,
    /// Steps of worlds.
    pub steps: u64,
    /// Operations that clients called.
    pub called: u64,
    /// Of those, answered.
    pub answered: u64,
    /// Of those, with an unknown outcome.
    pub unknown: u64,
    /// What struck, and what was reached.
    pub marks: Marks,
    /// In how many worlds each kind of fault struck.
    pub struck: Vec<u64>,
    /// In how many worlds each mark was reached.
    pub reached: Vec<u64>,
    /// The seeds that failed.
    pub failures: Vec<Failure>,
    /// A hash over all traces, in the order of seeds.
    pub hash: u64,
}

/// What a thread sends home.
struct Ran {
    case: Case,
    report: Report,
    twice: bool,
}

/// Runs a sweep. `progress` hears of the sum after each seed, in the order of seeds, so that
/// nothing that is said depends on threads; when it gives false, no further seed is begun.
pub fn sweep(sweep: &Sweep, progress: &mut dyn FnMut(&Tally) -> bool) -> Tally {
    let next = AtomicU64::new(sweep.seeds.start);
    let stop = AtomicBool::new(false);
    let (send, receive) = mpsc::channel();
    let mut tally = Tally { zab: sweep.ground.zab, ..Tally::new() };
    std::thread::scope(|scope| {
        for _ in 0..sweep.threads.max(1) {
            let (next, stop, send) = (&next, &stop, send.clone());
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= sweep.seeds.end || send.send(one(sweep, seed)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        let mut line = Line { due: sweep.seeds.start, early: BTreeMap::new() };
        for ran in receive {
            line.early.insert(ran.case.seed, ran);
            for ran in line.by_ref() {
                tally.add(ran);
                let failed = sweep.fail_fast && !tally.failures.is_empty();
                if !progress(&tally) || failed {
                    stop.store(true, Ordering::Relaxed);
                }
                if failed {
                    // Nobody listens any more to threads that are ahead.
                    return;
                }
            }
        }
    });
    tally
}

/// Gives back in the order of numbers what comes in any order, as far as there is no gap.
struct Line<T> {
    due: u64,
    early: BTreeMap<u64, T>,
}

impl<T> Iterator for Line<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let next = self.early.remove(&self.due)?;
        self.due += 1;
        Some(next)
    }
}

/// One seed; the same once more where that is due.
fn one(sweep: &Sweep, seed: u64) -> Ran {
    let case = Case { seed, ..sweep.ground.clone() };
    let run = || {
        let caught = std::panic::catch_unwind(|| run::world(case.options(), seed));
        caught.unwrap_or_else(|panic| Report::panicked(seed, &*panic))
    };
    let mut report = run();
    let twice = sweep.twice_every > 0 && seed.is_multiple_of(sweep.twice_every);
    if twice && report.violation.is_none() {
        let again = run();
        let (first, second) = (report.trace.hash(), again.trace.hash());
        if first != second {
            report.violation = Some(Violation {
                law: "determinism",
                at: again.end(),
                what: format!("the same seed ran differently: {first:016x}, then {second:016x}"),
            });
        }
    }
    Ran { case, report, twice }
}

impl Tally {
    fn new() -> Self {
        Self { struck: vec![0; Kind::COUNT], reached: vec![0; Mark::ALL.len()], ..Self::default() }
    }

    fn add(&mut self, ran: Ran) {
        let Ran { case, report, twice } = ran;
        self.seeds += 1;
        self.twice += u64::from(twice);
        self.meagre += u64::from(!report.counts() && report.violation.is_none());
        self.time += report.time;
        self.steps += report.steps;
        self.called += report.counts.all.called;
        self.answered += report.counts.all.answered;
        self.unknown += report.counts.all.unknown;
        self.marks.add(&report.marks);
        for (count, kind) in self.struck.iter_mut().zip(Kind::ALL) {
            *count += u64::from(report.marks.strikes(*kind) > 0);
        }
        for (count, mark) in self.reached.iter_mut().zip(Mark::ALL) {
            *count += u64::from(report.marks.reached(mark) > 0);
        }
        // Commutative, since seeds end in any order.
        self.hash = self.hash.wrapping_add(report.trace.hash().wrapping_mul(report.seed | 1));
        if let Some(violation) = report.violation {
            self.failures.push(Failure { case, violation });
        }
    }

    /// Virtual hours of clusters.
    #[must_use]
    pub fn hours(&self) -> f64 {
        self.time.as_secs_f64() / 3_600.0
    }

    /// The marks that these worlds can reach.
    pub fn within_reach(&self) -> impl Iterator<Item = Mark> {
        Mark::ALL.into_iter().filter(|mark| !self.zab || mark.is_of_zab())
    }

    /// Those of them that no world reached.
    pub fn missed(&self) -> impl Iterator<Item = Mark> {
        self.within_reach().filter(|mark| self.reached[*mark as usize] == 0)
    }

    /// How many kinds of faults struck.
    #[must_use]
    pub fn kinds(&self) -> usize {
        self.struck.iter().filter(|count| **count > 0).count()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.hours();
        writeln!(
            f,
            "seeds       {} ({} of them twice, {} meagre)",
            self.seeds, self.twice, self.meagre
        )?;
        writeln!(f, "time        {hours:.1} cluster-hours in {} steps", self.steps)?;
        writeln!(
            f,
            "operations  {} called, {} answered, {} unknown",
            self.called, self.answered, self.unknown
        )?;
        let faults = self.marks.faults();
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = faults as f64 / hours.max(f64::MIN_POSITIVE);
        writeln!(f, "faults      {faults} of {} kinds, {rate:.0} a cluster-hour", self.kinds())?;
        let missed: Vec<_> = self.missed().map(|mark| format!("{mark:?}")).collect();
        writeln!(
            f,
            "marks       {} of {} reached{}{}",
            self.within_reach().count() - missed.len(),
            self.within_reach().count(),
            if missed.is_empty() { "" } else { "; never: " },
            missed.join(", ")
        )?;
        writeln!(f, "hash        {:016x}", self.hash)?;
        write!(f, "violations  {}", self.failures.len())?;
        for Failure { case, violation } in &self.failures {
            write!(f, "\n  {violation}\n  repeat: conclave sim run {case}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_any_order_leaves_in_one() {
        let mut line = Line { due: 3, early: BTreeMap::new() };
        let mut left = Vec::new();
        for number in [5, 4, 3, 7, 6, 8] {
            line.early.insert(number, number);
            left.push(line.by_ref().collect::<Vec<_>>());
        }
        assert_eq!(left, [vec![], vec![], vec![3, 4, 5], vec![], vec![6, 7], vec![8]]);
    }
}
