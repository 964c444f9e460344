//! How members end, and how that looks from both sides.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::agent::{Agent, Space, shows};
use crate::support::eventually;
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

#[test]
fn a_member_that_vanishes_fails_and_comes_back_with_a_later_incarnation() {
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let dir = dir.path();
    let a1 = Agent::start(&space, dir, "a1", &[]);
    let a2 = Agent::start(&space, dir, "a2", &["--join", &a1.gossip]);
    let (addresses, data) = (space.addresses(), dir.join("a3-data"));
    let flags = ["--join", &a1.gossip, "--data-dir", data.to_str().unwrap()];
    let start = || Agent::start_at(&space, dir, "a3", addresses.clone(), &flags);
    let incarnation = |agent: &Agent| {
        let pool: Value = serde_json::from_str(&agent.page("/v1/conclave/pool")).unwrap();
        pool["incarnation"].as_u64().unwrap()
    };
    let mut a3 = start();
    let mut last = 0;
    for _ in 0..2 {
        shows(&a1, "a3", "alive");
        shows(&a2, "a3", "alive");
        let now = incarnation(&a3);
        assert!(now > last, "{now} > {last}: what was said of its last life says nothing of it");
        last = now;
        let events = a2.watch(&dir.join(format!("events-{now}")));
        a3.kill();
        shows(&a1, "a3", "failed");
        shows(&a2, "a3", "failed");
        a3 = start();
        shows(&a3, "a2", "alive");
        let told = |word: &str| {
            let text = events.text();
            let mut lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
            lines.any(|line: Value| line["event"] == word && line["member"]["name"] == "a3")
        };
        eventually("the events of both", || (told("failed") && told("joined")).then_some(()));
    }
}

#[test]
fn an_agent_ends_though_all_its_places_are_taken_by_followers() {
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let mut agent = Agent::start(&space, dir.path(), "a1", &[]);
    let follow = |_| {
        let mut stream = TcpStream::connect(&agent.http).unwrap();
        stream.write_all(b"GET /v1/conclave/events HTTP/1.1\r\nHost: a1\r\n\r\n").unwrap();
        stream
    };
    // More than it serves at a time: the last ones wait for a place.
    let mut followers: Vec<TcpStream> = (0..260).map(follow).collect();
    for follower in &mut followers[..256] {
        let mut first = [0; 8];
        follower.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1");
    }
    agent.leave();
}

#[test]
fn what_a_server_says_of_itself_is_not_for_operators_to_change() {
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let [client, peer] = space.addresses();
    let data = dir.path().join("data");
    let server = ["--server", "--bootstrap-expect", "1", "--data-dir", data.to_str().unwrap()];
    let listen = ["--listen-client", &client, "--listen-peer", &peer];
    let agent = Agent::start(&space, dir.path(), "a1", &[&server[..], &listen].concat());
    let tag = |name: &str| agent.members()[0].tags.get(name).cloned();
    eventually("it is of a cluster", || tag("cluster"));
    for change in ["--set=role=db", "--set=pledge=", "--delete=cluster"] {
        let refusal = agent.ends_with(2, &["tags", change]);
        assert!(refusal.contains("is what a server says of itself"), "{change}: {refusal}");
    }
    agent.ok(&["tags", "--set", "zone=b"]);
    assert_eq!((tag("zone").as_deref(), tag("role").as_deref()), (Some("b"), Some("server")));
}
