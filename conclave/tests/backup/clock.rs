//! Backups by the clock.

use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;

use crate::support::cluster::Cluster;
use crate::support::{eventually, get};
use crate::{fails, inspect, text};

fn counter(cluster: &Cluster, name: &str) -> u64 {
    let page = get(cluster.members[0].client_port, "/metrics").unwrap().1;
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap();
    line.trim().parse().unwrap()
}

/// The backups in a folder, by their names.
fn backups(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "snapshot")).collect();
    found.sort();
    found
}

#[test]
fn backups_are_made_verified_and_kept_by_count() {
    let runtime = Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("made/by/it");
    let flags = ["--backup-dir", text(&folder), "--backup-interval", "1s", "--backup-keep", "2"];
    let mut cluster = Cluster::start_with(1, &flags);
    let client = cluster.client(0);
    eventually("the third backup", || {
        runtime.block_on(client.put("k", "v")).unwrap();
        (counter(&cluster, "conclave_backups_total") >= 3).then_some(())
    });
    cluster.terminate(0);
    let found = backups(&folder);
    assert!((2..=3).contains(&found.len()), "{found:?}");
    for file in &found {
        let name = file.file_name().unwrap().to_str().unwrap();
        let revision = inspect(file)["revision"].as_i64().unwrap();
        assert!(name.starts_with(&format!("m0-{revision}-20")), "{name}");
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), found.len(), "no part is left");
}

#[test]
fn a_folder_that_cannot_be_written_is_counted_and_service_goes_on() {
    let runtime = Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    let flags = ["--backup-dir", text(&file), "--backup-interval", "1s"];
    let mut cluster = Cluster::start_with(1, &flags);
    // What it was when the member started, it is no more.
    eventually("a file in its place", || {
        let _gone = std::fs::remove_dir_all(&file);
        std::fs::write(&file, b"").ok()
    });
    let before = counter(&cluster, "conclave_backups_total");
    eventually("two failures", || {
        (counter(&cluster, "conclave_backup_failures_total") >= 2).then_some(())
    });
    runtime.block_on(cluster.client(0).put("k", "v")).unwrap();
    assert!(counter(&cluster, "conclave_backups_total") <= before + 1, "one was under way");
    assert!(cluster.log("m0").contains("no backup was made"));
    cluster.assert_unharmed();
}

#[test]
fn a_folder_that_can_never_be_written_is_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let data = dir.path().join("data");
    let port = crate::support::free_ports(2);
    let said = fails(&[
        "agent",
        "--server",
        "--data-dir",
        text(&data),
        "--listen-client",
        &format!("127.0.0.1:{}", port[0]),
        "--listen-peer",
        &format!("127.0.0.1:{}", port[1]),
        "--backup-dir",
        text(&file),
    ]);
    let wanted = format!(
        "cannot write to {}: a file stands in its place; choose another one with --backup-dir",
        text(&file)
    );
    assert!(said.contains(&wanted), "{said}");
    assert!(!data.join("FORMAT").exists(), "it was not begun");
}
