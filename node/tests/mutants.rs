//! The planted bugs of the replica do harm: each is shown by a run that goes one way with the bug
//! and another way without it.

#![cfg(feature = "mutants")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use node::{Acquaintances, Judgement, Life, Request};
use protocol::NodeId;
use protocol::mutant::{Mutant, plant};
use store::{ClientId, Command, LeaseId, Put, Stamp};
use world::World;

const LEASE: LeaseId = LeaseId(7);

/// Runs with the bug and without it. The choice is one for the process: tests take turns.
fn both<T>(mutant: Mutant, run: impl Fn() -> T) -> (T, T) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    plant(Some(mutant));
    let planted = run();
    plant(None);
    (planted, run())
}

fn granted(world: &mut World, at: usize) {
    let name = world.ask(at, Request::Write(Command::LeaseGrant { id: LEASE, ttl: 600 }));
    world.run_until("the grant", |world| world.replies.contains_key(&name));
}

fn left(world: &World, at: usize) -> u64 {
    world.node(at).store().lease(LEASE).map_or(0, |lease| lease.remaining_ms)
}

#[test]
fn a2_the_same_ticks_leave_different_times() {
    let (planted, honest) = both(Mutant::A2, || {
        let mut world = World::new(3, 1);
        let leader = world.leader();
        granted(&mut world, leader);
        world.run_for(Duration::from_secs(20));
        let mut differed = false;
        for _ in 0..2000 {
            world.step();
            let applied = |at: usize| world.node(at).store().applied();
            differed |= (0..3).any(|at| {
                applied(at) == applied(leader) && left(&world, at) != left(&world, leader)
            });
        }
        differed
    });
    assert_eq!((planted, honest), (true, false));
}

#[test]
fn l1_two_members_tell_the_time() {
    let (planted, honest) = both(Mutant::L1, || {
        let mut world = World::new(3, 2);
        let old = world.leader();
        granted(&mut world, old);
        world.run_for(Duration::from_secs(5));
        // The leader is cut off until another one has been elected, and comes back.
        for other in (0..3).filter(|at| *at != old) {
            world.cut.extend([(old, other), (other, old)]);
        }
        world.run_for(Duration::from_secs(5));
        world.cut.clear();
        world.run_for(Duration::from_secs(2));
        let leader = world.leader();
        assert_ne!(leader, old);
        let before = left(&world, leader);
        world.run_for(Duration::from_secs(20));
        before - left(&world, leader)
    });
    assert!((18_000..=21_000).contains(&honest), "{honest}");
    assert!(planted > 30_000, "{planted}");
}

/// The replicas themselves notice, without anybody who looks at them from outside.
#[test]
fn a2_the_members_notice_that_they_differ() {
    let (planted, honest) = both(Mutant::A2, || {
        let mut world = World::new(0, 1);
        world.compare = Some(Duration::from_millis(500));
        world.may_halt = true;
        world.grow(3);
        let leader = world.leader();
        granted(&mut world, leader);
        world.run_for(Duration::from_secs(20));
        // Ticks that end no lease are no reason to compare: the next write is.
        let put = Put { key: "k".into(), value: Some("v".into()), lease: None, prev_kv: false };
        world.ask(leader, Request::Write(Command::Put(put)));
        world.run_for(Duration::from_secs(5));
        let disputed = (0..3).filter(|at| world.running(*at));
        let disputed = disputed.filter(|at| world.node(*at).status().disputed.is_some()).count();
        disputed + world.halts.len() > 0
    });
    assert_eq!((planted, honest), (true, false));
}

#[test]
fn x1_a_member_that_got_the_state_whole_does_a_write_again() {
    let (planted, honest) = both(Mutant::X1, || {
        let mut world = World::new(3, 3);
        world.keep = 2_000;
        for at in 0..3 {
            world.crash(at);
            world.start(at);
        }
        world.leader();
        world.crash(2);
        world.run_for(Duration::from_secs(5));
        let leader = world.leader();
        let put = |key: String| {
            let value = Some("a value".into());
            Command::Put(Put { key: key.into(), value, lease: Some(None), prev_kv: false })
        };
        let stamp = Stamp::new(ClientId([1; 16]), 1, 1).unwrap();
        let request = Request::Write(put("once".into()));
        let once = Request::Once { stamp, request: Box::new(request) };
        world.ask(leader, once.clone());
        for number in 0..300 {
            let name = world.ask(leader, Request::Write(put(format!("key {}", number % 9))));
            world.run_until("a write", |world| world.replies.contains_key(&name));
        }
        world.run_for(Duration::from_secs(3));
        world.start(2);
        world.run_until("a state to be installed", |world| world.installed == 1);
        let name = world.ask(leader, once);
        world.run_until("the answer", |world| world.replies.contains_key(&name));
        world.run_for(Duration::from_secs(3));
        [2, leader].map(|at| world.node(at).store().revision())
    });
    assert_eq!((planted[0], honest[0]), (honest[0] + 1, honest[1]));
}

#[test]
fn r26_a_member_that_has_forgotten_is_welcome() {
    let (planted, honest) = both(Mutant::R26, || {
        let (mut before, mut wiped) = (Life::new(1), Life::new(2));
        before.start(10);
        wiped.start(20);
        let mut met = Acquaintances::default();
        met.note(NodeId(3), &before);
        matches!(met.judge(NodeId(3), &wiped), Judgement::Welcome { .. })
    });
    assert_eq!((planted, honest), (true, false));
}
