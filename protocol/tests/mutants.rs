//! Every planted bug of the core does harm. Most are caught by the oracle that watches the test
//! cluster, from the first seeds on; the others are shown by a script that goes one way with the
//! bug and another way without it.

#![cfg(feature = "mutants")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "cluster/forge.rs"]
mod forge;
#[path = "cluster/members.rs"]
mod members;
#[path = "cluster/oracle.rs"]
mod oracle;
#[path = "cluster/transfer.rs"]
mod transfer;
#[allow(dead_code, reason = "the fingerprint is for another test")]
#[path = "cluster/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::mutant::{Mutant, plant};
use protocol::raft::{
    Body, Config, Entry, Input, Message, Output, Payload, Raft, ReadId, ReadMode, Restored, Role,
    Tag,
};
use protocol::{Index, NodeId, Position, Term, Time};
use world::World;

const MS: Duration = Duration::from_millis(1);

/// The choice of a bug is one for the process: tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs with the bug and without it.
fn both<T>(mutant: Mutant, run: impl Fn() -> T) -> (T, T) {
    let _turn = turn();
    plant(Some(mutant));
    let planted = run();
    plant(None);
    (planted, run())
}

/// What the oracle says of the first seed that shows the bug.
fn verdict(mutant: Mutant, seeds: u64) -> Option<String> {
    let _turn = turn();
    plant(Some(mutant));
    let verdict = (1..=seeds).find_map(|seed| {
        let run = || {
            let mut world = World::new(seed);
            world.strand = mutant == Mutant::R17;
            let living = [Mutant::R19, Mutant::R20, Mutant::R21, Mutant::R22];
            if living.contains(&mutant) {
                world.comes_alive();
            }
            world.run_with_faults(600);
            world.heal_and_converge();
        };
        let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
    });
    plant(None);
    verdict
}

#[test]
fn the_oracle_of_the_cluster_names_the_broken_law() {
    let expected: &[(Mutant, u64, &[&str])] = &[
        (Mutant::R1, 100, &["RI6"]),
        (Mutant::R2, 100, &["RI6", "RI1"]),
        (Mutant::R3, 500, &["RI4"]),
        (Mutant::R4, 3000, &["RI4"]),
        (Mutant::R5, 100, &["RI10"]),
        (Mutant::R6, 100, &["RI3", "RI5", "RI8"]),
        (Mutant::R7, 100, &["RI9"]),
        (Mutant::R8, 100, &["RI8"]),
        (Mutant::R9, 100, &["RI9"]),
        (Mutant::R10, 100, &["RI1", "RI9"]),
        (Mutant::R12, 100, &["RI11", "RI5"]),
        (Mutant::R13, 4000, &["RI13"]),
        (Mutant::R14, 500, &["RI13"]),
        (Mutant::R15, 500, &["RI13"]),
        (Mutant::R17, 200, &["RI14", "RI7"]),
        (Mutant::R19, 200, &["RI12"]),
        (Mutant::R20, 500, &["RI12"]),
        (Mutant::R21, 500, &["RI9"]),
        (Mutant::R22, 1000, &["RI9"]),
        (Mutant::W8, 100, &["RI8", "RI9"]),
    ];
    for (mutant, seeds, laws) in expected {
        let verdict = verdict(*mutant, *seeds).unwrap_or_default();
        let named = laws.iter().any(|law| verdict.contains(law));
        assert!(named, "{}: {verdict:?}", mutant.name());
    }
}

fn config(read_mode: ReadMode) -> Config {
    Config {
        id: NodeId(1),
        voters: (1..=3).map(NodeId).collect(),
        learners: BTreeSet::new(),
        election_timeout: 1000 * MS..=1000 * MS,
        heartbeat: 100 * MS,
        pre_vote: false,
        check_quorum: true,
        stickiness: true,
        read_mode,
        max_inflight_messages: 16,
        max_inflight_bytes: 1 << 20,
        max_append_bytes: 1 << 16,
        max_uncommitted_bytes: 1 << 20,
        cache_bytes: 1 << 20,
    }
}

/// Node 1 of three, with a disk that is done at once.
struct Stage {
    raft: Raft,
    now: Time,
}

impl Stage {
    fn new(read_mode: ReadMode) -> Self {
        let mut stage =
            Self { raft: Raft::new(config(read_mode), Restored::default(), 1), now: Time(0) };
        stage.tell(Input::Timeout);
        stage
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        self.raft.handle(self.now, input);
        let mut outputs = Vec::new();
        while let Some(output) = self.raft.poll_output() {
            if let Output::Persist { id, .. } = output {
                self.raft.handle(self.now, Input::Persisted(id));
            } else {
                outputs.push(output);
            }
        }
        outputs
    }

    fn hear(&mut self, from: u64, term: u64, body: Body) -> Vec<Output> {
        let message = Message { term: Term(term), body };
        self.tell(Input::Receive { from: NodeId(from), message })
    }

    /// Becomes the leader of `term` with the vote of node 2.
    fn elect(&mut self, term: u64) {
        self.now = self.now + 1000 * MS;
        self.tell(Input::Timeout);
        self.hear(2, term, Body::VoteReply { granted: true });
        assert_eq!((self.raft.role(), self.raft.term()), (Role::Leader, Term(term)));
    }
}

#[test]
fn r11_an_old_acknowledgement_commits_what_nobody_else_has() {
    let (planted, honest) = both(Mutant::R11, || {
        let mut stage = Stage::new(ReadMode::Quorum);
        stage.elect(1);
        let propose = |tag| Input::Propose { tag: Tag(tag), command: b"c"[..].into() };
        (0..2).for_each(|tag| drop(stage.tell(propose(tag))));
        // Another leader replaces all three entries.
        let entry = Entry { position: Position::new(Term(2), Index(1)), payload: Payload::Empty };
        let (base, none) = (Position::ORIGIN, Index(0));
        let append = Body::Append { base, entries: vec![entry], commit: none, trim: none };
        stage.hear(2, 2, append);
        stage.elect(3);
        stage.tell(propose(2));
        assert_eq!(stage.raft.last(), Position::new(Term(3), Index(3)));
        // Node 3 had acknowledged the three entries of the first term.
        stage.hear(3, 1, Body::AppendAccepted { matched: Index(3) });
        stage.raft.commit()
    });
    assert_eq!((planted, honest), (Index(3), Index(0)));
}

#[test]
fn r16_a_lease_without_margin_outlives_the_promise_of_a_fast_clock() {
    let (planted, honest) = both(Mutant::R16, || {
        let mut stage = Stage::new(ReadMode::Lease { drift_per_mille: 100 });
        stage.elect(1);
        stage.hear(2, 1, Body::AppendAccepted { matched: Index(1) });
        stage.now = stage.now + 100 * MS;
        stage.tell(Input::Timeout);
        stage.hear(2, 1, Body::HeartbeatReply { round: 1 });
        // A follower whose clock is a tenth faster has waited 1000 ms by now.
        stage.now = stage.now + 950 * MS;
        let outputs = stage.tell(Input::Read(ReadId(7)));
        outputs.iter().any(|output| matches!(output, Output::ReadReady { .. }))
    });
    assert_eq!((planted, honest), (true, false));
}

#[test]
fn r23_a_question_deposes_the_leader() {
    let (planted, honest) = both(Mutant::R23, || {
        let mut stage = Stage::new(ReadMode::Quorum);
        stage.elect(1);
        stage.hear(3, 2, Body::PreVote { last: Position::ORIGIN });
        (stage.raft.role(), stage.raft.term())
    });
    assert_eq!(planted, (Role::Follower, Term(2)));
    assert_eq!(honest, (Role::Leader, Term(1)));
}

#[test]
fn r24_a_leader_that_nobody_answers_stays() {
    let (planted, honest) = both(Mutant::R24, || {
        let mut stage = Stage::new(ReadMode::Quorum);
        stage.elect(1);
        for _ in 0..50 {
            stage.now = stage.now + 100 * MS;
            stage.tell(Input::Timeout);
            if stage.raft.role() != Role::Leader {
                return false;
            }
        }
        true
    });
    assert_eq!((planted, honest), (true, false));
}

#[test]
fn names_are_found_again() {
    for mutant in Mutant::ALL {
        assert_eq!(Mutant::named(mutant.name()), Some(*mutant));
        assert!(!mutant.what().is_empty() && !mutant.detector().is_empty());
    }
    assert_eq!(Mutant::named("r2"), Some(Mutant::R2));
    assert_eq!(Mutant::named("R99"), None);
}
