//! The log begins anew after a position: one behaviour a test. Crashes and failed syncs at every
//! operation of a reset are in the scripts that all tests of the log share.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod log_common;

use log_common::{Twin, vote};
use log_common::{all, at, entries, entry, hard, kept, open, refusal, reset, small, write};
use protocol::raft::Write;
use protocol::{Index, Term};
use storage::disk::{CrashPoint, Disk, FaultPlan, FaultyDisk, Moment, RealDisk};
use storage::log::{Damage, Log, LogError, OpenError, ReadError, inspect};

const FIRST: &str = "0000000000000001.seg";
const SECOND: &str = "0000000000000002.seg";

/// Six entries of term 1 in three batches.
fn six() -> FaultyDisk {
    let mut disk = FaultyDisk::default();
    let (mut log, _) = open(&mut disk);
    write(&mut log, &vote(1, 7, 2));
    for first in [1, 3, 5] {
        write(&mut log, &entries(first..=first + 1, 1, 30));
    }
    drop(log);
    disk
}

fn segments(disk: &FaultyDisk) -> Vec<String> {
    let files = disk.list().unwrap().into_iter().map(|file| file.name);
    files.filter(|name| name.ends_with(".seg")).collect()
}

/// A log of six entries that a crash hit right after it was reset to 9@2, before the segments
/// that it gave up were removed.
fn with_void_segments() -> FaultyDisk {
    // The name, two headers, two hard states and the sync; then the mark in the segment before.
    let crash = Some(CrashPoint { operation: 8, moment: Moment::After });
    let mut disk = six();
    let (mut log, _) = open(&mut disk);
    log.prepare().unwrap();
    log.disk_mut().set_plan(FaultPlan { crash, ..FaultPlan::default() });
    log.append(&reset(at(9, 2), hard(2, 0, 9))).unwrap();
    log.sync().unwrap_err();
    drop(log);
    disk.restart();
    assert_eq!(segments(&disk), [FIRST, SECOND]);
    disk
}

#[test]
fn a_reset_gives_up_everything_before_it_and_what_waited() {
    for to in [at(3, 2), at(6, 2), at(7, 2), at(1000, 5)] {
        let mut disk = six();
        let (mut log, _) = open(&mut disk);
        log.append(&entries(7..=8, 1, 30)).unwrap();
        log.append(&reset(to, hard(5, 3, to.index.0))).unwrap();
        assert_eq!(log.last(), at(6, 1), "it waits as everything else");
        log.sync().unwrap();
        assert_eq!((log.base(), log.last()), (to, to));
        assert!(matches!(log.read(to.index, 1), Err(ReadError::Absent { .. })));
        assert_eq!(all(&log), []);
        drop(log);
        assert_eq!(segments(&disk), [SECOND], "what was given up is removed");
        for _ in 0..2 {
            let (_, recovered) = open(&mut disk);
            assert_eq!((recovered.base, recovered.last), (to, to));
            assert_eq!(recovered.hard_state, hard(5, 3, to.index.0));
            assert_eq!((recovered.terms, recovered.damage), (vec![], vec![]));
        }
    }
}

#[test]
fn entries_follow_the_position_of_a_reset() {
    let mut disk = six();
    let (mut log, _) = open(&mut disk);
    let to = reset(at(20, 3), hard(4, 0, 20));
    for wrong in [20, 22, 7] {
        let write = Write { entries: vec![entry(wrong, 4, 1)], ..to.clone() };
        let error = log.append(&write).unwrap_err();
        assert!(matches!(error, LogError::Misplaced { .. }), "{error}");
    }
    assert_eq!(log.hard_state(), hard(1, 7, 2), "a refused write changes nothing");
    log.append(&Write { entries: entries(21..=22, 4, 9).entries, ..to }).unwrap();
    let error = log.append(&entries(7..=7, 4, 9)).unwrap_err();
    assert!(matches!(error, LogError::Misplaced { .. }), "before the position: {error}");
    // A later leader overrules one of them before it was written.
    log.append(&entries(22..=24, 5, 9)).unwrap();
    log.sync().unwrap();
    let expected = [entries(21..=21, 4, 9).entries, entries(22..=24, 5, 9).entries].concat();
    assert_eq!(all(&log), expected);
    write(&mut log, &entries(24..=25, 6, 9));
    drop(log);
    let (log, recovered) = open(&mut disk);
    assert_eq!((recovered.base, recovered.last), (at(20, 3), at(25, 6)));
    assert_eq!(all(&log).len(), 5);
}

#[test]
fn the_last_of_several_resets_holds_and_trimming_goes_on_after_it() {
    let mut disk = six();
    let (mut log, _) = open(&mut disk);
    for to in [10, 20, 30] {
        log.append(&reset(at(to, 2), hard(2, 0, to))).unwrap();
        if to != 10 {
            log.sync().unwrap();
        }
    }
    let mut twin = Twin { origin: at(30, 2), ..Twin::default() };
    for index in (31..90).step_by(2) {
        let more = entries(index..=index + 1, 2, 200);
        write(&mut log, &more);
        twin.append(&more);
    }
    for through in [Index(29), Index(45), Index(70)] {
        let base = log.trim(through).unwrap();
        assert!(base.index <= through.max(Index(30)));
        assert_eq!(all(&log), twin.after(base));
    }
    let base = log.base();
    assert!(base.index > Index(50), "{base}");
    drop(log);
    assert_eq!(inspect(&disk).unwrap().unwrap().version, 1, "no reset is left");
    let (log, recovered) = open(&mut disk);
    assert_eq!((recovered.base, recovered.damage), (base, vec![]));
    assert_eq!(all(&log), twin.after(base));
}

#[test]
fn a_reset_resolves_the_doubt_that_it_reaches_and_no_other() {
    for (to, left) in [(5, Some(Index(6))), (6, None), (90, None)] {
        let mut disk = six();
        // The last batch: its identifiers, then its records.
        disk.flip(FIRST, 2048 + 5 * 512 + 50, 1);
        let (mut log, recovered) = open(&mut disk);
        assert_eq!((recovered.last, recovered.doubt), (at(4, 1), Some(Index(6))));
        write(&mut log, &reset(at(to, 2), hard(2, 0, to)));
        assert_eq!(log.doubt(), left);
        let mut disk = disk.clone();
        disk.crash(Moment::Before);
        assert_eq!(open(&mut disk).1.doubt, left, "durable with the reset");
    }
}

#[test]
fn a_reset_right_after_a_restart_does_not_go_back_to_where_that_process_began() {
    for to in [at(2, 2), at(6, 2), at(50, 2)] {
        let mut disk = six();
        drop(open(&mut disk));
        let (mut log, _) = open(&mut disk);
        write(&mut log, &reset(to, hard(2, 0, to.index.0)));
        drop(log);
        let (mut log, recovered) = open(&mut disk);
        assert_eq!((recovered.base, recovered.last), (to, to));
        let next = to.index.0 + 1;
        write(&mut log, &entries(next..=next + 2, 2, 50));
        drop(log);
        let (log, recovered) = open(&mut disk);
        assert_eq!((recovered.base, recovered.damage), (to, vec![]));
        assert_eq!(all(&log).len(), 3);
    }
}

#[test]
fn what_is_in_void_segments_and_which_are_missing_does_not_matter() {
    let disk = with_void_segments();
    let seen = inspect(&disk).unwrap().unwrap();
    assert_eq!((seen.version, seen.base, seen.damage), (2, at(9, 2), vec![]));
    assert_eq!(seen.void, [FIRST]);
    assert!(seen.segments.iter().all(|segment| segment.reset && segment.writes.is_empty()));
    let expected = |mut disk: FaultyDisk, what: &str| {
        let (log, recovered) = Log::open(&mut disk, small())
            .unwrap_or_else(|error| panic!("refused after {what}: {error}"));
        assert_eq!((recovered.base, recovered.last), (at(9, 2), at(9, 2)), "{what}");
        assert_eq!((recovered.doubt, recovered.damage), (None, vec![]), "{what}");
        drop(log);
        assert_eq!(segments(&disk), [SECOND], "{what}");
    };
    expected(disk.clone(), "nothing");
    let mut missing = disk.clone();
    missing.remove(FIRST).unwrap();
    expected(missing, "its loss");
    for offset in 0..disk.contents(FIRST).unwrap().len() {
        let mut damaged = disk.clone();
        damaged.flip(FIRST, offset, 1 << (offset % 8));
        expected(damaged, &format!("a flip at {offset}"));
    }
}

/// The void segments do not come back in the place of a log that was reset and is damaged.
#[test]
fn damage_to_the_beginning_of_a_log_that_was_reset_does_not_bring_back_the_old_one() {
    let disk = with_void_segments();
    let mut lost = disk.clone();
    lost.remove(SECOND).unwrap();
    let OpenError::Corrupt(damage) = refusal(&mut lost) else { panic!("not corrupt") };
    assert!(damage.contains(&Damage::Missing { segment: 2 }), "{damage:?}");
    for (sectors, hard_state) in [([0, 1024], false), ([512, 1536], true)] {
        let mut damaged = disk.clone();
        assert_eq!(sectors.map(|sector| damaged.flip(SECOND, sector + 40, 1)), [true; 2]);
        match refusal(&mut damaged) {
            OpenError::HardStateLost { segment: 2 } => assert!(hard_state),
            OpenError::Corrupt(damage) => {
                let header = Damage::Header { segment: 2 };
                assert!(!hard_state && damage.contains(&header), "{damage:?}");
            }
            error => panic!("{error}"),
        }
    }
    for offset in 0..2048 {
        let mut damaged = disk.clone();
        damaged.flip(SECOND, offset, 1 << (offset % 8));
        let (_, recovered) = open(&mut damaged);
        assert_eq!((recovered.base, recovered.hard_state), (at(9, 2), hard(2, 0, 9)), "{offset}");
    }
}

/// A reset that a crash tore, then a life without it: what it left of a head is not believed when
/// the same number is given to an ordinary segment.
#[test]
fn a_reset_that_did_not_happen_leaves_nothing_behind() {
    let (mut unhappened, mut runs) = (0, 0);
    for (first, second) in (0..50).flat_map(|a| (0..16).map(move |b| (a, b))) {
        let (mut log, _) = open(six());
        log.prepare().unwrap();
        let crash = Some(CrashPoint { operation: 5, moment: Moment::Torn });
        log.disk_mut().set_plan(FaultPlan { seed: first, crash, ..FaultPlan::default() });
        log.append(&reset(at(90, 2), hard(2, 0, 90))).unwrap();
        log.sync().unwrap_err();
        let mut disk = log.into_disk();
        disk.restart();
        let (mut log, recovered) = open(disk);
        if recovered.base == at(90, 2) {
            assert_eq!(recovered.hard_state, hard(2, 0, 90));
            continue;
        }
        unhappened += 1;
        let mut twin = Twin::default();
        twin.append(&Write { hard_state: Some(hard(1, 7, 2)), ..entries(1..=6, 1, 30) });
        assert_eq!((&all(&log)[..], recovered.hard_state), (&twin.entries[..], hard(1, 7, 2)));
        let more = entries(7..=8, 1, 30);
        write(&mut log, &more);
        twin.append(&more);
        log.prepare().unwrap();
        log.disk_mut().set_plan(FaultPlan { seed: second, crash, ..FaultPlan::default() });
        let mut queued = twin.clone();
        let large = entries(9..=9, 1, 4000);
        log.append(&large).unwrap();
        queued.append(&large);
        assert!(log.sync().is_err());
        let mut disk = log.into_disk();
        disk.restart();
        let (log, recovered) = open(disk);
        kept(&all(&log), recovered.base, &twin, &queued);
        assert_eq!(recovered.damage, []);
        runs += 1;
    }
    println!("{unhappened} resets did not happen, {runs} second crashes");
    assert!(runs > 200, "{runs}");
}

#[test]
fn a_state_that_was_installed_is_adopted_at_the_next_start() {
    // What the state says, what it is at, and where the log begins then.
    let cases = [
        // The log ends before it, or has another entry there.
        (Some(at(9, 2)), 9, Some(at(9, 2))),
        (Some(at(4, 2)), 4, Some(at(4, 2))),
        // The log holds it: the reset was not needed, or entries have come since.
        (Some(at(4, 1)), 4, None),
        (Some(at(6, 1)), 6, None),
        // The state has gone on since it was installed: the log had followed.
        (Some(at(3, 2)), 5, None),
        (None, 5, None),
    ];
    for (installed, applied, expected) in cases {
        let mut disk = six();
        let (mut log, _) = open(&mut disk);
        assert_eq!(log.adopt(Index(applied), installed).unwrap(), expected.is_some());
        let restored = log.restored(Index(applied)).unwrap();
        if let Some(base) = expected {
            assert_eq!((restored.base, restored.entries, restored.terms), (base, vec![], vec![]));
            // Term and commit index follow; the vote was of an earlier term.
            assert_eq!(restored.hard_state, hard(2, 0, base.index.0));
        } else {
            assert_eq!((restored.base, restored.hard_state), (at(0, 0), hard(1, 7, 2)));
            assert_eq!(restored.entries.len() as u64, 6 - applied);
        }
        drop(log);
        let (_, recovered) = open(&mut disk);
        assert_eq!(recovered.base, expected.unwrap_or_default());
    }
    let (mut log, _) = open(six());
    assert!(!log.adopt(Index(9), None).unwrap());
    assert!(!log.adopt(Index(9), Some(at(8, 1))).unwrap());
    assert!(matches!(log.restored(Index(9)), Err(ReadError::Absent { .. })), "ahead of the log");
    log.append(&reset(at(30, 4), hard(4, 2, 30))).unwrap();
    log.sync().unwrap();
    assert!(!log.adopt(Index(20), Some(at(20, 3))).unwrap(), "behind the log");
    assert_eq!(log.hard_state().term, Term(4));
    assert!(matches!(log.restored(Index(20)), Err(ReadError::Absent { .. })));
}

#[test]
fn a_vote_in_the_term_of_the_position_outlives_the_reset() {
    let mut disk = six();
    let (mut log, _) = open(&mut disk);
    write(&mut log, &vote(3, 2, 4));
    log.reset(at(40, 3)).unwrap();
    assert_eq!(log.hard_state(), hard(3, 2, 40));
    drop(log);
    assert_eq!(open(&mut disk).1.hard_state, hard(3, 2, 40));
}

#[test]
fn a_log_on_a_real_file_system_begins_anew_and_leaves_no_old_file() {
    let temp = tempfile::tempdir().unwrap();
    let reopened = || Log::open(RealDisk::open(temp.path()).unwrap(), small()).unwrap();
    let mut next = 1;
    for round in 1..=4 {
        let (mut log, recovered) = reopened();
        assert_eq!(recovered.last.index.0, next - 1);
        for index in next..next + 40 {
            write(&mut log, &entries(index..=index, round, 300));
        }
        assert!(log.disk_bytes() > 12_000, "a few segments");
        let to = at(next + 100, round + 1);
        log.reset(to).unwrap();
        let after = to.index.0 + 1;
        write(&mut log, &entries(after..=after + 2, round + 1, 300));
        next = after + 3;
        let kept = all(&log);
        drop(log);
        let (log, recovered) = reopened();
        assert_eq!((recovered.base, recovered.damage), (to, vec![]));
        assert_eq!(all(&log), kept);
        let files = std::fs::read_dir(temp.path()).unwrap().map(|file| file.unwrap().file_name());
        let segments = files.filter(|name| name.to_string_lossy().ends_with(".seg"));
        assert_eq!(segments.count(), 1);
    }
}
