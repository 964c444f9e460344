//! What stands in a data directory besides log and state, and directories that change hands.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod log_common;

use std::fs;

use log_common::IDENTITY;
use protocol::NodeId;
use storage::Identity;
use storage::datadir::{DataDir, DataDirError, Note};

/// Bytes of one of the two copies of a life.
const COPY: u64 = 4096;

#[test]
fn a_note_is_what_was_written_last_and_a_damaged_copy_costs_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::open(temp.path(), IDENTITY).unwrap();
    let mut notes = dir.notes().unwrap();
    let path = temp.path().join("LIFE");
    assert_eq!(notes.read(Note::Life).unwrap(), None);
    let long = vec![7; 4000];
    for content in [&b"one"[..], b"", b"another", &long, b"the last"] {
        notes.write(Note::Life, content).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 * COPY);
        assert_eq!(notes.read(Note::Life).unwrap().unwrap(), content);
        assert_eq!(dir.notes().unwrap().read(Note::Life).unwrap().unwrap(), content);
    }
    notes.write(Note::Life, &[7; 4096]).unwrap_err();
    assert_eq!(notes.read(Note::Acquaintances).unwrap(), None);

    let whole = fs::read(&path).unwrap();
    let (end, copy) = (28 + b"the last".len(), usize::try_from(COPY).unwrap());
    for at in (0..end).chain(copy..copy + end) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        assert_eq!(content(&dir).unwrap(), b"the last", "byte {at}");
        let mended = fs::read(&path).unwrap();
        assert_eq!(mended[..end], whole[..end]);
        assert_eq!(mended[copy..][..end], whole[..end]);
    }
}

#[test]
fn a_note_that_is_damaged_in_both_copies_is_named_and_may_be_written_anew() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::open(temp.path(), IDENTITY).unwrap();
    let path = temp.path().join("LIFE");
    let mut notes = dir.notes().unwrap();
    notes.write(Note::Life, b"first").unwrap();
    // Nobody overwrites what nobody has read.
    dir.notes().unwrap().write(Note::Life, b"second").unwrap_err();
    let whole = fs::read(&path).unwrap();
    let mut rotten = whole.clone();
    rotten[30] ^= 1;
    rotten[usize::try_from(COPY).unwrap() + 3] ^= 1;
    for damaged in [&rotten[..], b"noise", b"", &whole[..100], &vec![0; whole.len()]] {
        fs::write(&path, damaged).unwrap();
        let mut notes = dir.notes().unwrap();
        let refused = notes.read(Note::Life).unwrap_err();
        assert!(matches!(&refused, DataDirError::DamagedNote(it) if *it == path), "{refused}");
        notes.write(Note::Life, b"anew").unwrap();
        assert_eq!(content(&dir).unwrap(), b"anew");
    }
    // One note is not taken for the other.
    fs::write(temp.path().join("ACQUAINTANCES"), whole.repeat(9)).unwrap();
    dir.notes().unwrap().read(Note::Acquaintances).unwrap_err();
}

const HEIR: Identity = Identity { cluster: IDENTITY.cluster, node: NodeId(77) };

/// What there is of a directory, as far as these tests care.
fn content(dir: &DataDir) -> Option<Vec<u8>> {
    dir.notes().unwrap().read(Note::Life).unwrap()
}

#[test]
fn a_directory_that_is_handed_over_is_the_heirs_and_empty_and_one_old_content_is_kept() {
    let temp = tempfile::tempdir().unwrap();
    for round in 1..=3_u8 {
        let owner = if round == 1 { IDENTITY } else { HEIR };
        let dir = DataDir::open(temp.path(), owner).unwrap();
        assert_eq!(content(&dir), None, "round {round}");
        dir.notes().unwrap().write(Note::Life, &[round]).unwrap();
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
            let mut notes = dir.notes().unwrap();
            notes.write(Note::Life, b"old").unwrap();
            notes.write(Note::Acquaintances, b"friends").unwrap();
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
