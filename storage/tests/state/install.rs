//! A state from elsewhere in the place of the one that stands: after any end of the process it is
//! the one or the other.

use protocol::{Position, Rng};
use storage::disk::{CrashPoint, Disk, FaultPlan, FaultyDisk, Moment, OperationFault};
use storage::state::{DiskBackend, FaultyFiles, RealFiles, State, inspect_files};
use store::{Backend, BackendError, BackendRead, Revision};

use crate::install_support::{Foreign, Script};
use crate::support::{OWNER, ROOM, SMALL, Truth, broken, healthy, open, settle};

const ROUNDS: u64 = 4;

fn operations() -> u64 {
    let files = healthy();
    Script::new(1).run(&mut open(&files).unwrap(), ROUNDS).unwrap();
    files.disk().operations()
}

/// The files of a state that nothing names.
fn strays(files: &FaultyFiles) -> Vec<String> {
    inspect_files(files, OWNER, false).unwrap().strays
}

/// Runs the script until its end or the disk's, restarts, perhaps ends the restart too, goes on,
/// and compares all along.
fn crash(point: CrashPoint, seed: u64, again: Option<CrashPoint>) {
    let files = broken(FaultPlan { seed, crash: Some(point), ..FaultPlan::default() });
    let mut script = Script::new(1);
    if let Ok(mut backend) = open(&files) {
        drop(script.run(&mut backend, ROUNDS));
    }
    assert!(files.disk().has_crashed(), "{point:?} was reached");
    files.disk().restart();
    if let Some(again) = again {
        files.disk().set_plan(FaultPlan { seed, crash: Some(again), ..FaultPlan::default() });
        if let Ok(mut backend) = open(&files) {
            script.believe(&backend);
            drop(script.run(&mut backend, 1));
        }
        if !files.disk().has_crashed() {
            files.disk().crash(Moment::Torn);
        }
        files.disk().restart();
    }
    let mut backend = open(&files).unwrap_or_else(|error| panic!("{point:?} {seed}: {error}"));
    script.believe(&backend);
    assert_eq!(strays(&files), Vec::<String>::new(), "leftovers of a staging are removed");
    script.run(&mut backend, 1).unwrap();
    drop(backend);
    let backend = open(&files).unwrap();
    script.believe(&backend);
    assert_eq!(backend.reader().verify().damage, Vec::<String>::new());
}

#[test]
fn a_crash_at_every_operation_leaves_the_old_state_or_the_new_one() {
    let operations = operations();
    let mut runs = 0;
    for operation in 0..operations {
        let torn = (0..4).map(|seed| (Moment::Torn, seed));
        for (moment, seed) in torn.chain([(Moment::Before, 0), (Moment::After, 0)]) {
            crash(CrashPoint { operation, moment }, seed, None);
            runs += 1;
        }
    }
    println!("{operations} operations, {runs} crashes");
    assert!(operations > 150, "{operations} operations");
}

#[test]
fn a_second_crash_leaves_the_old_state_or_the_new_one() {
    let operations = operations();
    let mut rng = Rng::new(5);
    for seed in 0..500 {
        let first = CrashPoint { operation: rng.next() % operations, moment: Moment::Torn };
        let moment =
            [Moment::Before, Moment::Torn, Moment::After][usize::try_from(seed % 3).unwrap()];
        let second = CrashPoint { operation: rng.next() % 40, moment };
        crash(first, seed, Some(second));
    }
}

/// The state is closed to writing after a failed sync; the next process finds the old state or the
/// new one, and the one that it finds outlives a loss of power, in either copy of the manifest.
#[test]
fn what_is_found_after_a_failed_sync_outlives_a_loss_of_power() {
    let (mut runs, mut closed) = (0, 0);
    for (operation, seed) in (0..operations()).flat_map(|o| (0..3).map(move |s| (o, s))) {
        let failing = [(operation, OperationFault::Eio)].into();
        let files = broken(FaultPlan { seed, operations: failing, ..FaultPlan::default() });
        let mut script = Script::new(1);
        if let Ok(mut backend) = open(&files)
            && let Err(error) = script.run(&mut backend, ROUNDS)
        {
            closed += 1;
            assert_eq!(backend.stage_begin(), Err(error.clone()));
            backend.stage_abort();
            assert_eq!(backend.maintain(), Err(error));
        }
        files.disk().clear_plan();
        let backend = open(&files).unwrap();
        script.believe(&backend);
        drop(backend);
        files.disk().crash(Moment::Before);
        let left: FaultyDisk = files.disk().clone();
        let newest = inspect_files(&files, OWNER, false).unwrap().copies;
        let sequence = newest.iter().filter_map(|copy| copy.sequence).max();
        for lost in newest.iter().filter(|copy| copy.sequence == sequence) {
            let mut disk = left.clone();
            disk.remove(&lost.file).unwrap();
            let files = FaultyFiles::new(disk, ROOM);
            let before = script.acknowledged();
            script.believe(&open(&files).unwrap());
            assert_eq!(script.acknowledged(), before, "without {}", lost.file);
        }
        runs += 1;
    }
    println!("{runs} runs, {closed} closed");
    assert!(runs > 400 && closed * 2 > runs, "{runs} {closed}");
}

/// A state with a few flushes and another beside it.
fn pair(files: &FaultyFiles) -> (DiskBackend<FaultyFiles>, Script, Foreign) {
    let mut backend = open(files).unwrap();
    let mut script = Script::new(3);
    script.live(&mut backend, 4).unwrap();
    let foreign = Foreign::after(script.truth(), &mut Rng::new(9), 6);
    assert!(foreign.records.len() > 40);
    (backend, script, foreign)
}

/// Every operation of staging and switching finds the disk full: the old state stands and works,
/// nothing is left behind, and another attempt succeeds.
#[test]
fn no_space_at_any_operation_leaves_the_old_state_whole_and_may_be_tried_again() {
    let counted = healthy();
    let (mut backend, mut script, foreign) = pair(&counted);
    let held = counted.disk().held();
    counted.disk().set_plan(FaultPlan::default());
    foreign.stage(&mut backend).unwrap();
    script.install(&mut backend, &foreign).unwrap();
    let operations = counted.disk().operations();
    let (mut full, mut closed) = (0, 0);
    for operation in 0..operations {
        for fault in [OperationFault::NoSpace, OperationFault::Short(70)] {
            let files = healthy();
            let (mut backend, mut script, foreign) = pair(&files);
            let failing = [(operation, fault)].into();
            files.disk().set_plan(FaultPlan { operations: failing, ..FaultPlan::default() });
            let staged = foreign.stage(&mut backend);
            let done = staged.and_then(|()| backend.install(&foreign.meta, foreign.applied()));
            match done {
                // The removal of a file of the old state: the next start does it.
                Ok(()) => continue,
                Err(error @ BackendError::Full(_)) => {
                    full += 1;
                    assert_eq!(files.disk().held(), held, "the space is free again");
                    assert_eq!(backend.stage(&[]), Err(error.clone()), "it came to nothing");
                    assert_eq!(backend.install(&[], Position::ORIGIN), Err(error));
                    script.believe(&backend);
                    script.live(&mut backend, 1).unwrap();
                    foreign.stage(&mut backend).unwrap();
                    script.install(&mut backend, &foreign).unwrap();
                    script.believe(&backend);
                }
                // A sync that finds no space is not tried again.
                Err(_) => {
                    closed += 1;
                    drop(backend);
                    files.disk().crash(Moment::Torn);
                    let mut both = foreign.truth.clone();
                    let backend = open(&files).unwrap();
                    if backend.applied() == foreign.applied() {
                        both.check(&backend, 0, false);
                    } else {
                        script.believe(&backend);
                        both = script.truth().clone();
                    }
                    assert_eq!(backend.applied(), both.last().applied);
                }
            }
            assert_eq!(strays(&files), Vec::<String>::new());
        }
    }
    println!("{operations} operations: {full} refused for want of space, {closed} closed");
    assert!(full > 8, "{full}");
}

#[test]
fn a_staging_that_is_given_up_gives_its_space_back() {
    let files = healthy();
    let (mut backend, mut script, foreign) = pair(&files);
    let (held, size) = (files.disk().held(), backend.size());
    for _ in 0..3 {
        // Another beginning gives up what was staged before it.
        foreign.stage(&mut backend).unwrap();
        assert!(backend.size().total > size.total, "what is staged counts");
    }
    backend.stage_abort();
    backend.stage_abort();
    assert_eq!((files.disk().held(), backend.size()), (held, size));
    script.believe(&backend);
    // One that the process took with it is removed by the next start.
    foreign.stage(&mut backend).unwrap();
    drop(backend);
    script.believe(&open(&files).unwrap());
    assert_eq!(files.disk().held(), held);
}

#[test]
fn a_switch_takes_rewrites_marks_and_metadata_of_the_old_state_along() {
    let files = healthy();
    let (mut backend, mut script, foreign) = pair(&files);
    // Enough small tables for a merge that takes more than a step.
    for _ in 0..9 {
        let flush = script.truth().next_flush(&mut Rng::new(1), 3);
        backend.flush(&flush).unwrap();
    }
    let dead = script.truth().choose_dead(&mut Rng::new(2), 7);
    backend.discard(&dead).unwrap();
    assert_eq!(backend.maintain(), Ok(true), "a rewrite is under way");
    foreign.stage(&mut backend).unwrap();
    script.install(&mut backend, &foreign).unwrap();
    script.believe(&backend);
    let size = backend.size();
    settle(&mut backend).unwrap();
    assert_eq!(backend.size().in_use, size.in_use, "no mark of the old state is left");
    script.believe(&backend);
    assert_eq!(strays(&files), Vec::<String>::new());
    script.live(&mut backend, 5).unwrap();
    drop(backend);
    script.believe(&open(&files).unwrap());
}

#[test]
fn an_empty_state_can_be_installed() {
    let files = healthy();
    let (mut backend, ..) = pair(&files);
    let applied = Position::new(protocol::Term(9), protocol::Index(900));
    backend.stage_begin().unwrap();
    backend.install(&[], applied).unwrap();
    let check = |backend: &dyn BackendRead| {
        let all = backend.scan(Revision::default(), Revision::new(i64::MAX, 0), usize::MAX);
        assert_eq!((all, backend.meta()), (Ok(vec![]), Ok(vec![])));
        assert_eq!(backend.applied(), applied);
    };
    check(&backend);
    drop(backend);
    check(&open(&files).unwrap());
}

#[test]
fn real_files_take_one_state_after_another_and_remove_the_old() {
    let directory = tempfile::tempdir().unwrap();
    let reopen = || DiskBackend::open(RealFiles::open(directory.path()).unwrap(), OWNER, SMALL);
    let mut script = Script::new(7);
    for rounds in [1, 3, 5] {
        let mut backend = reopen().unwrap();
        script.believe(&backend);
        script.run(&mut backend, rounds).unwrap();
        script.believe(&backend);
        // One that this process does not finish.
        Foreign::after(script.truth(), &mut Rng::new(rounds), 5).stage(&mut backend).unwrap();
    }
    let backend = reopen().unwrap();
    script.believe(&backend);
    let tables = std::fs::read_dir(directory.path()).unwrap().filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("table-")
    });
    assert_eq!(tables.count(), backend.tables(), "a file that nothing names");
}

#[test]
fn a_state_in_memory_takes_another_the_same_way() {
    let mut state = State::memory();
    let (mut rng, mut truth) = (Rng::new(1), Truth::new());
    state.flush(&truth.next_flush(&mut rng, 10)).unwrap();
    let foreign = Foreign::after(&truth, &mut rng, 4);
    for abort in [true, false] {
        state.stage_begin().unwrap();
        foreign.records.chunks(5).for_each(|chunk| state.stage(chunk).unwrap());
        truth.check(&state, truth.points.len() - 1, false);
        if abort {
            state.stage_abort();
        }
        state.flush(&truth.next_flush(&mut rng, 5)).unwrap();
    }
    state.install(&foreign.meta, foreign.applied()).unwrap();
    foreign.truth.check(&state, 0, false);
    assert_eq!(state.reader().size(), state.size());
    let mut alone = store::MemoryBackend::new();
    let last = foreign.truth.last();
    let meta = last.meta.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
    let flush = store::Flush {
        records: foreign.records.clone(),
        meta: meta.collect(),
        applied: last.applied,
    };
    alone.flush(&flush).unwrap();
    assert_eq!(state.size(), alone.size(), "as if it had never been another");
}
