//! A log whose next segment has no room waits, and goes on where it stood.

#![allow(dead_code, unreachable_pub)]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod log_common;

use log_common::{all, at, entries, open, write};
use protocol::raft::Write;
use storage::disk::{FaultPlan, FaultyDisk, Moment};
use storage::log::{Log, LogError};

/// Appends until a sync finds no room; the last index that was acknowledged.
fn fill(log: &mut Log<&mut FaultyDisk>) -> u64 {
    for index in 1..100 {
        log.append(&entries(index..=index, 1, 700)).unwrap();
        match log.sync() {
            Ok(()) => {}
            Err(LogError::NoSpare { .. }) => return index - 1,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("a full disk took everything");
}

fn full() -> FaultyDisk {
    // Two segments of 8 KiB, and no room for a third.
    FaultyDisk::new(FaultPlan { capacity: Some(20 << 10), ..FaultPlan::default() })
}

#[test]
fn what_finds_no_room_is_queued_still_and_written_when_there_is_some() {
    let mut disk = full();
    let (mut log, _) = open(&mut disk);
    let last = fill(&mut log);
    assert!(last > 4 && log.last() == at(last, 1));
    // More may come meanwhile, and replace what waits: nothing of it was acknowledged.
    log.append(&entries(last + 2..=last + 3, 1, 700)).unwrap();
    log.append(&entries(last + 1..=last + 2, 2, 700)).unwrap();
    for _ in 0..3 {
        assert!(matches!(log.sync(), Err(LogError::NoSpare { .. })));
    }
    assert_eq!(log.last(), at(last, 1));
    log.disk_mut().set_capacity(None);
    log.sync().unwrap();
    assert_eq!(log.last(), at(last + 2, 2));
    drop(log);
    let (log, recovered) = open(&mut disk);
    assert_eq!((recovered.last, recovered.damage.len()), (at(last + 2, 2), 0));
    let expected = [entries(1..=last, 1, 700), entries(last + 1..=last + 2, 2, 700)];
    let expected: Vec<_> = expected.into_iter().flat_map(|write| write.entries).collect();
    assert_eq!(all(&log), expected);
}

#[test]
fn a_part_that_had_room_is_acknowledged_by_the_sync_that_writes_the_rest() {
    let mut disk = full();
    let (mut log, _) = open(&mut disk);
    // More than two segments at once.
    log.append(&entries(1..=30, 1, 700)).unwrap();
    assert!(matches!(log.sync(), Err(LogError::NoSpare { .. })));
    let part = log.last().index.0;
    assert!(part > 0 && part < 30);
    log.disk_mut().set_capacity(None);
    log.sync().unwrap();
    assert_eq!(all(&log), entries(1..=30, 1, 700).entries);
}

#[test]
fn a_crash_while_there_is_no_room_leaves_what_was_acknowledged() {
    for moment in [Moment::Before, Moment::Torn, Moment::After] {
        let mut disk = full();
        let (mut log, _) = open(&mut disk);
        let last = fill(&mut log);
        drop(log);
        disk.crash(moment);
        let (log, recovered) = open(&mut disk);
        assert_eq!((recovered.last, recovered.doubt), (at(last, 1), None), "{moment:?}");
        assert_eq!(all(&log), entries(1..=last, 1, 700).entries);
    }
}

#[test]
fn a_log_without_room_ends_in_order_without_what_was_never_acknowledged() {
    let mut disk = full();
    let (mut log, _) = open(&mut disk);
    let last = fill(&mut log);
    log.close().unwrap();
    let (_, recovered) = open(&mut disk);
    assert_eq!((recovered.last, recovered.damage.len()), (at(last, 1), 0));
}

#[test]
fn a_reset_that_finds_no_room_waits_whole() {
    let mut disk = full();
    let (mut log, _) = open(&mut disk);
    let last = fill(&mut log);
    let reset = Write { reset: Some(at(500, 3)), ..entries(501..=502, 3, 30) };
    log.append(&reset).unwrap();
    assert!(matches!(log.sync(), Err(LogError::NoSpare { .. })));
    assert_eq!(log.last(), at(last, 1));
    log.disk_mut().set_capacity(None);
    log.sync().unwrap();
    assert_eq!((log.base(), log.last()), (at(500, 3), at(502, 3)));
}

#[test]
fn spares_beyond_the_next_segment_are_given_back_while_space_is_short() {
    let mut disk = FaultyDisk::default();
    let (mut log, _) = open(&mut disk);
    log.keep_spares(3).unwrap();
    for index in 1..=60 {
        write(&mut log, &entries(index..=index, 1, 700));
    }
    log.prepare().unwrap();
    log.trim(at(60, 1).index).unwrap();
    assert_eq!(log.surplus_bytes(), 2 * (8 << 10));
    let before = log.disk_bytes();
    log.keep_spares(1).unwrap();
    assert_eq!((log.surplus_bytes(), before - log.disk_bytes()), (0, 2 * (8 << 10)));
    write(&mut log, &entries(61..=80, 1, 700));
    assert_eq!(log.last(), at(80, 1));
}
