//! Members that lag behind every log get the state, whatever goes wrong on the way.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::time::Duration;

use node::{Body, Request};
use store::{Command, LeaseId, Put};
use world::World;

fn write(world: &mut World, at: usize, command: Command) {
    let name = world.ask(at, Request::Write(command));
    world.run_until("a write", |world| world.replies.contains_key(&name));
    world.replies.remove(&name).unwrap().body.unwrap();
}

fn put(key: String, value: String, lease: Option<LeaseId>) -> Command {
    let value = Some(value.into());
    Command::Put(Put { key: key.into(), value, lease: Some(lease), prev_kv: false })
}

/// Writes, leases and compactions, enough that logs are trimmed.
fn work(world: &mut World, at: usize, rounds: u64) {
    for round in 0..rounds {
        let lease = LeaseId(i64::try_from(round % 7).unwrap() + 1);
        if world.node(at).store().lease(lease).is_none() {
            write(world, at, Command::LeaseGrant { id: lease, ttl: 10_000 });
        }
        let key = format!("key {}", round % 13);
        write(world, at, put(key, format!("value {round}"), Some(lease)));
        if round % 50 == 49 {
            let revision = world.node(at).store().revision() - 20;
            write(world, at, Command::Compact { revision });
        }
    }
}

fn assert_equal(world: &mut World) {
    world.run_until("all to have applied the same", |world| {
        let first = world.node(0).store().applied();
        (1..world.size()).all(|at| world.node(at).store().applied() == first)
    });
    let hashes: Vec<u32> = (0..world.size())
        .map(|at| {
            let name = world.ask(at, Request::HashKv { revision: 0 });
            world.run_until("a hash", |world| world.replies.contains_key(&name));
            match world.replies.remove(&name).unwrap().body {
                Ok(Body::Hash { hash, .. }) => hash,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
    let leases = |at: usize| world.node(at).store().leases().collect::<Vec<_>>();
    assert!((1..world.size()).all(|at| leases(at) == leases(0)));
}

/// A world in which the last member is far behind.
fn behind(seed: u64) -> (World, usize) {
    let mut world = World::new(3, seed);
    world.keep = 2_000;
    (0..3).for_each(|at| {
        world.crash(at);
        world.start(at);
    });
    world.leader();
    world.crash(2);
    // Longer than anybody believes in a leader that is gone.
    world.run_for(Duration::from_secs(5));
    let leader = world.leader();
    work(&mut world, leader, 300);
    world.run_for(Duration::from_secs(3));
    let first = world.log(leader).first().unwrap().position.index;
    assert!(first.0 > 100, "the log was not trimmed: it begins at {first}");
    (world, leader)
}

#[test]
fn a_member_behind_every_log_gets_the_state_and_goes_on() {
    let (mut world, leader) = behind(1);
    world.start(2);
    work(&mut world, leader, 40);
    assert_equal(&mut world);
    assert_eq!(world.installed, 1);
    assert!(world.pieces > 5, "{}", world.pieces);
    work(&mut world, leader, 40);
    assert_equal(&mut world);
    assert_eq!(world.installed, 1);
}

#[test]
fn lost_damaged_and_repeated_pieces_only_take_time() {
    let mut worst = 0;
    for seed in 0..30 {
        let (mut world, leader) = behind(seed);
        (world.loss, world.damage) = (20, 20);
        world.start(2);
        world.run_for(Duration::from_secs(5));
        world.loss = 0;
        work(&mut world, leader, 10);
        assert_equal(&mut world);
        worst = worst.max(world.installed);
    }
    assert!(worst >= 1);
}

#[test]
fn crashes_on_either_side_in_the_middle_of_a_transfer_lose_nothing() {
    let mut installed = 0;
    for seed in 0..60 {
        let (mut world, leader) = behind(seed);
        world.start(2);
        for round in 0..8 {
            let pause = 1 + world.rng.below(12_000);
            world.run_for(Duration::from_micros(pause));
            let victim = if round % 2 == 0 { 2 } else { leader };
            if world.running(victim) {
                world.crash(victim);
                world.start(victim);
            }
        }
        world.run_for(Duration::from_secs(5));
        let leader = world.leader();
        work(&mut world, leader, 10);
        assert_equal(&mut world);
        installed += world.installed;
    }
    assert!(installed >= 60, "{installed}");
}
