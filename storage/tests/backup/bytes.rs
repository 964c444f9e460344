//! What a backup is: its length, its content, and that both are of one moment.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use protocol::Rng;
use storage::backup::{BackupFile, BackupReader, PlaceError, survey, verify};
use storage::disk::FaultyDisk;
use storage::state::{FaultyFiles, RealFiles, State, StateOptions};
use store::snapshot::Piece;
use store::{Backend, BackendRead, Revision};

use crate::rig::{ORIGIN, OWNER, Rig, SMALL, backup, hash};

fn rig() -> Rig<FaultyFiles> {
    let files = FaultyFiles::new(FaultyDisk::default(), 1 << 16);
    Rig::new(State::on(files, OWNER, SMALL).unwrap())
}

/// Reads a backup back and compares it with the state it is of.
fn compare(rig: &Rig<FaultyFiles>, bytes: &[u8]) {
    let end = Revision::new(i64::MAX, 0);
    let all = rig.state.scan(Revision::default(), end, usize::MAX).unwrap();
    let mut reader = BackupReader::open(bytes).unwrap();
    let (mut meta, mut records) = (Vec::new(), Vec::new());
    while let Some(piece) = reader.piece().unwrap() {
        match piece {
            Piece::Meta(more) => meta.extend(more),
            Piece::Records(more) => records.extend(more),
            Piece::End(applied) => assert_eq!(applied, rig.state.applied()),
        }
    }
    assert_eq!((meta, records), (rig.state.meta().unwrap(), all));
}

#[test]
fn a_backup_of_any_state_has_the_length_it_announced_and_holds_all_of_it() {
    let mut rng = Rng::new(7);
    for changes in [0, 1, 2, 10, 40, 200, 700, 1500] {
        let mut rig = rig();
        rig.fill(&mut rng, changes);
        let bytes = rig.backup();
        compare(&rig, &bytes);
        let told = survey(&bytes[..]).unwrap();
        assert_eq!(told.hash, hash(&rig.store));
        assert_eq!((told.revision, told.keys), (rig.store.revision(), rig.store.keys()));
        assert_eq!(told.compact_revision, rig.store.compact_revision());
        assert_eq!((told.leases, told.members.len()), (2, 1));
        assert_eq!((told.header.origin, told.header.revision), (ORIGIN, told.revision));
    }
}

#[test]
fn records_larger_than_a_piece_and_very_many_small_ones_fit_into_the_estimate() {
    let mut state = Rig::new(State::memory());
    for number in 0..5_000 {
        state.put(&format!("{number}"), "", None);
    }
    state.put("large", vec![1; 3 << 20], None);
    for number in 0..40 {
        // Two of them never fit into a piece together: the most waste that there can be.
        state.put(&format!("half {number}"), vec![2; 40_000], None);
    }
    state.flush();
    let bytes = state.backup();
    let told = survey(&bytes[..]).unwrap();
    assert_eq!((told.keys, told.hash), (5_041, hash(&state.store)));
    let content: u64 = (3 << 20) + 40 * 40_000 + 5_000 * 60;
    assert!(told.header.length < content * 11 / 10, "{}", told.header.length);
}

#[test]
fn a_state_in_memory_and_one_on_disk_make_the_same_backup() {
    let directory = tempfile::tempdir().unwrap();
    let files = RealFiles::open(directory.path()).unwrap();
    let mut on_disk = Rig::new(State::on(files, OWNER, StateOptions::default()).unwrap());
    let mut in_memory = Rig::new(State::memory());
    on_disk.fill(&mut Rng::new(3), 300);
    in_memory.fill(&mut Rng::new(3), 300);
    let (one, other) = (on_disk.backup(), in_memory.backup());
    let (one, other) = (survey(&one[..]).unwrap(), survey(&other[..]).unwrap());
    assert_eq!(one.hash, other.hash);
    assert_eq!((one.records, one.header.applied), (other.records, other.header.applied));
}

#[test]
fn what_is_written_rewritten_and_dropped_meanwhile_is_not_in_it() {
    let mut rng = Rng::new(11);
    let mut rig = rig();
    rig.fill(&mut rng, 200);
    let before = rig.backup();
    let view = rig.state.view();
    rig.apply(&store::Command::Alarm {
        action: store::AlarmAction::Deactivate,
        member: None,
        alarm: None,
    });
    for number in 0..60 {
        rig.put("later", format!("{number}"), None);
        rig.flush();
    }
    let dead = rig.store.revision() - 3;
    rig.apply(&store::Command::Compact { revision: dead });
    rig.flush();
    while rig.store.compacting() {
        let dead = rig.store.compact_step(50);
        rig.state.discard(&dead).unwrap();
    }
    while rig.state.maintain().unwrap() {}
    assert_eq!(backup(view), before);
    assert_ne!(rig.backup(), before);
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/backup-v1/small.snapshot")
}

#[test]
fn version_1_is_written_byte_for_byte_as_it_was() {
    let mut rig = rig();
    rig.fill(&mut Rng::new(42), 20);
    let written = rig.backup();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(fixture().parent().unwrap()).unwrap();
        fs::write(fixture(), &written).unwrap();
    }
    let frozen = fs::read(fixture()).unwrap();
    assert_eq!(written.len(), frozen.len());
    let different: Vec<_> = (0..frozen.len()).filter(|&i| written[i] != frozen[i]).collect();
    assert_eq!(different, [0; 0], "offsets of bytes that differ");
    assert_eq!(survey(&frozen[..]).unwrap().hash, hash(&rig.store));
}

#[test]
fn a_file_gets_its_name_when_it_is_whole_and_takes_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("b.snapshot");
    let part = directory.path().join("b.snapshot.part");
    let mut rig = rig();
    rig.fill(&mut Rng::new(1), 30);
    let bytes = rig.backup();
    // Left by a crash.
    fs::write(&part, vec![9; 100_000]).unwrap();
    let mut file = BackupFile::create(&path, false).unwrap();
    assert!(matches!(BackupFile::create(&path, false), Err(PlaceError::Busy(_))));
    file.write(&bytes).unwrap();
    assert!(!path.exists());
    assert_eq!(file.place(|_| {}).unwrap(), verify(&bytes[..]).unwrap());
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::metadata(&part).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(matches!(BackupFile::create(&path, false), Err(PlaceError::Exists(_))));
    // What is not whole gets no name, and leaves what was there.
    let mut file = BackupFile::create(&path, true).unwrap();
    file.write(&bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(file.place(|_| {}), Err(PlaceError::Unsound { .. })));
    assert!(!part.exists());
    // Somebody else was faster.
    let other = directory.path().join("c.snapshot");
    let mut file = BackupFile::create(&other, false).unwrap();
    file.write(&bytes).unwrap();
    fs::write(&other, b"theirs").unwrap();
    assert!(matches!(file.place(|_| {}), Err(PlaceError::Exists(_))));
    assert_eq!(fs::read(&other).unwrap(), b"theirs");
}
