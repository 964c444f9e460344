//! Members that come and go, with a world between them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use node::{Body, Failure, Reply, Request};
use protocol::NodeId;
use protocol::raft::Role;
use store::{Command, Error, KeyRange, MemberChange, MemberTable, Put, Range};
use world::World;

fn id(at: usize) -> NodeId {
    NodeId(at as u64 + 1)
}

fn urls(at: usize) -> Vec<String> {
    vec![format!("http://m{at}")]
}

fn add(at: usize) -> MemberChange {
    MemberChange::Add { id: id(at), peer_urls: urls(at), voter: true }
}

fn remove(at: usize) -> MemberChange {
    MemberChange::Remove { id: id(at) }
}

fn call(world: &mut World, at: usize, request: Request) -> Reply {
    let name = world.ask(at, request);
    world.run_until("a reply", |world| world.replies.contains_key(&name));
    world.replies.remove(&name).unwrap()
}

/// Asks for a change; the ids of the members afterwards.
fn change(world: &mut World, at: usize, change: MemberChange) -> Result<Vec<NodeId>, Failure> {
    match call(world, at, Request::MemberChange(change)).body? {
        Body::Members(members) => Ok(members.iter().map(|info| info.member.id).collect()),
        other => panic!("not a list of members: {other:?}"),
    }
}

fn put(number: u64) -> Request {
    Request::Write(Command::Put(Put {
        key: format!("k{number}").into(),
        value: Some("v".into()),
        lease: Some(None),
        prev_kv: false,
    }))
}

fn keys(world: &mut World, at: usize) -> usize {
    let keys = KeyRange { key: "k".into(), end: "l".into() };
    let range = Range {
        keys,
        revision: 0,
        limit: 0,
        target: store::SortTarget::Key,
        order: store::SortOrder::None,
        keys_only: true,
        count_only: false,
        filter: store::Filter::default(),
    };
    let reply = call(world, at, Request::Range { range, serializable: false });
    let Ok(Body::View(view)) = reply.body else { panic!("no view: {reply:?}") };
    world.complete(at, view).kvs.len()
}

fn votes(world: &World, at: usize, whose: usize) -> bool {
    world.running(at) && world.node(at).core().membership().voters.contains(&id(whose))
}

/// Starts a newcomer, and waits until everybody who runs counts its vote.
fn join(world: &mut World, at: usize) {
    world.start(at);
    world.run_until("a new voter", |world| {
        (0..world.size()).filter(|it| world.running(*it)).all(|it| votes(world, it, at))
    });
}

/// Writes that are under way all the time, wherever somebody runs.
#[derive(Default)]
struct Load {
    next: u64,
    open: BTreeMap<(usize, u64), u64>,
    written: usize,
}

impl Load {
    /// Looks after those that were answered, and keeps ten under way.
    fn drive(&mut self, world: &mut World) {
        let answered: Vec<_> =
            self.open.keys().filter(|name| world.replies.contains_key(name)).copied().collect();
        for name in answered {
            let number = self.open.remove(&name).unwrap();
            match world.replies.remove(&name).unwrap().body {
                Ok(_) => self.written += 1,
                // As clients do: somebody else takes it.
                Err(Failure::NotServing) => self.put(world, number),
                Err(failure) => panic!("write {number} failed: {failure:?}"),
            }
        }
        while self.open.len() < 10 {
            self.next += 1;
            self.put(world, self.next);
        }
    }

    fn put(&mut self, world: &mut World, number: u64) {
        let ready = |at: &usize| {
            let known = |node: &node::Node| node.core().membership().votes(id(*at));
            world.running(*at) && known(world.node(*at))
        };
        let ready: Vec<usize> = (0..world.size()).filter(ready).collect();
        let at = ready[usize::try_from(number).unwrap() % ready.len()];
        let name = world.ask(at, put(number));
        self.open.insert(name, number);
    }

    /// Lets time pass under load until something holds.
    fn until(&mut self, world: &mut World, what: &str, mut holds: impl FnMut(&World) -> bool) {
        let end = world.now + Duration::from_secs(60);
        while !holds(world) {
            assert!(world.now < end, "in vain waited for: {what}");
            world.step();
            self.drive(world);
        }
    }

    /// Asks the first who runs for a change, and waits for it.
    fn change(&mut self, world: &mut World, change: MemberChange) {
        let at = (0..world.size()).find(|at| world.running(*at)).unwrap();
        let name = world.ask(at, Request::MemberChange(change.clone()));
        self.until(world, "an answer", |world| world.replies.contains_key(&name));
        let reply = world.replies.remove(&name).unwrap();
        assert!(reply.body.is_ok(), "{change:?}: {reply:?}");
    }
}

#[test]
fn a_cluster_grows_is_replaced_and_shrinks_under_load_without_a_failed_write() {
    for seed in 0..5 {
        let mut world = World::with_spares(1, 9, seed);
        let mut load = Load::default();
        world.leader();
        for at in 1..5 {
            load.change(&mut world, add(at));
            world.start(at);
            load.until(&mut world, "a new voter", |world| votes(world, at, at));
        }
        for old in 0..5 {
            let new = old + 5;
            let (old_id, peer_urls) = (id(old), urls(new));
            let replace = MemberChange::Replace { old: old_id, id: id(new), peer_urls };
            load.change(&mut world, replace);
            world.start(new);
            load.until(&mut world, "the old one gone", |world| world.removed.contains(&old));
            load.until(&mut world, "a new voter", |world| votes(world, new, new));
        }
        for at in 5..9 {
            load.change(&mut world, remove(at));
            load.until(&mut world, "one gone", |world| world.removed.contains(&at));
        }
        let written = load.written;
        world.run_until("the last writes", |world| {
            load.open.keys().all(|name| world.replies.contains_key(name))
        });
        let open = core::mem::take(&mut load.open);
        let last = open.keys().filter(|name| world.replies.remove(name).unwrap().body.is_ok());
        assert_eq!(last.count(), open.len(), "seed {seed}");
        assert_eq!(keys(&mut world, 9), written + open.len(), "seed {seed}");
        assert!(written > 1_000, "only {written} writes");
        let membership = world.node(9).store().membership().unwrap().clone();
        assert_eq!(membership.members(), [id(9)].into(), "seed {seed}");
    }
}

#[test]
fn an_address_that_leads_nowhere_costs_no_quorum() {
    let mut world = World::with_spares(1, 1, 1);
    world.leader();
    assert_eq!(change(&mut world, 0, add(1)), Ok(vec![id(0), id(1)]));
    world.run_for(Duration::from_secs(10));
    assert!(call(&mut world, 0, put(1)).body.is_ok());
    assert!(!votes(&world, 0, 1));
    let promote = MemberChange::Promote { id: id(1) };
    assert_eq!(change(&mut world, 0, promote), Err(Failure::Store(Error::LearnerNotReady)));
    assert_eq!(change(&mut world, 0, remove(1)), Ok(vec![id(0)]));
}

#[test]
fn a_removal_that_would_leave_no_majority_that_answers_is_refused() {
    let mut world = World::new(3, 3);
    let leader = world.leader();
    world.run_for(Duration::from_secs(2));
    let (one, other) = ((leader + 1) % 3, (leader + 2) % 3);
    world.crash(one);
    world.run_for(Duration::from_secs(3));
    let refused = change(&mut world, leader, remove(other));
    assert_eq!(refused, Err(Failure::Store(Error::Unhealthy)));
    assert!(change(&mut world, leader, remove(one)).is_ok(), "the dead one may go");
}

#[test]
fn a_leader_that_is_removed_hands_over_first() {
    for seed in 0..10 {
        let mut world = World::new(3, seed);
        let leader = world.leader();
        world.run_for(Duration::from_secs(2));
        let term = world.node(leader).core().term();
        let rest = change(&mut world, leader, remove(leader)).unwrap();
        assert_eq!(rest.len(), 2, "seed {seed}");
        world.run_until("the leader gone", |world| world.removed.contains(&leader));
        let heir = world.leader();
        assert_eq!(world.node(heir).core().term().0, term.0 + 1, "seed {seed}: one election");
        assert!(call(&mut world, heir, put(1)).body.is_ok());
        assert_eq!(change(&mut world, heir, remove(heir)).unwrap().len(), 1, "seed {seed}");
    }
}

#[test]
fn a_change_of_leaders_in_the_middle_loses_no_wish_and_does_none_twice() {
    for seed in 0..40 {
        let mut world = World::with_spares(3, 1, seed);
        let leader = world.leader();
        world.run_for(Duration::from_secs(2));
        let asked = (leader + 1) % 3;
        let first = world.ask(asked, Request::MemberChange(add(3)));
        world.start(3);
        let victim = if seed % 2 == 0 { leader } else { (leader + 2) % 3 };
        world.run_for(Duration::from_micros(seed * 400));
        world.crash(victim);
        world.run_for(Duration::from_millis(500));
        world.start(victim);
        world.run_until("an answer", |world| world.replies.contains_key(&first));
        let reply = world.replies.remove(&first).unwrap();
        assert!(reply.body.is_ok(), "seed {seed}: {reply:?}");
        world.run_until("a new voter", |world| (0..4).all(|at| votes(world, at, 3)));
        world.run_for(Duration::from_secs(2));
        for at in 0..4 {
            let store = world.node(at).store();
            let table = MemberTable::of(store.membership().unwrap()).unwrap();
            assert_eq!(table.seats.len(), 4, "seed {seed}");
            assert!(store.wish().is_none(), "seed {seed}: settled once");
        }
    }
}

#[test]
fn members_outlive_restarts_and_come_with_the_state() {
    let mut world = World::with_spares(1, 2, 5);
    world.keep = 0;
    world.leader();
    for number in 0..200 {
        assert!(call(&mut world, 0, put(number)).body.is_ok());
    }
    change(&mut world, 0, add(1)).unwrap();
    join(&mut world, 1);
    assert!(world.installed > 0, "its log could not be continued");
    for number in 200..300 {
        assert!(call(&mut world, 0, put(number)).body.is_ok());
    }
    for at in [0, 1] {
        world.run_for(Duration::from_secs(3));
        world.crash(at);
        world.start(at);
        assert!(votes(&world, at, 0) && votes(&world, at, 1), "it knows at once");
    }
    let leader = world.leader();
    change(&mut world, leader, add(2)).unwrap();
    join(&mut world, 2);
    assert_eq!(keys(&mut world, 2), 300);
}

#[test]
fn a_removed_member_refuses_what_it_has_not_passed_on() {
    let mut world = World::new(3, 8);
    let leader = world.leader();
    world.run_for(Duration::from_secs(2));
    let gone = (leader + 1) % 3;
    let removal = world.ask(leader, Request::MemberChange(remove(gone)));
    world.run_until("the removal known", |world| {
        world.running(gone) && !world.node(gone).core().membership().contains(id(gone))
    });
    let late = world.ask(gone, put(1));
    world.run_until("an answer", |world| world.replies.contains_key(&late));
    assert_eq!(world.replies[&late].body.clone().unwrap_err(), Failure::NotServing);
    world.run_until("its end", |world| world.removed.contains(&gone));
    world.run_until("an answer", |world| world.replies.contains_key(&removal));
}

#[test]
fn a_learner_stays_one_until_it_is_promoted() {
    let mut world = World::with_spares(3, 1, 4);
    let leader = world.leader();
    world.run_for(Duration::from_secs(2));
    let learner = MemberChange::Add { id: id(3), peer_urls: urls(3), voter: false };
    change(&mut world, leader, learner).unwrap();
    world.start(3);
    world.run_for(Duration::from_secs(5));
    assert!(!votes(&world, leader, 3));
    assert_eq!(world.node(3).core().role(), Role::Follower);
    change(&mut world, 3, MemberChange::Promote { id: id(3) }).unwrap();
    assert!(votes(&world, 3, 3));
    change(&mut world, leader, MemberChange::Demote { id: id(3) }).unwrap();
    world.run_for(Duration::from_secs(5));
    assert!(!votes(&world, leader, 3) && world.running(3));
}

#[test]
fn a_leader_takes_nobody_for_alive_who_has_not_answered_it() {
    for seed in 0..30 {
        let mut world = World::new(3, seed);
        let dead = world.leader();
        call(&mut world, dead, put(0));
        world.crash(dead);
        let leads = |world: &World, at: usize| {
            world.running(at) && world.node(at).core().role() == Role::Leader
        };
        world.run_until("another leader", |world| (0..3).any(|at| leads(world, at)));
        let leader = (0..3).find(|at| leads(&world, *at)).unwrap();
        // With its removal the other one would leave the decision to the one that is dead.
        let other = 3 - dead - leader;
        let removed = change(&mut world, leader, remove(other));
        assert!(matches!(removed, Err(Failure::Store(Error::Unhealthy))), "{seed}: {removed:?}");
        assert!(call(&mut world, other, put(1)).body.is_ok(), "{seed}");
    }
}
