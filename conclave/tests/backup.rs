//! Backups of real processes: what is saved under load comes back as another cluster.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "backup/clock.rs"]
mod clock;
#[path = "backup/refusals.rs"]
mod refusals;
#[path = "backup/restored.rs"]
mod restored;
mod support;

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use support::cluster::{Cluster, conclave};

/// What a command said, and whether it came to anything.
fn run(arguments: &[&str]) -> Output {
    support::ended(conclave().args(arguments))
}

/// What a command printed, which must be a success.
fn ok(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "conclave {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command complained of, which must be a failure.
fn fails(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(!output.status.success(), "conclave {arguments:?} should have failed");
    String::from_utf8(output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn save(cluster: &Cluster, at: usize, file: &Path) {
    ok(&["snapshot", "save", text(file), "--endpoints", &cluster.endpoint(at)]);
}

/// What `snapshot inspect` says.
fn inspect(file: &Path) -> Value {
    serde_json::from_str(&ok(&["snapshot", "inspect", text(file), "-o", "json"])).unwrap()
}

/// The arguments that restore a file for one member of a cluster that is yet to be.
fn restoring(cluster: &Cluster, at: usize, file: &Path, token: &str) -> Vec<String> {
    let member = &cluster.members[at];
    let dir: PathBuf = member.dir.clone();
    let arguments = [
        "snapshot",
        "restore",
        text(file),
        "--name",
        &member.name,
        "--data-dir",
        text(&dir),
        "--initial-cluster",
        cluster.initial(),
        "--cluster-token",
        token,
    ];
    arguments.map(String::from).to_vec()
}

/// A cluster that begins with a backup.
fn restore(size: usize, file: &Path, token: &str, more: &[&str]) -> Cluster {
    let mut cluster = Cluster::prepare(size, &["--cluster-token", token]);
    for at in 0..size {
        let arguments = restoring(&cluster, at, file, token);
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.extend(more);
        ok(&arguments);
        cluster.run(at);
    }
    cluster.await_healthy();
    cluster
}
