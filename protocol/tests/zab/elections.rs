//! Who leads, from a cold start and after a crash.

use std::time::Duration;

use protocol::NodeId;
use protocol::zab::{Message, Phase, Role, Timing};

use crate::world::{MS, World, brisk, id};

/// All links come up at once, and take a millisecond.
fn cold(voters: u64, timing: &Timing) -> World {
    let mut world = World::new(1, voters, 0, timing);
    world.reconnect = Duration::ZERO;
    world
}

#[test]
fn a_node_that_is_alone_leads_itself() {
    let mut world = cold(1, &brisk());
    assert_eq!(world.settled_leader(), 1);
    let command = world.propose(1);
    world.run_until("it is applied", |world| world.has_applied(1, &command));
}

#[test]
fn three_and_five_fresh_nodes_elect_the_highest_id_after_the_finalize_wait() {
    for voters in [3, 5] {
        let timing = Timing::classic();
        let mut world = cold(voters, &timing);
        world.run_until("somebody leads", |world| {
            world.running().any(|(_, zab)| zab.role() == Role::Leading)
        });
        assert_eq!(world.status(voters).role, Role::Leading);
        // All links are up after three milliseconds at most, and votes need two hops.
        let took = world.now.since(protocol::Time(0));
        assert!(took >= timing.finalize_wait && took < timing.finalize_wait + 10 * MS, "{took:?}");
        assert_eq!(world.settled_leader(), voters);
        assert_eq!(world.judge.reigns, 1, "nobody else led");
    }
}

#[test]
fn a_higher_id_that_comes_late_joins_and_does_not_preempt() {
    let mut world = cold(4, &Timing::fast());
    world.crash(id(4));
    assert_eq!(world.settled_leader(), 3);
    world.start(id(4));
    world.settle();
    assert_eq!((world.leader(), world.judge.reigns), (Some(id(3)), 1));
}

#[test]
fn a_late_comer_of_many_lonely_rounds_disturbs_nobody() {
    let mut world = cold(3, &brisk());
    world.settle();
    for other in [1, 2] {
        world.sever(other, 3);
    }
    // The leader lost its followers; they have a new one, and it looks in vain, round by round.
    world.run_for(3000 * MS);
    let (leader, reigns) = (world.leader(), world.judge.reigns);
    assert_eq!(leader, Some(id(2)));
    world.heal();
    world.settle();
    assert_eq!((world.leader(), world.judge.reigns), (leader, reigns));
}

#[test]
fn a_follower_that_restarts_is_back_without_an_election() {
    let mut world = cold(3, &brisk());
    world.settle();
    // The quorum depends on it.
    world.crash(id(1));
    world.settle();
    world.crash(id(2));
    world.start(id(2));
    world.settle();
    assert_eq!((world.leader(), world.judge.reigns), (Some(id(3)), 1));
}

#[test]
fn the_others_elect_one_when_the_leader_crashes_and_it_comes_back_as_a_follower() {
    let mut world = cold(3, &brisk());
    world.settle();
    let command = world.propose(3);
    world.settle();
    world.crash(id(3));
    assert_eq!(world.settled_leader(), 2);
    world.start(id(3));
    world.settle();
    assert_eq!(world.status(3).role, Role::Following);
    assert!((1..=3).all(|node| world.has_applied(node, &command)));
}

#[test]
fn everybody_restarts_and_nothing_is_lost() {
    let mut world = cold(5, &brisk());
    world.settle();
    let commands: Vec<_> = (1..=5).map(|node| world.propose(node)).collect();
    world.settle();
    let epoch = world.status(5).epochs.current;
    (1..=5).for_each(|node| world.crash(id(node)));
    (1..=5).for_each(|node| world.start(id(node)));
    world.settle();
    assert!(world.status(5).epochs.current > epoch);
    assert!(commands.iter().all(|command| world.has_applied(1, command)));
}

#[test]
fn the_longer_history_wins_over_the_higher_id() {
    let mut world = cold(3, &brisk());
    world.settle();
    world.crash(id(2));
    let command = world.propose(3);
    world.settle();
    world.crash(id(3));
    world.start(id(2));
    assert_eq!(world.settled_leader(), 1);
    assert!(world.has_applied(2, &command));
}

#[test]
fn those_who_look_in_vain_are_mostly_silent() {
    let mut world = World::new(1, 3, 2, &brisk());
    world.settle();
    // A voter and both observers are left: nobody can win, and two of them have no vote at all.
    for node in [2, 3] {
        world.crash(id(node));
    }
    world.run_for(1000 * MS);
    let before = world.delivered;
    world.run_for(1000 * MS);
    // Each repeats itself every 160 ms, to whom it reaches, and is answered at most.
    let words = world.delivered - before;
    assert!(words > 0 && words < 100, "{words}");
}

/// Once the winner has left the election, a voter that it counts on follows somebody else.
#[test]
fn zk_3109_a_leader_whom_nobody_follows_does_not_wait_for_the_limit() {
    let mut timing = brisk();
    timing.init_limit = 60_000 * MS;
    let mut world = cold(3, &timing);
    // Nobody gets through to the one that will be elected, though it hears their votes.
    world.gate = Box::new(|_, to, message| {
        to == NodeId(3) && matches!(message, Message::LearnerInfo { .. })
    });
    world.run_until("the highest id leads nobody", |world| world.status(3).role == Role::Leading);
    world.run_for(10 * MS);
    world.gate = Box::new(|_, _, _| false);
    for other in [1, 2] {
        world.cut(id(other), id(3), None);
    }
    world.run_for(30 * MS);
    world.settle();
    assert!(world.now.since(protocol::Time(0)) < 5_000 * MS, "{:?}", world.now);
}

#[test]
fn a_leader_without_a_quorum_steps_down_within_the_limit() {
    let timing = brisk();
    let mut world = cold(3, &timing);
    world.settle();
    for other in [1, 2] {
        world.black_hole(other, 3);
    }
    let since = world.now;
    world.run_until("it looks again", |world| world.status(3).phase == Phase::Election);
    assert!(world.now - since <= timing.sync_limit, "{:?}", world.now - since);
}

#[test]
fn a_member_that_promised_a_higher_epoch_is_not_locked_out() {
    let mut world = cold(3, &brisk());
    world.settle();
    let epoch = world.status(3).epochs.current;
    world.crash(id(1));
    // Whatever led it to promise that much: the others know nothing of it.
    world.disk(1).epochs.accepted.0 = epoch.0 + 7;
    world.start(id(1));
    world.settle();
    assert!(world.status(1).epochs.current.0 > epoch.0 + 7);
}

#[test]
fn a_voter_in_doubt_neither_leads_nor_helps_anybody_to_lead() {
    let mut world = cold(3, &brisk());
    world.settle();
    let command = world.propose(3);
    world.settle();
    for node in 1..=3 {
        world.crash(id(node));
    }
    // Node 1 has the command; node 2 lost the end of its log, and cannot know what was there.
    let end = world.disk(2).last().index;
    world.disk(2).log.pop();
    world.host(id(2)).state.pop();
    world.host(id(2)).flushed = 0;
    world.host(id(2)).state.clear();
    world.start_in_doubt(id(2), end);
    world.start(id(1));
    world.run_for(2000 * MS);
    assert_eq!(world.leader(), None, "of two voters one is in doubt");
    world.start(id(3));
    world.settle();
    assert!(world.has_applied(2, &command));
    assert_eq!(world.status(2).doubt, None);
}
