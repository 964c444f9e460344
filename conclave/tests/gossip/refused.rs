//! Why nobody was joined, told by who wanted to; and who was refused, told by who did.

use std::net::TcpListener;

use crate::support::agent::{Agent, Space};
use crate::support::{eventually, free_ports};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";
const OTHER: &str = "//////////////////////////////////////////8=";

#[test]
fn each_cause_has_its_own_words_and_each_peer_is_named_once() {
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let dir = dir.path();
    let keyed = Agent::start(&space, dir, "keyed", &["--encrypt", KEY]);
    let open = Agent::start(&space, dir, "open", &[]);
    let labelled = Agent::start(&space, dir, "labelled", &["--gossip-label", "blue"]);
    let stranger = Agent::start(&space, dir, "stranger", &["--encrypt", OTHER]);
    // One that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let nobody = format!("127.0.0.1:{}", free_ports(1)[0]);
    let cases = [
        (&open, &keyed.gossip, "is of a pool that is encrypted: give this agent the pool's key"),
        (&stranger, &keyed.gossip, "answers with a key that this agent does not have"),
        (&stranger, &open.gossip, "does not encrypt, and this agent takes nothing else"),
        (&open, &labelled.gossip, "hung up without an answer: its pool may have another label"),
        (&open, &nobody, "nobody listens at"),
        (&open, &silent, "took the connection and has not answered in time"),
    ];
    for (joiner, at, words) in cases {
        let said = joiner.fails(&["join", at]);
        assert!(said.contains(words) && said.contains(at.as_str()), "{at}: {said}");
    }
    let unknown = open.fails(&["join", "no-such-host.invalid:7946"]);
    assert!(unknown.contains("cannot find no-such-host.invalid:7946"), "{unknown}");
    assert!(unknown.contains("is the name right"), "{unknown}");

    // They come again, and are named once for each reason.
    for _ in 0..3 {
        open.fails(&["join", &keyed.gossip]);
        stranger.fails(&["join", &keyed.gossip]);
        open.fails(&["join", &labelled.gossip]);
    }
    let lines = |agent: &Agent, reason: &str| {
        let log = agent.log();
        let lines = log.lines().filter(|line| line.contains("the pool has refused a peer"));
        lines.filter(|line| line.contains(reason)).count()
    };
    for (agent, reason) in [
        (&keyed, "it is not encrypted, and this pool is"),
        (&keyed, "it is encrypted with a key that is not in the keyring"),
        (&open, "it is encrypted, and this agent has no keys"),
        (&labelled, "it is of another pool: the labels differ"),
    ] {
        eventually(reason, || (lines(agent, reason) > 0).then_some(()));
        assert_eq!(lines(agent, reason), 1, "{reason}: {}", agent.log());
    }
}
