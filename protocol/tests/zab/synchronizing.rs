//! How learners get up to date, and observers.

use protocol::zab::{Event, Mode, Phase, Role};
use protocol::{Index, NodeId, Position};

use crate::world::{MS, World, brisk, id};

fn settled(voters: u64, observers: u64) -> World {
    let mut world = World::new(5, voters, observers, &brisk());
    world.settle();
    world
}

/// How `peer` was brought up to date last.
fn last_mode(world: &World, peer: u64) -> Option<Mode> {
    let of_peer = |(_, event): &(NodeId, Event)| match event {
        Event::Synchronizing { peer: it, mode } if *it == id(peer) => Some(*mode),
        _ => None,
    };
    world.events.iter().rev().find_map(of_peer)
}

#[test]
fn who_lags_gets_the_difference_even_when_it_is_fetched_from_the_log() {
    let mut world = settled(3, 0);
    world.crash(id(1));
    let end = world.disk(1).last();
    // More than the cache of the leader holds, and than fits a window.
    let commands: Vec<_> = (0..30).map(|_| world.propose(3)).collect();
    world.settle();
    world.start(id(1));
    world.settle();
    assert_eq!(last_mode(&world, 1), Some(Mode::Diff(end)));
    assert!(commands.iter().all(|command| world.has_applied(1, command)));
}

#[test]
fn what_one_dead_leader_had_proposed_costs_a_cut_and_no_snapshot() {
    let mut world = settled(3, 0);
    let end = world.disk(3).last();
    world.gate = Box::new(|from, _, message| {
        from == NodeId(3) && matches!(message, protocol::zab::Message::Proposals { .. })
    });
    let lost: Vec<_> = (0..2).map(|_| world.propose(3)).collect();
    world.run_for(5 * MS);
    assert!(world.disk(3).last().index > end.index);
    world.crash(id(3));
    world.gate = Box::new(|_, _, _| false);
    world.settle();
    // Of the epoch that 3 comes back with, the leader has entries of its own.
    world.propose(2);
    world.settle();
    world.start(id(3));
    world.settle();
    assert_eq!(last_mode(&world, 3), Some(Mode::Trunc(end)));
    assert!(lost.iter().all(|command| !world.has_applied(3, command)));
}

#[test]
fn a_cut_goes_across_epochs_that_the_leader_has_never_heard_of() {
    let mut world = settled(3, 0);
    let shared = world.disk(1).last();
    world.crash(id(3));
    // Leader 2 opens an epoch that reaches nobody.
    world.gate = Box::new(|from, _, message| {
        from == NodeId(2) && matches!(message, protocol::zab::Message::Proposals { .. })
    });
    world.run_until("2 has opened its epoch", |world| {
        world.hosts[&id(2)].disk.last().index > shared.index
    });
    world.crash(id(2));
    world.gate = Box::new(|_, _, _| false);
    world.start(id(3));
    world.settle();
    let foreign = world.disk(2).last().term;
    assert!(world.disk(3).log.iter().all(|entry| entry.position.term != foreign));
    world.start(id(2));
    world.settle();
    assert_eq!(last_mode(&world, 2), Some(Mode::Trunc(shared)));
}

#[test]
fn who_is_behind_the_log_gets_the_state_and_then_the_rest() {
    let mut world = settled(3, 0);
    world.crash(id(1));
    (0..10).for_each(|_| drop(world.propose(3)));
    world.settle();
    for node in [2, 3] {
        world.flush_and_trim(id(node), 2);
    }
    let command = world.propose(3);
    world.settle();
    world.start(id(1));
    world.run_until("it waits for the state", |world| last_mode(world, 1) == Some(Mode::Snap));
    world.settle();
    assert!(matches!(last_mode(&world, 1), Some(Mode::Diff(_))), "the rest comes as entries");
    assert!(world.has_applied(1, &command));
    assert!(world.disk(1).base > Position::ORIGIN, "its log begins anew");
}

#[test]
fn a_learner_drops_a_leader_that_leaves_a_gap() {
    let mut world = settled(3, 0);
    world.judge.lies = true;
    let generation = world.net.generation(id(1), id(3));
    let Position { term, index } = world.status(1).last;
    let base = Position::new(term, index.next());
    let message = protocol::zab::Message::Proposals { base, entries: Vec::new() };
    let input = protocol::zab::Input::Receive { from: id(3), generation, message };
    world.input(id(1), input);
    assert_eq!(world.status(1).phase, Phase::Election);
    world.settle();
    assert_eq!(world.judge.reigns, 1, "the leader keeps its quorum");
}

#[test]
fn a_burst_leaves_as_one_write_and_commits_in_order() {
    let mut world = settled(3, 0);
    world.lazy = 100;
    let commands: Vec<_> = (0..5).map(|_| world.propose(3)).collect();
    world.settle();
    let place =
        |command| world.judge.applied.iter().position(|entry| crate::world::is(entry, command));
    assert!(commands.iter().map(place).collect::<Vec<_>>().is_sorted());
    assert!(commands.iter().all(|command| world.has_applied(1, command)));
}

#[test]
fn proposals_beyond_the_limit_are_refused_and_the_others_go_through() {
    let mut world = settled(3, 0);
    for other in [1, 2] {
        world.net.stall(id(3), id(other), true);
    }
    for _ in 0..400 {
        world.propose(3);
    }
    let refused = world.host(id(3)).refused.len();
    assert!(refused > 0 && refused < 400, "{refused}");
    world.heal();
    world.settle();
    assert!(world.judge.applied.len() >= 400 - refused);
}

#[test]
fn an_observer_learns_what_is_committed_and_counts_for_nothing() {
    let mut world = settled(3, 1);
    assert_eq!(world.status(4).role, Role::Observing);
    // A command that it passes on, and one that is made while it is away.
    let first = world.propose(4);
    world.run_until("it is applied", |world| world.has_applied(4, &first));
    world.crash(id(4));
    let second = world.propose(3);
    world.settle();
    world.start(id(4));
    world.settle();
    assert!(world.has_applied(4, &first) && world.has_applied(4, &second));
    // With one voter left, the observer is no help.
    world.crash(id(1));
    world.crash(id(2));
    let third = world.propose(3);
    world.run_for(2000 * MS);
    assert!(world.leader().is_none() && !world.has_applied(4, &third));
    let held = world.disk(4).last().index;
    assert!(held <= Index(world.judge.applied.len() as u64), "it holds what is committed only");
}

#[test]
fn an_observer_behind_the_log_gets_the_state() {
    let mut world = settled(3, 1);
    world.crash(id(4));
    (0..10).for_each(|_| drop(world.propose(3)));
    world.settle();
    for node in 1..=3 {
        world.flush_and_trim(id(node), 1);
    }
    world.start(id(4));
    world.settle();
    assert_eq!(world.hosts[&id(4)].state, world.hosts[&id(3)].state);
}
