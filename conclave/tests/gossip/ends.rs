//! How members end, and how that looks from both sides.

use crate::support::agent::{Agent, Space, shows};
use crate::support::serf::{Serf, find};

#[test]
fn who_leaves_has_left_and_who_dies_has_failed() {
    let Some(program) = find() else { return };
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let dir = dir.path();
    let s1 = Serf::start(&program, &space, dir, "s1", &[]);
    let ours = |name: &str| Agent::start(&space, dir, name, &["--join", &s1.gossip]);
    let a1 = ours("a1");
    let join = format!("-join={}", a1.gossip);
    let theirs = |name: &str| Serf::start(&program, &space, dir, name, &[&join]);
    let (mut leaves, mut dies) = (theirs("s-leaves"), theirs("s-dies"));
    let (mut leaves_too, mut dies_too) = (ours("a-leaves"), ours("a-dies"));
    for name in ["s-leaves", "s-dies", "a-leaves", "a-dies"] {
        shows(&s1, name, "alive");
        shows(&a1, name, "alive");
    }
    // One that is there objects, and stays. (Serf tells nobody when there is no third one.)
    s1.ok(&["force-leave", "a1"]);
    shows(&s1, "a1", "alive");
    shows(&leaves, "a1", "alive");
    leaves.leave();
    leaves_too.leave();
    dies.kill();
    dies_too.kill();
    for (name, status) in
        [("s-leaves", "left"), ("a-leaves", "left"), ("s-dies", "failed"), ("a-dies", "failed")]
    {
        shows(&s1, name, status);
        shows(&a1, name, status);
    }
    // Whoever cannot say so itself is declared to have left, by either side.
    a1.ok(&["force-leave", "s-dies"]);
    shows(&s1, "s-dies", "left");
    shows(&a1, "s-dies", "left");
    s1.ok(&["force-leave", "a-dies"]);
    shows(&a1, "a-dies", "left");
    shows(&s1, "a-dies", "left");
    assert!(a1.fails(&["force-leave", "nobody"]).contains("no member of this name"));

    // Under the same name, at another address, and not known to be who it was.
    let _again = ours("a-leaves");
    shows(&s1, "a-leaves", "alive");
    shows(&a1, "a-leaves", "alive");
    let _again = theirs("s-leaves");
    shows(&a1, "s-leaves", "alive");
}

#[test]
fn an_agent_comes_back_as_itself_after_a_kill() {
    let Some(program) = find() else { return };
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let dir = dir.path();
    let s1 = Serf::start(&program, &space, dir, "s1", &[]);
    let data = dir.join("a1");
    let (addresses, data) = (space.addresses(), data.to_str().unwrap());
    let flags = ["--join", &s1.gossip, "--data-dir", data];
    let start = || Agent::start_at(&space, dir, "a1", addresses.clone(), &flags);
    let mut a1 = start();
    shows(&s1, "a1", "alive");
    for _ in 0..2 {
        a1.kill();
        shows(&s1, "a1", "failed");
        a1 = start();
        shows(&s1, "a1", "alive");
        shows(&a1, "s1", "alive");
    }
}
