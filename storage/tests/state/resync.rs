//! Syncs that fail, and a process that starts again on what the page cache still shows: the flush
//! at which it finds the state outlives the next loss of power.

use storage::disk::{CrashPoint, Disk, FaultPlan, FaultyDisk, Moment, OperationFault};
use storage::state::{FaultyFiles, OpenError, inspect_files};
use store::{Backend, BackendError};

use crate::script::{Script, operations};
use crate::support::{OWNER, ROOM, broken, open};

const STEPS: u64 = 16;

/// A script whose operation fails with EIO, as the process that met it has left it.
fn failed(operation: u64, seed: u64) -> (FaultyFiles, Script) {
    let operations = [(operation, OperationFault::Eio)].into();
    let files = broken(FaultPlan { seed, operations, ..FaultPlan::default() });
    let mut script = Script::new(1);
    if let Ok(mut backend) = open(&files) {
        drop(script.run(&mut backend, STEPS));
    }
    files.disk().clear_plan();
    (files, script)
}

/// The power fails, and the state is where it was believed to be, in either copy alone.
fn outlives_power(files: &FaultyFiles, script: &mut Script) {
    files.disk().crash(Moment::Before);
    let left = files.disk().clone();
    let copies = inspect_files(files, OWNER, false).unwrap().copies;
    let newest = copies.iter().filter_map(|copy| copy.sequence).max();
    let good = copies.iter().filter(|copy| copy.sequence == newest);
    assert!(good.clone().count() >= 2, "one copy alone: {copies:?}");
    for lost in good {
        let mut disk: FaultyDisk = left.clone();
        disk.remove(&lost.file).unwrap();
        let files = FaultyFiles::new(disk, ROOM);
        let backend = open(&files).unwrap_or_else(|e| panic!("without {}: {e}", lost.file));
        assert_eq!(script.truth.point_of(&backend), script.acknowledged, "without {}", lost.file);
    }
    let backend = open(files).unwrap_or_else(|error| panic!("refused: {error}"));
    script.believe(&backend);
}

#[test]
fn what_is_found_after_a_failed_sync_outlives_a_loss_of_power() {
    let mut runs = 0;
    for (operation, seed) in (0..operations(STEPS)).flat_map(|o| (0..3).map(move |s| (o, s))) {
        for more in [0, 1, 4] {
            let (files, mut script) = failed(operation, seed);
            let mut backend = open(&files).unwrap();
            script.believe(&backend);
            if more > 0 {
                script.run(&mut backend, more).unwrap();
            }
            drop(backend);
            outlives_power(&files, &mut script);
            runs += 1;
        }
    }
    println!("{} operations, {runs} runs", operations(STEPS));
    assert!(runs > 1000, "{runs}");
}

/// A missing copy that finds no space does not keep the state from being read.
#[test]
fn a_missing_copy_waits_for_space_and_the_other_is_made_sure_of() {
    for lost in ["manifest-0000000000000001-a", "manifest-0000000000000001-b"] {
        let files = broken(FaultPlan::default());
        let mut script = Script::new(1);
        let mut backend = open(&files).unwrap();
        for _ in 0..2 {
            let flush = script.truth.next_flush(&mut script.rng, 3);
            backend.flush(&flush).unwrap();
        }
        drop(backend);
        files.disk().remove(lost).unwrap();
        let held = files.disk().held();
        files.disk().set_capacity(Some(held));

        let mut backend = open(&files).unwrap();
        script.believe(&backend);
        let flush = script.truth.next_flush(&mut script.rng, 0);
        assert!(matches!(backend.flush(&flush), Err(BackendError::Full(_))));
        files.disk().set_capacity(None);
        backend.flush(&flush).unwrap();
        script.acknowledged = script.truth.points.len() - 1;
        drop(backend);
        outlives_power(&files, &mut script);
    }
}

/// The start on what a failed sync left fails as well, or the power fails during it.
#[test]
fn a_start_that_ends_early_after_a_failed_sync_is_repeated_safely() {
    let (mut ended, mut seed) = (0, 0);
    for operation in 0..operations(STEPS) {
        for second in 0..6 {
            let faults = [None, Some(Moment::Before), Some(Moment::Torn), Some(Moment::After)];
            // Every other one, in turns.
            for moment in
                faults.into_iter().skip(usize::try_from(operation % 2).unwrap()).step_by(2)
            {
                seed += 1;
                let (files, mut script) = failed(operation, seed);
                let crash = moment.map(|moment| CrashPoint { operation: second, moment });
                let eio = (second, OperationFault::Eio);
                let operations = moment.is_none().then_some(eio).into_iter().collect();
                files.disk().set_plan(FaultPlan {
                    seed,
                    crash,
                    operations,
                    ..FaultPlan::default()
                });
                match open(&files) {
                    Ok(_) => continue,
                    Err(OpenError::Io(_)) => ended += 1,
                    Err(error) => panic!("refused: {error}"),
                }
                if moment.is_some() {
                    files.disk().restart();
                } else {
                    files.disk().clear_plan();
                }
                let mut backend = open(&files).unwrap();
                script.believe(&backend);
                script.run(&mut backend, 1).unwrap();
                drop(backend);
                outlives_power(&files, &mut script);
            }
        }
    }
    println!("{ended} starts ended early");
    assert!(ended > 500, "{ended}");
}
