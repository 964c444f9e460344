//! Format version 1, frozen: files written by the first release open for ever.

use std::fs;
use std::path::{Path, PathBuf};

use protocol::Rng;
use storage::state::{DiskBackend, RealFiles};
use store::{Backend, BackendRead};

use crate::support::{OWNER, SMALL, Truth};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state-v1")
}

/// Writes the state that the fixture holds.
fn write(directory: &Path) -> Truth {
    let mut rng = Rng::new(42);
    let mut truth = Truth::new();
    let files = RealFiles::open(directory).unwrap();
    let mut backend = DiskBackend::open(files, OWNER, SMALL).unwrap();
    for _ in 0..3 {
        backend.flush(&truth.next_flush(&mut rng, 6)).unwrap();
    }
    truth
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_bytes_are_those_of_version_1() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path());
    if std::env::var_os("WRITE_FIXTURES").is_some() {
        fs::create_dir_all(fixture()).unwrap();
        for name in names(directory.path()) {
            fs::copy(directory.path().join(&name), fixture().join(&name)).unwrap();
        }
    }
    assert_eq!(names(directory.path()), names(&fixture()));
    for name in names(&fixture()) {
        let written = fs::read(directory.path().join(&name)).unwrap();
        assert_eq!(written, fs::read(fixture().join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn files_of_version_1_open() {
    let directory = tempfile::tempdir().unwrap();
    for name in names(&fixture()) {
        fs::copy(fixture().join(&name), directory.path().join(&name)).unwrap();
    }
    let twin = tempfile::tempdir().unwrap();
    let truth = write(twin.path());
    let files = RealFiles::open(directory.path()).unwrap();
    let backend = DiskBackend::open(files, OWNER, SMALL).unwrap();
    assert_eq!(backend.applied(), truth.last().applied);
    truth.check(&backend, truth.points.len() - 1, false);
}
