//! Disks that are full, and disks that fail.

use std::fs;

use bytes::Bytes;
use protocol::{Index, Position, Rng, Term};
use storage::disk::{FaultPlan, FaultyDisk, OperationFault};
use storage::state::{DiskBackend, FaultyFiles, RealFiles};
use store::{Backend, BackendError, BackendRead, Flush, KeyValue, Record, Revision};

use crate::support::{OWNER, ROOM, SMALL, Truth, broken, open, settle};

#[test]
fn a_full_disk_leaves_reads_and_gives_back_space_to_deletions() {
    let plan = FaultPlan { capacity: Some(12 * ROOM), ..FaultPlan::default() };
    let files = FaultyFiles::new(FaultyDisk::new(plan), ROOM);
    let mut backend = open(&files).unwrap();
    let mut rng = Rng::new(4);
    let mut truth = Truth::new();
    let refused = loop {
        let before = truth.clone();
        let flush = truth.next_flush(&mut rng, 9);
        match backend.flush(&flush) {
            Ok(()) => {}
            Err(BackendError::Full(_)) => {
                truth = before;
                break flush;
            }
            Err(error) => panic!("{error}"),
        }
    };
    let last = truth.points.len() - 1;
    assert!(last > 3, "{last} flushes");
    truth.check(&backend, last, false);
    assert!(matches!(backend.flush(&refused), Err(BackendError::Full(_))), "still full");
    // Everything dies: tables go without any free space.
    let dead = truth.choose_dead(&mut rng, 8);
    backend.discard(&dead).unwrap();
    settle(&mut backend).unwrap();
    assert_eq!(backend.tables(), 0);
    backend.flush(&refused).unwrap();
    for (revision, record) in &refused.records {
        assert_eq!(backend.get(*revision).unwrap().as_ref(), Some(record));
    }
    drop(backend);
    assert_eq!(open(&files).unwrap().applied(), refused.applied);
}

#[test]
fn merging_waits_for_space_and_goes_on_after_a_flush_has_found_some() {
    let files = broken(FaultPlan::default());
    let mut backend = open(&files).unwrap();
    let mut rng = Rng::new(3);
    let mut truth = Truth::new();
    for _ in 0..12 {
        backend.flush(&truth.next_flush(&mut rng, 2)).unwrap();
    }
    let mut plan = FaultPlan::default();
    plan.operations.insert(0, OperationFault::NoSpace);
    files.disk().set_plan(plan);
    assert!(matches!(backend.maintain(), Err(BackendError::Full(_))));
    assert_eq!(backend.maintain(), Ok(false), "nothing that needs no space");
    assert_eq!(backend.tables(), 12);
    backend.flush(&truth.next_flush(&mut rng, 2)).unwrap();
    settle(&mut backend).unwrap();
    assert!(backend.tables() < 8, "{} tables", backend.tables());
    truth.check(&backend, truth.points.len() - 1, false);
}

#[test]
fn a_table_that_finds_no_space_for_its_tombstones_lets_others_go_first() {
    // The two copies of the manifest and three tables, and not one file more.
    let plan = FaultPlan { capacity: Some(5 * ROOM), ..FaultPlan::default() };
    let files = FaultyFiles::new(FaultyDisk::new(plan), ROOM);
    let mut backend = open(&files).unwrap();
    let mut flush = |applied: u64, mains: std::ops::Range<i64>, tombstone: Option<i64>| {
        let applied = Position::new(Term(1), Index(applied));
        let records = mains.map(|main| {
            let (key, value) = (Bytes::from_static(b"key"), Bytes::from_static(b"value"));
            let kv = KeyValue { key: key.clone(), value, ..KeyValue::default() };
            let kv = KeyValue { create_revision: 1, mod_revision: main, version: 1, ..kv };
            let is_tombstone = Some(main) == tombstone;
            let record = if is_tombstone { Record::Tombstone { key } } else { Record::Put(kv) };
            (Revision::new(main, 0), record)
        });
        let records = records.collect();
        backend.flush(&Flush { records, applied, ..Flush::default() }).unwrap();
    };
    flush(1, 2..20, None);
    flush(2, 20..30, Some(20));
    flush(3, 30..60, None);
    // One put of the first table, and all of the others.
    let dead = std::iter::once(2).chain(20..60).map(|main| Revision::new(main, 0));
    backend.discard(&dead.collect::<Vec<_>>()).unwrap();
    assert!(matches!(backend.maintain(), Err(BackendError::Full(_))), "the second has no space");
    // The third needs none, and makes space for the second.
    settle(&mut backend).unwrap();
    assert_eq!(backend.tables(), 2);
    assert!(backend.get(Revision::new(20, 0)).unwrap().is_some(), "the put is there still");
    assert_eq!(backend.get(Revision::new(21, 0)).unwrap(), None);
}

#[test]
fn what_dies_while_its_table_is_copied_leaves_the_copy_too() {
    let files = broken(FaultPlan::default());
    let mut backend = open(&files).unwrap();
    let mut rng = Rng::new(3);
    let mut truth = Truth::new();
    for _ in 0..10 {
        backend.flush(&truth.next_flush(&mut rng, 2)).unwrap();
    }
    assert_eq!(backend.maintain(), Ok(true), "a merge that takes more than a step");
    let dead = truth.choose_dead(&mut rng, 8);
    backend.discard(&dead).unwrap();
    assert_eq!(backend.tables(), 10, "the merge is not over");
    settle(&mut backend).unwrap();
    assert_eq!(backend.tables(), 0);
    assert_eq!(backend.size().in_use, 0);
}

#[test]
fn a_flush_takes_the_room_that_a_merge_under_way_has_taken() {
    let files = broken(FaultPlan::default());
    let mut backend = open(&files).unwrap();
    let (mut rng, mut truth) = (Rng::new(3), Truth::new());
    for _ in 0..10 {
        backend.flush(&truth.next_flush(&mut rng, 2)).unwrap();
    }
    assert_eq!(backend.maintain(), Ok(true), "a merge that takes more than a step");
    let held = files.disk().held();
    files.disk().set_capacity(Some(held));
    backend.flush(&truth.next_flush(&mut rng, 2)).unwrap();
    truth.check(&backend, truth.points.len() - 1, false);
    assert_eq!((backend.tables(), files.disk().held()), (11, held), "a table for the copy");
    assert!(matches!(
        backend.flush(&truth.clone().next_flush(&mut rng, 2)),
        Err(BackendError::Full(_))
    ));
    assert_eq!(backend.maintain(), Ok(false), "no merge until a flush has found room by itself");
    files.disk().set_capacity(None);
    backend.flush(&truth.next_flush(&mut rng, 2)).unwrap();
    settle(&mut backend).unwrap();
    assert!(backend.tables() < 8, "{} tables", backend.tables());
    truth.check(&backend, truth.points.len() - 1, false);
}

#[test]
fn a_copy_that_will_give_back_space_is_not_thrown_away_for_a_flush() {
    let files = broken(FaultPlan::default());
    let mut backend = open(&files).unwrap();
    let (mut rng, mut truth) = (Rng::new(3), Truth::new());
    backend.flush(&truth.next_flush(&mut rng, 48)).unwrap();
    // The first records live, so that the copy begins at once.
    let puts = truth.records.iter().filter(|(_, record)| matches!(record, Record::Put(_)));
    let dead: Vec<Revision> = puts.map(|(revision, _)| *revision).skip(6).collect();
    backend.discard(&dead).unwrap();
    let before = files.disk().held();
    assert_eq!(backend.maintain(), Ok(true), "a copy that takes more than a step");
    let held = files.disk().held();
    assert_eq!((backend.tables(), held > before), (1, true));
    files.disk().set_capacity(Some(held));
    let flush = truth.clone().next_flush(&mut rng, 2);
    assert!(matches!(backend.flush(&flush), Err(BackendError::Full(_))));
    assert_eq!(files.disk().held(), held, "the copy is there");
    settle(&mut backend).unwrap();
    assert!(files.disk().held() <= before);
    backend.flush(&flush).unwrap();
    assert_eq!(backend.tables(), 2);
}

#[test]
fn a_merge_under_way_gives_back_its_room_when_space_is_short() {
    let files = broken(FaultPlan::default());
    let mut backend = open(&files).unwrap();
    let (mut rng, mut truth) = (Rng::new(3), Truth::new());
    for _ in 0..10 {
        backend.flush(&truth.next_flush(&mut rng, 2)).unwrap();
    }
    let (held, size) = (files.disk().held(), backend.size());
    assert_eq!(backend.maintain(), Ok(true), "a merge that takes more than a step");
    assert!(files.disk().held() > held);
    backend.economise(true);
    assert_eq!((files.disk().held(), backend.size()), (held, size));
    assert_eq!(backend.maintain(), Ok(false), "nothing is merged meanwhile");
    backend.economise(false);
    settle(&mut backend).unwrap();
    assert!(backend.tables() < 8, "{} tables", backend.tables());
    truth.check(&backend, truth.points.len() - 1, false);
}

/// Runs a script in which one operation fails; a flush without space is tried again.
fn run(plan: FaultPlan) -> (FaultyFiles, Truth, usize, Option<BackendError>) {
    let files = broken(plan);
    let mut truth = Truth::new();
    let mut rng = Rng::new(9);
    let mut full = 0;
    let mut fatal = None;
    let Ok(mut backend) = open(&files) else { return (files, truth, full, None) };
    'script: for step in 0..14 {
        let flush = truth.next_flush(&mut rng, if step % 5 == 4 { 0 } else { 8 });
        loop {
            match backend.flush(&flush) {
                Ok(()) => break,
                Err(BackendError::Full(_)) => full += 1,
                Err(error) => {
                    assert_eq!(backend.flush(&flush), Err(error.clone()), "poisoned");
                    truth.check(&backend, truth.points.len() - 2, false);
                    fatal = Some(error);
                    break 'script;
                }
            }
        }
        backend.discard(&truth.choose_dead(&mut rng, 3)).unwrap();
        for _ in 0..4 {
            match backend.maintain() {
                Ok(_) => {}
                Err(BackendError::Full(_)) => full += 1,
                Err(error) => {
                    assert_eq!(backend.maintain(), Err(error.clone()), "poisoned");
                    truth.check(&backend, truth.points.len() - 1, false);
                    fatal = Some(error);
                    break 'script;
                }
            }
        }
        truth.check(&backend, truth.points.len() - 1, false);
    }
    (files, truth, full, fatal)
}

fn operations() -> u64 {
    let (files, ..) = run(FaultPlan::default());
    files.disk().operations()
}

#[test]
fn no_space_at_any_operation_loses_nothing_and_may_be_tried_again() {
    let mut met = 0;
    for operation in 0..operations() {
        for fault in [OperationFault::NoSpace, OperationFault::Short(70)] {
            let mut plan = FaultPlan::default();
            plan.operations.insert(operation, fault);
            let (files, truth, full, fatal) = run(plan);
            met += full;
            let backend = open(&files).unwrap();
            let last = truth.points.len() - 1;
            let at = truth.point_of(&backend);
            // A sync that finds no space is not tried again on the same file.
            assert!(at == last || (fatal.is_some() && at + 1 == last), "{operation} {fatal:?}");
            truth.check(&backend, at, false);
        }
    }
    println!("{met} refusals for want of space, each tried again");
    assert!(met > 50, "{met}");
}

#[test]
fn an_io_error_at_any_operation_poisons_and_leaves_one_flush_point() {
    let operations = operations();
    let mut poisoned = 0;
    for operation in 0..operations {
        let mut plan = FaultPlan { seed: operation, ..FaultPlan::default() };
        plan.operations.insert(operation, OperationFault::Eio);
        let (files, truth, _, fatal) = run(plan);
        poisoned += u64::from(fatal.is_some());
        files.disk().crash(storage::disk::Moment::Before);
        let backend = open(&files).unwrap();
        let at = truth.point_of(&backend);
        assert!(at + 2 >= truth.points.len(), "{operation}: {at} of {}", truth.points.len());
        truth.check(&backend, at, false);
    }
    assert!(poisoned * 2 > operations, "{poisoned} of {operations}");
}

#[test]
fn space_returns_to_the_file_system() {
    let directory = tempfile::tempdir().unwrap();
    let files = RealFiles::open(directory.path()).unwrap();
    let mut backend = DiskBackend::open(files, OWNER, SMALL).unwrap();
    let mut rng = Rng::new(6);
    let mut truth = Truth::new();
    for _ in 0..60 {
        backend.flush(&truth.next_flush(&mut rng, 20)).unwrap();
    }
    settle(&mut backend).unwrap();
    let full = bytes_of_tables(directory.path());
    assert_eq!(full + manifest_bytes(directory.path()), backend.size().total);
    backend.discard(&truth.choose_dead(&mut rng, 7)).unwrap();
    let in_use = backend.size().in_use;
    assert!(in_use < full / 3, "{in_use} in use of {full}");
    settle(&mut backend).unwrap();
    let rest = bytes_of_tables(directory.path());
    assert!(rest < full / 3, "{rest} of {full} bytes are left");
    assert_eq!(rest + manifest_bytes(directory.path()), backend.size().total);
    truth.check(&backend, truth.points.len() - 1, false);
    drop(backend);
    let files = RealFiles::open(directory.path()).unwrap();
    let backend = DiskBackend::open(files, OWNER, SMALL).unwrap();
    truth.check(&backend, truth.points.len() - 1, false);
}

fn bytes_of_tables(directory: &std::path::Path) -> u64 {
    bytes_of(directory, "table-")
}

fn manifest_bytes(directory: &std::path::Path) -> u64 {
    bytes_of(directory, "manifest-")
}

fn bytes_of(directory: &std::path::Path, prefix: &str) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    named.map(|entry| entry.metadata().unwrap().len()).sum()
}
