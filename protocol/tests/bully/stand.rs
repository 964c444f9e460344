//! Members without a program: they grant, and nobody leaves anything to them.

use protocol::bully::{Config, Electors, Input, Loss, Mode, Output, Part, Preemption, Safety};

use crate::stage::{LEASE, Stage, config, ids, named, safety};

fn configs() -> Vec<Config> {
    (1..=3).map(|id| named(id, &[1, 2, 3])).collect()
}

#[test]
fn who_has_no_program_grants_and_does_not_stand() {
    let mut stage = Stage::new(configs());
    for id in [2, 3] {
        stage.handle(id, Input::Stand(false));
    }
    stage.meet();
    stage.run(4 * LEASE);
    assert_eq!(stage.leaders(), [1]);
    stage.actor(1).down = true;
    stage.run(4 * LEASE);
    assert_eq!(stage.actor(3).core.status().part, Part::Follower);
    assert!(stage.actor(3).core.status().leader.is_none());
    stage.handle(2, Input::Stand(true));
    stage.run(LEASE);
    assert!(stage.actor(2).leads);
}

#[test]
fn a_leader_whose_program_goes_resigns_and_keeps_its_lease_until_the_program_has_stopped() {
    let mut stage = Stage::new(configs());
    stage.stops = false;
    stage.meet();
    stage.run(2 * LEASE);
    assert_eq!(stage.leaders(), [3]);
    let lease = stage.actor(3).lease.unwrap();
    stage.handle(3, Input::Stand(false));
    let lost = Output::Lost { epoch: Some(lease.epoch), why: Loss::Resigned };
    assert!(stage.actor(3).told.contains(&lost));
    assert_eq!(stage.actor(3).core.status().part, Part::Stopping);
    stage.run(LEASE / 2);
    assert!(stage.leaders().is_empty(), "the program may still act");
    stage.run(4 * LEASE);
    assert_eq!(stage.leaders(), [2]);
}

#[test]
fn nobody_yields_to_a_better_member_that_would_not_stand() {
    let members = Electors::Named(ids(&[1, 2, 3]));
    let mode = Mode::Safe(Safety { preemption: Preemption::Eager, ..safety(members) });
    let mut stage = Stage::new((1..=3).map(|id| config(id, mode.clone())).collect());
    stage.handle(3, Input::Stand(false));
    stage.meet();
    stage.run(10 * LEASE);
    assert_eq!(stage.leaders(), [2]);
    let lost = |output: &&Output| matches!(output, Output::Lost { .. });
    assert_eq!(stage.actor(2).told.iter().filter(lost).count(), 0);
    stage.handle(3, Input::Stand(true));
    stage.run(10 * LEASE);
    assert_eq!(stage.leaders(), [3]);
}
