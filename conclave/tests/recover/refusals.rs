//! What is refused, and what a recovery that is killed leaves.

use std::path::Path;
use std::process::Stdio;

use tokio::runtime::Runtime;

use crate::support::cluster::{Cluster, conclave};
use crate::support::eventually;
use crate::{content, fails, heir, ok, recover, text};

fn damage(folder: &Path) {
    for (path, bytes) in content(folder) {
        std::fs::write(path, bytes.iter().map(|byte| byte ^ 0x55).collect::<Vec<u8>>()).unwrap();
    }
}

#[test]
fn what_is_no_survivor_is_refused_with_what_to_do_and_nothing_is_changed() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    for number in 0..10 {
        let put = || runtime.block_on(cluster.client(0).put(format!("k/{number}"), "v")).ok();
        eventually("a put", put);
    }
    let dir = tempfile::tempdir().unwrap();
    let (from, new) = (cluster.members[0].dir.clone(), dir.path().join("new"));
    let line =
        |from: &Path, to: &Path| fails(&["recover", text(from), "--data-dir", text(to), "--yes"]);
    assert!(line(&from, &new).contains("stop the member that runs on it"));
    (0..3).for_each(|at| assert_eq!(cluster.terminate(at), Some(0)));
    let before = content(&from);
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for nothing in [&empty, &dir.path().join("never")] {
        assert!(line(nothing, &new).contains("holds no member's data"));
    }
    assert!(line(&from, &from).contains("is not empty; the recovered member gets a new directory"));
    // Nobody confirms it.
    let said = fails(&["recover", text(&from), "--data-dir", text(&new)]);
    assert!(said.contains("this command") && said.contains("cannot know"), "{said}");
    assert!(said.contains("given up") && said.contains("not confirmed"), "{said}");
    assert_eq!(content(&new), []);
    assert_eq!(content(&from), before);
    // A cluster of one has not lost anything.
    let mut alone = Cluster::start(1);
    eventually("a put", || runtime.block_on(alone.client(0).put("k", "v")).ok());
    alone.terminate(0);
    let said = line(&alone.members[0].dir, &new);
    assert!(said.contains("no majority is lost: start it as it is"), "{said}");
    let both = [text(&from), text(&alone.members[0].dir)];
    let said = fails(&["recover", both[0], both[1], "--data-dir", text(&new), "--yes"]);
    assert!(said.contains("give directories of one cluster only"), "{said}");
    damaged(&mut cluster, &runtime, &new);
}

/// A damaged state is made anew from a log that has everything; with both damaged there is nothing.
fn damaged(cluster: &mut Cluster, runtime: &Runtime, new: &Path) {
    let whole = recover(cluster, 0, &[]);
    damage(&cluster.members[1].dir.join("state"));
    let told = recover(cluster, 1, &[]);
    assert_eq!(told["revision"], whole["revision"]);
    damage(&cluster.members[1].dir.join("log"));
    let from = cluster.members[1].dir.clone();
    let said = fails(&["recover", text(&from), "--data-dir", text(new), "--yes"]);
    assert!(said.contains("leave this directory out"), "{said}");
    assert!(!new.exists() || content(new).is_empty());
    cluster.members[1].dir = heir(cluster, 1);
    cluster.run(1);
    cluster.await_answer(1);
    assert!(runtime.block_on(cluster.client(1).get("k/9")).unwrap().is_some());
}

#[test]
fn a_recovery_that_is_killed_leaves_nothing_that_starts_and_can_be_done_again() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    for number in 0..20 {
        let value = vec![7_u8; 500_000];
        let put =
            || runtime.block_on(cluster.client(0).put(format!("big/{number}"), value.clone()));
        eventually("a put", || put().ok());
    }
    (0..3).for_each(|at| assert_eq!(cluster.terminate(at), Some(0)));
    let (from, to) = (cluster.members[0].dir.clone(), heir(&cluster, 0));
    let line = ["recover", text(&from), "--data-dir", text(&to), "--yes"];
    // While it copies, while it writes the state, and when it begins the log.
    for place in ["scratch", "state", "log"] {
        let mut child =
            conclave().args(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("the recovery to come so far", || {
            let folder = std::fs::read_dir(to.join(place)).ok()?;
            let ended = child.try_wait().unwrap().is_some();
            (ended || folder.count() > 0).then_some(())
        });
        child.kill().unwrap();
        child.wait().unwrap();
        // The kill may have come too late; then it is whole.
        if to.join("FORMAT").exists() {
            break;
        }
        let said = fails(&["agent", "--server", "--data-dir", text(&to)]);
        assert!(said.contains("was not restored to its end"), "{said}");
    }
    if !to.join("FORMAT").exists() {
        ok(&line);
    }
    assert!(!to.join("scratch").exists());
    cluster.members[0].dir = to;
    cluster.run(0);
    cluster.await_answer(0);
    let last = runtime.block_on(cluster.client(0).get("big/19")).unwrap().unwrap();
    assert_eq!(last.value.len(), 500_000);
}
