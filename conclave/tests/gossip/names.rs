//! Two agents of one name: the others say whose it is, and the other one ends without a word.

use std::path::Path;

use serde_json::Value;

use crate::support::agent::{Agent, Space, shows};
use crate::support::cluster::conclave;
use crate::support::serf::Following;
use crate::support::{eventually, free_ports};

/// Three agents that know each other; the first is the one whose name is wanted.
fn pool(space: &Space, dir: &Path) -> [Agent; 3] {
    let a1 = Agent::start(space, dir, "a1", &[]);
    let join = ["--join", &a1.gossip];
    let (a2, a3) = (Agent::start(space, dir, "a2", &join), Agent::start(space, dir, "a3", &join));
    let agents = [a1, a2, a3];
    for at in &agents {
        for name in ["a1", "a2", "a3"] {
            shows(at, name, "alive");
        }
    }
    agents
}

/// Starts another agent of the first one's name, which joins.
fn twin(space: &Space, dir: &Path, at: &Agent, extra: &[&str]) -> Agent {
    let flags = [&["--join", &at.gossip], extra].concat();
    Agent::spawn(space, dir.join("twin.log"), "a1", space.addresses(), &flags)
}

/// Whether the first one was said to have left, since the stream began.
fn has_left(events: &Following) -> bool {
    let text = events.text();
    let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.any(|line| line["event"] == "left" && line["member"]["name"] == "a1")
}

fn goes_on(agents: &[Agent; 3], events: &Following) {
    // What comes later is told after whatever else would have been.
    agents[2].ok(&["event", "last"]);
    events.writes("\"last\"");
    assert!(!has_left(events), "{}", events.text());
    for at in agents {
        let listed = shows(at, "a1", "alive");
        assert_eq!(listed.address, agents[0].gossip, "a1 is who it was");
        assert_eq!(at.members().len(), 3);
    }
}

#[test]
fn whoever_loses_its_name_ends_with_advice_and_the_owner_goes_on() {
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let agents = pool(&space, dir.path());
    let events = agents[1].watch(&dir.path().join("events"));
    let mut twin = twin(&space, dir.path(), &agents[2], &[]);
    assert_eq!(twin.ended(), Some(1), "{}", twin.log());
    let said = twin.log();
    let last = said.lines().last().unwrap();
    let wanted = format!(
        "conclave: another agent of the pool has the name \"a1\", at {}, and the pool takes that \
         one for it: ",
        agents[0].gossip
    );
    assert!(last.starts_with(&wanted) && last.contains("another --name"), "{last}");
    goes_on(&agents, &events);
}

#[test]
fn whoever_is_ended_while_the_others_vote_says_no_farewell() {
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let agents = pool(&space, dir.path());
    let events = agents[1].watch(&dir.path().join("events"));
    let mut twin = twin(&space, dir.path(), &agents[2], &[]);
    eventually("the conflict", || twin.log().contains("two members have one name").then_some(()));
    twin.terminate();
    // On a busy machine the vote may be over by then.
    let code = twin.ended();
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {}", twin.log());
    goes_on(&agents, &events);
}

#[test]
fn a_server_that_loses_its_name_ends_in_good_order_and_has_all_that_it_had() {
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let agents = pool(&space, dir.path());
    let events = agents[1].watch(&dir.path().join("events"));
    let [client, peer] = [0, 1].map({
        let ports = free_ports(2);
        move |at: usize| format!("127.0.0.1:{}", ports[at])
    });
    let data = dir.path().join("data");
    let flags = ["--server", "--bootstrap-expect", "1", "--data-dir", data.to_str().unwrap()];
    let listen = ["--listen-client", &client, "--listen-peer", &peer];
    let flags = [&flags[..], &listen].concat();
    let start = || {
        let log = dir.path().join("twin.log");
        Agent::spawn(&space, log, "a1", space.addresses(), &flags)
    };
    let kv = |words: &[&str]| {
        let endpoint = ["--endpoints", &client];
        let output = conclave().args(words).args(endpoint).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    let mut server = start();
    eventually("a write", || kv(&["kv", "put", "k", "v"]));
    // Only now does it meet the others.
    server.ok(&["join", &agents[2].gossip]);
    assert_eq!(server.ended(), Some(1), "{}", server.log());
    assert!(server.log().lines().last().unwrap().contains("another --name"), "{}", server.log());
    goes_on(&agents, &events);

    let mut server = start();
    assert_eq!(eventually("a read", || kv(&["kv", "get", "k"])), "k\nv\n");
    server.leave();
}
