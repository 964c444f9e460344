//! Every planted bug of log and state does harm: each is shown on a disk that goes one way with the
//! bug and another way without it.

#![cfg(feature = "mutants")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod log_common;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use log_common::{all, at, entries, entry, open, small, vote, write};
use protocol::Index;
use protocol::mutant::{Mutant, plant};
use protocol::raft::Entry;
use storage::disk::{CrashPoint, Disk, FaultPlan, FaultyDisk, Moment, OperationFault, SECTOR};
use storage::log::{Log, LogOptions};
use storage::state::{DiskBackend, FaultyFiles, StateOptions};
use store::{BackendRead, Record, Revision};

/// Runs with the bug and without it. The choice is one for the process: tests take turns.
fn both<T>(mutant: Mutant, run: impl Fn() -> T) -> (T, T) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    plant(Some(mutant));
    let planted = run();
    plant(None);
    (planted, run())
}

/// The entries that a log on this disk opens with; `None` when it refuses.
fn reopened(disk: FaultyDisk) -> Option<Vec<Entry>> {
    let (log, _) = Log::open(disk, small()).ok()?;
    log.read(log.base().index.next(), usize::MAX).ok()
}

fn script(range: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
    range.map(|index| entry(index, 1, 100)).collect()
}

/// A log of one batch for each of so many entries, closed by a crash that keeps all.
fn batches(count: u64) -> (FaultyDisk, String) {
    let (mut log, _) = open(FaultyDisk::default());
    (1..=count).for_each(|index| write(&mut log, &entries(index..=index, 1, 100)));
    let disk = log.into_disk();
    let name = disk.list().unwrap().first().unwrap().name.clone();
    (disk, name)
}

/// Where the payload of an entry stands in a file.
fn place(disk: &FaultyDisk, name: &str, index: u64) -> usize {
    let entry = entry(index, 1, 100);
    let protocol::raft::Payload::Command(payload) = entry.payload else { panic!("a command") };
    let contents = disk.contents(name).unwrap();
    contents.windows(payload.len()).position(|bytes| bytes == &payload[..]).unwrap()
}

#[test]
fn w1_a_flipped_payload_is_served() {
    let (planted, honest) = both(Mutant::W1, || {
        let (mut disk, name) = batches(3);
        let at = place(&disk, &name, 2);
        disk.flip(&name, at, 1);
        reopened(disk)
    });
    let served = planted.unwrap();
    assert_eq!(served.len(), 3);
    assert_ne!(served, script(1..=3));
    assert_eq!(honest, None);
}

#[test]
fn w2_acknowledged_entries_are_cut_without_a_doubt() {
    let (planted, honest) = both(Mutant::W2, || {
        let (mut disk, name) = batches(3);
        let at = place(&disk, &name, 2);
        disk.flip(&name, at, 1);
        let (log, recovered) = Log::open(disk, small()).ok()?;
        Some((log.last(), recovered.doubt))
    });
    assert_eq!(planted, Some((at(1, 1), None)));
    assert_eq!(honest, None);
}

#[test]
fn w3_what_a_failed_sync_forgot_is_acknowledged() {
    let (planted, honest) = both(Mutant::W3, || {
        let lost = (0..20).filter(|seed| {
            let (mut log, _) = open(FaultyDisk::default());
            let operations = BTreeMap::from([(2, OperationFault::Eio)]);
            let plan = FaultPlan { seed: *seed, operations, ..FaultPlan::default() };
            log.disk_mut().set_plan(plan);
            log.append(&entries(1..=1, 1, 100)).unwrap();
            let acknowledged = log.sync().is_ok();
            let mut disk = log.into_disk();
            disk.crash(Moment::Before);
            acknowledged && reopened(disk) != Some(script(1..=1))
        });
        lost.count()
    });
    assert!(planted > 0);
    assert_eq!(honest, 0);
}

#[test]
fn w4_a_renamed_segment_is_lost() {
    let (planted, honest) = both(Mutant::W4, || {
        let (mut log, _) = open(FaultyDisk::default());
        log.prepare().unwrap();
        let files = |log: &mut Log<FaultyDisk>| log.disk_mut().list().unwrap().len();
        let (before, mut last) = (files(&mut log), 0);
        // Until the spare has become the second segment, and a little further.
        for index in 1..=10 {
            write(&mut log, &entries(index..=index, 1, 100));
            last = index;
        }
        assert_eq!(files(&mut log), before);
        let mut disk = log.into_disk();
        disk.crash(Moment::Before);
        reopened(disk) == Some(script(1..=last))
    });
    assert_eq!((planted, honest), (false, true));
}

#[test]
fn w5_the_former_content_of_a_segment_is_replayed() {
    let (planted, honest) = both(Mutant::W5, || {
        let (mut log, _) = open(FaultyDisk::default());
        for index in 1..=40 {
            write(&mut log, &entries(index..=index, 1, 100));
            log.trim(Index(index.saturating_sub(2))).unwrap();
        }
        let held = all(&log);
        let mut disk = log.into_disk();
        disk.crash(Moment::Before);
        reopened(disk) == Some(held)
    });
    assert_eq!((planted, honest), (false, true));
}

#[test]
fn w6_replaced_entries_come_back() {
    let (planted, honest) = both(Mutant::W6, || {
        let (mut log, _) = open(FaultyDisk::default());
        write(&mut log, &entries(1..=10, 1, 20));
        write(&mut log, &entries(6..=6, 2, 20));
        let mut disk = log.into_disk();
        disk.crash(Moment::Before);
        open(disk).0.last()
    });
    assert_eq!((planted, honest), (at(10, 1), at(6, 2)));
}

#[test]
fn w7_a_record_that_went_astray_is_served_for_another() {
    let (planted, honest) = both(Mutant::W7, || {
        let (mut disk, name) = batches(4);
        let (from, to) = (place(&disk, &name, 4), place(&disk, &name, 2));
        let mut contents = disk.contents(&name).unwrap().to_vec();
        let (from, to) = (from / SECTOR * SECTOR, to / SECTOR * SECTOR);
        contents.copy_within(from..from + SECTOR, to);
        disk.insert(&name, &contents);
        reopened(disk)
    });
    let served = planted.unwrap();
    assert_eq!(served[1].position, at(2, 1));
    assert_eq!(served[1].payload, entry(4, 1, 100).payload);
    assert_eq!(honest, None);
}

#[test]
fn w8_a_second_batch_is_acknowledged_with_the_first() {
    let (planted, honest) = both(Mutant::W8, || {
        let options = LogOptions { batch_bytes: 1 << 10, ..small() };
        let (mut log, _) = Log::open(FaultyDisk::default(), options).unwrap();
        write(&mut log, &entries(1..=8, 1, 100));
        let mut disk = log.into_disk();
        disk.crash(Moment::Before);
        reopened(disk) == Some((1..=8).map(|index| entry(index, 1, 100)).collect())
    });
    assert_eq!((planted, honest), (false, true));
}

#[test]
fn f4_the_identifiers_of_a_void_batch_are_believed() {
    let (planted, honest) = both(Mutant::F4, || {
        let refused = (0..40).filter(|seed| {
            let (mut log, _) = open(FaultyDisk::default());
            let crash = Some(CrashPoint { operation: 2, moment: Moment::Torn });
            log.disk_mut().set_plan(FaultPlan { seed: *seed, crash, ..FaultPlan::default() });
            log.append(&entries(1..=1, 1, 700)).unwrap();
            log.sync().unwrap_err();
            let mut disk = log.into_disk();
            disk.restart();
            let (mut log, _) = open(disk);
            // The records come through, and their identifiers do not.
            log.append(&entries(log.last().index.0 + 1..=4, 1, 100)).unwrap();
            log.disk_mut().clear_plan();
            log.disk_mut().fail_next(1, OperationFault::NoSpace);
            log.sync().unwrap_err();
            let mut disk = log.into_disk();
            disk.clear_plan();
            reopened(disk).is_none()
        });
        refused.count()
    });
    assert!(planted > 0);
    assert_eq!(honest, 0);
}

/// The next segment begins for this entry, and the power fails during its first sync. `None` when
/// it needed no segment.
fn torn_beginning(mut log: Log<FaultyDisk>, index: u64, seed: u64) -> Option<FaultyDisk> {
    log.prepare().unwrap();
    let crash = Some(CrashPoint { operation: 5, moment: Moment::Torn });
    log.disk_mut().set_plan(FaultPlan { seed, crash, ..FaultPlan::default() });
    log.append(&entries(index..=index, 1, 3000)).unwrap();
    log.sync().err()?;
    let mut disk = log.into_disk();
    disk.restart();
    Some(disk)
}

#[test]
fn f5_a_head_from_before_a_crash_cuts_what_was_written_since() {
    let (planted, honest) = both(Mutant::F5, || {
        let seeds = (0..80).flat_map(|first| (0..12).map(move |second| (first, second)));
        let lost = seeds.filter(|(first, second)| {
            let (mut log, _) = open(FaultyDisk::default());
            (1..=2).for_each(|index| write(&mut log, &entries(index..=index, 1, 1700)));
            let disk = torn_beginning(log, 3, *first).unwrap();
            let (mut log, _) = open(disk);
            // It fits where the one that was torn did not.
            write(&mut log, &entries(3..=3, 1, 20));
            let Some(disk) = torn_beginning(log, 4, *second) else { return false };
            reopened(disk).is_none_or(|held| held.len() < 3)
        });
        lost.count()
    });
    assert!(planted > 0);
    assert_eq!(honest, 0);
}

#[test]
fn w9_a_state_names_tables_that_a_loss_of_power_takes() {
    let owner = log_common::IDENTITY;
    let (planted, honest) = both(Mutant::W9, || {
        let files = FaultyFiles::new(FaultyDisk::default(), 1 << 16);
        let options = StateOptions { manifest_bytes: 1, ..StateOptions::default() };
        let mut state = DiskBackend::open(files.clone(), owner, options).unwrap();
        state.stage_begin().unwrap();
        let key = bytes::Bytes::from_static(b"key");
        let record = Record::Tombstone { key };
        state.stage(&[(Revision::new(2, 0), record.clone())]).unwrap();
        state.install(&[], at(9, 2)).unwrap();
        drop(state);
        files.disk().crash(Moment::Before);
        let state = DiskBackend::open(files, owner, options).ok()?;
        Some(state.get(Revision::new(2, 0)).unwrap() == Some(record))
    });
    assert_eq!((planted, honest), (None, Some(true)));
}

#[test]
fn r25_a_vote_is_forgotten_with_both_copies() {
    let (planted, honest) = both(Mutant::R25, || {
        let (mut log, _) = open(FaultyDisk::default());
        write(&mut log, &vote(5, 2, 0));
        let mut disk = log.into_disk();
        let name = disk.list().unwrap().first().unwrap().name.clone();
        let page = usize::try_from(small().page_bytes).unwrap();
        for copy in [SECTOR, page + SECTOR] {
            assert!(disk.flip(&name, copy + 40, 1));
        }
        let (_, recovered) = Log::open(disk, small()).ok()?;
        Some((recovered.hard_state.term, recovered.hard_state.vote))
    });
    assert_eq!(planted, Some((protocol::Term(0), None)));
    assert_eq!(honest, None);
}
