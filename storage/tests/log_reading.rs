//! A log that is only read has what a start would find, and is as it was afterwards.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod log_common;

use log_common::{all, entries, open, small, vote, write};
use protocol::Index;
use protocol::raft::Entry;
use storage::disk::{Disk, FaultyDisk};
use storage::log::{Covered, Log, Opening, Reading};

/// What is to be had of a log: its entries and the doubt, if it can be read at all.
type Had = Option<(Vec<Entry>, Option<Index>)>;

fn contents(disk: &FaultyDisk) -> Vec<(String, Vec<u8>)> {
    let files = disk.list().unwrap().into_iter().map(|file| file.name);
    files.map(|name| (name.clone(), disk.contents(&name).unwrap())).collect()
}

fn by_reading(disk: &mut FaultyDisk) -> Had {
    let before = contents(disk);
    let read = Reading::open(&mut *disk, small(), Covered::default()).ok();
    let had = read.map(|log| {
        let first = log.base().index.next();
        let found = if log.last() == log.base() { Vec::new() } else { every(&log, first) };
        (found, log.doubt())
    });
    assert_eq!(contents(disk), before, "reading changes nothing");
    had
}

fn every<D: Disk>(log: &Reading<D>, first: Index) -> Vec<Entry> {
    log.read(first, usize::MAX).unwrap()
}

fn by_starting(disk: FaultyDisk) -> Had {
    let opening = Log::open_or_salvage(disk, small(), Covered::default()).ok()?;
    let (log, recovered) = match opening {
        Opening::Whole(log, recovered) => (*log, recovered),
        Opening::Wounded(salvage) => salvage.open_in_doubt(None).ok()?,
    };
    Some((all(&log), recovered.doubt))
}

#[test]
fn with_any_byte_flipped_reading_finds_what_a_start_finds() {
    let mut disk = FaultyDisk::default();
    let (mut log, _) = open(&mut disk);
    write(&mut log, &vote(1, 7, 0));
    for first in [1, 3, 5] {
        write(&mut log, &entries(first..=first + 1, 1, 30));
    }
    drop(log);
    let whole = by_reading(&mut disk);
    assert_eq!(whole, Some((entries(1..=6, 1, 30).entries, None)));
    assert_eq!(whole, by_starting(disk.clone()));
    let (mut refused, mut in_doubt) = (0, 0);
    let files = contents(&disk);
    let (name, bytes) = files.iter().find(|(name, _)| name.ends_with("1.seg")).unwrap();
    // Behind the last batch nothing is read as an entry.
    for place in (0..bytes.len().min(2048 + 7 * 512)).step_by(3) {
        let mut flipped = disk.clone();
        flipped.flip(name, place, 0x10);
        let had = by_reading(&mut flipped);
        refused += usize::from(had.is_none());
        in_doubt += usize::from(had.as_ref().is_some_and(|(_, doubt)| doubt.is_some()));
        assert_eq!(had, by_starting(flipped), "byte {place} of {name}");
    }
    assert!(refused > 0 && in_doubt > 0, "{refused} refused, {in_doubt} in doubt");
}
