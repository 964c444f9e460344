//! Writes that are repeated are done once, whatever happens between the attempts.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::time::Duration;

use node::codec::Envelope;
use node::{Body, Failure, Reply, Request};
use protocol::NodeId;
use protocol::raft::Payload;
use store::{Alarm, AlarmAction, ClientId, Command, LeaseId, Outcome, Put, Stamp};
use world::World;

fn stamp(client: u8, sequence: u64) -> Stamp {
    Stamp::new(ClientId([client; 16]), sequence, 1).unwrap()
}

fn once(stamp: Stamp, request: Request) -> Request {
    Request::Once { stamp, request: Box::new(request) }
}

fn put(key: &str, value: &str) -> Request {
    let value = Some(value.to_owned().into());
    let key = key.to_owned().into();
    Request::Write(Command::Put(Put { key, value, lease: Some(None), prev_kv: true }))
}

fn call(world: &mut World, at: usize, request: Request) -> Reply {
    let name = world.ask(at, request);
    world.run_until("a reply", |world| world.replies.contains_key(&name));
    world.replies.remove(&name).unwrap()
}

/// The revision of an answer and what was there before.
fn told(reply: &Reply) -> (i64, Option<store::KeyValue>) {
    match &reply.body {
        Ok(Body::Outcome(Outcome::Put { prev })) => (reply.header.revision, prev.clone()),
        other => panic!("{other:?}"),
    }
}

fn settle(world: &mut World) {
    world.run_until("all to have applied the same", |world| {
        let first = world.node(0).store().applied();
        (1..world.size()).all(|at| world.node(at).store().applied() == first)
    });
}

/// Entries of the log that carry a command.
fn commands(world: &World, at: usize) -> Vec<Command> {
    let decode = |payload: &Payload| {
        let Payload::Command(bytes) = payload else { return None };
        Some(Command::decode(Envelope::open(bytes.clone()).unwrap().command).unwrap())
    };
    world.log(at).iter().filter_map(|entry| decode(&entry.payload)).collect()
}

#[test]
fn attempts_at_all_replicas_at_once_are_one_write() {
    for seed in 0..20 {
        let mut world = World::new(3, seed);
        let leader = world.leader();
        call(&mut world, leader, put("k", "before"));
        let names: Vec<_> =
            (0..3).map(|at| world.ask(at, once(stamp(1, 1), put("k", "after")))).collect();
        world.run_until("all replies", |world| {
            names.iter().all(|name| world.replies.contains_key(name))
        });
        let answers: Vec<_> = names.iter().map(|name| told(&world.replies[name])).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(answers[0].1.as_ref().unwrap().value, "before");
        settle(&mut world);
        let attempts = commands(&world, leader);
        let attempts = attempts.iter().filter(|it| matches!(it, Command::Once { .. })).count();
        assert_eq!((attempts, world.node(leader).store().revision()), (3, answers[0].0));
    }
}

#[test]
fn a_leader_that_dies_at_any_moment_of_a_write_leaves_one_write() {
    let (mut answered, mut found) = (0, 0);
    for seed in 0..120 {
        let mut world = World::new(3, seed);
        let leader = world.leader();
        let asked = if seed % 2 == 0 { leader } else { (leader + 1) % 3 };
        let request = once(stamp(1, 1), put("k", "v"));
        let name = world.ask(asked, request.clone());
        let pause = world.rng.below(9_000);
        world.run_for(Duration::from_micros(pause));
        world.crash(leader);
        let first = world.replies.get(&name).map(told);
        answered += u64::from(first.is_some());
        let done = (0..3).filter(|at| world.running(*at));
        found += u64::from(done.map(|at| world.node(at).store().revision()).max() == Some(2));
        // The client gives up on it, and asks another one.
        let other = (leader + 2) % 3;
        let again = told(&call(&mut world, other, request.clone()));
        assert!(first.is_none_or(|first| first == again), "seed {seed}");
        assert_eq!(again, (2, None), "seed {seed}");
        world.start(leader);
        let back = told(&call(&mut world, leader, request));
        assert_eq!(back, again, "seed {seed}");
        settle(&mut world);
        assert!((0..3).all(|at| world.node(at).store().revision() == 2), "seed {seed}");
    }
    // In some the leader died before anything was known elsewhere, in others after.
    assert!((5..100).contains(&answered), "{answered}");
    assert!((10..110).contains(&found), "{found}");
}

#[test]
fn what_was_done_is_answered_when_there_is_no_space_any_more() {
    let mut world = World::new(3, 11);
    let leader = world.leader();
    let first = told(&call(&mut world, leader, once(stamp(1, 1), put("k", "v"))));
    let (action, member) = (AlarmAction::Activate, Some(NodeId(1)));
    let raise = Command::Alarm { action, member, alarm: Some(Alarm::NoSpace) };
    call(&mut world, leader, Request::Write(raise));
    settle(&mut world);
    for at in 0..3 {
        assert_eq!(told(&call(&mut world, at, once(stamp(1, 1), put("k", "v")))), first);
        let new = call(&mut world, at, once(stamp(1, 2), put("k", "w")));
        assert!(matches!(new.body, Err(Failure::NoSpace)), "{:?}", new.body);
    }
}

#[test]
fn a_restart_of_all_remembers() {
    let mut world = World::new(3, 7);
    let leader = world.leader();
    let grant = |id| Request::Write(Command::LeaseGrant { id: LeaseId(id), ttl: 600 });
    let granted = call(&mut world, leader, once(stamp(1, 1), grant(5)));
    let first = told(&call(&mut world, leader, once(stamp(1, 2), put("k", "v"))));
    for round in 0..3 {
        for at in 0..3 {
            world.crash(at);
        }
        for at in 0..3 {
            world.start(at);
        }
        let at = (world.leader() + round) % 3;
        assert_eq!(told(&call(&mut world, at, once(stamp(1, 2), put("k", "v")))), first);
        // Another id is drawn, and the first one is answered.
        let again = call(&mut world, at, once(stamp(1, 1), grant(6)));
        let id = |reply: &Reply| match reply.body {
            Ok(Body::Outcome(Outcome::LeaseGrant { id, .. })) => id,
            ref other => panic!("{other:?}"),
        };
        assert_eq!((id(&again), again.header.revision), (id(&granted), granted.header.revision));
    }
    assert_eq!(world.node(0).store().leases().collect::<Vec<_>>(), [LeaseId(5)]);
}

#[test]
fn a_member_that_got_the_state_whole_remembers() {
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
    let first = told(&call(&mut world, leader, once(stamp(1, 1), put("k", "v"))));
    for number in 0..300 {
        call(&mut world, leader, put(&format!("key {}", number % 9), "filler"));
    }
    world.run_for(Duration::from_secs(3));
    world.start(2);
    world.run_until("a state to be installed", |world| world.node(2).store().revision() > 200);
    assert_eq!(world.installed, 1);
    assert_eq!(told(&call(&mut world, 2, once(stamp(1, 1), put("k", "v")))), first);
    settle(&mut world);
    let revision = world.node(2).store().revision();
    assert!((0..3).all(|at| world.node(at).store().revision() == revision));
}

#[test]
fn a_repeated_compaction_is_answered_and_not_refused() {
    let mut world = World::new(3, 5);
    let leader = world.leader();
    for _ in 0..5 {
        call(&mut world, leader, put("k", "v"));
    }
    let compact = |physical| Request::Compact { revision: 4, physical };
    for physical in [true, false, true] {
        let reply = call(&mut world, leader, once(stamp(1, 1), compact(physical)));
        assert!(matches!(reply.body, Ok(Body::Outcome(Outcome::Done))), "{reply:?}");
    }
    let other = call(&mut world, leader, once(stamp(1, 2), compact(false)));
    assert!(other.body.is_err());
}

/// Without leases the clock goes for sessions alone, as slowly as it can, and then stands still.
#[test]
fn the_clock_goes_until_the_last_session_has_ended() {
    let mut world = World::new(3, 9);
    let leader = world.leader();
    let ticks = |world: &World| {
        let ticks = commands(world, leader);
        ticks.iter().filter(|it| matches!(it, Command::Tick { .. })).count()
    };
    world.run_for(Duration::from_secs(20));
    assert_eq!(ticks(&world), 0);
    call(&mut world, leader, once(stamp(1, 1), put("k", "v")));
    world.run_for(Duration::from_secs(290));
    assert_eq!(world.node(leader).store().session_count(), 1);
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.node(leader).store().session_count(), 0);
    let told = ticks(&world);
    assert!((195..=205).contains(&told), "{told}");
    world.run_for(Duration::from_secs(20));
    assert_eq!(ticks(&world), told);
}
