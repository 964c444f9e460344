//! Joining, tags, events and queries, both ways.

use serde_json::{Value, json};

use crate::support::agent::{Agent, Listed, Lists, Space, shows};
use crate::support::eventually;
use crate::support::serf::{Following, Serf, find};

/// Waits until all show the same table, of so many who are alive.
fn agree(all: &[&dyn Lists], count: usize) -> Vec<Listed> {
    eventually("all show the same table", || {
        let tables: Vec<_> = all.iter().map(|at| at.list()).collect();
        let first = tables.first()?.clone();
        let complete = first.len() == count && first.iter().all(|row| row.status == "alive");
        (complete && tables.iter().all(|table| *table == first)).then_some(first)
    })
}

/// The lines of a stream so far that tell of this.
fn told(stream: &Following, event: &str, name: &str) -> Vec<Value> {
    let text = stream.text();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event"] == event && line["name"] == name).collect()
}

#[test]
fn one_pool_has_one_table_whoever_is_asked() {
    let Some(program) = find() else { return };
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let dir = dir.path();
    let s1 = Serf::start(&program, &space, dir, "s1", &["-tag=role=db", "-tag=zone=a"]);
    // Ours joins theirs, theirs joins ours, and each once more by a command.
    let a1 = Agent::start(&space, dir, "a1", &["--tag", "role=web,zone=b", "--join", &s1.gossip]);
    let join = format!("-join={}", a1.gossip);
    let long = "s2-with-a-name-of-more-than-thirty-two-bytes";
    let s2 = Serf::start(&program, &space, dir, long, &[&join]);
    let a2 = Agent::start(&space, dir, "a2", &[]);
    a2.ok(&["join", &s2.gossip]);
    let s3 = Serf::start(&program, &space, dir, "s3", &[]);
    s3.ok(&["join", &a2.gossip]);
    let all: [&dyn Lists; 5] = [&s1, &a1, &s2, &a2, &s3];
    let table = agree(&all, 5);
    assert_eq!(table[0].address, a1.gossip);
    let pairs = |row: &Listed| row.tags.clone().into_iter().collect::<Vec<_>>();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(pairs(&table[0]), [pair("role", "web"), pair("zone", "b")]);

    // Tags change, both ways.
    a1.ok(&["tags", "--set", "role=proxy", "--delete", "zone"]);
    s1.ok(&["tags", "-set", "role=cache"]);
    eventually("both changes are seen by all", || {
        let table = agree(&all, 5);
        let role = |name: &str| {
            let row = table.iter().find(|row| row.name == name).unwrap();
            pairs(row)
        };
        let theirs = [pair("role", "cache"), pair("zone", "a")];
        (role("a1") == [pair("role", "proxy")] && role("s1") == theirs).then_some(())
    });
}

#[test]
fn events_are_heard_once_by_everybody() {
    let Some(program) = find() else { return };
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let dir = dir.path();
    let s1 = Serf::start(&program, &space, dir, "s1", &[]);
    let a1 = Agent::start(&space, dir, "a1", &["--join", &s1.gossip]);
    let a2 = Agent::start(&space, dir, "a2", &["--join", &s1.gossip]);
    agree(&[&s1, &a1, &a2], 3);
    let streams = [a1.watch(&dir.join("a1.events")), a2.watch(&dir.join("a2.events"))];
    let monitor = s1.follow(&["monitor"], &dir.join("s1.events"));
    monitor.writes("Serf agent starting");
    s1.ok(&["event", "-coalesce=false", "deploy", "v7"]);
    a1.ok(&["event", "restart", "now"]);
    for stream in &streams {
        stream.writes("\"deploy\"");
        stream.writes("\"restart\"");
    }
    monitor.writes("Name: \"deploy\"");
    monitor.writes("Name: \"restart\"");
    // A later event comes after whatever would have been told twice.
    a2.ok(&["event", "last"]);
    for stream in &streams {
        stream.writes("\"last\"");
        for (name, payload) in [("deploy", "v7"), ("restart", "now")] {
            let events = told(stream, "user", name);
            assert_eq!(events.len(), 1, "{name}: {}", stream.text());
            assert_eq!(events[0]["payload"], payload);
        }
    }
    monitor.writes("Name: \"last\"");
    assert_eq!(monitor.text().matches("Name: \"restart\"").count(), 1);
}

#[test]
fn questions_are_answered_both_ways() {
    let Some(program) = find() else { return };
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let dir = dir.path();
    let handler = "-event-handler=query:load=printf 1.0";
    let s1 = Serf::start(&program, &space, dir, "s1", &[handler, "-tag=role=db"]);
    let a1 = Agent::start(&space, dir, "a1", &["--join", &s1.gossip, "--tag", "role=web"]);
    agree(&[&s1, &a1], 2);

    let answer: Value = serde_json::from_str(&a1.ok(&["query", "load", "-o", "json"])).unwrap();
    assert_eq!(answer["answers"][0]["from"], "s1", "{answer}");
    assert_eq!(answer["answers"][0]["payload"], "1.0");
    assert_eq!(answer["arrived"].as_array().unwrap().len(), 2);
    let some = a1.ok(&["query", "load", "--tag", "role=^d", "-o", "json"]);
    let some: Value = serde_json::from_str(&some).unwrap();
    assert_eq!(some["arrived"], json!(["s1"]), "filters");
    assert!(a1.fails(&["query", "_serf_ping"]).contains("_serf_"));

    let events = a1.watch(&dir.join("events"));
    let asked = s1.follow(&["query", "-node=a1", "uptime", "since?"], &dir.join("answers"));
    let query = eventually("the question arrives", || told(&events, "query", "uptime").pop());
    assert_eq!((&query["from"], &query["payload"]), (&json!("s1"), &json!("since?")));
    let body = json!({ "ltime": query["ltime"], "id": query["id"], "payload": "7 days" });
    let (status, text) = a1.post("respond", &body);
    assert_eq!(status, 200, "{text}");
    asked.writes("Response from 'a1': 7 days");
    asked.writes("Total Responses: 1");
    let (status, text) = a1.post("respond", &body);
    assert_eq!(status, 409, "once only: {text}");
    shows(&s1, "a1", "alive");
}
