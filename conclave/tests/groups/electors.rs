//! Who decides in a group is replaced while it works.

use crate::stage::{Stage, WORK};
use crate::support::eventually;

const WORDS: [&str; 5] = ["g", "--expect", "3", "--ttl", "2"];
/// Two leases, in nanoseconds.
const TWO_LEASES: u64 = 4_000_000_000;

fn change(electors: &str) -> [&str; 3] {
    ["g", "--change-electors", electors]
}

#[test]
fn lost_agents_are_replaced_and_those_who_come_decide_in_their_place() {
    let mut stage = Stage::new(0);
    for _ in 0..3 {
        stage.add(&["--groups", "g:expect=3,ttl=2s"]);
    }
    let mut first = stage.stands(0, "first", &WORDS, WORK);
    let (_, fence) = stage.leader("first");
    stage.agents[2].kill();
    stage.add(&["--groups", "g:expect=3,ttl=2s"]);
    stage.knows(3, 0);
    let new = "agent-0,agent-1,agent-3";
    let error = stage.fails(1, 1, &change(new));
    assert!(error.contains("this group is led by agent-0: ask that agent"), "{error}");
    let error = stage.fails(0, 1, &change("agent-0,agent-7"));
    assert!(error.contains("no living agent \"agent-7\" is in the group \"g\""), "{error}");
    let said = stage.says(0, &change(new));
    assert!(said.status.success(), "{said:?}");
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said, "from now on these decide in g: agent-0, agent-1, agent-3\n");
    let mut electorate = stage.group(0)["electorate"].as_array().unwrap().clone();
    electorate.sort_by_key(ToString::to_string);
    assert_eq!(electorate, ["agent-0", "agent-1", "agent-3"]);
    assert_eq!(stage.group(0)["changes"], false);
    // Two of the first three are gone now: what goes on does so by the word of the newcomer.
    stage.agents[1].kill();
    let until = |stage: &Stage| stage.group(0)["until"].as_u64();
    let before = until(&stage).unwrap();
    eventually("leases that the newcomer has granted", || {
        until(&stage).filter(|until| *until > before + TWO_LEASES)
    });
    let _next = stage.stands(3, "next", &["g"], WORK);
    first.signal("TERM");
    first.end();
    assert!(stage.leader("next").1 > fence, "a larger token");
}

/// It may be taken in later, so its program waits, and is told for whom and for what.
#[test]
fn who_does_not_decide_is_told_so_and_waits() {
    let stage = Stage::new(2);
    // Whoever is listed and never came is known by its name all the same.
    let words = ["g", "--electors", "agent-0,agent-9", "--ttl", "2"];
    let mut waits = stage.stands(1, "waits", &words, WORK);
    let told = |parts: &[&str]| {
        eventually(&format!("{parts:?} to be told"), || {
            let said = waits.errors();
            parts.iter().all(|part| said.contains(part)).then_some(())
        });
    };
    told(&["agent-1 is not among those who decide in this group (", "--change-electors takes it"]);
    let mut electorate = stage.group(1)["electorate"].as_array().unwrap().clone();
    electorate.sort_by_key(ToString::to_string);
    assert_eq!(electorate, ["agent-0", "agent-9"]);
    waits.signal("TERM");
    assert_eq!(waits.end(), Some(143));
}

#[test]
fn a_program_that_waits_is_told_who_leads() {
    let stage = Stage::new(2);
    let words = ["g", "--electors", "agent-0,agent-1", "--ttl", "2"];
    let names = ["first", "second"];
    let both = [0, 1].map(|at| stage.stands(at, names[at], &words, WORK));
    let waits = |at: usize| both[at].errors().contains(&format!("agent-{} leads g", 1 - at));
    let waiting = eventually("one of them to wait", || (0..2).find(|at| waits(*at)));
    stage.leader(names[1 - waiting]);
    assert!(!stage.leads(names[waiting]));
}

#[test]
fn what_has_no_electorate_or_no_leader_is_not_changed() {
    let stage = Stage::new(1);
    let _classic = stage.stands(0, "classic", &["c", "--mode", "classic"], WORK);
    stage.leader("classic");
    let error = stage.fails(0, 1, &["c", "--change-electors", "agent-0"]);
    assert!(error.contains("it has no electorate"), "{error}");
    let error = stage.fails(0, 1, &change("agent-0"));
    assert!(error.contains("this agent is not in the group \"g\""), "{error}");
    let _waits = stage.stands(0, "waits", &["g", "--expect", "2"], WORK);
    eventually("it to stand", || {
        let groups = stage.agents[0].page("/v1/conclave/elections");
        groups.contains("\"founding\":\"1 of 2 agents have met\"").then_some(())
    });
    let error = stage.fails(0, 1, &change("agent-0"));
    assert!(error.contains("nobody leads this group"), "{error}");
}
