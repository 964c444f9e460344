//! Each law, broken by hand.

use std::collections::VecDeque;

use bytes::Bytes;
use protocol::raft::{Body, Entry, HardState, Message, Payload, Role, Write};
use protocol::{Index, Position, Term};

use super::super::atlas::Envelope;
use super::super::bounds::Bounds;
use super::super::cluster::Cluster;
use super::super::laws::{Broken, Law};
use super::super::local::{Disk, Happening, Local};
use super::super::logs::Logs;
use super::super::{NODES, name};
use super::ONE;

fn entry(index: u64, term: u64, text: &'static str) -> Entry {
    let position = Position::new(Term(term), Index(index));
    Entry { position, payload: Payload::Command(Bytes::from_static(text.as_bytes())) }
}

fn disk(log: &[Entry]) -> Disk {
    let term = log.last().map_or(Term(0), |last| last.position.term);
    Disk { hard_state: HardState { term, ..HardState::default() }, log: log.to_vec() }
}

const BOUNDS: Bounds = Bounds { max_term: 3, ..ONE };

fn node(number: usize, log: &[Entry]) -> Local {
    Local::start(&BOUNDS.config(number), disk(log)).unwrap()
}

fn leader(number: usize, log: &[Entry]) -> Local {
    let config = BOUNDS.config(number);
    let mut local = node(number, log);
    for happening in [Happening::Timeout, Happening::Persisted] {
        local = local.react(&config, &happening).unwrap().local;
    }
    let message = Message { term: local.raft.term(), body: Body::VoteReply { granted: true } };
    let from = name((number + 1) % NODES);
    local = local.react(&config, &Happening::Receive { from, message }).unwrap().local;
    assert_eq!(local.raft.role(), Role::Leader);
    local
}

/// Judges three nodes when `committed` was, in `term`.
fn judge(nodes: [Local; NODES], committed: &[Entry], term: u8) -> Result<(), Broken> {
    let mut cluster = Cluster::new(BOUNDS, None);
    let mut state = cluster.first();
    state.locals = nodes.map(|local| cluster.atlas.intern(local));
    let log = cluster.atlas.logs.intern(committed);
    state.committed = cluster.atlas.logs.commit(0, log, term).unwrap();
    cluster.judge(&state)
}

fn law(judged: Result<(), Broken>) -> Option<Law> {
    judged.err().map(|broken| broken.law)
}

#[test]
fn log_matching() {
    let [one, other] = [entry(1, 1, "a"), entry(1, 1, "b")];
    let same = judge(
        [node(0, std::slice::from_ref(&one)), node(1, std::slice::from_ref(&one)), node(2, &[])],
        &[],
        1,
    );
    assert_eq!(law(same), None);
    let differ =
        judge([node(0, std::slice::from_ref(&one)), node(1, &[]), node(2, &[other])], &[], 1);
    assert_eq!(law(differ), Some(Law::LogMatching));
    // Equal entries at the end, and not before it.
    let (last, odd) = (entry(2, 2, "c"), entry(1, 2, "a"));
    let nodes = [node(0, &[one, last.clone()]), node(1, &[odd, last]), node(2, &[])];
    assert_eq!(law(judge(nodes, &[], 1)), Some(Law::LogMatching));
}

#[test]
fn what_was_committed_is_on_two_disks() {
    let log = [entry(1, 1, "a")];
    let two = judge([node(0, &log), node(1, &[]), node(2, &log)], &log, 1);
    assert_eq!(law(two), None);
    let one = judge([node(0, &log), node(1, &[]), node(2, &[])], &log, 1);
    assert_eq!(law(one), Some(Law::CommitDurable));
}

#[test]
fn a_later_leader_has_what_was_committed() {
    let log = [entry(1, 1, "a")];
    let nodes = || [node(0, &log), node(1, &log), leader(2, &[entry(1, 2, "b")])];
    assert_eq!(law(judge(nodes(), &log, 1)), Some(Law::LeaderCompleteness));
    // Of a leader of an earlier term nothing is demanded, nor of one of the same.
    assert_eq!(law(judge(nodes(), &log, 3)), None);
    assert_eq!(law(judge([node(0, &log), node(1, &[]), leader(2, &log)], &log, 1)), None);
}

#[test]
fn one_log_is_committed() {
    let mut logs = Logs::new();
    let [one, two, other] = [
        logs.intern(&[entry(1, 1, "a")]),
        logs.intern(&[entry(1, 1, "a"), entry(2, 1, "b")]),
        logs.intern(&[entry(1, 1, "b")]),
    ];
    let committed = logs.commit(0, two, 1).unwrap();
    assert_eq!(logs.commit(committed, one, 2).unwrap(), committed, "it lags");
    let broken = logs.commit(committed, other, 2).unwrap_err();
    assert_eq!(broken.law, Law::StateMachineSafety);
}

#[test]
fn one_leader_a_term() {
    let mut cluster = Cluster::new(BOUNDS, None);
    let mut state = cluster.first();
    let config = BOUNDS.config(0);
    let mut local = node(0, &[]);
    for happening in [Happening::Timeout, Happening::Persisted] {
        local = local.react(&config, &happening).unwrap().local;
    }
    let candidate = cluster.atlas.intern(local);
    cluster.atlas.pair(candidate, 0, &[candidate]).unwrap();
    state.locals[0] = candidate;
    let message = Message { term: Term(1), body: Body::VoteReply { granted: true } };
    let elected = |cluster: &mut Cluster, mut state: super::super::state::State| {
        state.put(&[cluster.atlas.intern_message(Envelope {
            from: name(1),
            to: name(0),
            message: message.clone(),
        })]);
        cluster.successors(&state, &mut Vec::new())
    };
    elected(&mut cluster, state).unwrap();
    state.set_leader(1, 2);
    let fault = elected(&mut cluster, state).unwrap_err();
    assert_eq!(fault.broken.law, Law::ElectionSafety);
}

#[test]
fn promises_are_on_disk() {
    let say =
        |local: &Local, body| law(local.judge_promise(name(1), &Message { term: Term(1), body }));
    let mut local = node(0, &[entry(1, 1, "a")]);
    assert_eq!(say(&local, Body::AppendAccepted { matched: Index(1) }), None);
    assert_eq!(say(&local, Body::AppendAccepted { matched: Index(2) }), Some(Law::AckDurable));
    assert_eq!(say(&local, Body::VoteReply { granted: true }), Some(Law::VoteDurable));
    let last = local.raft.last();
    let ask = Body::Vote { last, transfer: false };
    assert_eq!(say(&local, ask.clone()), Some(Law::VoteDurable));
    assert_eq!(say(&local, Body::VoteReply { granted: false }), None);
    local.disk.hard_state.vote = Some(name(1));
    assert_eq!(say(&local, Body::VoteReply { granted: true }), None);
    assert_eq!(say(&local, ask), Some(Law::VoteDurable));
    // A conflicting entry is on its way to the disk: what is there now may not be acknowledged.
    local.pending = VecDeque::from([write(None, &[entry(1, 1, "b")])]);
    assert_eq!(say(&local, Body::AppendAccepted { matched: Index(1) }), Some(Law::AckDurable));
}

fn write(hard_state: Option<HardState>, entries: &[Entry]) -> Write {
    Write { hard_state, entries: entries.to_vec(), ..Write::default() }
}

#[test]
fn disks_keep_terms_and_votes() {
    let mut local = node(0, &[entry(1, 2, "a")]);
    let state = |term, vote| HardState { term: Term(term), vote, commit: Index(0) };
    let mut put = |state| law(local.write(&write(Some(state), &[])));
    assert_eq!(put(state(1, None)), Some(Law::Monotone));
    assert_eq!(put(state(2, Some(name(1)))), None);
    assert_eq!(put(state(2, Some(name(2)))), Some(Law::VoteDurable));
    assert_eq!(put(state(2, None)), Some(Law::VoteDurable));
    assert_eq!(put(state(3, Some(name(2)))), None);
}

#[test]
fn logs_are_written_in_order_and_leaders_only_append() {
    let log = [entry(1, 1, "a")];
    let write = |index| write(None, &[entry(index, 2, "b")]);
    assert_eq!(law(node(0, &log).judge_write(&write(3))), Some(Law::LogContiguous));
    assert_eq!(law(node(0, &log).judge_write(&write(1))), None);
    // The leader's own first entry is under way.
    assert_eq!(law(leader(0, &log).judge_write(&write(2))), Some(Law::LeaderAppendOnly));
    assert_eq!(law(leader(0, &log).judge_write(&write(3))), None);
}

#[test]
fn only_what_is_on_disk_is_delivered() {
    let local = node(0, &[entry(1, 1, "a")]);
    assert_eq!(law(local.judge_delivery(&[entry(1, 1, "a")])), None);
    assert_eq!(law(local.judge_delivery(&[entry(2, 1, "b")])), Some(Law::DeliverDurable));
}

#[test]
fn terms_and_commits_of_a_process_never_fall() {
    let (young, old) = (node(0, &[entry(1, 1, "a")]), node(0, &[entry(1, 2, "a")]));
    assert_eq!(law(young.judge(&old)), None);
    assert_eq!(law(old.judge(&young)), Some(Law::Monotone));
}

#[test]
fn a_panic_of_the_core_is_a_broken_law() {
    let local = node(0, &[]);
    let broken = local.react(&BOUNDS.config(0), &Happening::Persisted).err().unwrap();
    assert_eq!(broken.law, Law::CoreAssertion);
}

#[test]
fn twins_that_differ_are_noticed() {
    let mut cluster = Cluster::new(Bounds { symmetry: true, ..BOUNDS }, None);
    let [one, ..] = cluster.first().locals;
    let twins: Vec<u32> = (0..6).map(|which| cluster.atlas.twin(one, which)).collect();
    assert_eq!(law(cluster.atlas.pair(one, 0, &twins)), None);
    let odd: Vec<u32> = twins.iter().rev().copied().collect();
    assert_eq!(law(cluster.atlas.pair(one, 0, &odd)), Some(Law::Symmetry));
}
