//! What scripts cannot show of snapshots: drivers that hold back, and what is still in the queue.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use protocol::raft::{
    Body, Config, Entry, Input, Message, Output, Payload, Raft, ReadMode, Restored, Write,
};
use protocol::{Index, NodeId, Position, Term, Time};

const LEADER: NodeId = NodeId(1);

fn at(index: u64, term: u64) -> Position {
    Position::new(Term(term), Index(index))
}

/// Node 2 of three. Nothing is answered for it.
fn follower() -> Raft {
    let config = Config {
        id: NodeId(2),
        voters: (1..=3).map(NodeId).collect(),
        learners: BTreeSet::new(),
        election_timeout: Duration::from_secs(1)..=Duration::from_secs(1),
        heartbeat: Duration::from_millis(100),
        pre_vote: false,
        check_quorum: true,
        stickiness: true,
        read_mode: ReadMode::Quorum,
        max_inflight_messages: 16,
        max_inflight_bytes: 1 << 20,
        max_append_bytes: 1 << 16,
        max_uncommitted_bytes: 1 << 20,
        cache_bytes: 0,
    };
    let mut raft = Raft::new(config, Restored::default(), 1);
    raft.handle(Time(0), Input::Timeout);
    raft
}

fn hear(raft: &mut Raft, body: Body) {
    let message = Message { term: Term(1), body };
    raft.handle(Time(0), Input::Receive { from: LEADER, message });
}

fn append(raft: &mut Raft, base: u64, count: u64, commit: u64) {
    let entry = |index: u64| {
        let command = Bytes::from(index.to_string());
        Entry { position: at(index, 1), payload: Payload::Command(command) }
    };
    let entries = (base + 1..=base + count).map(entry).collect();
    let base = if base == 0 { Position::ORIGIN } else { at(base, 1) };
    hear(raft, Body::Append { base, entries, commit: Index(commit), trim: Index(0) });
}

fn drain(raft: &mut Raft) -> Vec<Output> {
    std::iter::from_fn(|| raft.poll_output()).collect()
}

/// Drains, and makes all writes durable.
fn settle(raft: &mut Raft) -> Vec<Output> {
    let mut all = Vec::new();
    loop {
        let outputs = drain(raft);
        let id = outputs.iter().rev().find_map(|output| match output {
            Output::Persist { id, .. } => Some(*id),
            _ => None,
        });
        all.extend(outputs);
        let Some(id) = id else { return all };
        raft.handle(Time(0), Input::Persisted(id));
    }
}

/// The indexes handed to the state machine, each output by itself.
fn delivered(outputs: &[Output]) -> Vec<Vec<u64>> {
    let indexes = |entries: &Vec<Entry>| entries.iter().map(|e| e.position.index.0).collect();
    let commits = outputs.iter().filter_map(|output| match output {
        Output::Commit(entries) => Some(indexes(entries)),
        _ => None,
    });
    commits.collect()
}

#[test]
fn what_was_handed_out_and_not_applied_is_handed_out_anew() {
    let mut raft = follower();
    append(&mut raft, 0, 6, 5);
    assert_eq!(delivered(&settle(&mut raft)), [[1, 2, 3, 4, 5]]);
    raft.handle(Time(0), Input::Applied(Index(2)));
    // The state machine forgets its queue: 3 to 5 were in it.
    raft.handle(Time(0), Input::Installed { last: at(4, 1), membership: None });
    assert_eq!(raft.commit(), Index(5), "what is committed stays so");
    let outputs = settle(&mut raft);
    assert_eq!(delivered(&outputs), [[5]]);
    let resets = outputs.iter().any(|output| {
        matches!(output, Output::Persist { write: Write { reset: Some(_), .. }, .. })
    });
    assert!(!resets, "the log leads on from there");
    // A word from before the state was switched tells nothing new.
    raft.handle(Time(0), Input::Applied(Index(2)));
    assert_eq!(raft.status().applied, Index(4));
}

#[test]
fn what_is_still_in_the_queue_is_void() {
    let mut raft = follower();
    append(&mut raft, 0, 3, 3);
    let outputs = drain(&mut raft);
    let Some(Output::Persist { id, .. }) = outputs.last() else { panic!("{outputs:?}") };
    raft.handle(Time(0), Input::Persisted(*id));
    // One output is taken, the others wait: among them the entries.
    assert!(matches!(raft.poll_output(), Some(Output::Send { .. })));
    raft.handle(Time(0), Input::Installed { last: at(3, 1), membership: None });
    assert_eq!(delivered(&settle(&mut raft)), Vec::<Vec<u64>>::new());
    append(&mut raft, 3, 1, 4);
    assert_eq!(delivered(&settle(&mut raft)), [[4]]);
}

#[test]
fn a_candidate_whose_state_is_installed_follows_again() {
    let mut raft = follower();
    append(&mut raft, 0, 1, 0);
    settle(&mut raft);
    raft.handle(Time(2_000_000_000), Input::Timeout);
    assert_eq!(raft.role(), protocol::raft::Role::Candidate);
    raft.handle(Time(2_000_000_000), Input::Installed { last: at(9, 1), membership: None });
    assert_eq!(raft.role(), protocol::raft::Role::Follower);
    assert_eq!((raft.last(), raft.commit()), (at(9, 1), Index(9)));
    let resets = settle(&mut raft).into_iter().filter_map(|output| match output {
        Output::Persist { write, .. } => write.reset,
        _ => None,
    });
    assert_eq!(resets.collect::<Vec<_>>(), [at(9, 1)]);
}

#[test]
#[should_panic(expected = "contradicts the log")]
fn a_state_that_contradicts_what_is_committed_stops_the_node() {
    let mut raft = follower();
    append(&mut raft, 0, 4, 4);
    raft.handle(Time(0), Input::Installed { last: at(3, 0), membership: None });
}
