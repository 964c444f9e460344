//! A write that is repeated, and done once.

use bytes::Bytes;
use node::{Request, RequestId};
use store::{ClientId, Command, Put, Stamp};

use super::Scenario;
use super::stage::{Stage, Step, Stop, claim, options};
use crate::history::{Ending, Told};
use crate::seen::Place;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    tag: "s1_18",
    title: "A client that repeats its write has it done once",
    story: "The client numbers its write. The write is committed, the leader dies, and the client \
            was not told; it asks another node under the same number, and again after a restart \
            of all. The log holds every attempt, the state one change, and every attempt gets the \
            answer of the first: what was done is remembered in the replicated state itself.",
    routine: false,
    open: |seed| Stage::new(options(3), seed),
    play: s1_18,
}];

/// Asks a node to put x under the number 1.
fn put(stage: &mut Stage, at: Place) -> RequestId {
    let put = Put {
        key: Bytes::from_static(b"x"),
        value: Some(Bytes::from_static(b"1")),
        lease: Some(None),
        prev_kv: true,
    };
    let stamp = Stamp::new(ClientId([7; 16]), 1, 1).expect("invariant: 1 is a number from 1 on");
    let request = Box::new(Request::Write(Command::Put(put)));
    stage.world.ask(at, Request::Once { stamp, request })
}

/// The revision that a write was answered with; nothing had been there before.
fn revision(stage: &Stage, id: RequestId) -> Step<i64> {
    match stage.world.reply(id) {
        Some(Ending::Answered(answer)) => Ok(answer.header.revision),
        other => Err(Stop::Claim(format!("{id:?} was not answered: {other:?}"))),
    }
}

fn s1_18(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    // The client asks a follower, which does not hear that the write is committed.
    stage.world.cut_links("the news", &[(1, 0)]);
    let before = stage.view(1)?.last.index.0;
    let first = put(stage, 0);
    stage.wait("both to apply it", |world| {
        let applied = |at| world.view(at).is_some_and(|view| view.applied.index.0 > before);
        applied(1) && applied(2)
    })?;
    stage.claim_not_done(first)?;
    let done_at = stage.view(2)?.revision;
    stage.world.crash(1);
    stage.note("Committed, and the leader is dead. The client asks node 3, under the same number.");
    stage.world.heal();
    let second = put(stage, 2);
    stage.done(second)?;
    claim(revision(stage, second)? == done_at, || "the answer is not the first one's".into())?;
    stage
        .note("Answered as it was done the first time. Node 1 gets the news, and answers so, too.");
    stage.done(first)?;
    claim(revision(stage, first)? == done_at, || "the answers differ".into())?;
    stage.world.start(1);
    stage.settle()?;
    for at in 0..3 {
        stage.world.crash(at);
    }
    for at in 0..3 {
        stage.world.start(at);
    }
    stage.note("All nodes have been restarted. The client asks once more.");
    stage.wait("a leader", |world| world.leader().is_some())?;
    let third = put(stage, 1);
    stage.done(third)?;
    claim(revision(stage, third)? == done_at, || "the answer was forgotten".into())?;
    let read = stage.get(0, "x", false);
    stage.done(read)?;
    let version = match stage.world.reply(read) {
        Some(Ending::Answered(answer)) => match &answer.told {
            Told::Range { result, .. } => result.kvs.first().map(|kv| kv.version),
            _ => None,
        },
        _ => None,
    };
    claim(version == Some(1), || format!("x was put more than once: {version:?}"))?;
    stage.claim_one_leader_a_term()
}
