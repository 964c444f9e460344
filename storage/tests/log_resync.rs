//! Syncs that fail, and a process that starts again on what the page cache still shows: whatever
//! it finds there and builds upon outlives the next loss of power.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod log_common;

use log_common::{Step, Twin, all, at, entries, hard, kept, reset, script, small, vote, write};
use protocol::raft::{Entry, HardState, Write};
use protocol::{Index, NodeId, Term};
use storage::disk::{CrashPoint, Disk, FaultPlan, FaultyDisk, Moment, OperationFault};
use storage::log::{Log, OpenError, Recovered};

/// A log in the middle of a script, with what it must and what it may hold.
#[derive(Clone)]
struct World {
    log: Log<FaultyDisk>,
    queued: Twin,
    durable: Twin,
}

/// What a failed operation left: the files as reads show them, and what was promised of them.
struct Left {
    disk: FaultyDisk,
    durable: Twin,
    queued: Twin,
}

impl World {
    fn new() -> Self {
        let (log, _) = Log::open(FaultyDisk::default(), small()).unwrap();
        Self { log, queued: Twin::default(), durable: Twin::default() }
    }

    /// Does one step with a plan of faults and counts its operations. `Err` when a fault ended the
    /// process.
    fn step(mut self, step: &Step, plan: FaultPlan) -> Result<(Self, u64), Box<Left>> {
        if matches!(step, Step::Reopen) {
            let (mut disk, durable) = (self.log.into_disk(), self.durable);
            disk.set_plan(plan);
            return match reopen(disk) {
                Ok((mut log, _)) => {
                    let operations = log.disk_mut().operations();
                    Ok((Self { log, queued: durable.clone(), durable }, operations))
                }
                Err(disk) => Err(Box::new(Left { disk: *disk, queued: durable.clone(), durable })),
            };
        }
        self.log.disk_mut().set_plan(plan);
        let done = match step {
            Step::Append(write) => {
                self.queued.append(write);
                self.log.append(write)
            }
            Step::Sync => self.log.sync(),
            Step::Trim(through) => {
                let durable = self.durable.hard_state.commit.min(self.durable.last().index);
                self.log.trim((*through).min(durable)).map(drop)
            }
            Step::Reopen => unreachable!("it was done above"),
        };
        let operations = self.log.disk_mut().operations();
        if done.is_err() {
            let Self { log, queued, durable } = self;
            return Err(Box::new(Left { disk: log.into_disk(), queued, durable }));
        }
        if matches!(step, Step::Sync) {
            self.durable.clone_from(&self.queued);
        }
        Ok((self, operations))
    }
}

/// Opens the log, or gives back the disk that failed meanwhile.
fn reopen(disk: FaultyDisk) -> Result<(Log<FaultyDisk>, Recovered), Box<FaultyDisk>> {
    let mut twin = disk.clone();
    match Log::open(disk, small()) {
        Ok(opened) => Ok(opened),
        Err(OpenError::Io { .. }) => {
            assert!(Log::open(&mut twin, small()).is_err(), "the same faults, the same end");
            Err(Box::new(twin))
        }
        Err(error) => panic!("refused: {error}"),
    }
}

/// Lets every operation of a script be the process's last one, in some ways.
fn every_end(
    seed: u64,
    length: usize,
    choices: u64,
    plan: impl Fn(u64) -> FaultPlan,
    mut judge: impl FnMut(&Left),
) -> usize {
    let mut world = World::new();
    let mut ends = 0;
    for step in script(seed, length) {
        let (next, operations) = world.clone().step(&step, FaultPlan::default()).ok().unwrap();
        for (operation, seed) in (0..operations).flat_map(|o| (0..choices).map(move |s| (o, s))) {
            match world.clone().step(&step, FaultPlan { seed, ..plan(operation) }) {
                Err(left) => judge(&left),
                Ok(_) => panic!("operation {operation} did not fail"),
            }
            ends += 1;
        }
        world = next;
    }
    ends
}

/// Lets every operation of a script fail with EIO in turn.
fn every_failure(seed: u64, length: usize, choices: u64, judge: impl FnMut(&Left)) -> usize {
    every_end(seed, length, choices, |operation| fails(operation, OperationFault::Eio), judge)
}

fn fails(operation: u64, fault: OperationFault) -> FaultPlan {
    FaultPlan { operations: [(operation, fault)].into(), ..FaultPlan::default() }
}

/// What a process found is what was acknowledged, or that and a beginning of what was on its way.
fn check(log: &Log<FaultyDisk>, recovered: &Recovered, durable: &Twin, queued: &Twin) {
    let promise = |hard: HardState| (hard.term, hard.vote);
    let found = promise(recovered.hard_state);
    let raised = found == (recovered.last.term, None) && found.0 > durable.hard_state.term;
    let known = [promise(durable.hard_state), promise(queued.hard_state)];
    assert!(known.contains(&found) || raised, "{found:?} is none of {known:?}");
    kept(&all(log), recovered.base, durable, queued);
}

/// What a process does after it has found what a failed sync left.
const SEQUELS: [&str; 7] =
    ["nothing", "a vote", "a batch", "many batches", "overruled", "a trim", "a reset"];

fn sequel(log: &mut Log<FaultyDisk>, what: &str) {
    let (last, hard) = (log.last(), log.hard_state());
    let term = hard.term.max(last.term).0 + 1;
    let next = last.index.0 + 1;
    let lead = |range, bytes| Write {
        hard_state: Some(HardState { term: Term(term), vote: None, commit: hard.commit }),
        ..entries(range, term, bytes)
    };
    match what {
        "nothing" => {}
        "a vote" => write(log, &vote(term, 3, hard.commit.0)),
        "a batch" => write(log, &lead(next..=next + 2, 100)),
        "many batches" => (0..12).for_each(|n| write(log, &lead(next + n..=next + n, 700))),
        "overruled" => {
            let from = next.saturating_sub(2).max(log.base().index.0 + 1);
            write(log, &lead(from..=next, 60));
        }
        "a trim" => {
            write(log, &lead(next..=next, 60));
            log.trim(last.index).unwrap();
        }
        "a reset" => write(log, &reset(at(next + 5, term), log_common::hard(term, 0, next + 5))),
        other => unreachable!("{other}"),
    }
}

/// What a log holds and has promised.
type Held = (Vec<Entry>, Term, Option<NodeId>);

fn held(log: &Log<FaultyDisk>) -> Held {
    (all(log), log.hard_state().term, log.hard_state().vote)
}

/// The power fails, and the log holds what it held before.
fn outlives_power(log: Log<FaultyDisk>, what: &str) {
    let before = held(&log);
    let mut disk = log.into_disk();
    disk.crash(Moment::Before);
    let (log, _) = Log::open(disk, small())
        .unwrap_or_else(|error| panic!("refused after {what} and a loss of power: {error}"));
    assert_eq!(held(&log).0.len(), before.0.len(), "entries after {what} and a loss of power");
    assert!(held(&log) == before, "other entries or promises after {what} and a loss of power");
}

#[test]
fn what_is_found_after_a_failed_sync_outlives_a_loss_of_power() {
    let mut runs = 0;
    let failures = every_failure(5, 160, 6, |left| {
        for what in SEQUELS {
            let mut disk = left.disk.clone();
            disk.clear_plan();
            let (mut log, recovered) = reopen(disk).ok().unwrap();
            check(&log, &recovered, &left.durable, &left.queued);
            sequel(&mut log, what);
            outlives_power(log, what);
            runs += 1;
        }
    });
    println!("{failures} failures, {runs} runs");
    assert!(failures > 1000, "{failures}");
}

/// The start on what a failed sync left fails as well, at any of its operations, more than once.
#[test]
fn a_start_that_fails_after_a_failed_sync_is_repeated_safely() {
    let (mut runs, mut seed) = (0, 0);
    let failures = every_failure(9, 80, 3, |left| {
        let mut counted = left.disk.clone();
        counted.clear_plan();
        drop(Log::open(&mut counted, small()).unwrap());
        for operation in 0..counted.operations() {
            let mut disk = left.disk.clone();
            for again in [0, operation] {
                seed += 1;
                let operations = [(operation.max(again), OperationFault::Eio)].into();
                disk.set_plan(FaultPlan { seed, operations, ..FaultPlan::default() });
                disk = match reopen(disk) {
                    Ok((log, _)) => log.into_disk(),
                    Err(disk) => *disk,
                };
            }
            disk.clear_plan();
            let (mut log, recovered) = reopen(disk).ok().unwrap();
            check(&log, &recovered, &left.durable, &left.queued);
            let what = SEQUELS[usize::try_from(seed).unwrap() % SEQUELS.len()];
            sequel(&mut log, what);
            outlives_power(log, what);
            runs += 1;
        }
    });
    println!("{failures} failures, {runs} runs");
    assert!(runs > 1000, "{runs}");
}

/// The power fails during the start on what a failed sync left.
#[test]
fn a_loss_of_power_during_the_start_after_a_failed_sync_loses_nothing() {
    let mut runs = 0;
    let torn = (0..4).map(|seed| (Moment::Torn, seed));
    let moments: Vec<_> = torn.chain([(Moment::Before, 0), (Moment::After, 0)]).collect();
    let failures = every_failure(9, 100, 2, |left| {
        let mut counted = left.disk.clone();
        counted.clear_plan();
        drop(Log::open(&mut counted, small()).unwrap());
        for operation in 0..counted.operations() {
            for &(moment, seed) in &moments {
                let mut disk = left.disk.clone();
                let crash = Some(CrashPoint { operation, moment });
                disk.set_plan(FaultPlan { seed, crash, ..FaultPlan::default() });
                assert!(Log::open(&mut disk, small()).is_err());
                disk.restart();
                let (mut log, recovered) = reopen(disk).ok().unwrap();
                check(&log, &recovered, &left.durable, &left.queued);
                sequel(&mut log, "a batch");
                outlives_power(log, "a batch");
                runs += 1;
            }
        }
    });
    println!("{failures} failures, {runs} runs");
    assert!(runs > 1000, "{runs}");
}

/// What is written next to what a crash left stops half way: the identifiers of the one are never
/// taken for those of the other.
#[test]
fn a_write_that_stops_half_way_where_a_crash_left_another_loses_nothing() {
    const STOPS: [OperationFault; 4] = [
        OperationFault::NoSpace,
        OperationFault::Short(200),
        OperationFault::Short(512),
        OperationFault::Short(900),
    ];
    let torn = |operation| FaultPlan {
        crash: Some(CrashPoint { operation, moment: Moment::Torn }),
        ..FaultPlan::default()
    };
    let mut runs = 0;
    every_end(13, 120, 6, torn, |left| {
        let mut disk = left.disk.clone();
        disk.restart();
        let (mut log, recovered) = reopen(disk).ok().unwrap();
        check(&log, &recovered, &left.durable, &left.queued);
        let (hard_state, found) = (log.hard_state(), all(&log));
        let next = log.last().index.0 + 1;
        let more = entries(next..=next + 3, hard_state.term.0.max(log.last().term.0) + 1, 90);
        let more = Write { hard_state: Some(hard(more.entries[0].position.term.0, 0, 0)), ..more };
        log.append(&more).unwrap();
        log.disk_mut().clear_plan();
        let mut whole = log.clone();
        whole.sync().unwrap();
        for operation in 0..whole.disk_mut().operations() {
            for stop in STOPS {
                let mut log = log.clone();
                log.disk_mut().set_plan(fails(operation, stop));
                log.sync().unwrap_err();
                let mut disk = log.into_disk();
                disk.clear_plan();
                let (log, _) = reopen(disk).ok().unwrap();
                let held = all(&log);
                let expected = [&found[..], &more.entries].concat();
                assert!(held.len() >= found.len() && expected.starts_with(&held));
                outlives_power(log, "a write that stopped half way");
                runs += 1;
            }
        }
    });
    println!("{runs} runs");
    assert!(runs > 1000, "{runs}");
}

/// The mark in a segment that another follows outlives a failed sync: then the loss of the file
/// that follows is noticed, although no batch stands in it.
#[test]
fn the_mark_before_a_fresh_segment_outlives_a_failed_sync() {
    const SECOND: &str = "0000000000000002.seg";
    let mut begun = 0;
    for (operation, seed) in (0..12).flat_map(|o| (0..10).map(move |s| (o, s))) {
        let (mut log, _) = Log::open(FaultyDisk::default(), small()).unwrap();
        // Two batches leave no room for a third.
        (1..=2).for_each(|index| write(&mut log, &entries(index..=index, 1, 1700)));
        log.prepare().unwrap();
        let operations = [(operation, OperationFault::Eio)].into();
        log.disk_mut().set_plan(FaultPlan { seed, operations, ..FaultPlan::default() });
        log.append(&entries(3..=3, 1, 1700)).unwrap();
        let failed = log.sync().is_err();
        let mut disk = log.into_disk();
        disk.clear_plan();
        let (log, recovered) = Log::open(disk, small()).unwrap();
        let mut disk = log.into_disk();
        disk.crash(Moment::Before);
        if disk.contents(SECOND).is_none() || !failed || recovered.last.index > Index(2) {
            continue;
        }
        begun += 1;
        disk.remove(SECOND).unwrap();
        let error = Log::open(&mut disk, small()).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Corrupt(_)), "operation {operation}: {error}");
    }
    assert!(begun > 20, "{begun}");
}
