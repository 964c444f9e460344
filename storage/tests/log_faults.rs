//! Torn, corrupt, undecided; full and failing disks: one behaviour a test.

#![allow(clippy::unwrap_used)]

mod log_common;

use std::collections::BTreeMap;

use log_common::{IDENTITY, all, at, entries, entry, hard, open, refusal, small, vote, write};
use protocol::raft::Write;
use protocol::{ClusterId, Index, Term};
use storage::Identity;
use storage::disk::{CrashPoint, Disk, FaultPlan, FaultyDisk, Moment, OperationFault, SECTOR};
use storage::log::{Damage, Log, LogError, LogOptions, OpenError, ReadError};

const SEGMENT: &str = "0000000000000001.seg";
/// Where the first batch of a small log stands: after two pages of 1 KiB.
const FIRST_BATCH: usize = 2048;
const PAGES: [usize; 2] = [0, 1024];

/// Three batches of two entries each: two sectors a batch.
fn three_batches() -> FaultyDisk {
    let mut disk = FaultyDisk::default();
    let (mut log, _) = open(&mut disk);
    write(&mut log, &vote(1, 7, 0));
    for first in [1, 3, 5] {
        write(&mut log, &entries(first..=first + 1, 1, 30));
    }
    drop(log);
    disk
}

fn corrupt(error: OpenError) -> Vec<Damage> {
    match error {
        OpenError::Corrupt(damage) => damage,
        error => panic!("{error}"),
    }
}

/// Zeros a sector, as if the disk had never written it.
fn blank(disk: &mut FaultyDisk, sector: usize) {
    let bytes = disk.contents(SEGMENT).unwrap()[sector..sector + SECTOR].to_vec();
    for (place, byte) in bytes.into_iter().enumerate() {
        disk.flip(SEGMENT, sector + place, byte);
    }
}

#[test]
fn torn_last_batch_without_identifiers_is_cut_without_doubt() {
    let mut disk = three_batches();
    let records = entries(5..=6, 1, 300);
    let (mut log, _) = open(&mut disk);
    write(&mut log, &Write { entries: vec![entry(7, 1, 30)], ..records });
    drop(log);
    // The fourth batch stands at sector 4 + 3 * 2; its identifiers and its record get lost.
    blank(&mut disk, FIRST_BATCH + 6 * SECTOR);
    disk.flip(SEGMENT, FIRST_BATCH + 7 * SECTOR + 60, 1);
    let (log, recovered) = open(&mut disk);
    assert_eq!((recovered.last, recovered.doubt), (at(6, 1), None));
    assert_eq!(all(&log), entries(1..=6, 1, 30).entries);
}

#[test]
fn torn_last_batch_with_some_records_left_is_cut_and_named() {
    let mut disk = three_batches();
    let (mut log, _) = open(&mut disk);
    write(&mut log, &entries(7..=8, 1, 600));
    drop(log);
    blank(&mut disk, FIRST_BATCH + 6 * SECTOR);
    blank(&mut disk, FIRST_BATCH + 9 * SECTOR);
    let (_, recovered) = open(&mut disk);
    let offset = (FIRST_BATCH + 6 * SECTOR) as u64;
    assert_eq!((recovered.last, recovered.doubt), (at(6, 1), None));
    assert_eq!(recovered.damage, [Damage::Torn { segment: 1, offset }]);
}

#[test]
fn last_batch_with_identifiers_and_a_bad_record_is_undecided() {
    let mut disk = three_batches();
    disk.flip(SEGMENT, FIRST_BATCH + 5 * SECTOR + 50, 1);
    let offset = (FIRST_BATCH + 4 * SECTOR) as u64;
    let (_, recovered) = open(&mut disk);
    assert_eq!((recovered.last, recovered.doubt), (at(4, 1), Some(Index(6))));
    let cut = vec![at(5, 1), at(6, 1)];
    assert_eq!(recovered.damage, [Damage::Undecided { segment: 1, offset, entries: cut }]);
}

#[test]
fn doubt_outlives_restarts_until_the_log_is_filled_again() {
    let mut disk = three_batches();
    disk.flip(SEGMENT, FIRST_BATCH + 5 * SECTOR + 50, 1);
    for _ in 0..3 {
        assert_eq!(open(&mut disk).1.doubt, Some(Index(6)));
    }
    let (mut log, _) = open(&mut disk);
    write(&mut log, &entries(5..=5, 1, 30));
    assert_eq!(log.doubt(), Some(Index(6)));
    drop(log);
    let (mut log, recovered) = open(&mut disk);
    assert_eq!((recovered.last, recovered.doubt), (at(5, 1), Some(Index(6))));
    write(&mut log, &entries(6..=6, 1, 30));
    assert_eq!(log.doubt(), None);
    drop(log);
    assert_eq!(open(&mut disk).1.doubt, None);
}

#[test]
fn doubt_about_a_conflict_truncation_does_not_bring_the_old_entries_back() {
    let mut disk = three_batches();
    let (mut log, _) = open(&mut disk);
    write(&mut log, &Write { hard_state: Some(hard(2, 0, 2)), ..entries(3..=4, 2, 30) });
    drop(log);
    disk.flip(SEGMENT, FIRST_BATCH + 7 * SECTOR + 50, 1);
    for _ in 0..2 {
        let (log, recovered) = open(&mut disk);
        assert_eq!((recovered.last, recovered.doubt), (at(2, 1), Some(Index(4))));
        assert_eq!(recovered.hard_state.term, Term(2));
        assert_eq!(all(&log).len(), 2);
    }
}

#[test]
fn dismissed_doubt_is_gone_for_good() {
    let mut disk = three_batches();
    disk.flip(SEGMENT, FIRST_BATCH + 5 * SECTOR + 50, 1);
    let (mut log, _) = open(&mut disk);
    log.dismiss_doubt().unwrap();
    drop(log);
    assert_eq!(open(&mut disk).1.doubt, None);
}

#[test]
fn bad_record_with_a_later_batch_is_corruption_of_exactly_that_entry() {
    for (batch, sector) in [(0, 1), (1, 3)] {
        let mut disk = three_batches();
        // The second record of the batch: 48 + 30 bytes, rounded up to 80, precede it.
        disk.flip(SEGMENT, FIRST_BATCH + sector * SECTOR + 80 + 50, 1);
        let expected = Damage::Entries {
            segment: 1,
            offset: (FIRST_BATCH + batch * 2 * SECTOR) as u64,
            entries: vec![at(2 * batch as u64 + 2, 1)],
        };
        let before = disk.contents(SEGMENT).unwrap().to_vec();
        assert_eq!(corrupt(refusal(&mut disk)), std::slice::from_ref(&expected));
        assert_eq!(disk.contents(SEGMENT).unwrap(), before, "a refused log was changed");
        let seen = storage::log::inspect(&disk).unwrap().unwrap();
        assert_eq!(seen.damage, [expected]);
        assert_eq!(seen.last, at(6, 1));
        let intact = seen.segments[0].writes.iter().flat_map(|w| &w.entries);
        assert_eq!(intact.filter(|entry| entry.kind.is_some()).count(), 5);
    }
}

#[test]
fn bad_record_of_the_last_batch_with_a_later_hard_state_is_corruption() {
    let mut disk = three_batches();
    let (mut log, _) = open(&mut disk);
    write(&mut log, &vote(2, 3, 4));
    drop(log);
    disk.flip(SEGMENT, FIRST_BATCH + 5 * SECTOR + 50, 1);
    let damage = corrupt(refusal(&mut disk));
    let offset = (FIRST_BATCH + 4 * SECTOR) as u64;
    assert_eq!(damage, [Damage::Entries { segment: 1, offset, entries: vec![at(5, 1)] }]);
}

#[test]
fn bad_identifiers_alone_lose_nothing() {
    for batch in 0..3 {
        let mut disk = three_batches();
        let at_sector = FIRST_BATCH + batch * 2 * SECTOR;
        disk.flip(SEGMENT, at_sector + 20, 1);
        let (log, recovered) = open(&mut disk);
        let offset = at_sector as u64;
        assert_eq!(recovered.damage, [Damage::Identifiers { segment: 1, offset }]);
        assert_eq!(recovered.doubt, None);
        assert_eq!(all(&log), entries(1..=6, 1, 30).entries);
    }
}

#[test]
fn a_whole_batch_that_vanished_before_a_later_one_is_corruption() {
    let mut disk = three_batches();
    blank(&mut disk, FIRST_BATCH + 2 * SECTOR);
    blank(&mut disk, FIRST_BATCH + 3 * SECTOR);
    let damage = corrupt(refusal(&mut disk));
    let offset = (FIRST_BATCH + 2 * SECTOR) as u64;
    let (from, through) = (Index(3), Some(Index(4)));
    assert_eq!(damage, [Damage::Lost { segment: 1, offset, from, through }]);
}

#[test]
fn a_batch_that_went_astray_leaves_doubt_or_corruption_and_no_wrong_entry() {
    let mut refused = 0;
    let mut doubtful = 0;
    // The records, the identifiers, or both.
    for (sectors, writes) in (1..15).flat_map(|s| [(s, 0..1), (s, 1..2), (s, 0..2)]) {
        let mut disk = three_batches();
        let (mut log, _) = open(&mut disk);
        let astray = OperationFault::Astray(sectors);
        let operations = writes.clone().map(|write| (write, astray)).collect();
        log.disk_mut().set_plan(FaultPlan { operations, ..FaultPlan::default() });
        write(&mut log, &entries(7..=8, 1, 30));
        drop(log);
        match Log::open(&mut disk, small()) {
            Err(_) => refused += 1,
            Ok((log, recovered)) => {
                let whole = writes == (1..2) && recovered.last == at(8, 1);
                assert!(whole || recovered.doubt == Some(Index(8)), "{writes:?} by {sectors}");
                assert!(entries(1..=8, 1, 30).entries.starts_with(&all(&log)));
                doubtful += usize::from(!whole);
            }
        }
    }
    assert!(refused > 0 && doubtful > 0, "{refused} refused, {doubtful} in doubt");
}

#[test]
fn a_process_killed_in_the_middle_of_a_write_leaves_no_doubt() {
    for operation in 0..2 {
        for stored in (0..3 * SECTOR).step_by(100) {
            let mut disk = three_batches();
            let (mut log, _) = open(&mut disk);
            let operations = BTreeMap::from([(operation, OperationFault::Short(stored))]);
            log.disk_mut().set_plan(FaultPlan { operations, ..FaultPlan::default() });
            log.append(&entries(7..=8, 1, 600)).unwrap();
            assert!(log.sync().is_err());
            drop(log);
            disk.crash(Moment::After);
            let (log, recovered) = open(&mut disk);
            assert_eq!(recovered.doubt, None, "operation {operation}, {stored} bytes stored");
            let whole = recovered.last == at(8, 1);
            assert!(whole || recovered.last == at(6, 1));
            assert_eq!(all(&log)[..6], entries(1..=6, 1, 30).entries);
        }
    }
}

#[test]
fn either_copy_of_the_hard_state_is_enough() {
    for page in PAGES {
        let mut disk = three_batches();
        disk.flip(SEGMENT, page + SECTOR + 45, 1);
        let (_, recovered) = open(&mut disk);
        assert_eq!(recovered.hard_state, hard(1, 7, 0));
        assert!(matches!(recovered.damage[..], [Damage::HardStateCopy { segment: 1, .. }]));
        assert_eq!(open(&mut disk).1.damage, [], "the copy was not mended");
    }
}

#[test]
fn both_copies_of_the_hard_state_bad_is_an_error_that_says_so() {
    let mut disk = three_batches();
    for page in PAGES {
        disk.flip(SEGMENT, page + SECTOR + 45, 1);
    }
    let error = refusal(&mut disk);
    assert!(matches!(error, OpenError::HardStateLost { segment: 1 }), "{error}");
    assert!(error.to_string().contains("term and vote"));
}

#[test]
fn headers_are_mended_from_each_other_and_both_bad_is_corruption() {
    let mut disk = three_batches();
    disk.flip(SEGMENT, 20, 1);
    let (_, recovered) = open(&mut disk);
    assert_eq!(recovered.damage, [Damage::HeaderCopy { segment: 1, copy: 0 }]);
    assert_eq!(open(&mut disk).1.damage, []);
    for page in PAGES {
        disk.flip(SEGMENT, page + 20, 1);
    }
    assert_eq!(corrupt(refusal(&mut disk)), [Damage::Header { segment: 1 }]);
}

#[test]
fn a_shortened_or_missing_file_is_corruption() {
    let mut disk = three_batches();
    let (mut log, _) = open(&mut disk);
    for index in 7..40 {
        write(&mut log, &entries(index..=index, 1, 300));
    }
    drop(log);
    let segments: Vec<_> = disk.list().unwrap().into_iter().map(|file| file.name).collect();
    assert!(segments.len() > 3);
    for (place, name) in segments.iter().enumerate() {
        let mut cut = disk.clone();
        cut.cut(name, (8 << 10) - SECTOR);
        let number = place as u64 + 1;
        let short = Damage::Short { segment: number, bytes: 7680, created: 8192 };
        assert!(corrupt(refusal(&mut cut)).contains(&short));

        let mut missing = disk.clone();
        missing.remove(name).unwrap();
        if place > 0 {
            let damage = corrupt(refusal(&mut missing));
            assert!(damage.contains(&Damage::Missing { segment: number }), "{damage:?}");
        }
    }
}

#[test]
fn a_log_of_another_node_and_one_of_another_version_are_refused() {
    let mut disk = three_batches();
    let identity = Identity { cluster: ClusterId(1), ..IDENTITY };
    let other = LogOptions { identity, ..small() };
    let error = Log::open(&mut disk, other).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { found: IDENTITY, .. }), "{error}");

    let mut file = disk.contents(SEGMENT).unwrap().to_vec();
    for page in PAGES {
        file[page + 4] = 3;
        let sum = crc32c::crc32c(&file[page + 4..page + 96]);
        file[page..page + 4].copy_from_slice(&sum.to_le_bytes());
    }
    disk.insert(SEGMENT, &file);
    let error = refusal(&mut disk);
    assert!(matches!(error, OpenError::Version { found: 3, known: 2 }), "{error}");
}

#[test]
fn the_first_failure_of_any_operation_closes_the_log_for_ever() {
    let faults = [OperationFault::Eio, OperationFault::NoSpace, OperationFault::Short(100)];
    for fault in faults {
        // Both copies of the hard state, records, identifiers, the sync.
        for operation in 0..5 {
            let mut disk = three_batches();
            let (mut log, _) = open(&mut disk);
            let operations = BTreeMap::from([(operation, fault)]);
            log.disk_mut().set_plan(FaultPlan {
                seed: operation,
                operations,
                ..FaultPlan::default()
            });
            let last = Write { hard_state: Some(hard(2, 1, 6)), ..entries(7..=8, 2, 30) };
            log.append(&last).unwrap();
            let first = log.sync().unwrap_err().to_string();
            let done = log.disk_mut().operations();
            assert_eq!(log.sync().unwrap_err().to_string(), first);
            assert_eq!(log.append(&last).unwrap_err().to_string(), first);
            assert_eq!(log.trim(Index(1)).unwrap_err().to_string(), first);
            let read = log.read(Index(1), 1).unwrap_err();
            assert!(matches!(read, ReadError::Poisoned { .. }));
            assert_eq!(log.disk_mut().operations(), done, "a failed operation was tried again");
            drop(log);
            disk.crash(Moment::Torn);
            let (log, recovered) = open(&mut disk);
            assert!(recovered.last == at(6, 1) || recovered.last == at(8, 2));
            assert_eq!(all(&log)[..6], entries(1..=6, 1, 30).entries);
        }
    }
}

#[test]
fn entries_that_survive_a_torn_write_bring_its_hard_state_along() {
    let mut entries_only = 0;
    for seed in 0..200 {
        let mut disk = three_batches();
        let (mut log, _) = open(&mut disk);
        log.append(&Write { hard_state: Some(hard(2, 9, 6)), ..entries(7..=8, 2, 30) }).unwrap();
        let crash = Some(CrashPoint { operation: 3, moment: Moment::Torn });
        log.disk_mut().set_plan(FaultPlan { seed, crash, ..FaultPlan::default() });
        assert!(log.sync().is_err());
        drop(log);
        disk.restart();
        let slots = PAGES.map(|page| disk.contents(SEGMENT).unwrap()[page + SECTOR + 40]);
        let (_, recovered) = open(&mut disk);
        let identified = recovered.damage.is_empty();
        if recovered.last == at(8, 2) && identified {
            assert_eq!(recovered.hard_state, hard(2, 9, 6), "seed {seed}");
            entries_only += usize::from(slots == [1, 1]);
        }
        assert!(recovered.hard_state.term >= recovered.last.term);
    }
    assert!(entries_only > 0, "the hard state alone was never lost");
}

#[test]
fn a_failed_sync_is_not_believed_by_the_next_process() {
    // The failed sync forgets some sectors; reads still show them until the power is gone.
    for seed in 0..40 {
        let mut disk = three_batches();
        let (mut log, _) = open(&mut disk);
        let operations = BTreeMap::from([(1, OperationFault::Eio)]);
        log.disk_mut().set_plan(FaultPlan { seed, operations, ..FaultPlan::default() });
        log.append(&entries(7..=7, 1, 900)).unwrap();
        assert!(matches!(log.sync(), Err(LogError::Poisoned { .. })));
        drop(log);
        disk.crash(Moment::Before);
        let (log, recovered) = open(&mut disk);
        assert_eq!(all(&log)[..6], entries(1..=6, 1, 30).entries);
        let whole = recovered.last == at(7, 1);
        assert!(whole || recovered.last == at(6, 1));
    }
}

#[test]
fn a_full_disk_refuses_to_prepare_and_works_again_when_there_is_room() {
    let mut disk = three_batches();
    let (mut log, _) = open(&mut disk);
    log.disk_mut().set_plan(FaultPlan { capacity: Some(8 << 10), ..FaultPlan::default() });
    assert!(matches!(log.prepare(), Err(LogError::NoSpare { .. })));
    write(&mut log, &entries(7..=7, 1, 30));
    log.disk_mut().set_plan(FaultPlan::default());
    log.prepare().unwrap();
    assert_eq!(log.disk_bytes(), 16 << 10);
}

#[test]
fn an_unreadable_sector_at_opening_is_an_error_and_at_reading_too() {
    let mut disk = three_batches();
    disk.set_plan(FaultPlan { reads: vec![1], ..FaultPlan::default() });
    assert!(matches!(refusal(&mut disk), OpenError::Io { .. }));
    let (mut log, _) = open(&mut disk);
    log.disk_mut().set_plan(FaultPlan { reads: vec![0], ..FaultPlan::default() });
    assert!(matches!(log.read(Index(1), 1), Err(ReadError::Io { .. })));
    assert_eq!(log.read(Index(1), 1).unwrap().len(), 1);
}

#[test]
fn misplaced_and_oversized_writes_change_nothing() {
    let mut disk = three_batches();
    let (mut log, _) = open(&mut disk);
    let gap = log.append(&entries(8..=8, 1, 1)).unwrap_err();
    assert!(matches!(gap, LogError::Misplaced { .. }), "{gap}");
    let jump = Write { entries: vec![entry(7, 1, 1), entry(9, 1, 1)], ..Write::default() };
    assert!(matches!(log.append(&jump), Err(LogError::Misplaced { .. })));
    let most = log.longest_payload();
    let large = log.append(&entries(7..=7, 1, most + 1)).unwrap_err();
    assert!(matches!(large, LogError::TooLarge { .. }), "{large}");
    write(&mut log, &entries(7..=7, 1, most));
    assert_eq!(all(&log).len(), 7);
}

#[test]
fn what_a_recycled_file_held_never_comes_back() {
    let mut disk = FaultyDisk::default();
    let (mut log, _) = open(&mut disk);
    let mut index = 0;
    // The file of each trimmed segment is used again, several times over.
    for _ in 0..60 {
        write(&mut log, &entries(index + 1..=index + 2, 1, 400));
        index += 2;
        log.trim(Index(index)).unwrap();
    }
    assert!(log.disk_mut().list().unwrap().len() <= 3);
    let kept = all(&log);
    for moment in [Moment::Before, Moment::Torn, Moment::After] {
        for operation in 0..2 {
            let mut log = log.clone_onto(operation, moment);
            log.append(&entries(index + 1..=index + 3, 2, 200)).unwrap();
            assert!(log.sync().is_err());
            let mut disk = log.into_disk();
            disk.restart();
            let (log, recovered) = open(&mut disk);
            assert_eq!(all(&log)[..kept.len()], kept);
            assert!(recovered.last.index.0 <= index + 3);
        }
    }
}

/// A copy of an open log whose disk will crash.
trait CloneOnto {
    fn clone_onto(&mut self, operation: u64, moment: Moment) -> Log<FaultyDisk>;
}

impl CloneOnto for Log<&mut FaultyDisk> {
    fn clone_onto(&mut self, operation: u64, moment: Moment) -> Log<FaultyDisk> {
        let mut disk = self.disk_mut().clone();
        disk.crash(Moment::Before);
        let (mut log, _) = open(disk);
        let crash = Some(CrashPoint { operation, moment });
        log.disk_mut().set_plan(FaultPlan { seed: operation, crash, ..FaultPlan::default() });
        log
    }
}

#[test]
fn one_batch_and_one_sync_take_everything_that_waits() {
    let mut disk = FaultyDisk::default();
    let (mut log, _) = open(&mut disk);
    write(&mut log, &vote(1, 7, 0));
    log.disk_mut().set_plan(FaultPlan::default());
    for index in 1..=5 {
        let commit = Some(hard(1, 7, index - 1));
        log.append(&Write { hard_state: commit, ..entries(index..=index, 1, 50) }).unwrap();
    }
    log.sync().unwrap();
    assert_eq!(log.disk_mut().operations(), 3, "the commit index rides in the batch");
    log.append(&vote(2, 3, 4)).unwrap();
    log.sync().unwrap();
    assert_eq!(log.disk_mut().operations(), 6, "two copies of the hard state and one sync");
    log.sync().unwrap();
    assert_eq!(log.disk_mut().operations(), 6, "nothing waits, nothing is written");
    drop(log);
    let (_, recovered) = open(&mut disk);
    assert_eq!(recovered.hard_state, hard(2, 3, 4));
}

#[test]
fn restored_gives_the_core_what_it_needs() {
    let mut disk = three_batches();
    let (mut log, _) = open(&mut disk);
    write(&mut log, &Write { hard_state: Some(hard(3, 9, 5)), ..entries(6..=8, 3, 30) });
    drop(log);
    let (log, _) = open(&mut disk);
    let restored = log.restored(Index(4)).unwrap();
    assert_eq!(restored.hard_state, hard(3, 9, 5));
    assert_eq!(restored.terms, [(Index(1), Term(1)), (Index(6), Term(3))]);
    assert_eq!(restored.entries.len(), 4);
    assert_eq!(restored.entries[0], entry(5, 1, 30));
    assert!(matches!(log.restored(Index(9)), Err(ReadError::Absent { .. })));
    assert_eq!(log.read(Index(2), 31).unwrap().len(), 1);
    assert_eq!(log.read(Index(2), 60).unwrap().len(), 2);
    assert_eq!(log.read(Index(9), 60).unwrap(), []);
}
