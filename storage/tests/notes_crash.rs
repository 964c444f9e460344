//! Notes on disks that fail: every operation of two lives as the one that a crash or a fault hits.
//!
//! Whatever happens, what is found is what was acknowledged last, or what was on its way; and once
//! it has been found, it stays. What was acknowledged survives damage of either copy besides.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use storage::datadir::{DataDirError, Note, Notes};
use storage::disk::{CrashPoint, Disk as _, FaultPlan, FaultyDisk, Moment, OperationFault};

const NOTE: Note = Note::Life;
const FILE: &str = "LIFE";
const COPY: usize = 4096;
const TORN_SEEDS: u64 = 2;

/// What may be found; `None`: no note.
type May = BTreeSet<Option<Vec<u8>>>;

/// Two that take many sectors, one after the other, and one that takes one.
fn contents(life: u8) -> [Vec<u8>; 3] {
    [vec![life; 3000], vec![life + 1; 2000], vec![life, 1]]
}

/// One process from start to end: reads, and writes some. Goes on after an error, as the server
/// does, unless the power has failed. Gives whether nothing went wrong.
fn live(disk: &mut FaultyDisk, may: &mut May, life: u8) -> bool {
    let mut notes = Notes::new(&mut *disk, "of nobody");
    let found = match notes.read(NOTE) {
        Ok(found) => found,
        Err(error) => {
            assert!(matches!(error, DataDirError::Io { .. }), "{error}");
            return false;
        }
    };
    assert!(may.contains(&found), "found {:?} bytes", found.as_ref().map(Vec::len));
    *may = May::from([found]);
    let mut went_well = true;
    for content in contents(life) {
        if notes.write(NOTE, &content).is_ok() {
            *may = May::from([Some(content)]);
            went_well = true;
        } else {
            may.insert(Some(content));
            went_well = false;
        }
        if notes.disk_mut().has_crashed() {
            return false;
        }
    }
    went_well
}

/// All that may happen to one of so many operations; and, soon after one has failed, a crash.
fn plans(operations: u64) -> Vec<FaultPlan> {
    let torn = (0..TORN_SEEDS).map(|seed| (Moment::Torn, seed));
    let moments = [(Moment::Before, 0), (Moment::After, 0)];
    let moments: Vec<(Moment, u64)> = moments.into_iter().chain(torn).collect();
    let faults = [OperationFault::Eio, OperationFault::NoSpace, OperationFault::Short(700)];
    let mut plans = Vec::new();
    for operation in 0..operations {
        let crash = |&(moment, seed): &(Moment, u64)| FaultPlan {
            seed,
            crash: Some(CrashPoint { operation, moment }),
            ..FaultPlan::default()
        };
        plans.extend(moments.iter().map(crash));
        for (fault, ahead) in faults.into_iter().flat_map(|it| [(it, 0), (it, 1), (it, 2)]) {
            let later = CrashPoint { operation: operation + ahead, moment: Moment::Torn };
            plans.push(FaultPlan {
                seed: operation,
                operations: BTreeMap::from([(operation, fault)]),
                crash: Some(later).filter(|_| ahead > 0),
                ..FaultPlan::default()
            });
        }
    }
    plans
}

/// How many operations a life takes when nothing happens.
fn operations(disk: &FaultyDisk, may: &May) -> u64 {
    let (mut disk, mut may) = (disk.clone(), may.clone());
    disk.set_plan(FaultPlan::default());
    assert!(live(&mut disk, &mut may, 9));
    disk.operations()
}

/// How a process ended: its plan, or the power, or nothing but itself.
fn ends(disk: &FaultyDisk, seed: u64) -> Vec<FaultyDisk> {
    if disk.has_crashed() {
        let mut disk = disk.clone();
        disk.restart();
        return vec![disk];
    }
    let mut still = disk.clone();
    still.set_plan(FaultPlan { seed, ..FaultPlan::default() });
    let mut ends = vec![still.clone()];
    ends.extend([Moment::Before, Moment::Torn].map(|moment| {
        let mut disk = still.clone();
        disk.crash(moment);
        disk
    }));
    ends
}

/// What was acknowledged is there when either copy rots.
fn survives_rot(disk: &FaultyDisk, may: &May) {
    for copy in 0..2 {
        let mut disk = disk.clone();
        assert!(disk.flip(FILE, copy * COPY + 29, 4));
        let found = Notes::new(&mut disk, "of nobody").read(NOTE).unwrap();
        assert!(may.contains(&found), "copy {copy}");
    }
}

#[derive(Debug, Default)]
struct Tally {
    lives: u64,
    rotten: u64,
    /// What was on its way might have been found as well.
    open: u64,
}

fn second_life(disk: &FaultyDisk, may: &May, tally: &mut Tally) {
    for plan in plans(operations(disk, may)) {
        let (mut disk, mut may, seed) = (disk.clone(), may.clone(), plan.seed);
        disk.set_plan(plan);
        let went_well = live(&mut disk, &mut may, 20);
        for mut disk in ends(&disk, seed) {
            tally.lives += 1;
            if went_well {
                tally.rotten += 1;
                survives_rot(&disk, &may);
            }
            let mut notes = Notes::new(&mut disk, "of nobody");
            let found = notes.read(NOTE).unwrap();
            assert!(may.contains(&found));
            tally.open += u64::from(may.len() > 1);
            // What was found once is found again, whatever becomes of the power and of one copy.
            disk.crash(Moment::Before);
            if found.is_some() {
                survives_rot(&disk, &May::from([found]));
            }
        }
    }
}

#[test]
fn no_crash_and_no_fault_takes_what_was_acknowledged() {
    let mut tally = Tally::default();
    let empty = FaultyDisk::default();
    let mut written = empty.clone();
    let mut last = May::from([None]);
    assert!(live(&mut written, &mut last, 1));
    for (disk, may) in [(empty, May::from([None])), (written, last)] {
        for plan in plans(operations(&disk, &may)) {
            let (mut disk, mut may, seed) = (disk.clone(), may.clone(), plan.seed);
            disk.set_plan(plan);
            live(&mut disk, &mut may, 10);
            ends(&disk, seed).iter().for_each(|disk| second_life(disk, &may, &mut tally));
        }
    }
    println!("{tally:?}");
    assert!(tally.lives > 10_000 && tally.rotten > 1_000 && tally.open > 100, "{tally:?}");
}

#[test]
fn a_note_that_is_there_takes_no_more_room() {
    let mut disk = FaultyDisk::default();
    let mut may = May::from([None]);
    assert!(live(&mut disk, &mut may, 1));
    let files = disk.list().unwrap();
    disk.set_capacity(Some(disk.held()));
    assert!(live(&mut disk, &mut may, 2));
    assert_eq!(disk.list().unwrap(), files);
}
