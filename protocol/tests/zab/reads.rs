//! Linearizable reads, here and passed on, and what becomes of them when leaders go.

use protocol::Index;
use protocol::zab::Phase;

use crate::world::{MS, World, brisk, id};

fn settled() -> World {
    let mut world = World::new(9, 3, 1, &brisk());
    assert_eq!(world.settled_leader(), 3);
    world
}

#[test]
fn a_read_anywhere_sees_what_was_applied_before() {
    let mut world = settled();
    for node in [3, 1, 2, 4] {
        let command = world.propose(node);
        world.run_until("somebody has applied it", |world| {
            (1..=4).any(|node| world.has_applied(node, &command))
        });
        let floor = Index(world.judge.applied.len() as u64);
        let read = world.read(node);
        world.run_until("it is answered", |world| world.hosts[&id(node)].reads.contains_key(&read));
        let seen = world.host(id(node)).reads[&read];
        assert!(seen >= Some(floor), "{seen:?} at {node}");
    }
}

#[test]
fn a_leader_that_is_cut_off_answers_no_read() {
    let mut world = settled();
    // Nothing is under way: this is when the sync of ZooKeeper would be answered.
    for other in [1, 2, 4] {
        world.black_hole(other, 3);
    }
    let read = world.read(3);
    world.run_until("another leads", |world| world.leader().is_some_and(|it| it != id(3)));
    let command = world.propose(2);
    world.run_until("it is applied", |world| world.has_applied(2, &command));
    world.run_until("3 has stepped down", |world| world.status(3).phase == Phase::Election);
    assert_eq!(world.host(id(3)).reads.get(&read), Some(&None), "it was refused");
    world.heal();
    world.settle();
}

#[test]
fn a_read_that_was_passed_on_is_refused_with_the_leader() {
    let mut world = settled();
    world.net.stall(id(1), id(3), true);
    let read = world.read(1);
    world.run_for(MS);
    assert!(!world.host(id(1)).reads.contains_key(&read));
    world.crash(id(3));
    world.run_until("it is answered", |world| world.hosts[&id(1)].reads.contains_key(&read));
    assert_eq!(world.host(id(1)).reads[&read], None);
}

#[test]
fn reads_that_wait_share_a_round() {
    let mut world = settled();
    world.run_for(5 * MS);
    let before = world.delivered;
    world.lazy = 100;
    for _ in 0..50 {
        world.read(1);
    }
    world.lazy = 0;
    world.run_until("all are answered", |world| world.hosts[&id(1)].reads.len() == 50);
    // A question, a round of pings, an answer; and whatever pings were due.
    assert!(world.delivered - before < 20, "{}", world.delivered - before);
    assert!(world.host(id(1)).reads.values().all(Option::is_some));
}

#[test]
fn nobody_answers_without_a_leader() {
    let mut world = settled();
    for node in [2, 3] {
        world.crash(id(node));
    }
    world.run_until("1 looks", |world| world.status(1).phase == Phase::Election);
    let read = world.read(1);
    assert_eq!(world.host(id(1)).reads[&read], None);
}
