//! Being elected, leading, and giving up.

use protocol::NodeId;
use protocol::bully::{
    Config, Damped, Electors, Epoch, Input, Leader, Loss, Mode, Output, Part, Preemption, Safety,
};

use crate::stage::{LEASE, MS, RENEW, Stage, config, ids, named, safety};

fn stage(count: u64) -> Stage {
    let members: Vec<u64> = (1..=count).collect();
    let mut stage = Stage::new(members.iter().map(|id| named(*id, &members)).collect());
    stage.meet();
    stage.run(2 * LEASE);
    stage
}

fn with(count: u64, preemption: Preemption) -> Stage {
    let members: Vec<u64> = (1..=count).collect();
    let all = Electors::Named(ids(&members));
    let mode = Mode::Safe(Safety { preemption, ..safety(all) });
    let mut stage = Stage::new(members.iter().map(|id| config(*id, mode.clone())).collect());
    stage.meet();
    stage.run(2 * LEASE);
    stage
}

#[test]
fn the_best_that_is_there_leads_and_all_know_it() {
    for count in 1..=9 {
        let mut stage = stage(count);
        assert_eq!(stage.leaders(), [count], "of {count}");
        let epoch = stage.actor(count).lease.unwrap().epoch;
        let leader = Some(Leader { id: NodeId(count), epoch: Some(epoch) });
        for id in stage.ids() {
            assert_eq!(stage.actor(id).core.status().leader, leader);
        }
    }
}

#[test]
fn a_lease_is_renewed_for_as_long_as_a_majority_answers() {
    let mut stage = stage(5);
    let epoch = stage.actor(5).lease.unwrap().epoch;
    stage.isolate(&[1, 2]);
    stage.run(10 * LEASE);
    assert_eq!(stage.leaders(), [5]);
    assert_eq!(stage.actor(5).lease.unwrap().epoch, epoch);
    assert!(stage.actor(5).lease.unwrap().until > stage.now);
}

#[test]
fn a_leader_without_a_majority_stops_and_the_majority_elects_a_later_epoch() {
    let mut stage = stage(5);
    let old = stage.actor(5).lease.unwrap();
    stage.isolate(&[4, 5]);
    stage.run(LEASE - RENEW);
    assert_eq!(stage.leaders(), [5], "nobody is elected while its lease may last");
    stage.run(2 * LEASE);
    assert_eq!(stage.leaders(), [3]);
    assert_eq!(stage.losses(5), [Loss::Expired]);
    assert!(stage.actor(3).lease.unwrap().epoch > old.epoch);
    // Those who could not win have not driven up the epoch.
    let epoch = stage.actor(3).lease.unwrap().epoch;
    stage.cut.clear();
    stage.run(3 * LEASE);
    assert_eq!(stage.leaders(), [3], "whoever comes back follows");
    assert_eq!(stage.actor(3).lease.unwrap().epoch, epoch);
}

/// 2 claims an epoch, 3 has heard of that and claims the next, and the claim of 2 is granted first.
#[test]
fn a_claim_that_fails_does_not_depose_who_has_won() {
    let members = [1, 2, 3];
    let mut stage = Stage::new(members.map(|id| named(id, &members)).into());
    stage.actor(2).syncs = false;
    stage.actor(3).syncs = false;
    stage.actor(3).down = true;
    while stage.actor(2).writing.is_empty() {
        stage.run(MS);
    }
    stage.restart(3);
    while stage.actor(3).core.status().part != Part::Candidate {
        stage.run(MS);
    }
    // Its answer leaves when it is durable, before its claim.
    stage.actor(2).syncs = true;
    stage.sync(2);
    stage.run(MS);
    let won = stage.actor(2).lease.unwrap().epoch;
    let claimed = stage.actor(3).core.status().ballot.unwrap().epoch;
    assert!(claimed > won, "it was refused with a later epoch");
    stage.actor(3).syncs = true;
    stage.sync(3);
    stage.run(MS);
    let follows = Some(Leader { id: NodeId(2), epoch: Some(won) });
    assert_eq!(stage.actor(3).core.status().leader, follows, "it gave up its claim at once");
    stage.run(20 * LEASE);
    assert_eq!(stage.leaders(), [2]);
    assert_eq!(stage.losses(2), []);
    // And whoever claimed in vain counts for the majority.
    stage.actor(1).down = true;
    stage.run(20 * LEASE);
    assert_eq!(stage.actor(2).lease.unwrap().epoch, won);
}

#[test]
fn half_is_no_majority() {
    let mut stage = stage(4);
    stage.isolate(&[1, 2]);
    stage.run(5 * LEASE);
    assert_eq!(stage.leaders(), [], "neither half elects anybody");
    stage.cut.clear();
    stage.run(3 * LEASE);
    assert_eq!(stage.leaders().len(), 1);
}

#[test]
fn a_claim_waits_for_the_own_disk() {
    let mut stage = Stage::new(vec![named(1, &[1, 2]), named(2, &[1, 2])]);
    stage.actor(2).syncs = false;
    stage.actor(1).down = true;
    stage.handle(2, Input::Timeout);
    stage.actor(1).down = false;
    stage.handle(1, Input::Timeout);
    stage.run(140 * MS);
    assert!(!stage.sent.contains_key("Claim"), "{:?}", stage.sent);
    assert!(!stage.actor(2).writing.is_empty());
    stage.actor(2).syncs = true;
    stage.sync(2);
    stage.run(LEASE);
    assert_eq!(stage.leaders().len(), 1);
}

#[test]
fn a_candidate_that_starts_again_never_claims_its_epoch_again() {
    let mut stage = stage(3);
    let old = stage.actor(3).lease.unwrap().epoch;
    for id in [1, 2, 3] {
        stage.crash(id);
    }
    stage.flying.clear();
    for id in [1, 2, 3] {
        stage.restart(id);
    }
    stage.run(LEASE - MS);
    assert_eq!(stage.leaders(), [], "the old lease may be in its program's hands");
    stage.run(LEASE);
    let leaders = stage.leaders();
    assert_eq!(leaders.len(), 1);
    assert!(stage.actor(leaders[0]).lease.unwrap().epoch > old);
}

#[test]
fn whoever_resigns_is_followed_at_once_when_its_program_has_stopped() {
    let mut stage = stage(3);
    stage.stops = false;
    let epoch = stage.actor(3).lease.unwrap().epoch;
    stage.handle(3, Input::Resign);
    assert_eq!(stage.losses(3), [Loss::Resigned]);
    assert_eq!(stage.actor(3).core.status().part, Part::Stopping);
    stage.run(LEASE / 2);
    assert_eq!(stage.leaders(), [], "its program may still act");
    stage.handle(3, Input::Stopped(epoch));
    stage.run(200 * MS);
    assert_eq!(stage.leaders(), [2]);
}

#[test]
fn a_program_that_never_says_that_it_stopped_is_waited_for_as_long_as_its_lease() {
    let mut stage = stage(3);
    stage.stops = false;
    stage.handle(3, Input::Resign);
    stage.run(LEASE - RENEW);
    assert_eq!(stage.leaders(), []);
    stage.run(LEASE);
    assert_eq!(stage.leaders().len(), 1);
}

/// The best one, 3, is away while another is elected, and comes back.
fn returned(preemption: Preemption) -> Stage {
    let mut stage = with(3, preemption);
    stage.crash(3);
    stage.run(3 * LEASE);
    assert_eq!(stage.leaders(), [2]);
    stage.restart(3);
    stage.run(2 * LEASE);
    stage
}

#[test]
fn a_sticky_leader_stays_and_an_eager_one_yields() {
    assert_eq!(returned(Preemption::Never).leaders(), [2]);
    let mut stage = returned(Preemption::Eager);
    assert_eq!(stage.leaders(), [3]);
    assert_eq!(stage.losses(2), [Loss::HandedOver]);
}

#[test]
fn a_damped_leader_yields_once_the_other_is_steady() {
    let damped =
        Damped { stable: 5 * LEASE, hold_down: 8 * LEASE, half_life: 100 * LEASE, suppress: 5 };
    let mut stage = returned(Preemption::Damped(damped));
    assert_eq!(stage.leaders(), [2]);
    stage.run(2 * LEASE);
    assert_eq!(stage.leaders(), [2], "it has not been there for long enough");
    stage.run(10 * LEASE);
    assert_eq!(stage.leaders(), [3]);
    assert_eq!(stage.losses(2), [Loss::HandedOver]);
}

#[test]
fn a_handover_takes_no_lease_to_run_out() {
    let mut stage = with(5, Preemption::Eager);
    stage.crash(5);
    stage.run(3 * LEASE);
    let before = stage.actor(4).lease.unwrap();
    stage.restart(5);
    stage.run(LEASE / 2);
    assert_eq!(stage.leaders(), [5]);
    assert_eq!(stage.actor(5).lease.unwrap().epoch, Epoch(before.epoch.0 + 1));
}

#[test]
fn observers_hear_of_each_leader_and_have_no_vote() {
    let mut configs: Vec<Config> = (1..=3).map(|id| named(id, &[1, 2, 3])).collect();
    configs.push(named(9, &[1, 2, 3]));
    let mut stage = Stage::new(configs);
    stage.meet();
    stage.run(2 * LEASE);
    assert_eq!(stage.leaders(), [3], "9 is better, and not a member");
    stage.crash(3);
    stage.run(3 * LEASE);
    let told = stage.actor(9).told.iter().filter_map(|output| {
        if let Output::Leader(leader) = output { Some(leader.map(|it| it.id.0)) } else { None }
    });
    assert_eq!(told.collect::<Vec<_>>(), [Some(3), None, Some(2)]);
    assert_eq!(stage.actor(9).core.status().ballot, None);
}
