//! The partition story of the seeds, step by step.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::time::Duration;

use node::{Body, Failure, Reply, Request};
use protocol::raft::Role;
use store::{Command, KeyRange, Put, Range};
use world::World;

fn put(key: &str, value: &str) -> Request {
    Request::Write(Command::Put(Put {
        key: key.to_string().into(),
        value: Some(value.to_string().into()),
        lease: Some(None),
        prev_kv: false,
    }))
}

fn call(world: &mut World, at: usize, request: Request) -> Reply {
    let name = world.ask(at, request);
    world.run_until("a reply", |world| world.replies.contains_key(&name));
    world.replies.remove(&name).unwrap()
}

fn read(world: &mut World, at: usize, key: &str) -> Option<String> {
    let keys = KeyRange::single(key.to_string().into());
    let request = Request::Range {
        range: Range {
            keys,
            revision: 0,
            limit: 0,
            target: store::SortTarget::Key,
            order: store::SortOrder::None,
            keys_only: false,
            count_only: false,
            filter: store::Filter::default(),
        },
        serializable: false,
    };
    let Ok(Body::View(view)) = call(world, at, request).body else { panic!("no view") };
    let result = world.complete(at, view);
    result.kvs.first().map(|kv| String::from_utf8_lossy(&kv.value).into_owned())
}

/// Cuts every link between the two sides.
fn part(world: &mut World, one: &[usize], other: &[usize]) {
    for a in one {
        for b in other {
            world.cut.extend([(*a, *b), (*b, *a)]);
        }
    }
}

#[test]
fn s1_13_a_minority_takes_nothing_and_takes_over_what_the_majority_did() {
    for seed in 0..20 {
        let mut world = World::new(5, seed);
        let old = world.leader();
        assert!(call(&mut world, old, put("before", "1")).body.is_ok());

        // The leader is left with one follower; three are on the other side.
        let minority = [old, (old + 1) % 5];
        let majority = [(old + 2) % 5, (old + 3) % 5, (old + 4) % 5];
        part(&mut world, &minority, &majority);
        let lost = world.ask(old, put("minority", "lost"));
        world.run_for(Duration::from_millis(200));
        let appended = world.node(old).core().last();

        // The majority elects its own leader, in a later term, and takes writes.
        let reply = call(&mut world, majority[0], put("majority", "kept"));
        assert!(reply.body.is_ok(), "seed {seed}: {reply:?}");
        assert!(world.node(majority[0]).core().term() > appended.term, "seed {seed}");

        // The minority's leader has stepped down, and its write fails in time.
        world.run_until("the minority's write to fail", |world| world.replies.contains_key(&lost));
        let failure = world.replies.remove(&lost).unwrap().body.unwrap_err();
        assert!(
            matches!(failure, Failure::Timeout | Failure::TimeoutLeaderLost | Failure::NoLeader),
            "seed {seed}: {failure:?}"
        );
        assert_ne!(world.node(old).core().role(), Role::Leader, "seed {seed}");

        // Healed, the minority's own entries go and the majority's come.
        world.cut.clear();
        world.leader();
        for at in 0..5 {
            assert_eq!(read(&mut world, at, "majority").as_deref(), Some("kept"), "seed {seed}");
            assert_eq!(read(&mut world, at, "before").as_deref(), Some("1"), "seed {seed}");
            assert_eq!(read(&mut world, at, "minority"), None, "seed {seed}");
        }
        let revision = world.node(0).store().revision();
        for at in 1..5 {
            assert_eq!(world.node(at).store().revision(), revision, "seed {seed}");
        }
    }
}
