//! What operators do by mistake, and the way out that they are told: each case ends with a member
//! that serves, by the very commands that were printed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "operator/founded.rs"]
mod founded;
#[path = "operator/mistaken.rs"]
mod mistaken;
#[path = "operator/pasted.rs"]
mod pasted;
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::cluster::{Cluster, conclave};
use support::eventually;

/// All files below a directory, with all of their bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(path).unwrap());
        }
    }
    found
}

/// What both outputs of a process had.
fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

/// Runs `conclave` against a member, and gives what it printed; it must be a success.
fn ask(cluster: &Cluster, at: usize, arguments: &[&str]) -> String {
    let mut command = conclave();
    let output = command.args(arguments).args(["--endpoints", &cluster.endpoint(at)]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

/// Adds the member of this place.
fn add(cluster: &Cluster, at: usize) {
    let url = cluster.peer_url(at);
    ask(cluster, 0, &["member", "add", &url, "--name", &cluster.members[at].name]);
}

/// The command of a member without these flags, each with its value.
fn without(command: &Command, flags: &[&str]) -> Command {
    let mut kept = conclave();
    let mut arguments = command.get_args();
    while let Some(argument) = arguments.next() {
        if flags.iter().any(|flag| *flag == argument) {
            arguments.next();
        } else {
            kept.arg(argument);
        }
    }
    kept
}

/// Waits until a member votes, as another one tells.
fn await_voter(cluster: &Cluster, at: usize) {
    let name = &cluster.members[at].name;
    eventually(&format!("{name} to vote\n{}", cluster.log(name)), || {
        let listed = ask(cluster, 0, &["member", "list"]);
        let line = listed.lines().find(|line| line.contains(name.as_str()))?;
        line.ends_with("no").then_some(())
    });
}
