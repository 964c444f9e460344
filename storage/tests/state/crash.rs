//! Crash points: every disk operation of a script × {before, after, torn}.

use protocol::Rng;
use storage::disk::{CrashPoint, FaultPlan, Moment};
use store::{Backend, BackendError, BackendRead};

use crate::support::{Faulty, Truth, broken, open, settle};

/// Flushes, discards and maintenance; ends early when the disk does.
struct Script {
    truth: Truth,
    /// How many flushes have returned.
    acknowledged: usize,
    rng: Rng,
}

impl Script {
    fn new(seed: u64) -> Self {
        Self { truth: Truth::new(), acknowledged: 0, rng: Rng::new(seed) }
    }

    fn run(&mut self, backend: &mut Faulty, steps: u64) -> Result<(), BackendError> {
        for step in 0..steps {
            let records = if step % 4 == 3 { 0 } else { 1 + self.rng.next() % 12 };
            let flush = self.truth.next_flush(&mut self.rng, records);
            backend.flush(&flush)?;
            self.acknowledged = self.truth.points.len() - 1;
            if step % 3 == 0 {
                let dead = self.truth.choose_dead(&mut self.rng, 5);
                backend.discard(&dead)?;
            }
            for _ in 0..3 {
                backend.maintain()?;
            }
        }
        settle(backend).map(drop)
    }

    /// The state stands at one flush, not before the last acknowledged one; what was attempted
    /// beyond it never happened, and the script goes on from there.
    fn check_point(&mut self, backend: &impl BackendRead) {
        let at = self.truth.point_of(backend);
        assert!(at >= self.acknowledged, "at {at}, acknowledged {}", self.acknowledged);
        self.truth.check(backend, at, false);
        self.truth.points.truncate(at + 1);
        let newest = self.truth.last().newest;
        self.truth.records.retain(|revision, _| *revision <= newest);
        self.acknowledged = at;
    }
}

const STEPS: u64 = 24;

/// Crashes the script at an operation, restarts, goes on, perhaps crashes again, and compares.
fn crash(point: CrashPoint, seed: u64, again: Option<CrashPoint>) {
    let files = broken(FaultPlan { seed, crash: Some(point), ..FaultPlan::default() });
    let mut script = Script::new(1);
    if let Ok(mut backend) = open(&files) {
        drop(script.run(&mut backend, STEPS));
    }
    assert!(files.disk().has_crashed(), "{point:?} was reached");
    files.disk().restart();
    if let Some(again) = again {
        files.disk().set_plan(FaultPlan { seed, crash: Some(again), ..FaultPlan::default() });
        if let Ok(mut backend) = open(&files) {
            script.check_point(&backend);
            drop(script.run(&mut backend, 3));
        }
        if !files.disk().has_crashed() {
            files.disk().crash(Moment::Torn);
        }
        files.disk().restart();
    }
    let mut backend = open(&files).unwrap_or_else(|error| panic!("{point:?} {seed}: {error}"));
    script.check_point(&backend);
    script.run(&mut backend, 3).unwrap();
    drop(backend);
    let backend = open(&files).unwrap();
    script.check_point(&backend);
    assert_eq!(backend.reader().verify().damage, Vec::<String>::new());
}

fn operations() -> u64 {
    let files = broken(FaultPlan::default());
    let mut script = Script::new(1);
    script.run(&mut open(&files).unwrap(), STEPS).unwrap();
    files.disk().operations()
}

#[test]
fn every_operation_before_after_and_torn_leaves_one_flush_point() {
    let operations = operations();
    let mut runs = 0;
    for operation in 0..operations {
        let torn = (0..4).map(|seed| (Moment::Torn, seed));
        for (moment, seed) in torn.chain([(Moment::Before, 0), (Moment::After, 0)]) {
            crash(CrashPoint { operation, moment }, seed, None);
            runs += 1;
        }
    }
    println!("{operations} operations, {runs} crashes: each at one flush, none acknowledged lost");
    assert!(operations > 200, "{operations} operations");
}

#[test]
fn a_second_crash_during_mending_leaves_one_flush_point() {
    let operations = operations();
    let mut rng = Rng::new(5);
    for seed in 0..600 {
        let first = CrashPoint { operation: rng.next() % operations, moment: Moment::Torn };
        let moment =
            [Moment::Before, Moment::Torn, Moment::After][usize::try_from(seed % 3).unwrap()];
        let second = CrashPoint { operation: rng.next() % 14, moment };
        crash(first, seed, Some(second));
    }
}
