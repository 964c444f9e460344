//! Leaders that die, stand still, or come back.

use std::process::Stdio;

use crate::stage::{DEAF, Stage, WORK, runs};
use crate::support::eventually;

const WORDS: [&str; 5] = ["g", "--expect", "3", "--ttl", "4"];

/// Three agents; at the first one a program leads that runs this, and then others stand elsewhere.
fn led(script: &str) -> (Stage, crate::stage::Standing, Vec<crate::stage::Standing>) {
    let mut stage = Stage::new(0);
    for _ in 0..3 {
        stage.add(&["--groups", "g:expect=3,ttl=4s"]);
    }
    let first = stage.stands(0, "first", &WORDS, script);
    stage.leader("first");
    let next = (1..3).map(|agent| stage.stands(agent, "next", &WORDS, WORK)).collect();
    for agent in 1..3 {
        stage.knows(agent, 0);
        eventually("the others to stand", || (stage.group(agent)["stands"] == true).then_some(()));
    }
    (stage, first, next)
}

#[test]
fn a_command_ends_before_another_leads_when_its_agent_stands_still() {
    let (stage, mut first, _next) = led(DEAF);
    let (pid, fence) = stage.leader("first");
    stage.agents[0].signal("STOP");
    assert!(stage.leader("next").1 > fence, "a larger token");
    assert!(!runs(pid), "the command of who has lost works on");
    assert_eq!(first.end(), Some(1));
    let errors = first.errors();
    assert!(errors.contains("it could not be renewed in time; its command was ended"), "{errors}");
    stage.agents[0].signal("CONT");
    eventually("the one that stood still to follow", || {
        (stage.group(0)["part"] == "follower").then_some(())
    });
}

#[test]
fn a_command_dies_with_the_program_that_stands_and_another_leads_when_the_lease_is_over() {
    let (stage, first, _next) = led(WORK);
    let (pid, fence) = stage.leader("first");
    first.signal("KILL");
    assert!(stage.leader("next").1 > fence, "a larger token");
    assert!(!runs(pid));
    // The agent goes on, and another program may stand there.
    let group = stage.group(0);
    assert_eq!((&group["stands"], &group["part"]), (&false.into(), &"follower".into()));
    let _again = stage.stands(0, "again", &["g"], WORK);
    eventually("another one to stand", || (stage.group(0)["stands"] == true).then_some(()));
}

#[test]
fn an_agent_that_was_killed_keeps_its_word_and_belongs_to_its_group() {
    let (mut stage, mut first, next) = led(WORK);
    let (_, fence) = stage.leader("first");
    stage.agents[0].kill();
    assert_eq!(first.end(), Some(1));
    drop(next);
    let data = stage.dir.path().join("agent-0").display().to_string();
    let (gossip, http) = (stage.agents[0].gossip.clone(), stage.agents[0].http.clone());
    let words = ["--data-dir", &data, "--join", &stage.agents[1].gossip];
    let space = crate::support::agent::Space::default();
    let dir = stage.dir.path();
    let back =
        crate::support::agent::Agent::start_at(&space, dir, "agent-0", [gossip, http], &words);
    stage.agents[0] = back;
    let group = stage.group(0);
    assert_eq!(group["electorate"].as_array().unwrap().len(), 3, "{group}");
    assert!(group["granted"].as_u64().unwrap() >= fence, "{group}");
    let again = stage.stands(0, "again", &["g"], WORK);
    assert!(stage.leader("again").1 > fence);
    drop(again);
}

/// Whether a process waits for somebody to read what it has written.
fn is_blocked(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}

#[test]
fn a_command_is_ended_though_nobody_reads_what_is_said_of_it() {
    let mut stage = Stage::new(1);
    let script = "echo $$ > mute.new; mv mute.new mute; while :; do echo full >&2; done";
    let words = ["g", "--expect", "1", "--ttl", "2", "--", "sh", "-c", script];
    let mut command = stage.elect(0, &words);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (pid, _) = stage.leader("mute");
    eventually("the pipe to be full", || is_blocked(pid).then_some(()));
    stage.agents[0].kill();
    eventually("the command to be ended", || (!runs(pid)).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_a_command_leaves_behind_ends_before_the_next_one_leads() {
    let stage = Stage::new(1);
    let script = "sleep 1000 & echo $! > left.new; mv left.new left";
    let words = ["g", "--expect", "1", "--ttl", "2", "--", "sh", "-c", script];
    assert!(stage.says(0, &words).status.success());
    let (pid, _) = stage.leader("left");
    assert!(!runs(pid));
}
