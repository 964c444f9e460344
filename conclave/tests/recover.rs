//! A majority is lost for good, and the cluster goes on with what a survivor has.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "recover/loss.rs"]
mod loss;
#[path = "recover/refusals.rs"]
mod refusals;
mod support;
#[path = "recover/survivor.rs"]
mod survivor;

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use support::cluster::{Cluster, conclave};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What a command said, with nobody at the terminal.
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

/// Where the recovered member's data goes.
fn heir(cluster: &Cluster, at: usize) -> PathBuf {
    cluster.members[at].dir.with_extension("recovered")
}

/// Recovers from a member that does not run, and gives what the command said.
fn recover(cluster: &Cluster, at: usize, more: &[&str]) -> Value {
    let (from, to) = (&cluster.members[at].dir, heir(cluster, at));
    let line = ["recover", text(from), "--data-dir", text(&to), "--yes", "-o", "json"];
    serde_json::from_str(&ok(&[&line[..], more].concat())).unwrap()
}

/// All files below a directory, with their content.
fn content(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            found.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}
