//! Crash points: every disk operation of a script × {before, after, torn}.

use protocol::Rng;
use storage::disk::{CrashPoint, FaultPlan, Moment};

use crate::script::{Script, operations};
use crate::support::{broken, open};

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
            script.believe(&backend);
            drop(script.run(&mut backend, 3));
        }
        if !files.disk().has_crashed() {
            files.disk().crash(Moment::Torn);
        }
        files.disk().restart();
    }
    let mut backend = open(&files).unwrap_or_else(|error| panic!("{point:?} {seed}: {error}"));
    script.believe(&backend);
    script.run(&mut backend, 3).unwrap();
    drop(backend);
    let backend = open(&files).unwrap();
    script.believe(&backend);
    assert_eq!(backend.reader().verify().damage, Vec::<String>::new());
}

#[test]
fn every_operation_before_after_and_torn_leaves_one_flush_point() {
    let operations = operations(STEPS);
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
    let operations = operations(STEPS);
    let mut rng = Rng::new(5);
    for seed in 0..600 {
        let first = CrashPoint { operation: rng.next() % operations, moment: Moment::Torn };
        let moment =
            [Moment::Before, Moment::Torn, Moment::After][usize::try_from(seed % 3).unwrap()];
        let second = CrashPoint { operation: rng.next() % 14, moment };
        crash(first, seed, Some(second));
    }
}
