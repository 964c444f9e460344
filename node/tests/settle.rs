//! Whoever asks for a view of the backend is answered when it shows all that was answered before.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::time::Duration;

use node::{Body, Failure, Input, Output, Reply, Request, RequestId};
use store::{BackendError, Command, Put};
use world::World;

fn put(world: &mut World, at: usize, value: &str) {
    let name = world.ask(
        at,
        Request::Write(Command::Put(Put {
            key: "key".into(),
            value: Some(value.to_string().into()),
            lease: Some(None),
            prev_kv: false,
        })),
    );
    world.run_until("a put", |world| world.replies.contains_key(&name));
    world.replies.remove(&name).unwrap().body.unwrap();
}

fn settle(world: &mut World, at: usize) -> Vec<Output> {
    let id = 900;
    world.poke(at, Input::Request { id: RequestId(id), request: Request::Settle })
}

/// The answer among what a replica wants done.
fn answer(outputs: Vec<Output>) -> Option<Result<Body, Failure>> {
    outputs.into_iter().find_map(|output| match output {
        Output::Reply { reply: Reply { body, .. }, .. } => Some(body),
        _ => None,
    })
}

/// A replica that has just applied a write, whose flush is under way.
fn unflushed() -> (World, usize) {
    let mut world = World::new(3, 1);
    let at = world.leader();
    world.run_for(Duration::from_secs(5));
    put(&mut world, at, "value");
    (world, at)
}

#[test]
fn what_was_answered_before_is_in_the_backend_on_leaders_and_followers() {
    let mut waited = 0;
    for seed in 0..60 {
        let mut world = World::new(3, seed);
        let leader = world.leader();
        for round in 0..20 {
            put(&mut world, leader, &format!("value {round}"));
            let pause = world.rng.below(3_000);
            world.run_for(Duration::from_micros(pause));
            let at = usize::try_from(world.rng.below(3)).unwrap();
            let applied = world.node(at).store().applied().index;
            waited += usize::from(world.flushed(at) < applied);
            let name = world.ask(at, Request::Settle);
            world.run_until("the backend", |world| world.replies.contains_key(&name));
            assert!(matches!(world.replies[&name].body, Ok(Body::Done)));
            assert!(world.flushed(at) >= applied, "seed {seed}: {applied} was applied");
        }
    }
    assert!(waited > 100, "{waited}");
}

#[test]
fn without_anything_to_flush_the_answer_comes_at_once() {
    let (mut world, at) = unflushed();
    world.run_for(Duration::from_secs(5));
    assert!(matches!(answer(settle(&mut world, at)), Some(Ok(Body::Done))));
}

#[test]
fn a_full_disk_is_said_to_be_one() {
    let (mut world, at) = unflushed();
    assert!(answer(settle(&mut world, at)).is_none());
    let full = Input::Flushed(Err(BackendError::Full("the disk".into())));
    let said = answer(world.poke(at, full)).unwrap();
    assert_eq!(said.unwrap_err(), Failure::DiskFull);
}

#[test]
fn a_flush_that_does_not_end_is_not_waited_for_without_end() {
    let (mut world, at) = unflushed();
    assert!(answer(settle(&mut world, at)).is_none());
    world.now = world.now + Duration::from_secs(8);
    let said = answer(world.poke(at, Input::Timeout)).unwrap();
    assert_eq!(said.unwrap_err(), Failure::Timeout);
}
