//! Changing who decides.

use protocol::bully::{ChangeRefusal, Input, Loss, Output};

use crate::stage::{LEASE, Stage, ids, named};

fn stage(candidates: u64, members: &[u64]) -> Stage {
    let mut stage = Stage::new((1..=candidates).map(|id| named(id, members)).collect());
    stage.meet();
    stage.run(2 * LEASE);
    stage
}

fn members(stage: &mut Stage, id: u64) -> Vec<u64> {
    let electorate = stage.actor(id).disk.electorate.clone().unwrap();
    assert!(!electorate.is_joint());
    electorate.members.iter().map(|id| id.0).collect()
}

fn refusals(stage: &mut Stage, id: u64) -> Vec<ChangeRefusal> {
    let told = stage.actor(id).told.iter();
    let refusals =
        told.filter_map(
            |output| {
                if let Output::ChangeRefused(why) = output { Some(*why) } else { None }
            },
        );
    refusals.collect()
}

#[test]
fn an_electorate_is_replaced_by_way_of_one_that_has_both() {
    let mut stage = stage(6, &[1, 2, 3]);
    stage.handle(3, Input::Change(ids(&[3, 4, 5, 6])));
    stage.run(LEASE);
    for id in [3, 4, 5, 6] {
        assert_eq!(members(&mut stage, id), [3, 4, 5, 6]);
    }
    let joint = |output: &Output| matches!(output, Output::Electorate(it) if it.is_joint());
    assert_eq!(stage.actor(3).told.iter().filter(|it| joint(it)).count(), 1);
    // The old ones decide nothing any more, the new ones all.
    stage.isolate(&[1, 2]);
    stage.crash(3);
    stage.run(3 * LEASE);
    assert_eq!(stage.leaders(), [6]);
}

#[test]
fn a_change_needs_a_majority_of_both() {
    let mut stage = stage(6, &[1, 2, 3]);
    stage.isolate(&[1, 2, 3]);
    stage.handle(3, Input::Change(ids(&[4, 5, 6])));
    stage.run(LEASE / 2);
    assert!(stage.actor(3).disk.electorate.clone().unwrap().is_joint());
    stage.run(3 * LEASE);
    assert_eq!(stage.leaders(), [], "the new ones do not answer: the lease is not renewed");
    stage.cut.clear();
    stage.run(4 * LEASE);
    assert_eq!(stage.leaders().len(), 1);
    // Whoever leads goes on with the change.
    for id in [4, 5, 6] {
        assert_eq!(members(&mut stage, id), [4, 5, 6]);
    }
}

#[test]
fn a_leader_that_is_removed_goes_when_the_new_ones_have_it() {
    let mut stage = stage(4, &[1, 2, 4]);
    assert_eq!(stage.leaders(), [4]);
    stage.handle(4, Input::Change(ids(&[1, 2, 3])));
    stage.run(2 * LEASE);
    assert_eq!(stage.losses(4), [Loss::Removed]);
    assert_eq!(stage.leaders(), [3]);
}

#[test]
fn a_change_is_refused_to_others_and_while_one_is_under_way() {
    let mut stage = stage(4, &[1, 2, 3]);
    stage.handle(1, Input::Change(ids(&[1])));
    assert_eq!(refusals(&mut stage, 1), [ChangeRefusal::NotLeader]);
    stage.handle(3, Input::Change(ids(&[])));
    stage.handle(3, Input::Change((0..65).map(protocol::NodeId).collect()));
    stage.handle(3, Input::Change(ids(&[2, 3, 4])));
    stage.handle(3, Input::Change(ids(&[1, 2, 3])));
    let wanted = [ChangeRefusal::Size, ChangeRefusal::Size, ChangeRefusal::UnderWay];
    assert_eq!(refusals(&mut stage, 3), wanted);
    stage.run(LEASE);
    assert_eq!(members(&mut stage, 4), [2, 3, 4]);
}

#[test]
fn a_single_member_decides_alone() {
    let mut stage = stage(2, &[1]);
    assert_eq!(stage.leaders(), [1]);
    stage.handle(1, Input::Change(ids(&[2])));
    stage.run(2 * LEASE);
    assert_eq!(stage.leaders(), [2]);
    stage.crash(1);
    stage.run(5 * LEASE);
    assert_eq!(stage.leaders(), [2]);
}
