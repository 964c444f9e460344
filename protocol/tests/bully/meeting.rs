//! Candidates that were told a number find their electorate by what they show.

use protocol::NodeId;
use protocol::bully::{Config, Electors, Input, Mode, Output, Shown, Standing};

use crate::stage::{LEASE, MS, Stage, config, safety};

fn expecting(id: u64, expect: usize) -> Config {
    config(id, Mode::Safe(safety(Electors::Expect(expect))))
}

/// What this one shows, if it has started.
fn shows(stage: &mut Stage, id: u64) -> Option<Shown> {
    let last = stage.actor(id).told.iter().rev().find_map(|output| {
        if let Output::Show(shown) = output { Some(shown.clone()) } else { None }
    });
    last.filter(|_| !stage.actor(id).down)
}

/// The pool tells everybody what everybody shows, a few times.
fn gossip(stage: &mut Stage) {
    for _ in 0..5 {
        for of in stage.ids() {
            let Some(shown) = shows(stage, of) else { continue };
            for to in stage.ids() {
                let cut = stage.cut.contains(&(NodeId(of), NodeId(to)));
                if to != of && !cut {
                    let standing = Standing::Alive;
                    stage.handle(to, Input::Saw { shown: shown.clone(), standing });
                }
            }
        }
        stage.run(10 * MS);
    }
}

fn start(stage: &mut Stage) {
    for id in stage.ids() {
        stage.handle(id, Input::Timeout);
    }
}

#[test]
fn the_first_three_that_meet_decide_and_a_fourth_observes() {
    let mut stage = Stage::new((1..=4).map(|id| expecting(id, 3)).collect());
    stage.actor(2).down = true;
    start(&mut stage);
    gossip(&mut stage);
    stage.run(LEASE);
    assert_eq!(stage.leaders(), [4]);
    stage.actor(2).down = false;
    stage.handle(2, Input::Timeout);
    gossip(&mut stage);
    stage.run(LEASE);
    for id in 1..=4 {
        let electorate = stage.actor(id).disk.electorate.clone().unwrap();
        let members: Vec<u64> = electorate.members.iter().map(|id| id.0).collect();
        assert_eq!(members, [1, 3, 4], "as {id} has it");
        assert_eq!(stage.actor(id).core.status().leader.unwrap().id, NodeId(4));
    }
}

#[test]
fn nobody_leads_before_enough_have_pledged() {
    let mut stage = Stage::new((1..=2).map(|id| expecting(id, 3)).collect());
    start(&mut stage);
    gossip(&mut stage);
    stage.run(5 * LEASE);
    assert_eq!(stage.leaders(), []);
    assert_eq!(stage.total(), 0);
    assert!(stage.actor(1).core.status().meeting.is_some());
}

#[test]
fn a_pledge_is_shown_when_it_is_durable_and_outlives_a_crash() {
    let mut stage = Stage::new((1..=3).map(|id| expecting(id, 3)).collect());
    stage.actor(1).syncs = false;
    start(&mut stage);
    gossip(&mut stage);
    let pledge = |stage: &mut Stage, id| shows(stage, id).unwrap().pledge;
    assert_eq!(pledge(&mut stage, 1), None);
    assert!(pledge(&mut stage, 2).is_some());
    stage.actor(1).syncs = true;
    stage.sync(1);
    assert!(pledge(&mut stage, 1).is_some());
    stage.crash(1);
    stage.restart(1);
    assert!(pledge(&mut stage, 1).is_some());
    gossip(&mut stage);
    stage.run(LEASE);
    assert_eq!(stage.leaders(), [3]);
}

#[test]
fn one_that_expects_one_leads_alone() {
    let mut stage = Stage::new(vec![expecting(1, 1)]);
    start(&mut stage);
    stage.run(LEASE);
    assert_eq!(stage.leaders(), [1]);
}
