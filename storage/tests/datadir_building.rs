//! A data directory that is put together: whole, or refused.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::fs;
use std::path::Path;

use protocol::{ClusterId, NodeId};
use storage::Identity;
use storage::datadir::{Building, DataDir, DataDirError};

const OWNER: Identity = Identity { cluster: ClusterId(1), node: NodeId(2) };

fn begin(path: &Path) -> Result<(), DataDirError> {
    Building::begin(path).map(drop)
}

#[test]
fn a_directory_is_refused_until_it_is_whole_and_opens_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    let building = Building::begin(&path).unwrap();
    fs::write(building.state().join("file"), b"x").unwrap();
    assert!(matches!(begin(&path), Err(DataDirError::Locked(_))));
    assert!(matches!(DataDir::open(&path, OWNER), Err(DataDirError::Locked(_))));
    drop(building);
    assert!(matches!(DataDir::open(&path, OWNER), Err(DataDirError::Unfinished(_))));
    assert!(matches!(DataDir::identity(&path), Err(DataDirError::Unfinished(_))));
    // Once more, from the beginning.
    let building = Building::begin(&path).unwrap();
    assert_eq!(fs::read_dir(building.state()).unwrap().count(), 0);
    fs::write(building.state().join("other"), b"x").unwrap();
    building.finish(OWNER).unwrap();
    let open = DataDir::open(&path, OWNER).unwrap();
    assert!(open.state().join("other").exists() && open.log().is_dir());
    assert_eq!(DataDir::identity(&path).unwrap(), Some(OWNER));
}

#[test]
fn a_directory_with_anything_in_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    // The root of a file system, and the lock of a member that never began.
    fs::create_dir(path.join("lost+found")).unwrap();
    fs::write(path.join("LOCK"), b"").unwrap();
    begin(path).unwrap();
    let refused = |path: &Path| matches!(begin(path), Err(DataDirError::NotEmpty(_)));
    fs::write(path.join("notes"), b"mine").unwrap();
    assert!(refused(path), "something of somebody else's");
    // A member that has lost its FORMAT still has its data.
    let lost = dir.path().join("lost");
    drop(DataDir::open(&lost, OWNER).unwrap());
    assert!(refused(&lost));
    fs::remove_file(lost.join("FORMAT")).unwrap();
    assert!(refused(&lost));
    assert!(matches!(DataDir::open(&lost, OWNER), Err(DataDirError::Damaged(_))));
    assert!(matches!(begin(&path.join("notes")), Err(DataDirError::NotADirectory(_))));
}

#[test]
fn a_mark_that_outlived_its_time_does_not_give_a_members_data_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d");
    Building::begin(&path).unwrap().finish(OWNER).unwrap();
    // The crash came between the two last steps.
    fs::write(path.join("RESTORING"), b"").unwrap();
    assert!(matches!(begin(&path), Err(DataDirError::NotEmpty(_))));
    drop(DataDir::open(&path, OWNER).unwrap());
    fs::remove_file(path.join("FORMAT")).unwrap();
    assert!(matches!(begin(&path), Err(DataDirError::NotEmpty(_))));
}
