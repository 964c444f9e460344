//! Replicas together: writes, reads, leases and what crashes do to them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use node::codec::Envelope;
use node::{Body, Failure, Input, Message, Output, Request};
use protocol::raft::{self, Body as RaftBody, Mend, Payload, Role};
use protocol::{NodeId, Term};
use store::{Command, KeyRange, LeaseId, Outcome, Put, Range, RangeResult, SortOrder, SortTarget};
use world::World;

fn put(key: &str, value: &str) -> Request {
    leased(key, value, None)
}

fn leased(key: &str, value: &str, lease: Option<LeaseId>) -> Request {
    Request::Write(Command::Put(Put {
        key: key.to_string().into(),
        value: Some(value.to_string().into()),
        lease: Some(lease),
        prev_kv: false,
    }))
}

fn range(key: &str, serializable: bool) -> Request {
    let keys = KeyRange { key: key.to_string().into(), end: bytes::Bytes::new() };
    let range = Range {
        keys,
        revision: 0,
        limit: 0,
        target: SortTarget::Key,
        order: SortOrder::None,
        keys_only: false,
        count_only: false,
        filter: store::Filter::default(),
    };
    Request::Range { range, serializable }
}

/// Asks and waits for the answer.
fn call(world: &mut World, at: usize, request: Request) -> Result<Body, Failure> {
    let name = world.ask(at, request);
    world.run_until("a reply", |world| world.replies.contains_key(&name));
    world.replies.remove(&name).unwrap().body
}

fn read(world: &mut World, at: usize, key: &str) -> Result<Option<(String, i64)>, Failure> {
    let Body::View(view) = call(world, at, range(key, false))? else { panic!("no view") };
    // What memory no longer holds is read from the backend by whoever completes the view.
    let result: RangeResult = world.complete(at, view);
    Ok(result.kvs.first().map(|kv| (String::from_utf8_lossy(&kv.value).into_owned(), kv.version)))
}

/// All stores at the same place have the same history.
fn assert_equal(world: &mut World) {
    let size = world.size();
    world.run_until("all to have applied the same", |world| {
        let first = world.node(0).store().applied();
        (1..size).all(|at| world.node(at).store().applied() == first)
    });
    let hashes: Vec<_> = (0..size)
        .map(|at| match call(world, at, Request::HashKv { revision: 0 }) {
            Ok(Body::Hash { hash, .. }) => hash,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}

#[test]
fn s0_03_a_write_at_any_replica_is_read_at_every_other() {
    let mut world = World::new(3, 1);
    world.leader();
    for at in 0..3 {
        let value = format!("from {at}");
        assert!(matches!(call(&mut world, at, put("k", &value)), Ok(Body::Outcome(_))));
        for other in 0..3 {
            let version = i64::try_from(at).unwrap() + 1;
            assert_eq!(read(&mut world, other, "k"), Ok(Some((value.clone(), version))));
        }
    }
    assert_equal(&mut world);
}

#[test]
fn s1_05_a_leader_without_its_majority_answers_no_linearizable_read() {
    let mut world = World::new(3, 2);
    let old = world.leader();
    call(&mut world, old, put("k", "1")).unwrap();
    for other in (0..3).filter(|at| *at != old) {
        world.cut.extend([(old, other), (other, old)]);
    }
    let stale = world.ask(old, range("k", false));
    let other = (old + 1) % 3;
    world.run_until("another leader", |world| {
        world.node(other).core().leader().is_some_and(|id| id != NodeId(old as u64 + 1))
    });
    call(&mut world, other, put("k", "2")).unwrap();
    assert!(!world.replies.contains_key(&stale), "{:?}", world.replies.get(&stale));
    // A serializable read there is old, and says so by its revision.
    assert_eq!(world.node(old).store().revision(), 2);
    world.cut.clear();
    world.run_until("the read", |world| world.replies.contains_key(&stale));
    if let Ok(Body::View(view)) = world.replies.remove(&stale).unwrap().body {
        assert_eq!(world.complete(old, view).kvs[0].value, "2");
    }
    assert_equal(&mut world);
}

#[test]
fn s1_17_a_write_survives_the_leader_and_is_applied_once() {
    for seed in 0..60 {
        let mut world = World::new(3, seed);
        let leader = world.leader();
        let follower = (leader + 1) % 3;
        let mut waiting = Vec::new();
        for number in 0..20 {
            waiting.push(world.ask(follower, put(&format!("k{number}"), "v")));
        }
        // The leader dies at some stage of these writes.
        let stage = Duration::from_micros(world.rng.below(8_000));
        world.run_for(stage);
        world.crash(leader);
        world.run_until("all writes to be answered", |world| {
            waiting.iter().all(|name| world.replies.contains_key(name))
        });
        for name in &waiting {
            let reply = world.replies.remove(name).unwrap();
            assert!(matches!(reply.body, Ok(Body::Outcome(Outcome::Put { .. }))), "{reply:?}");
        }
        world.start(leader);
        for number in 0..20 {
            let (_, version) = read(&mut world, follower, &format!("k{number}")).unwrap().unwrap();
            assert_eq!(version, 1, "seed {seed}: k{number} was applied {version} times");
        }
        assert_equal(&mut world);
    }
}

#[test]
fn s1_21_nothing_acknowledged_is_lost_over_crashes_of_any_and_all() {
    for seed in 100..160 {
        let mut world = World::new(3, seed);
        world.loss = world.rng.below(10);
        let mut asked = Vec::new();
        for number in 1..=40_u64 {
            let at = usize::try_from(world.rng.below(3)).unwrap();
            if world.running(at) {
                // A key of its own: whatever else is under way cannot hide its loss.
                let key = format!("k{number}");
                asked.push((world.ask(at, put(&key, "v")), key));
                world.run_for(Duration::from_millis(pause(number)));
            }
            let victim = usize::try_from(world.rng.below(3)).unwrap();
            match world.rng.below(8) {
                0 if world.running(victim) => world.crash(victim),
                1 => (0..3)
                    .filter(|at| world.running(*at))
                    .collect::<Vec<_>>()
                    .into_iter()
                    .for_each(|at| world.crash(at)),
                _ => (0..3)
                    .filter(|at| !world.running(*at))
                    .collect::<Vec<_>>()
                    .into_iter()
                    .for_each(|at| world.start(at)),
            }
        }
        (0..3).for_each(|at| {
            if !world.running(at) {
                world.start(at)
            }
        });
        world.loss = 0;
        world.leader();
        let mut acknowledged = 0;
        for (name, key) in asked {
            if world.replies.get(&name).is_some_and(|reply| reply.body.is_ok()) {
                acknowledged += 1;
                let kv = read(&mut world, 0, &key).unwrap();
                assert_eq!(kv, Some(("v".into(), 1)), "seed {seed}: {key}");
            }
        }
        assert!(acknowledged >= 5, "seed {seed}: only {acknowledged} writes were acknowledged");
        assert_equal(&mut world);
    }
}

const fn pause(number: u64) -> u64 {
    if number.is_multiple_of(7) { 2_500 } else { 40 }
}

#[test]
fn leases_outlive_leaders_and_end_in_time() {
    let mut world = World::new(3, 7);
    let leader = world.leader();
    let lease = LeaseId(77);
    let grant = Request::Write(Command::LeaseGrant { id: lease, ttl: 10 });
    call(&mut world, leader, grant).unwrap();
    call(&mut world, leader, leased("k", "v", Some(lease))).unwrap();
    let granted = world.now;
    world.run_for(Duration::from_secs(6));
    world.crash(leader);
    let other = (leader + 1) % 3;
    world.run_until("another leader", |world| {
        world.node(other).core().leader().is_some_and(|id| id != NodeId(leader as u64 + 1))
    });
    while world.now.since(granted) < Duration::from_secs(10) {
        assert!(read(&mut world, other, "k").unwrap().is_some(), "the lease ended early");
        world.run_for(Duration::from_millis(200));
    }
    // Time stood still while nobody led, and passes in ticks.
    world.run_for(Duration::from_secs(6));
    assert_eq!(read(&mut world, other, "k"), Ok(None));
}

#[test]
fn renewals_keep_a_lease_and_an_unknown_one_is_told_so() {
    let mut world = World::new(3, 8);
    let leader = world.leader();
    let follower = (leader + 1) % 3;
    let lease = LeaseId(5);
    let grant = Request::Write(Command::LeaseGrant { id: lease, ttl: 3 });
    call(&mut world, follower, grant).unwrap();
    for _ in 0..10 {
        world.run_for(Duration::from_secs(1));
        let renewed = call(&mut world, follower, Request::LeaseRenew(lease));
        assert!(matches!(renewed, Ok(Body::Renewed(3))), "{renewed:?}");
    }
    world.run_for(Duration::from_secs(6));
    let renewed = call(&mut world, follower, Request::LeaseRenew(lease));
    assert!(matches!(renewed, Ok(Body::Renewed(0))), "{renewed:?}");
}

#[test]
fn a_write_without_a_majority_fails_in_time_and_says_why() {
    let mut world = World::new(3, 9);
    let leader = world.leader();
    (0..3).filter(|at| *at != leader).for_each(|at| world.crash(at));
    let reply = call(&mut world, leader, put("k", "v"));
    assert!(matches!(reply, Err(Failure::Timeout | Failure::NoLeader)), "{reply:?}");
}

#[test]
fn leadership_moves_on_request_and_only_at_the_leader() {
    let mut world = World::new(3, 10);
    let leader = world.leader();
    let follower = (leader + 1) % 3;
    let to = NodeId(follower as u64 + 1);
    let refused = call(&mut world, follower, Request::MoveLeader(to));
    assert!(matches!(refused, Err(Failure::NotLeader)), "{refused:?}");
    let refused = call(&mut world, leader, Request::MoveLeader(NodeId(99)));
    assert!(matches!(refused, Err(Failure::BadTransferee)), "{refused:?}");
    let moved = call(&mut world, leader, Request::MoveLeader(to));
    assert!(matches!(moved, Ok(Body::Done)), "{moved:?}");
    assert_eq!(world.leader(), follower);
}

/// Leadership is handed over just when a tick is due, and writes are refused meanwhile: what the
/// old leader saw pass must not be told in the new leader's term, whose own ticks count from its
/// election. A lease granted between the two would end early.
#[test]
fn time_is_told_in_the_term_in_which_it_passed_or_never() {
    for seed in 0..60 {
        let mut world = World::new(3, seed);
        let leader = world.leader();
        let lease = LeaseId(3);
        call(&mut world, leader, Request::Write(Command::LeaseGrant { id: lease, ttl: 60 }))
            .unwrap();
        let left = |world: &World| world.node(leader).store().lease(lease).unwrap().remaining_ms;
        world.run_until("the lease's clock to start", |world| left(world) < 60_000);
        let offset = 485 + world.rng.below(15);
        world.run_for(Duration::from_millis(offset));
        let mut leaders = BTreeMap::new();
        let to = NodeId(((leader + 1) % 3) as u64 + 1);
        world.ask(leader, Request::MoveLeader(to));
        for number in 0..400 {
            world.ask(leader, put(&format!("k{number}"), "v"));
            let end = world.now + Duration::from_millis(1);
            while world.now < end {
                world.step();
                for at in (0..3).filter(|at| world.node(*at).core().role() == Role::Leader) {
                    leaders.insert(world.node(at).core().term(), NodeId(at as u64 + 1));
                }
            }
        }
        let mut ticks = 0;
        for entry in world.log(leader) {
            let Payload::Command(bytes) = &entry.payload else { continue };
            let envelope = Envelope::open(bytes.clone()).unwrap();
            let command = Command::decode(envelope.command).unwrap();
            if let Command::Tick { .. } = command
                && let Some(teller) = leaders.get(&entry.position.term)
            {
                ticks += 1;
                assert_eq!(envelope.origin, *teller, "seed {seed}: {}", entry.position);
            }
        }
        assert!(ticks > 0, "seed {seed}: no time was told");
    }
}

/// What the backend has lost, other replicas may still hold: to go on without it is to diverge.
#[test]
fn a_replica_whose_backend_lost_what_an_entry_needs_goes_no_further() {
    let mut world = World::new(1, 11);
    call(&mut world, 0, put("k", "1")).unwrap();
    let filler = "x".repeat(2_000);
    call(&mut world, 0, put("other", &filler)).unwrap();
    world.run_until("a flush", |world| world.node(0).store().unflushed_bytes() == 0);
    let keep = Put { key: "k".into(), value: None, lease: Some(None), prev_kv: false };
    let request = Request::Write(Command::Put(keep));
    let mut outputs = world.poke(0, Input::Request { id: node::RequestId(1_000), request });
    let mut lost = None;
    while lost.is_none() {
        let wanted: Vec<Output> = std::mem::take(&mut outputs);
        assert!(!wanted.is_empty(), "nothing was loaded");
        for output in wanted {
            match output {
                Output::Persist { id, .. } => outputs.extend(world.poke(0, Input::Persisted(id))),
                Output::Load(revisions) => lost = Some(revisions),
                _ => {}
            }
        }
    }
    let gone = lost.unwrap().into_iter().map(|revision| (revision, None)).collect();
    let outputs = world.poke(0, Input::Loaded(Ok(gone)));
    assert!(outputs.iter().any(|output| matches!(output, Output::Halt(_))), "{outputs:?}");
    assert!(!outputs.iter().any(|output| matches!(output, Output::Reply { .. })), "{outputs:?}");
}

/// Where others have what is damaged here, it is had from them at the next start.
#[test]
fn a_replica_that_meets_damage_ends_unless_it_is_alone() {
    for (size, ends) in [(1, false), (3, true)] {
        let mut world = World::new(size, 13);
        call(&mut world, 0, put("k", "v")).unwrap();
        let damage = store::BackendError::Corrupt("block 3".into());
        let outputs = world.poke(0, Input::Damaged(damage));
        let halts = outputs.iter().any(|output| matches!(output, Output::Halt(_)));
        assert_eq!(halts, ends, "{size} members: {outputs:?}");
        // A disk that does not answer may do so later.
        let outputs = world.poke(0, Input::Damaged(store::BackendError::Io("busy".into())));
        assert!(!outputs.iter().any(|output| matches!(output, Output::Halt(_))));
    }
}

#[test]
fn a_replica_answers_a_member_that_mends_and_says_whether_it_leads() {
    let mut world = World::new(3, 14);
    call(&mut world, 0, put("k", "v")).unwrap();
    let leader = (0..3).find(|at| world.node(*at).core().role() == Role::Leader).unwrap();
    for at in 0..3 {
        let from = NodeId(if at == 0 { 2 } else { 1 });
        let entry = world.log(at)[0].clone();
        let body = RaftBody::Mend(Mend::Ask { life: 7, wanted: vec![entry.position] });
        // Of an asker whose term ran ahead nobody learns it.
        let message = raft::Message { term: Term(99), body }.into();
        let outputs = world.poke(at, Input::Receive { from, message });
        let looks = outputs.iter().find_map(|output| match output {
            Output::Look { peer, life, wanted } => Some((*peer, *life, wanted.clone())),
            _ => None,
        });
        assert_eq!(looks, Some((from, 7, vec![entry.position])));
        let entries = vec![entry.clone()];
        let found = Input::Found { peer: from, life: 7, entries, absent: vec![] };
        let outputs = world.poke(at, found);
        let answer = outputs.iter().find_map(|output| match output {
            Output::Send { to, message: Message::Raft(message) } => match &message.body {
                RaftBody::Mend(word) => Some((*to, message.term, word.clone())),
                _ => None,
            },
            _ => None,
        });
        let core = world.node(at).core();
        let leads = (at == leader).then(|| core.last());
        let reply = Mend::Reply { life: 7, entries: vec![entry], absent: vec![], leads };
        assert_eq!(answer, Some((from, core.term(), reply)));
        assert!(core.term() < Term(99));
    }
}

/// A full disk is asked again after a pause, not at once and for ever.
#[test]
fn a_flush_that_found_no_room_is_tried_again_after_the_interval() {
    let mut world = World::new(1, 12);
    call(&mut world, 0, put("k", "v")).unwrap();
    world.run_until("a flush", |world| world.node(0).store().unflushed_bytes() == 0);
    let filler = "x".repeat(2_000);
    let request = put("k", &filler);
    let mut outputs = world.poke(0, Input::Request { id: node::RequestId(1_000), request });
    let mut flushes = 0;
    for _ in 0..20 {
        let mut next = Vec::new();
        for output in outputs {
            match output {
                Output::Persist { id, .. } => next.extend(world.poke(0, Input::Persisted(id))),
                Output::Flush(_) => {
                    flushes += 1;
                    let full = store::BackendError::Full("no space".into());
                    next.extend(world.poke(0, Input::Flushed(Err(full))));
                }
                _ => {}
            }
        }
        outputs = next;
    }
    assert_eq!(flushes, 1);
    world.now = world.now + Duration::from_millis(1_001);
    let outputs = world.poke(0, Input::Timeout);
    assert!(outputs.iter().any(|output| matches!(output, Output::Flush(_))), "{outputs:?}");
}
