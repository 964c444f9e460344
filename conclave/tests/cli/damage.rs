//! A byte of the log that is no longer what it was.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use std::process::Stdio;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;

use crate::refusals::last_sentence;
use crate::said::{Said, Store, run, say};
use crate::support::eventually;

/// The entries of a log, by the place that each has in its file.
fn entries(dir: &Path) -> Vec<Value> {
    let said = say(&["inspect", "log", dir.to_str().unwrap(), "--entries", "-o", "json"]);
    let log: Value = serde_json::from_str(&said.out).unwrap();
    log["entries"].as_array().unwrap().clone()
}

/// The index of a position as it is printed.
fn index(position: &str) -> u64 {
    position.split('@').next().unwrap().parse().unwrap()
}

/// The last entry that a state covers.
fn applied(dir: &Path) -> u64 {
    let said = say(&["inspect", "state", dir.to_str().unwrap(), "-o", "json"]);
    let state: Value = serde_json::from_str(&said.out).unwrap();
    state["applied"].as_str().map_or(0, index)
}

fn flip(file: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
}

#[test]
fn a_flipped_byte_in_the_log_of_a_member_alone_is_refused_by_the_name_of_its_entry() {
    let mut store = Store::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = client::Client::new(client::Options::to([store.cluster.endpoint(0)])).unwrap();
    let dir = store.cluster.members[0].dir.clone();
    // What is behind it is whole, and no flush was so fast that the state makes up for it.
    let entry = eventually("an entry that the state does not cover", || {
        store.cluster.await_healthy();
        for number in 0..40 {
            runtime.block_on(client.put("k", number.to_string())).unwrap();
        }
        store.cluster.kill(0);
        let entries = entries(&dir);
        let entry = entries[entries.len() - 4].clone();
        let covered = entry["position"].as_str().is_some_and(|it| index(it) <= applied(&dir));
        if covered {
            store.cluster.run(0);
        }
        (!covered).then_some(entry)
    });
    let member = &store.cluster.members[0];
    let log = member.dir.join("log");
    let position = entry["position"].as_str().unwrap();
    let bytes = entry["payload_bytes"].as_u64().unwrap();
    let offset = entry["offset"].as_u64().unwrap();
    let file = log.join(entry["file"].as_str().unwrap());
    flip(&file, offset + bytes / 2);

    let said = run(&mut store.cluster.command(0), b"");
    let sentence = last_sentence(said);
    assert!(
        sentence.starts_with("cannot open the log: it lacks what it had acknowledged: segment 1: "),
        "{sentence}"
    );
    assert!(sentence.contains(&format!("entry {position}")), "{position}: {sentence}");

    let said = say(&["inspect", "log", member.dir.to_str().unwrap()]);
    assert!(said.out.contains("damage"), "{said:?}");
    let place = log.display();
    assert!(said.fails(1).starts_with(&format!("{place}: ")));

    // Nothing was mended behind the operator's back: the byte back in its place, all is as it was.
    flip(&file, offset + bytes / 2);
    store.cluster.run(0);
    store.cluster.await_healthy();
    assert_eq!(store.ok(&["kv", "get", "k", "--print-value-only"]), "39\n");
}

/// A failed write of the log is never tried again: the process ends, says why, and takes its
/// clients along, who find another member. What it had acknowledged is there at the next start.
#[test]
fn a_member_whose_disk_fails_ends_at_once_and_loses_nothing() {
    let mut store = Store::start();
    store.cluster.kill(0);
    let mut command = store.cluster.command(0);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    store.cluster.await_answer(0);
    // A client that stays must not keep the process from ending.
    let mut watch = store.command(&["kv", "watch", "", "--prefix"]);
    let mut watch = watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let value = "x".repeat(100_000);
    assert_eq!(store.ok(&["kv", "put", "first", "acknowledged"]), "OK\n");

    // No file can be opened any more: neither a segment of the log nor a table of the state.
    let none = Rlimit { current: Some(3), maximum: Some(3) };
    let pid = Pid::from_child(&child);
    let client = client::Client::new(client::Options::to([store.cluster.endpoint(0)])).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(client.put("second", "acknowledged")).unwrap();
    prlimit(Some(pid), Resource::Nofile, none).unwrap();
    let mut acknowledged = 0;
    while runtime.block_on(client.put(format!("n/{acknowledged}"), value.clone())).is_ok() {
        acknowledged += 1;
        assert!(acknowledged < 10_000, "the log goes on without files");
    }
    eventually("the member to end", || child.try_wait().unwrap());
    watch.kill().unwrap();
    watch.wait().unwrap();
    let said = Said::of(child.wait_with_output().unwrap());
    let sentence = last_sentence(said);
    // Whichever of the two needs a file first.
    let failed = ["the log failed, ", "the state failed, "];
    let failed = failed.iter().any(|what| sentence.starts_with(what));
    assert!(failed && sentence.contains("this member must not go on: "), "{sentence}");

    store.cluster.run(0);
    store.cluster.await_healthy();
    for key in ["first", "second"] {
        let found = store.ok(&["kv", "get", key, "--print-value-only"]);
        assert_eq!(found, "acknowledged\n");
    }
    let kept = store.ok(&["kv", "get", "n/", "--prefix", "--count-only"]);
    let kept: u64 = kept.trim().parse().unwrap();
    // The one that was not acknowledged may have been written, too.
    assert!((acknowledged..=acknowledged + 1).contains(&kept), "{kept} of {acknowledged}");
}
