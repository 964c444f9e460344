//! Members compare their states: those that agree go on, and one that differs stops serving.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::time::Duration;

use node::codec::Envelope;
use node::{Body, Failure, Request};
use protocol::NodeId;
use protocol::raft::{Payload, Role};
use store::{Command, Error, LeaseId, Put, Record, RestoreError};
use world::World;

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn write(world: &mut World, at: usize, command: Command) {
    let name = world.ask(at, Request::Write(command));
    world.run_until("a write", |world| world.replies.contains_key(&name));
    world.replies.remove(&name).unwrap().body.unwrap();
}

fn put(world: &mut World, at: usize, key: &str, value: String) {
    let (key, value) = (key.to_owned().into(), Some(value.into()));
    write(world, at, Command::Put(Put { key, value, lease: Some(None), prev_kv: false }));
}

fn comparing(size: usize, seed: u64) -> World {
    let mut world = World::new(0, seed);
    world.compare = Some(Duration::from_millis(300));
    world.may_halt = true;
    world.grow(size);
    world
}

/// How many hashes a log holds.
fn hashes(world: &World, at: usize) -> usize {
    let commands = world.log(at).iter().filter_map(|entry| match &entry.payload {
        Payload::Command(bytes) => Some(bytes.clone()),
        Payload::Empty | Payload::Membership(_) => None,
    });
    let commands =
        commands.map(|bytes| Command::decode(Envelope::open(bytes).unwrap().command).unwrap());
    commands.filter(|command| matches!(command, Command::StateHash { .. })).count()
}

/// Ends a member, changes one value in what it has flushed, and starts it again.
fn spoil(world: &mut World, at: usize) {
    world.run_for(SECONDS(3));
    world.crash(at);
    world.tamper(at, |records| {
        let (_, record) =
            records.iter_mut().rev().find(|(_, it)| matches!(it, Record::Put(_))).unwrap();
        let Record::Put(kv) = record else { panic!("just seen") };
        kv.value = b"something else".to_vec().into();
    });
    world.start(at);
}

/// The leader, which runs: a dead one may be followed for a while.
fn leading(world: &mut World) -> usize {
    let led = |world: &World| {
        let leads =
            |at: &usize| world.running(*at) && world.node(*at).core().role() == Role::Leader;
        let at = (0..world.size()).find(leads)?;
        let all = (0..world.size()).filter(|at| world.running(*at));
        let id = Some(NodeId(at as u64 + 1));
        all.map(|at| world.node(at).core().leader()).all(|leader| leader == id).then_some(at)
    };
    world.run_until("a leader that runs", |world| led(world).is_some());
    led(world).unwrap()
}

fn work(world: &mut World, rounds: u64) {
    for round in 0..rounds {
        let leader = leading(world);
        put(world, leader, &format!("key {}", round % 7), format!("value {round}"));
    }
}

#[test]
fn members_that_agree_go_on_whatever_befalls_them() {
    let mut compared = 0;
    for seed in 0..6 {
        let mut world = comparing(3, seed);
        world.keep = if seed % 2 == 0 { 300 } else { u64::MAX };
        for round in 0..12_u64 {
            let at = usize::try_from(round % 3).unwrap();
            let leader = leading(&mut world);
            if world.node(leader).store().lease(LeaseId(1)).is_none() {
                write(&mut world, leader, Command::LeaseGrant { id: LeaseId(1), ttl: 3 });
            }
            work(&mut world, 10);
            let leader = leading(&mut world);
            let revision = world.node(leader).store().revision() - 3;
            write(&mut world, leader, Command::Compact { revision });
            world.crash(at);
            work(&mut world, 40);
            world.start(at);
            world.run_for(SECONDS(1));
        }
        world.run_for(SECONDS(3));
        assert_eq!(world.halts, []);
        for at in 0..3 {
            assert_eq!(world.node(at).status().disputed, None, "seed {seed}");
        }
        let applied = world.node(0).store().applied();
        let same: Vec<usize> =
            (0..3).filter(|at| world.node(*at).store().applied() == applied).collect();
        let own = |at: usize| world.node(at).store().state_hash();
        assert!(same.iter().all(|at| own(*at) == own(0)), "seed {seed}");
        compared += (0..3).map(|at| hashes(&world, at)).max().unwrap();
    }
    assert!(compared > 20, "{compared} hashes were compared");
}

#[test]
fn an_idle_cluster_compares_once_and_is_silent() {
    let mut world = comparing(3, 1);
    work(&mut world, 5);
    world.run_for(SECONDS(5));
    let before = world.log(0).len();
    assert!(hashes(&world, 0) >= 2);
    world.run_for(SECONDS(60));
    assert_eq!(world.log(0).len(), before);
}

#[test]
fn a_follower_that_differs_stops_serving_for_good_and_the_others_go_on() {
    let mut world = comparing(3, 2);
    work(&mut world, 20);
    let wrong = (leading(&mut world) + 1) % 3;
    spoil(&mut world, wrong);
    world.run_for(SECONDS(1));
    let leader = leading(&mut world);
    put(&mut world, leader, "more", "1".into());
    world.run_until("its end", |world| !world.halts.is_empty());
    let (ended, why) = world.halts[0].clone();
    assert_eq!(ended, wrong);
    assert!(why.contains("that of a majority") && why.contains("must not be served"), "{why}");
    assert!(matches!(world.restore(wrong), Err(RestoreError::Differs(_))), "nor after a restart");
    world.run_for(SECONDS(5));
    work(&mut world, 20);
    assert_eq!(world.halts.len(), 1, "{:?}", world.halts);
}

#[test]
fn a_leader_that_differs_condemns_nobody_but_itself() {
    let mut world = comparing(3, 3);
    work(&mut world, 20);
    let wrong = (leading(&mut world) + 1) % 3;
    // Nothing is compared before it leads.
    spoil(&mut world, wrong);
    let old = leading(&mut world);
    let to = NodeId(wrong as u64 + 1);
    world.ask(old, Request::MoveLeader(to));
    world.run_until("its leadership", |world| {
        world.node(wrong).core().leader() == Some(to) || !world.halts.is_empty()
    });
    assert_eq!(world.halts, [], "it led");
    put(&mut world, wrong, "more", "1".into());
    world.run_until("its end", |world| !world.halts.is_empty());
    world.run_for(SECONDS(5));
    work(&mut world, 20);
    let ended: Vec<usize> = world.halts.iter().map(|(at, _)| *at).collect();
    assert_eq!(ended, [wrong]);
}

#[test]
fn a_condemned_member_refuses_from_the_entry_on_that_condemned_it() {
    let mut world = comparing(3, 4);
    work(&mut world, 20);
    let wrong = (leading(&mut world) + 1) % 3;
    spoil(&mut world, wrong);
    let leader = leading(&mut world);
    put(&mut world, leader, "more", "1".into());
    world.run_until("its condemnation", |world| {
        world.running(wrong) && world.node(wrong).status().condemned.is_some()
    });
    let refused = world.ask(wrong, Request::Barrier);
    let answer = world.replies.remove(&refused).unwrap().body;
    assert!(matches!(answer, Err(Failure::Store(Error::Corrupt))), "{answer:?}");
    let told = world.ask(wrong, Request::Status);
    let answer = world.replies.remove(&told).unwrap().body;
    assert!(matches!(answer, Ok(Body::Status(_))), "{answer:?}");
    world.run_until("its end", |world| !world.halts.is_empty());
}

#[test]
fn without_a_majority_nobody_is_condemned_until_there_is_one() {
    let mut world = comparing(3, 5);
    work(&mut world, 20);
    let wrong = (leading(&mut world) + 1) % 3;
    spoil(&mut world, wrong);
    let leader = leading(&mut world);
    let away = (0..3).find(|at| *at != wrong && *at != leader).unwrap();
    world.crash(away);
    let leader = leading(&mut world);
    put(&mut world, leader, "more", "1".into());
    world.run_until("the dispute", |world| world.node(leader).status().disputed.is_some());
    world.run_for(SECONDS(10));
    assert_eq!(world.halts, []);
    world.start(away);
    world.run_for(SECONDS(1));
    let leader = leading(&mut world);
    put(&mut world, leader, "more", "2".into());
    world.run_until("its end", |world| !world.halts.is_empty());
    assert_eq!(world.halts[0].0, wrong);
}

/// Spoils a follower of an idle or busy cluster, waits for its end, and has its state anew.
fn rebuilt(world: &mut World, wrong: usize) {
    spoil(world, wrong);
    world.run_for(SECONDS(1));
    let leader = leading(world);
    put(world, leader, "more", "1".into());
    world.run_until("its end", |world| !world.halts.is_empty());
    let leader = leading(world);
    let alarmed = vec![NodeId(wrong as u64 + 1)];
    assert_eq!(world.node(leader).status().deviants, alarmed);
    let after = world.node(leader).store().applied().index;
    world.rebuild(wrong, after);
    assert!(world.node(wrong).status().rebuilding);
}

/// What a replica answers to the question for the members, asked until something is so.
fn asked_until(
    world: &mut World,
    at: usize,
    so: impl Fn(&World) -> bool,
) -> Vec<Result<Body, Failure>> {
    let mut answers = Vec::new();
    for _ in 0..10_000 {
        if world.running(at) {
            let asked = world.ask(at, Request::Members { linearizable: false });
            answers.extend(world.replies.remove(&asked).map(|reply| reply.body));
        }
        if so(world) {
            return answers;
        }
        world.run_for(Duration::from_millis(5));
    }
    panic!("in vain");
}

#[test]
fn a_state_had_anew_is_served_when_it_agrees_and_the_alarm_ends() {
    let mut world = comparing(3, 7);
    work(&mut world, 20);
    let wrong = (leading(&mut world) + 1) % 3;
    rebuilt(&mut world, wrong);
    // Nobody writes: the comparison is asked for.
    let answers = asked_until(&mut world, wrong, |world| !world.node(wrong).status().rebuilding);
    let refused = |it: &&Result<Body, Failure>| matches!(it, Err(Failure::Store(Error::Corrupt)));
    let refused = answers.iter().filter(refused).count();
    assert!(refused > 0, "it refused at first");
    assert!(answers[..refused].iter().all(Result::is_err) && answers[refused..].len() == 1);
    let log = world.log(wrong).len();
    world.run_until("the end of the alarm", |world| {
        (0..3).all(|at| world.node(at).status().deviants.is_empty())
    });
    work(&mut world, 5);
    world.run_for(SECONDS(60));
    assert!(world.log(wrong).len() < log + 20, "it asks for no more");
    assert_eq!(world.halts.len(), 1, "{:?}", world.halts);
}

#[test]
fn a_state_had_anew_that_is_still_wrong_is_never_served() {
    let mut world = comparing(3, 8);
    work(&mut world, 20);
    let wrong = (leading(&mut world) + 1) % 3;
    rebuilt(&mut world, wrong);
    world.run_for(SECONDS(3));
    // Once more, and nobody has put it aside.
    world.crash(wrong);
    world.tamper(wrong, |records| {
        let (_, record) =
            records.iter_mut().rev().find(|(_, it)| matches!(it, Record::Put(_))).unwrap();
        let Record::Put(kv) = record else { panic!("just seen") };
        kv.value = b"something else again".to_vec().into();
    });
    world.start(wrong);
    let answers = asked_until(&mut world, wrong, |world| world.halts.len() == 2);
    assert!(!answers.is_empty() && answers.iter().all(Result::is_err), "it served");
}

#[test]
fn a_leader_that_is_condemned_hands_over() {
    let mut world = comparing(3, 9);
    work(&mut world, 20);
    let wrong = (leading(&mut world) + 1) % 3;
    spoil(&mut world, wrong);
    let old = leading(&mut world);
    let to = NodeId(wrong as u64 + 1);
    world.ask(old, Request::MoveLeader(to));
    world.run_until("its leadership", |world| world.node(wrong).core().leader() == Some(to));
    put(&mut world, wrong, "more", "1".into());
    world.run_until("its end", |world| !world.halts.is_empty());
    let ended = world.now;
    let led = |world: &World| {
        let other = (wrong + 1) % 3;
        world.node(other).core().leader().is_some_and(|leader| leader != to)
    };
    world.run_until("another leader", led);
    assert!(world.now - ended < Duration::from_millis(500), "before anybody missed it");
}
