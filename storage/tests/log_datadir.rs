//! The lock, the owner and the format of a data directory.

#![allow(clippy::unwrap_used)]

mod log_common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use log_common::{IDENTITY, all, entries, small, vote, write};
use protocol::{ClusterId, Index, NodeId};
use storage::Identity;
use storage::datadir::{DATA_DIR_FORMAT_VERSION, DataDir, DataDirError};
use storage::disk::RealDisk;
use storage::log::Log;

#[test]
fn a_new_directory_is_its_owners_only_and_a_second_opening_finds_it() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("deep/er");
    let first = DataDir::open(&path, IDENTITY).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(first.log().is_dir() && first.state().is_dir());
    drop(first);
    DataDir::open(&path, IDENTITY).unwrap();
    assert_eq!(DataDir::identity(&path).unwrap(), Some(IDENTITY));
}

#[test]
fn a_directory_in_use_is_refused_until_it_is_given_back() {
    let temp = tempfile::tempdir().unwrap();
    let held = DataDir::open(temp.path(), IDENTITY).unwrap();
    let refused = DataDir::open(temp.path(), IDENTITY).unwrap_err();
    assert!(matches!(refused, DataDirError::Locked(_)), "{refused}");
    drop(held);
    DataDir::open(temp.path(), IDENTITY).unwrap();
}

#[test]
fn another_nodes_directory_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    drop(DataDir::open(temp.path(), IDENTITY).unwrap());
    let neighbour = Identity { node: NodeId(8), ..IDENTITY };
    let stranger = Identity { cluster: ClusterId(1), ..IDENTITY };
    for wanted in [neighbour, stranger] {
        let refused = DataDir::open(temp.path(), wanted).unwrap_err();
        assert!(matches!(refused, DataDirError::Foreign { found: IDENTITY, .. }), "{refused}");
    }
}

#[test]
fn a_file_in_its_place_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below")] {
        let refused = DataDir::open(path, IDENTITY).unwrap_err();
        assert!(matches!(refused, DataDirError::NotADirectory(_)), "{refused}");
    }
}

#[test]
fn every_flipped_byte_of_the_format_file_and_its_loss_are_detected() {
    let temp = tempfile::tempdir().unwrap();
    drop(DataDir::open(temp.path(), IDENTITY).unwrap());
    let file = temp.path().join("FORMAT");
    let good = fs::read(&file).unwrap();
    for offset in 0..good.len() {
        let mut bad = good.clone();
        bad[offset] ^= 0x04;
        fs::write(&file, &bad).unwrap();
        let refused = DataDir::open(temp.path(), IDENTITY).unwrap_err();
        assert!(matches!(refused, DataDirError::Damaged(_)), "{offset}: {refused}");
    }
    fs::remove_file(&file).unwrap();
    let refused = DataDir::open(temp.path(), IDENTITY).unwrap_err();
    assert!(matches!(refused, DataDirError::Damaged(_)), "{refused}");
}

#[test]
fn an_unknown_format_version_is_named() {
    let temp = tempfile::tempdir().unwrap();
    drop(DataDir::open(temp.path(), IDENTITY).unwrap());
    let file = temp.path().join("FORMAT");
    let mut bytes = fs::read(&file).unwrap();
    bytes[4] = 9;
    let sum = crc32c::crc32c(&bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    fs::write(&file, &bytes).unwrap();
    let refused = DataDir::open(temp.path(), IDENTITY).unwrap_err();
    let expected = DATA_DIR_FORMAT_VERSION;
    assert!(
        matches!(refused, DataDirError::Version { found: 9, known, .. } if known == expected),
        "{refused}"
    );
}

#[test]
fn a_log_on_a_real_file_system_survives_reopening_trimming_and_inspection() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::open(temp.path(), IDENTITY).unwrap();
    let (mut log, _) = Log::open(RealDisk::open(dir.log()).unwrap(), small()).unwrap();
    write(&mut log, &vote(1, 7, 0));
    for index in 1..=60 {
        write(&mut log, &entries(index..=index, 1, 300));
    }
    let base = log.trim(Index(40)).unwrap();
    assert!(base.index > Index(0) && base.index <= Index(40));
    let kept = all(&log);
    drop(log);

    let before: Vec<_> =
        fs::read_dir(dir.log()).unwrap().map(|e| fs::read(e.unwrap().path()).unwrap()).collect();
    let read_only = RealDisk::open_read_only(dir.log()).unwrap();
    let seen = storage::log::inspect(&read_only).unwrap().unwrap();
    assert_eq!(seen.identity, IDENTITY);
    assert_eq!((seen.base, seen.last.index), (base, Index(60)));
    let writes = seen.segments.iter().flat_map(|segment| &segment.writes);
    assert_eq!(writes.map(|w| w.entries.len()).sum::<usize>(), kept.len());
    let after: Vec<_> =
        fs::read_dir(dir.log()).unwrap().map(|e| fs::read(e.unwrap().path()).unwrap()).collect();
    assert_eq!(before, after, "an inspection changed a file");

    let (log, recovered) = Log::open(RealDisk::open(dir.log()).unwrap(), small()).unwrap();
    assert_eq!(recovered.base, base);
    assert_eq!(recovered.damage, []);
    assert_eq!(all(&log), kept);
}

#[test]
fn a_state_that_is_put_aside_keeps_its_files_and_the_last_one_is_kept() {
    let temp = tempfile::tempdir().unwrap();
    let directory = DataDir::open(temp.path(), IDENTITY).unwrap();
    for number in 1..=3 {
        fs::write(directory.state().join("table"), [number]).unwrap();
        let aside = directory.set_state_aside().unwrap();
        assert_eq!(fs::read(aside.join("table")).unwrap(), [number]);
        assert!(fs::read_dir(directory.state()).unwrap().next().is_none(), "it begins empty");
        let folders = fs::read_dir(temp.path()).unwrap();
        let aside = folders.filter(|it| {
            it.as_ref().unwrap().file_name().to_string_lossy().starts_with("state.damaged-")
        });
        assert_eq!(aside.count(), 1);
    }
    drop(directory);
    DataDir::open(temp.path(), IDENTITY).unwrap();
}
