//! Encryption, and keys that go round while both sides use them.

use serde_json::Value;

use crate::support::agent::{Agent, Space, shows};
use crate::support::eventually;
use crate::support::serf::{Serf, find};

const FIRST: &str = "AAECAwQFBgcICQoLDA0ODw==";
const SECOND: &str = "EBESExQVFhcYGRobHB0eHyAhIiMkJSYn";
const THIRD: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const WRONG: &str = "//////////////////////////////////////////8=";

/// The keys that everybody has, as ours list them.
fn listed(agent: &Agent) -> Option<Value> {
    let list = agent.try_ok(&["keys", "list", "-o", "json"])?;
    Some(serde_json::from_str(&list).unwrap())
}

#[test]
fn keys_go_round_by_either_side_and_strangers_stay_outside() {
    let Some(program) = find() else { return };
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let dir = dir.path();
    let encrypt = format!("-encrypt={FIRST}");
    let s1 = Serf::start(&program, &space, dir, "s1", &[&encrypt]);
    let a1 = Agent::start(&space, dir, "a1", &["--encrypt", FIRST, "--join", &s1.gossip]);
    let plain = ["--encrypt", FIRST, "--join", &s1.gossip, "--gossip-compress", "false"];
    let data = dir.join("a2-data");
    let plain = [&plain[..], &["--data-dir", data.to_str().unwrap()]].concat();
    let a2 = Agent::start(&space, dir, "a2", &plain);
    let join = format!("-join={}", a2.gossip);
    let s2 = Serf::start(&program, &space, dir, "s2", &[&encrypt, &join, "-disable-compression"]);
    for name in ["s1", "s2", "a1", "a2"] {
        for at in [&a1, &a2] {
            shows(at, name, "alive");
        }
        shows(&s1, name, "alive");
    }

    // Strangers: with another key, and with none; ours and theirs.
    let wrong = Agent::start(&space, dir, "a-wrong", &["--encrypt", WRONG]);
    let none = Agent::start(&space, dir, "a-none", &[]);
    for at in [&s1.gossip, &a1.gossip] {
        assert!(wrong.fails(&["join", at]).contains("answers with a key that this agent does not"));
        assert!(none.fails(&["join", at]).contains("is of a pool that is encrypted"));
    }
    assert!(none.fails(&["keys", "list"]).contains("not encrypted"));
    let theirs = Serf::start(&program, &space, dir, "s-none", &[]);
    assert!(!theirs.does(&["join", &a1.gossip]));
    let theirs_wrong =
        Serf::start(&program, &space, dir, "s-wrong", &[&format!("-encrypt={WRONG}")]);
    assert!(!theirs_wrong.does(&["join", &a1.gossip]));
    assert_eq!((a1.members().len(), s1.members().len()), (4, 4));
    let metrics = a1.page("/metrics");
    for reason in ["key", "plaintext"] {
        let line = format!("conclave_gossip_refused_total{{reason=\"{reason}\"}} ");
        assert!(metrics.contains(&line), "{metrics}");
    }

    // Theirs lead the keys round, then ours.
    // Answers are packets and may be late: whoever leads repeats a step until all have done it.
    for step in [format!("-install={SECOND}"), format!("-use={SECOND}"), format!("-remove={FIRST}")]
    {
        eventually(&step, || s1.does(&["keys", &step]).then_some(()));
    }
    let report = eventually("everybody answers", || {
        let report = listed(&a1)?;
        (report["answered"] == 4).then_some(report)
    });
    assert_eq!(report["keys"], serde_json::json!({ SECOND: 4 }), "{report}");
    assert_eq!(report["primary"], serde_json::json!({ SECOND: 4 }), "{report}");
    for step in [["install", THIRD], ["use", THIRD]] {
        eventually(step[0], || a1.does(&["keys", step[0], step[1]]).then_some(()));
    }
    assert!(a1.fails(&["keys", "remove", THIRD]).contains("Removing the primary key"));
    eventually("remove", || a1.does(&["keys", "remove", SECOND]).then_some(()));
    let list = eventually("everybody answers theirs", || {
        let list = s2.try_ok(&["keys", "-list"])?;
        list.contains("[4/4]").then_some(list)
    });
    assert!(list.contains(THIRD) && !list.contains(SECOND), "{list}");

    // The pool still speaks, and the ring that was kept counts before the first key.
    a2.ok(&["event", "after"]);
    let kept = std::fs::read_to_string(data.join("gossip/keyring.json")).unwrap();
    assert_eq!(serde_json::from_str::<Vec<String>>(&kept).unwrap(), [THIRD]);
    drop(a2);
    shows(&s1, "a2", "failed");
    let _again = Agent::start(&space, dir, "a2", &plain);
    shows(&s1, "a2", "alive");
    eventually("nobody is lost", || {
        let members = s2.members();
        let alive = members.iter().filter(|member| member.status == "alive").count();
        (alive == 4).then_some(())
    });
}
