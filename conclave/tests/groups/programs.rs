//! What a program is told, who stands for whom, and who follows.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::stage::{Stage, WORK};
use crate::support::eventually;

#[test]
fn a_command_is_told_its_group_and_fence_and_its_exit_code_is_handed_on() {
    let stage = Stage::new(1);
    let say = "echo $CONCLAVE_GROUP/$CONCLAVE_FENCE; exit 7";
    let mut fences = Vec::new();
    // With a lease of an hour, the second would wait for long if the first had not released it.
    for _ in 0..2 {
        let words = ["a b", "--expect", "1", "--ttl", "3600", "--", "sh", "-c", say];
        let output = stage.says(0, &words);
        assert_eq!(output.status.code(), Some(7), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let (group, fence) = text.trim_end().split_once('/').unwrap();
        assert_eq!(group, "a b");
        fences.push(fence.parse::<u64>().unwrap());
    }
    assert!(fences[1] > fences[0], "{fences:?}");
    let output = stage.says(0, &["a b", "--", "no-such-command"]);
    assert_eq!(output.status.code(), Some(127), "{output:?}");
}

#[test]
fn the_best_rank_leads_and_agents_without_a_program_decide_too() {
    let mut stage = Stage::new(0);
    for _ in 0..3 {
        stage.add(&["--groups", "g:expect=3,ttl=2s"]);
    }
    // Two of three agents only grant.
    let mut one = stage.stands(1, "one", &["g", "--rank", "5"], WORK);
    let (_, fence) = stage.leader("one");
    for agent in 0..3 {
        stage.knows(agent, 1);
    }
    let two = stage.stands(2, "two", &["g", "--rank", "9"], WORK);
    eventually("the second to stand", || (stage.group(2)["stands"] == true).then_some(()));
    assert_eq!(
        stage.group(2)["settings"],
        "mode=safe,expect=3,rank=9,rank-by=priority,\
        ttl=2000ms,preempt=never"
    );
    // Whoever leads goes on, until it ends; then nobody waits for its lease.
    assert!(!stage.leads("two"));
    one.signal("TERM");
    assert_eq!(one.end(), Some(143));
    assert!(stage.leader("two").1 > fence);
    drop(two);
}

#[test]
fn nobody_less_fresh_than_who_grants_is_elected() {
    let stage = Stage::new(2);
    let words = ["g", "--electors", "agent-0,agent-1", "--rank-by", "freshness", "--ttl", "2"];
    let mut zero = stage.stands(0, "zero", &words, WORK);
    eventually("the first to stand", || (stage.group(0)["stands"] == true).then_some(()));
    assert!(stage.says(0, &["g", "--report", "5"]).status.success());
    let one = stage.stands(1, "one", &words, WORK);
    let (_, fence) = stage.leader("zero");
    assert!(!stage.leads("one"));
    // When the fresher one leaves, the other one has to have caught up.
    assert!(stage.says(1, &["g", "--report", "5"]).status.success());
    zero.signal("TERM");
    zero.end();
    assert!(stage.leader("one").1 > fence);
    drop(one);
    let error = stage.fails(0, 1, &["h", "--report", "5"]);
    assert!(error.contains("not in the group \"h\""), "{error}");
}

#[test]
fn who_observes_is_told_of_every_change() {
    let stage = Stage::new(1);
    let words = ["g", "--expect", "1", "--ttl", "60", "--", "true"];
    assert!(stage.says(0, &words).status.success());
    let mut command = stage.elect(0, &["g", "--observe"]);
    let mut observer = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(observer.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "nobody leads");
    assert!(stage.says(0, &["g", "--", "true"]).status.success());
    let led = next();
    assert!(led.starts_with("agent-0 leads: fence "), "{led}");
    assert_eq!(next(), "nobody leads");
    observer.kill().unwrap();
    observer.wait().unwrap();
}

#[test]
fn the_classic_mode_needs_no_directory_and_the_next_one_takes_over_from_the_dead() {
    let mut stage = Stage::new(0);
    for _ in 0..2 {
        stage.add_bare(&[]);
    }
    let mut zero = stage.stands(0, "zero", &["g", "--mode", "classic"], WORK);
    stage.leader("zero");
    // The better one takes over at once, and the other one's command ends.
    let words = ["g", "--mode", "classic", "--rank", "2"];
    let one = stage.stands(1, "one", &words, WORK);
    stage.leader("one");
    assert_eq!(zero.end(), Some(1));
    std::fs::remove_file(stage.dir.path().join("zero")).unwrap();
    let _again = stage.stands(0, "zero", &["g", "--mode", "classic"], WORK);
    stage.knows(0, 1);
    assert!(!stage.leads("zero"), "whoever comes looks first who is there");
    drop(one);
    stage.leader("zero");
}
