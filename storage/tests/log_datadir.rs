//! The lock, the owner and the format of a data directory.

#![allow(clippy::unwrap_used)]

mod log_common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use log_common::{IDENTITY, all, entries, small, vote, write};
use protocol::{ClusterId, Index, NodeId};
use storage::Identity;
use storage::datadir::{DATA_DIR_FORMAT_VERSION, DataDir, DataDirError, Note};
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
fn a_note_is_what_was_written_last_and_a_damaged_one_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::open(temp.path(), IDENTITY).unwrap();
    let notes = dir.notes();
    assert_eq!(notes.read(Note::Life).unwrap(), None);
    for content in [&b"one"[..], b"", b"another"] {
        notes.write(Note::Life, content).unwrap();
        assert_eq!(notes.read(Note::Life).unwrap().unwrap(), content);
    }
    assert_eq!(notes.read(Note::Acquaintances).unwrap(), None);
    let path = temp.path().join("LIFE");
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let refused = notes.read(Note::Life).unwrap_err();
        assert!(matches!(&refused, DataDirError::DamagedNote(it) if *it == path), "{refused}");
    }
    fs::write(temp.path().join("ACQUAINTANCES"), &whole).unwrap();
    notes.read(Note::Acquaintances).unwrap_err();
}

const HEIR: Identity = Identity { cluster: IDENTITY.cluster, node: NodeId(77) };

/// What there is of a directory, as far as these tests care.
fn content(dir: &DataDir) -> Option<Vec<u8>> {
    dir.notes().read(Note::Life).unwrap()
}

#[test]
fn a_directory_that_is_handed_over_is_the_heirs_and_empty_and_one_old_content_is_kept() {
    let temp = tempfile::tempdir().unwrap();
    for round in 1..=3_u8 {
        let owner = if round == 1 { IDENTITY } else { HEIR };
        let dir = DataDir::open(temp.path(), owner).unwrap();
        assert_eq!(content(&dir), None, "round {round}");
        dir.notes().write(Note::Life, &[round]).unwrap();
        fs::write(dir.state().join("file"), [round]).unwrap();
        drop(dir);
        let aside = DataDir::hand_over(temp.path(), HEIR).unwrap();
        assert_eq!(aside, temp.path().join(format!("outdated-{round}")));
        assert_eq!(fs::read(aside.join("state/file")).unwrap(), [round]);
        assert_eq!(DataDir::identity(temp.path()).unwrap(), Some(HEIR));
        let kept = fs::read_dir(temp.path()).unwrap();
        let kept = kept.filter(|it| {
            it.as_ref().unwrap().file_name().to_string_lossy().starts_with("outdated-")
        });
        assert_eq!(kept.count(), 1);
    }
}

/// Every state that a crash in a handing over can leave: names moved up to here, in order.
#[test]
fn a_handing_over_that_was_cut_short_is_brought_to_its_end() {
    let names = ["log", "state", "ACQUAINTANCES", "LIFE", "FORMAT"];
    for moved in 0..=names.len() {
        for is_made in [false, true] {
            let temp = tempfile::tempdir().unwrap();
            let path = temp.path();
            let dir = DataDir::open(path, HEIR).unwrap();
            drop(dir);
            fs::rename(path.join("FORMAT"), path.join("SUCCESSOR")).unwrap();
            fs::remove_dir_all(path.join("log")).unwrap();
            fs::remove_dir_all(path.join("state")).unwrap();
            let heir = fs::read(path.join("SUCCESSOR")).unwrap();
            fs::remove_file(path.join("SUCCESSOR")).unwrap();
            let dir = DataDir::open(path, IDENTITY).unwrap();
            dir.notes().write(Note::Life, b"old").unwrap();
            dir.notes().write(Note::Acquaintances, b"friends").unwrap();
            drop(dir);
            fs::write(path.join("SUCCESSOR"), heir).unwrap();
            if is_made || moved > 0 {
                fs::create_dir(path.join("outdated-4")).unwrap();
            }
            for name in &names[..moved] {
                fs::rename(path.join(name), path.join("outdated-4").join(name)).unwrap();
            }
            assert_eq!(DataDir::identity(path).unwrap(), Some(HEIR), "{moved}");
            DataDir::open(path, IDENTITY).unwrap_err();
            let dir = DataDir::open(path, HEIR).unwrap();
            assert_eq!(content(&dir), None, "{moved}");
            let number = if is_made || moved > 0 { 4 } else { 1 };
            let aside = path.join(format!("outdated-{number}"));
            names.iter().for_each(|name| assert!(aside.join(name).exists(), "{moved}: {name}"));
            assert!(!path.join("SUCCESSOR").exists());
        }
    }
}
