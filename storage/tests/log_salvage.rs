//! A damaged log gets back from others what it lacks, in its old place, or begins anew in doubt.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod log_common;

use log_common::{Twin, all, at, entries, files, open, scripted, small, vote, write};
use protocol::raft::Entry;
use protocol::{Index, Position};
use storage::disk::{CrashPoint, FaultyDisk, Moment};
use storage::log::{Covered, Log, OpenError, Opening, Salvage};

fn covered(index: u64, term: u64) -> Covered {
    Covered { applied: at(index, term), installed: None }
}

fn wounded(disk: FaultyDisk, covered: Covered) -> Salvage<FaultyDisk> {
    match Log::open_or_salvage(disk, small(), covered).unwrap() {
        Opening::Whole(_, recovered) => panic!("opened, with {recovered:?}"),
        Opening::Wounded(salvage) => *salvage,
    }
}

/// What another member that holds the whole log gives.
fn given(salvage: &Salvage<FaultyDisk>, twin: &Twin) -> Vec<Entry> {
    let held = |position: Position| {
        let after = twin.after(Position::new(position.term, position.index.previous()));
        after[0].clone()
    };
    salvage.wanted().map(held).collect()
}

#[derive(Debug, Default)]
struct Counts {
    whole: usize,
    filled: usize,
    surrendered: usize,
}

/// Recovers one damaged log; anything that is lost in silence is a panic.
fn recover(disk: FaultyDisk, twin: &Twin, base: Position, place: &str, counts: &mut Counts) {
    let mut counted = None;
    let mut disk = Some(disk);
    for _ in 0..3 {
        let from = Covered { applied: base, installed: None };
        let opening = Log::open_or_salvage(disk.take().unwrap(), small(), from).unwrap();
        let mut salvage = match opening {
            Opening::Whole(log, recovered) => {
                let hard = recovered.hard_state;
                assert_eq!((hard.term, hard.vote), (twin.hard_state.term, twin.hard_state.vote));
                match counted {
                    Some("surrendered") => {
                        assert_eq!(recovered.doubt, Some(twin.last().index), "{place}");
                        assert_eq!(log.base(), base, "{place}");
                    }
                    _ => {
                        assert_eq!(recovered.doubt, None, "{place}");
                        assert_eq!(all(&log), twin.after(log.base()), "{place}");
                    }
                }
                match counted {
                    None => counts.whole += 1,
                    Some("filled") => counts.filled += 1,
                    Some(_) => counts.surrendered += 1,
                }
                return;
            }
            Opening::Wounded(salvage) => salvage,
        };
        if salvage.is_helpless() {
            counted = Some("surrendered");
            disk = Some(salvage.surrender(twin.last().index).unwrap());
            continue;
        }
        assert!(salvage.wanted().count() > 0, "{place}");
        let entries = given(&salvage, twin);
        salvage.fill(&entries).unwrap();
        assert_eq!(salvage.wanted().count(), 0, "{place}");
        counted = Some("filled");
        disk = Some(salvage.into_disk());
    }
    panic!("{place}: it does not get whole");
}

#[test]
fn s1_21_every_flipped_byte_is_harmless_or_had_back_from_another_member() {
    let (disk, twin) = scripted();
    let base = open(disk.clone()).0.base();
    let mut counts = Counts::default();
    let mut bytes = 0;
    for (name, length) in files(&disk) {
        for offset in 0..length {
            let mut damaged = disk.clone();
            assert!(damaged.flip(&name, offset, 1 << (offset % 8)));
            recover(damaged, &twin, base, &format!("{name} at {offset}"), &mut counts);
            bytes += 1;
        }
    }
    let Counts { whole, filled, surrendered } = counts;
    println!("{bytes} flips: {whole} harmless, {filled} filled, {surrendered} begun anew");
    assert_eq!(whole + filled + surrendered, bytes, "a byte was left out");
    assert!(filled > 1000 && whole > 1000);
}

/// Several damages at once may take what one leaves: then it is refused, or begun anew in doubt.
#[test]
fn several_flipped_bytes_are_never_a_silent_loss() {
    let (disk, twin) = scripted();
    let (log, recovered) = open(disk);
    let (disk, base) = (log.close().unwrap(), recovered.base);
    let files = files(&disk);
    let mut rng = protocol::Rng::new(11);
    let mut counts = Counts::default();
    let mut refused = 0;
    for trial in 0..3_000 {
        let mut damaged = disk.clone();
        for _ in 0..2 + rng.below(12) {
            let (name, bytes) = &files[usize::try_from(rng.below(files.len() as u64)).unwrap()];
            // Often where much hangs on little: heads, and what stands right behind them.
            let bound = if rng.below(2) == 0 { 4_096 } else { *bytes as u64 };
            let offset = usize::try_from(rng.below(bound)).unwrap();
            damaged.flip(name, offset, 1 << rng.below(8));
        }
        let from = Covered { applied: base, installed: None };
        match Log::open_or_salvage(damaged.clone(), small(), from) {
            Err(OpenError::Corrupt(_) | OpenError::HardStateLost { .. }) => refused += 1,
            Err(error) => panic!("trial {trial}: {error}"),
            Ok(_) => recover(damaged, &twin, base, &format!("trial {trial}"), &mut counts),
        }
    }
    println!("{counts:?}, {refused} refused");
    assert!(counts.whole > 50 && counts.filled > 500 && counts.surrendered > 50, "{counts:?}");
}

/// A log of twelve entries in six batches; the state covers the first two.
fn six_batches() -> FaultyDisk {
    let (mut log, _) = open(FaultyDisk::default());
    write(&mut log, &vote(3, 2, 1));
    for first in (1..12).step_by(2) {
        write(&mut log, &entries(first..=first + 1, 3, 300));
    }
    log.close().unwrap()
}

/// Where the record of an entry begins.
fn record_of(disk: &FaultyDisk, index: u64) -> (String, usize) {
    let found = storage::log::inspect(disk).unwrap().unwrap();
    let mut all = found.segments.iter().flat_map(|segment| {
        let entries = segment.writes.iter().flat_map(|write| &write.entries);
        entries.map(|entry| (segment.file.clone(), entry.position.index.0, entry.offset))
    });
    let (file, _, offset) = all.find(|(_, at, _)| *at == index).unwrap();
    (file, usize::try_from(offset).unwrap())
}

fn spoil(disk: &mut FaultyDisk, index: u64) {
    let (file, offset) = record_of(disk, index);
    assert!(disk.flip(&file, offset + 60, 4));
}

#[test]
fn only_the_very_entry_fills_a_hole() {
    let mut disk = six_batches();
    spoil(&mut disk, 5);
    let mut salvage = wounded(disk, covered(2, 3));
    assert_eq!(salvage.wanted().collect::<Vec<_>>(), [at(5, 3)]);
    let other = |index, term, bytes| entries(index..=index, term, bytes).entries;
    for entry in [other(5, 2, 300), other(5, 3, 301), other(6, 3, 300), other(5, 3, 0)] {
        salvage.fill(&entry).unwrap();
    }
    // The right place, term and length, and other bytes.
    let mut wrong = other(5, 3, 300);
    wrong[0].payload = protocol::raft::Payload::Command(vec![1; 300].into());
    salvage.fill(&wrong).unwrap();
    assert_eq!(salvage.wanted().count(), 1);
    salvage.fill(&other(5, 3, 300)).unwrap();
    assert_eq!(salvage.wanted().count(), 0);
    let (log, recovered) = open(salvage.into_disk());
    assert_eq!((recovered.damage, recovered.doubt), (vec![], None));
    assert_eq!(all(&log), entries(1..=12, 3, 300).entries);
}

#[test]
fn a_damaged_log_gives_what_is_intact_in_it() {
    let mut disk = six_batches();
    for index in [3, 4, 9] {
        spoil(&mut disk, index);
    }
    let salvage = wounded(disk, covered(0, 0));
    for index in 1..=12 {
        let found = salvage.find(at(index, 3));
        assert_eq!(found.is_none(), [3, 4, 9].contains(&index), "{index}");
        assert_eq!(salvage.find(at(index, 2)), None);
        if let Some(entry) = found {
            assert_eq!(entry, entries(index..=index, 3, 300).entries[0]);
        }
    }
}

#[test]
fn what_the_state_covers_need_not_be_whole() {
    let mut disk = six_batches();
    spoil(&mut disk, 3);
    assert!(matches!(Log::open(disk.clone(), small()), Err(OpenError::Corrupt(_))));
    let Opening::Whole(log, recovered) =
        Log::open_or_salvage(disk, small(), covered(3, 3)).unwrap()
    else {
        panic!("it needs nothing");
    };
    assert_eq!((recovered.last, recovered.doubt), (at(12, 3), None));
    assert!(log.read(Index(3), 1).is_err());
    assert_eq!(log.read(Index(4), usize::MAX).unwrap(), entries(4..=12, 3, 300).entries);
}

#[test]
fn a_log_that_ends_before_its_state_is_helpless() {
    let salvage = wounded(six_batches(), covered(13, 3));
    assert!(salvage.is_helpless() && !salvage.is_undecided());
}

#[test]
fn a_state_that_ends_before_its_log_begins_is_helpless() {
    let (mut log, _) = open(six_batches());
    log.reset(at(20, 4)).unwrap();
    write(&mut log, &entries(21..=22, 4, 10));
    let salvage = wounded(log.close().unwrap(), covered(0, 0));
    assert!(salvage.is_helpless());
    let mut disk = salvage.surrender(Index(22)).unwrap();
    let (log, recovered) = open(&mut disk);
    assert_eq!((recovered.base, recovered.last), (Position::default(), Position::default()));
    assert_eq!(recovered.doubt, Some(Index(22)));
    assert_eq!(recovered.hard_state.term, protocol::Term(4));
    drop(log);
}

#[test]
fn a_crash_while_filling_leaves_each_record_damaged_or_whole() {
    let mut disk = six_batches();
    for index in [3, 4, 9] {
        spoil(&mut disk, index);
    }
    let all_entries = entries(1..=12, 3, 300).entries;
    for operation in 0..6 {
        for moment in [Moment::Before, Moment::Torn, Moment::After] {
            let mut disk = disk.clone();
            disk.crash_at(CrashPoint { operation: disk.operations() + operation, moment });
            let mut salvage = wounded(disk, covered(0, 0));
            let _ = salvage.fill(&all_entries);
            let mut disk = salvage.into_disk();
            if disk.has_crashed() {
                disk.restart();
            }
            disk.clear_plan();
            let opening = Log::open_or_salvage(disk, small(), covered(0, 0)).unwrap();
            let disk = match opening {
                Opening::Whole(log, _) => log.into_disk(),
                Opening::Wounded(mut salvage) => {
                    salvage.fill(&all_entries).unwrap();
                    salvage.into_disk()
                }
            };
            let (log, recovered) = open(disk);
            assert_eq!((recovered.damage, recovered.doubt), (vec![], None));
            assert_eq!(all(&log), all_entries, "operation {operation}");
        }
    }
}

#[test]
fn a_crash_within_a_surrender_leaves_the_damage_or_the_doubt() {
    let mut disk = six_batches();
    for index in [3, 4, 9] {
        spoil(&mut disk, index);
    }
    let mut ends = [0, 0];
    let shared = disk;
    for operation in 0..12 {
        for moment in [Moment::Before, Moment::Torn, Moment::After] {
            let mut disk = shared.clone();
            disk.crash_at(CrashPoint { operation: disk.operations() + operation, moment });
            surrender_on(&mut disk);
            if disk.has_crashed() {
                disk.restart();
            }
            disk.clear_plan();
            match Log::open_or_salvage(disk, small(), covered(2, 3)).unwrap() {
                Opening::Wounded(salvage) => {
                    assert_eq!(salvage.wanted().count(), 3);
                    assert_eq!(salvage.hard_state().vote, Some(protocol::NodeId(2)));
                    ends[0] += 1;
                }
                Opening::Whole(_, recovered) => {
                    assert_eq!((recovered.base, recovered.doubt), (at(2, 3), Some(Index(15))));
                    assert_eq!(recovered.hard_state.vote, Some(protocol::NodeId(2)));
                    ends[1] += 1;
                }
            }
        }
    }
    assert!(ends[0] > 0 && ends[1] > 10, "{ends:?}");
}

fn surrender_on(disk: &mut FaultyDisk) {
    let Opening::Wounded(salvage) =
        Log::open_or_salvage(&mut *disk, small(), covered(2, 3)).unwrap()
    else {
        panic!("it is damaged");
    };
    drop(salvage.surrender(Index(15)));
}
