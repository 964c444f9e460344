//! What is refused, and what a restore that is killed leaves.

use std::path::Path;
use std::process::Stdio;

use tokio::runtime::Runtime;

use crate::support::cluster::{Cluster, conclave};
use crate::support::{ended, eventually};
use crate::{fails, inspect, ok, restore, restoring, save, text};

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn what_cannot_be_restored_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("b.snapshot");
    let cluster = Cluster::start(1);
    save(&cluster, 0, &file);
    // Neither saved over nor restored over.
    let again = ["snapshot", "save", text(&file), "--endpoints", &cluster.endpoint(0)];
    assert!(fails(&again).contains("exists already; --force replaces it"));
    let force = [&again[..], &["--force"]].concat();
    assert!(ok(&force).contains("verified"));
    let mut same = restoring(&cluster, 0, &file, "conclave");
    let said = fails(&words(&same));
    assert!(
        said.contains("Give the new cluster a token of its own with --cluster-token"),
        "{said}"
    );
    *same.last_mut().unwrap() = "other".into();
    let said = fails(&words(&same));
    assert!(said.contains("is not empty; a backup is restored into a new directory"), "{said}");
    // One without the other.
    let into = dir.path().join("new");
    let new = ["snapshot", "restore", text(&file), "--data-dir", text(&into)];
    for half in [&["--bump-revision", "5"][..], &["--mark-compacted"]] {
        assert!(fails(&[&new, half].concat()).contains("required"));
    }
    let stranger = [&new[..], &["--initial-cluster", "x=127.0.0.1:1"]].concat();
    let said = fails(&stranger);
    assert!(said.contains("--initial-cluster does not name this member"), "{said}");
    refuse_damage(&file, dir.path());
    assert!(!into.exists() && !dir.path().join("b.snapshot.part").exists());
}

fn refuse_damage(file: &Path, dir: &Path) {
    let bad = dir.join("bad.snapshot");
    let whole = std::fs::read(file).unwrap();
    let mut flipped = whole.clone();
    flipped[600] ^= 4;
    let mut bbolt = vec![0; 4096];
    bbolt[16..20].copy_from_slice(&0xED0C_DAED_u32.to_le_bytes());
    let cases = [
        (flipped, "damaged: a piece of the snapshot is damaged, at byte 512"),
        (whole[..whole.len() - 40].to_vec(), "it was cut or added to"),
        ([&whole[..], b"x"].concat(), "it was cut or added to"),
        (bbolt, "this is a bbolt database, as etcd's snapshots are"),
        (b"hello".to_vec(), "this is no backup of Conclave"),
    ];
    let into = dir.join("never");
    for (bytes, expected) in cases {
        std::fs::write(&bad, bytes).unwrap();
        for command in [
            &["snapshot", "inspect", text(&bad)][..],
            &["snapshot", "restore", text(&bad), "--data-dir", text(&into)],
        ] {
            let said = fails(command);
            assert!(said.contains(expected) && said.contains("bad.snapshot"), "{said}");
        }
        assert!(!into.exists(), "something was left");
        // Of a directory that was there, nothing but that.
        std::fs::create_dir(&into).unwrap();
        fails(&["snapshot", "restore", text(&bad), "--data-dir", text(&into)]);
        assert_eq!(std::fs::read_dir(&into).unwrap().count(), 0);
        std::fs::remove_dir(&into).unwrap();
    }
}

#[test]
fn a_restore_that_is_killed_leaves_nothing_that_starts_and_can_be_done_again() {
    let runtime = Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("b.snapshot");
    let cluster = Cluster::start(1);
    let client = cluster.client(0);
    for number in 0..40 {
        let value = vec![7_u8; 500_000];
        runtime.block_on(client.put(format!("big/{number}"), value)).unwrap();
    }
    save(&cluster, 0, &file);
    let mut again = Cluster::prepare(1, &["--cluster-token", "again"]);
    let arguments = restoring(&again, 0, &file, "again");
    let target = again.members[0].dir.clone();
    let mut child = conclave().args(&arguments).stdout(Stdio::null()).spawn().unwrap();
    eventually("the restore to begin", || target.join("state").exists().then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    // The kill may have come too late; then it is whole.
    if !target.join("FORMAT").exists() {
        let output = ended(&mut again.command(0));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("was not restored to its end; run `conclave snapshot"), "{said}");
        ok(&words(&arguments));
    }
    again.run(0);
    again.await_healthy();
    let hash = |cluster: &Cluster| runtime.block_on(cluster.client(0).hash_kv(0)).unwrap();
    assert_eq!(hash(&again).hash, hash(&cluster).hash);
    again.assert_unharmed();
}

#[test]
fn a_state_of_nothing_is_a_backup_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("empty.snapshot");
    let cluster = Cluster::start(1);
    save(&cluster, 0, &file);
    let told = inspect(&file);
    assert_eq!((&told["revision"], &told["keys"]), (&1.into(), &0.into()), "{told}");
    let runtime = Runtime::new().unwrap();
    let bump = ["--bump-revision", "9", "--mark-compacted"];
    let again = restore(1, &file, "again", &bump);
    let put = runtime.block_on(again.client(0).put("a", "b")).unwrap();
    assert_eq!(put.header.unwrap().revision, 11);
}
