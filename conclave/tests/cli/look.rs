//! Commands that show how members are, and what they have stored.

use crate::said::{Store, say};

#[test]
fn members_and_their_state_are_shown() {
    let store = Store::start();
    let member = &store.cluster.members[0];
    let list = store.ok(&["member", "list"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 2, "{list}");
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    let client = format!("http://127.0.0.1:{}", member.client_port);
    let peer = format!("http://127.0.0.1:{}", member.peer_port);
    assert_eq!(words[1..], ["started", "m0", &peer, &client, "no"], "{list}");
    let listed = store.json(&["member", "list"]);
    assert_eq!(listed["members"][0]["name"], "m0");
    assert_eq!(words[0], format!("{:016x}", listed["members"][0]["id"].as_u64().unwrap()));

    store.ok(&["kv", "put", "k", "v"]);
    let status = store.ok(&["status"]);
    let row: Vec<&str> = status.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..4], [&store.cluster.endpoint(0), "m0", words[0], "leader"], "{status}");
    assert_eq!(row.last(), Some(&"ok"), "{status}");
    let status = store.json(&["status"]);
    assert_eq!(status[0]["role"], "leader", "{status}");
}

#[test]
fn a_status_with_a_member_that_is_away_is_a_failure() {
    let mut store = Store::start();
    store.cluster.kill(0);
    let said = store.say(&["status"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let endpoint = store.cluster.endpoint(0);
    assert!(said.out.contains(&format!("cannot reach {endpoint}")), "{said:?}");
    assert_eq!(said.fails(1), "1 of 1 members are not healthy");
}

#[test]
fn a_data_directory_is_inspected_while_its_member_is_away() {
    let mut store = Store::start();
    for number in 0..10 {
        store.ok(&["kv", "put", "k", &number.to_string()]);
    }
    let id = store.json(&["member", "list"])["members"][0]["id"].as_u64().unwrap();
    assert_eq!(store.cluster.terminate(0), Some(0));
    let dir = store.cluster.members[0].dir.to_str().unwrap().to_owned();

    let log = say(&["inspect", "log", &dir, "--entries"]).ok();
    assert!(log.starts_with(&format!("identity    node {id:016x} of cluster ")), "{log}");
    assert!(log.contains("SEGMENT") && log.contains("0000000000000001.seg"), "{log}");
    let json = say(&["inspect", "log", &dir, "--entries", "-o", "json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["damage"], serde_json::json!([]));
    assert!(json["entries"].as_array().unwrap().len() >= 10, "{json}");

    let state = say(&["inspect", "state", &dir, "--verify", "-o", "json"]).ok();
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state["verified"]["damage"], serde_json::json!([]));
    assert_eq!(state["verified"]["records"], 10, "all was flushed at the end: {state}");
    assert!(say(&["inspect", "state", &dir]).ok().starts_with("applied "));

    let nothing = tempfile::tempdir().unwrap();
    let nothing = nothing.path().to_str().unwrap();
    let sentence = say(&["inspect", "state", nothing]).fails(1);
    assert_eq!(sentence, format!("{nothing} is no data directory"));
    assert_eq!(say(&["inspect", "log", nothing]).fails(1), format!("{nothing} holds no log"));
}

#[test]
fn completions_are_scripts_for_their_shells() {
    for (shell, sign) in [("bash", "complete -F"), ("zsh", "#compdef"), ("fish", "complete -c")] {
        let script = say(&["completions", shell]).ok();
        assert!(script.contains(sign) && script.contains("keep-alive"), "{shell}");
    }
    assert!(say(&["completions", "csh"]).misused().contains("'csh'"));
}
