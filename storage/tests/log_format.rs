//! Format versions are frozen, and their decoders take any bytes.

#![allow(clippy::unwrap_used)]

mod log_common;

use std::fs;
use std::path::PathBuf;

use log_common::{all, at, entries, entry, hard, open, reset, vote, write};
use protocol::Rng;
use protocol::raft::Write;
use storage::disk::FaultyDisk;
use storage::log::{LOG_FORMAT_VERSION, fuzz::fuzz_records, inspect};

const SEGMENT: &str = "0000000000000001.seg";
/// The segment with which the log begins anew.
const ANEW: &str = "0000000000000002.seg";

fn fixture(version: u32, file: &str) -> PathBuf {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures.join(format!("log-v{version}")).join(file)
}

/// Compares a file of a disk with the frozen one.
fn is_as_it_was(disk: &FaultyDisk, version: u32, file: &str) {
    let (written, fixture) = (disk.contents(file).unwrap(), fixture(version, file));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(fixture.parent().unwrap()).unwrap();
        fs::write(&fixture, &written).unwrap();
    }
    let frozen = fs::read(fixture).unwrap();
    assert_eq!(written.len(), frozen.len());
    let different: Vec<_> = (0..frozen.len()).filter(|&i| written[i] != frozen[i]).collect();
    assert_eq!(different, [0; 0], "offsets of bytes that differ");
}

/// A vote, all three kinds of payload, a conflict truncation, an orderly end.
fn tiny() -> FaultyDisk {
    let mut disk = FaultyDisk::default();
    let (mut log, _) = open(&mut disk);
    write(&mut log, &vote(1, 7, 0));
    let kinds = [entry(1, 1, 0), entry(2, 1, 11), entry(3, 1, 20), entry(4, 1, 5)];
    write(&mut log, &Write { entries: kinds.to_vec(), ..Write::default() });
    write(&mut log, &entries(5..=7, 1, 33));
    write(&mut log, &Write { hard_state: Some(hard(3, 0, 4)), ..entries(6..=7, 3, 8) });
    log.close().unwrap();
    disk
}

#[test]
fn version_1_is_written_byte_for_byte_as_it_was() {
    is_as_it_was(&tiny(), 1, SEGMENT);
}

/// A log that began anew, with entries since.
fn tiny_anew() -> FaultyDisk {
    let mut disk = tiny();
    let (mut log, _) = open(&mut disk);
    let entries = entries(91..=92, 5, 12).entries;
    write(&mut log, &Write { entries, ..reset(at(90, 4), hard(5, 7, 90)) });
    log.close().unwrap();
    disk
}

#[test]
fn version_2_is_written_byte_for_byte_as_it_was() {
    assert_eq!(LOG_FORMAT_VERSION, 2, "a new version needs a fixture of its own");
    is_as_it_was(&tiny_anew(), 2, ANEW);
}

#[test]
fn version_2_is_read_as_it_was_meant() {
    let mut disk = FaultyDisk::default();
    disk.insert(ANEW, &fs::read(fixture(2, ANEW)).unwrap());
    let seen = inspect(&disk).unwrap().unwrap();
    assert_eq!((seen.version, seen.segments[0].reset), (2, true));
    let (log, recovered) = open(&mut disk);
    assert_eq!(recovered.hard_state, hard(5, 7, 90));
    assert_eq!((recovered.base, recovered.last), (at(90, 4), at(92, 5)));
    assert_eq!((recovered.doubt, recovered.damage), (None, vec![]));
    assert_eq!(all(&log), entries(91..=92, 5, 12).entries);
}

#[test]
fn version_1_is_read_as_it_was_meant() {
    let mut disk = FaultyDisk::default();
    disk.insert(SEGMENT, &fs::read(fixture(1, SEGMENT)).unwrap());
    let seen = inspect(&disk).unwrap().unwrap();
    assert_eq!((seen.version, seen.segments[0].reset), (1, false));
    assert_eq!(seen.segments[0].writes.len(), 3);
    let (log, recovered) = open(&mut disk);
    assert_eq!(recovered.hard_state, hard(3, 0, 4));
    assert_eq!((recovered.last, recovered.doubt), (at(7, 3), None));
    assert_eq!(recovered.damage, []);
    let first = [entry(1, 1, 0), entry(2, 1, 11), entry(3, 1, 20), entry(4, 1, 5)];
    let rest = entries(5..=5, 1, 33).entries.into_iter().chain(entries(6..=7, 3, 8).entries);
    assert_eq!(all(&log), first.into_iter().chain(rest).collect::<Vec<_>>());
}

#[test]
fn decoders_take_any_bytes() {
    let whole = tiny().contents(SEGMENT).unwrap().to_vec();
    let mut rng = Rng::new(1);
    fuzz_records(&[]);
    for round in 0..2000 {
        let length = usize::try_from(rng.below(700)).unwrap();
        let start = usize::try_from(rng.below((whole.len() - length) as u64)).unwrap() / 8 * 8;
        let mut data = whole[start..start + length].to_vec();
        // A third is noise, a third is the real thing, a third is the real thing with damage.
        match round % 3 {
            0 => data.iter_mut().for_each(|byte| *byte = rng.next().to_le_bytes()[0]),
            1 => {}
            _ => {
                for _ in 0..=rng.below(8) {
                    let place = usize::try_from(rng.below(length as u64)).unwrap();
                    if let Some(byte) = data.get_mut(place) {
                        *byte = rng.next().to_le_bytes()[0];
                    }
                }
            }
        }
        fuzz_records(&data);
    }
}

#[test]
fn recovery_takes_any_bytes() {
    let whole = tiny().contents(SEGMENT).unwrap().to_vec();
    let mut rng = Rng::new(2);
    let (mut opened, mut refused) = (0, 0);
    for _ in 0..2000 {
        let mut file = whole.clone();
        // Runs of damage over the whole file, up to a few sectors long.
        for _ in 0..=rng.below(4) {
            let start = usize::try_from(rng.below(4600)).unwrap();
            let length = usize::try_from(rng.below(1200)).unwrap();
            let noise = rng.below(2) == 0;
            for byte in &mut file[start..start + length] {
                *byte = if noise { rng.next().to_le_bytes()[0] } else { 0 };
            }
        }
        let mut disk = FaultyDisk::default();
        disk.insert(SEGMENT, &file);
        let seen = inspect(&disk).is_ok();
        let Ok((log, recovered)) = storage::log::Log::open(&mut disk, log_common::small()) else {
            refused += 1;
            continue;
        };
        opened += usize::from(seen);
        assert!(recovered.last.term <= recovered.hard_state.term);
        for found in all(&log) {
            let index = found.position.index.0;
            let bytes = [0, 11, 20, 5, 33, 33, 33, 8, 8];
            let written = |bytes: &usize| found == entry(index, found.position.term.0, *bytes);
            assert!(bytes.iter().any(written), "an entry that was never written: {found:?}");
        }
    }
    assert!(opened > 50 && refused > 200, "{opened} opened, {refused} refused");
}
