//! What the clock does: election timeouts spread, and a pause of any length is survived.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::raft::{
    Body, Config, HardState, Input, Message, Output, Raft, ReadMode, Restored, Role,
};
use protocol::{NodeId, Term, Time};

const MS: Duration = Duration::from_millis(1);

fn config(timeout: std::ops::RangeInclusive<Duration>) -> Config {
    Config {
        id: NodeId(1),
        voters: (1..=3).map(NodeId).collect(),
        learners: BTreeSet::new(),
        election_timeout: timeout,
        heartbeat: 20 * MS,
        pre_vote: false,
        check_quorum: true,
        stickiness: true,
        read_mode: ReadMode::Quorum,
        max_inflight_messages: 16,
        max_inflight_bytes: 1 << 20,
        max_append_bytes: 1 << 16,
        max_uncommitted_bytes: 1 << 20,
        cache_bytes: 1 << 20,
    }
}

fn drain(raft: &mut Raft, now: Time) -> Vec<Output> {
    let mut all = Vec::new();
    while let Some(output) = raft.poll_output() {
        if let Output::Persist { id, .. } = output {
            raft.handle(now, Input::Persisted(id));
        } else {
            all.push(output);
        }
    }
    all
}

fn first_timeout(seed: u64, timeout: std::ops::RangeInclusive<Duration>) -> Duration {
    let mut raft = Raft::new(config(timeout), Restored::default(), seed);
    raft.handle(Time(5), Input::Timeout);
    raft.poll_timeout().unwrap() - Time(5)
}

#[test]
fn s1_09_election_timeouts_spread_over_the_whole_range() {
    let drawn: Vec<Duration> =
        (0..2000).map(|seed| first_timeout(seed, 100 * MS..=200 * MS)).collect();
    assert!(drawn.iter().all(|timeout| (100 * MS..=200 * MS).contains(timeout)));
    for tenth in 0..10u32 {
        let range = (100 + 10 * tenth) * MS..(110 + 10 * tenth) * MS;
        let count = drawn.iter().filter(|timeout| range.contains(timeout)).count();
        assert!((120..280).contains(&count), "{count} of 2000 in {range:?}");
    }
}

#[test]
fn a_candidate_draws_again_each_time() {
    let mut raft = Raft::new(config(100 * MS..=200 * MS), Restored::default(), 7);
    raft.handle(Time(0), Input::Timeout);
    let mut drawn = BTreeSet::new();
    for _ in 0..50 {
        let now = raft.poll_timeout().unwrap();
        raft.handle(now, Input::Timeout);
        drain(&mut raft, now);
        assert_eq!(raft.role(), Role::Candidate);
        drawn.insert(raft.poll_timeout().unwrap() - now);
    }
    assert!(drawn.len() > 45, "only {} different", drawn.len());
    assert_eq!(raft.term(), Term(50));
}

#[test]
fn three_timeouts_seldom_collide() {
    // Raft §9.3: the winner needs a lead of about a broadcast, here 5 of 100 ms.
    let close = (0..1000u64).filter(|n| {
        let mut three: Vec<Duration> =
            (0..3).map(|id| first_timeout(3 * n + id, 100 * MS..=200 * MS)).collect();
        three.sort();
        three[1] - three[0] < 5 * MS
    });
    assert!(close.count() < 250);
}

#[test]
fn a_range_of_width_zero_is_exact() {
    assert!((0..50).all(|seed| first_timeout(seed, 100 * MS..=100 * MS) == 100 * MS));
}

#[test]
fn s1_03_an_early_timeout_is_harmless_and_time_never_goes_back() {
    let mut raft = Raft::new(config(100 * MS..=200 * MS), Restored::default(), 1);
    assert_eq!(raft.poll_timeout(), Some(Time(0)), "the clock wants to be started");
    raft.handle(Time(1_000_000), Input::Timeout);
    let due = raft.poll_timeout();
    for now in [0, 1_000_000, 50_000_000] {
        raft.handle(Time(now), Input::Timeout);
        assert_eq!((raft.role(), raft.poll_timeout()), (Role::Follower, due));
    }
}

#[test]
fn a_pause_ends_leadership_before_anything_is_served() {
    let mut raft = Raft::new(config(100 * MS..=100 * MS), Restored::default(), 1);
    raft.handle(Time(0), Input::Timeout);
    let now = raft.poll_timeout().unwrap();
    raft.handle(now, Input::Timeout);
    drain(&mut raft, now);
    let message = Message { term: Term(1), body: Body::VoteReply { granted: true } };
    raft.handle(now, Input::Receive { from: NodeId(2), message });
    drain(&mut raft, now);
    assert_eq!(raft.role(), Role::Leader);
    // Ten seconds later the first thing it sees is a proposal, not its timer.
    let late = now + 10_000 * MS;
    let command = bytes::Bytes::from_static(b"x");
    raft.handle(late, Input::Propose { tag: protocol::raft::Tag(1), command });
    let outputs = drain(&mut raft, late);
    assert_eq!(raft.role(), Role::Follower);
    assert!(outputs.iter().any(|output| matches!(output, Output::ProposalRefused { .. })));
    assert!(raft.poll_timeout().unwrap() > late);
}

#[test]
fn equal_histories_are_equal_values() {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let hash = |raft: &Raft| {
        let mut hasher = DefaultHasher::new();
        raft.hash(&mut hasher);
        hasher.finish()
    };
    let restored = Restored {
        hard_state: HardState { term: Term(3), ..HardState::default() },
        ..Restored::default()
    };
    let mut one = Raft::new(config(100 * MS..=200 * MS), restored, 9);
    let mut other = one.clone();
    for raft in [&mut one, &mut other] {
        raft.handle(Time(7), Input::Timeout);
        let due = raft.poll_timeout().unwrap();
        raft.handle(due, Input::Timeout);
        drain(raft, due);
    }
    assert_eq!(hash(&one), hash(&other));
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}
