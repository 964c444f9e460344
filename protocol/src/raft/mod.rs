//! Raft: agreement on a log.
//!
//! A group of nodes elects a leader; the leader appends commands to its log and replicates it; an
//! entry that a majority holds durably is committed, and every node applies the committed entries
//! in order. Ongaro & Ousterhout, *In Search of an Understandable Consensus Algorithm* ("Raft §…");
//! Ongaro, *Consensus: Bridging Theory and Practice* ("thesis §…").
//!
//! # What it gives
//!
//! - *Election safety*: at most one leader a term.
//! - *Leader append-only*, *log matching*, *leader completeness*, *state machine safety* (Raft
//!   figure 3): once committed, an entry is at its index in every log that will ever lead.
//! - *Linearizable reads* that write nothing (thesis §6.4).
//!
//! # How it flows
//!
//! ```text
//!               timeout          majority would            majority voted
//!   Follower ─────────▶ PreCandidate ───────▶ Candidate ───────────────▶ Leader
//!      ▲  ◀──────────────────┘  ◀──────────────────┘                       │
//!      └──────── a higher term, or the leader of this one, or no quorum ◀──┘
//! ```
//!
//! Messages that promise something (votes, acknowledged entries) are held inside until the write
//! that keeps the promise is durable; a crash loses both, which is the truth. A leader's appends do
//! not wait for its own disk: its copy counts like any other, when it is durable.
//!
//! # What is left out, and what follows from it
//!
//! - *Whether a change of the members is wise*: a core changes them safely when told to; that a new
//!   voter has caught up and that those who stay are alive is for the driver to see to.
//! - *The content of snapshots*: a core says who needs one and what follows from having it; what
//!   is in the pieces, how they are checked and where they are kept is the driver's affair. So is
//!   keeping the log from the snapshot on while it travels: a core that is told to trim trims.
//! - *Byzantine nodes*: a malformed message is dropped and counted, a lying peer is believed.

mod boundary;
mod candidate;
mod change;
mod config;
mod configurations;
mod display;
mod durability;
mod follower;
mod forward;
mod invariant;
mod leader;
mod log;
mod membership;
mod mend;
mod message;
mod progress;
mod read;
mod replication;
mod round;
mod snapshot;
mod stall;
mod status;
mod transfer;
mod vote;
mod writes;

pub use boundary::{
    Entry, Event, HardState, Input, Output, Payload, ReadId, Refusal, Restored, Tag, Write, WriteId,
};
pub use config::{Config, ReadMode};
pub use membership::{Membership, MembershipError};
pub use mend::Mend;
pub use message::{Body, Message, Parcel, Rejection};
pub use status::{Peer, Role, Status};

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};

use self::candidate::{Candidate, Poll};
use self::configurations::Configurations;
use self::follower::Follower;
use self::leader::Leader;
use self::log::Log;
use self::writes::Writes;
use crate::quorum::Voters;
use crate::{Index, NodeId, Rng, Term, Time};

/// What a node is, with what it needs to know as such.
#[derive(Clone, Debug, Hash)]
enum State {
    Follower(Follower),
    Candidate(Candidate),
    Leader(Box<Leader>),
}

/// One node's part in the agreement.
///
/// - `applied ≤ delivered ≤ commit ≤ log.last`, and nothing is delivered that is not durable, in
///   the log or in the state.
/// - The term never falls; within a term the vote, once given, never changes.
/// - A leader's and a candidate's vote is its own.
/// - `voters` are those of the configuration in force.
#[derive(Clone, Debug, Hash)]
pub struct Raft {
    config: Config,
    configurations: Configurations,
    voters: Voters,
    rng: Rng,
    now: Time,
    started: bool,
    term: Term,
    vote: Option<NodeId>,
    leader: Option<NodeId>,
    commit: Index,
    delivered: Index,
    applied: Index,
    trim: Index,
    doubt: Option<Index>,
    /// When a leader was last heard: the promise of stickiness counts from here, in any term.
    heard: Option<Time>,
    election_at: Time,
    state: State,
    log: Log,
    writes: Writes,
    outbox: VecDeque<Output>,
    /// Whether something may have piled up since the last flush.
    unflushed: bool,
    announced: (Role, Term, Option<NodeId>),
    /// The name of the next question about reads: a fresh range of names at every start.
    next_question: u64,
    /// The last parcel of proposals that was passed on.
    parcel: Parcel,
    dropped: u64,
}

impl Raft {
    /// A node that continues from what was on its disk. `seed` should differ at every start.
    ///
    /// # Panics
    ///
    /// When the parts of `restored` contradict each other: such a node must not run.
    #[must_use]
    pub fn new(config: Config, restored: Restored, seed: u64) -> Self {
        let Restored { hard_state, applied, doubt, .. } = restored;
        let configurations = configurations(&config, &restored);
        let log = Log::new(restored);
        let last = log.last();
        assert!(hard_state.term >= last.term, "the log is ahead of the term");
        let mut rng = Rng::new(seed);
        let next_question = rng.next();
        let commit = hard_state.commit.min(last.index).max(applied);
        Self {
            voters: configurations.current().quorum(),
            configurations,
            config,
            rng,
            now: Time(0),
            started: false,
            term: hard_state.term,
            vote: hard_state.vote,
            leader: None,
            commit,
            delivered: applied,
            applied,
            trim: Index(0),
            doubt: doubt.filter(|&through| through > Index(0)),
            heard: None,
            election_at: Time(0),
            state: State::Follower(Follower::default()),
            log,
            writes: Writes::new(hard_state, last.index),
            outbox: VecDeque::new(),
            unflushed: true,
            announced: (Role::Follower, hard_state.term, None),
            next_question,
            parcel: Parcel { life: next_question, number: 0 },
            dropped: 0,
        }
    }

    /// Takes in what happened. The first call starts the clock.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        self.start();
        self.check_quorum();
        match input {
            Input::Timeout => self.on_timeout(),
            Input::Receive { from, message } => self.on_receive(from, message),
            Input::Persisted(id) => self.on_persisted(id),
            Input::Applied(index) => self.on_applied(index),
            Input::Propose { tag, command } => self.on_propose(tag, command),
            Input::Read(id) => self.on_read(id),
            Input::TransferLeadership(to) => self.on_transfer_wish(to),
            Input::Unreachable(peer) => self.on_unreachable(peer),
            Input::Fetched { peer, from, entries } => self.on_fetched(peer, from, entries),
            Input::Trimmed(through) => self.on_trimmed(through),
            Input::SendChunk { to, last, number, data, done } => {
                self.on_send_chunk(to, last, Body::Snapshot { last, number, data, done });
            }
            Input::SnapshotFailed { peer } => self.on_snapshot_failed(peer),
            Input::ChunkReply { to, last, next } => self.on_chunk_reply(to, last, next),
            Input::Installed { last, membership } => self.on_installed(last, membership),
            Input::Reconfigure { membership } => self.on_reconfigure(membership),
        }
        self.announce();
        self.unflushed = true;
        if cfg!(debug_assertions) {
            self.assert_invariants();
        }
    }

    /// When to call `handle` with [`Input::Timeout`]; before the first call, at once.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        if !self.started {
            return Some(Time(0));
        }
        match &self.state {
            State::Follower(follower) => {
                follower.timeout().into_iter().chain([self.election_at]).min()
            }
            State::Candidate(_) => Some(self.election_at),
            State::Leader(leader) => {
                leader.timeout().into_iter().chain(self.stall_at(leader)).min()
            }
        }
    }

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        if core::mem::take(&mut self.unflushed) {
            self.flush();
        }
        self.outbox.pop_front()
    }

    /// Gathers what piled up. Sends come before the write: on one thread they leave before it
    /// waits.
    fn flush(&mut self) {
        match &self.state {
            State::Follower(_) => self.flush_follower(),
            State::Candidate(_) => {}
            State::Leader(_) => self.flush_leader(),
        }
        self.deliver();
        self.persist();
    }

    fn start(&mut self) {
        if core::mem::replace(&mut self.started, true) {
            return;
        }
        // A lease may rest on a promise that this node gave before it restarted.
        if matches!(self.config.read_mode, ReadMode::Lease { .. }) && self.term > Term(0) {
            self.heard = Some(self.now);
        }
        self.reset_election_timer();
        let (at, membership) = (self.configurations.since(), self.membership().clone());
        self.outbox.push_back(Output::Membership { at, membership });
        if self.is_alone() && self.may_campaign() {
            self.campaign(Poll::Vote { transfer: false });
        }
    }

    fn on_timeout(&mut self) {
        match &self.state {
            State::Follower(_) | State::Candidate(_) if self.now >= self.election_at => {
                self.on_election_timeout();
            }
            State::Follower(_) => self.on_follower_timeout(),
            State::Candidate(_) => {}
            State::Leader(_) => self.on_leader_timeout(),
        }
    }

    fn on_receive(&mut self, from: NodeId, message: Message) {
        let mending = matches!(message.body, Body::Mend(_));
        if from == self.config.id || !message.is_sane() || mending {
            return self.drop_message();
        }
        let Message { term, body } = message;
        if term < self.term {
            return self.on_older_term(from, term, &body);
        }
        if term > self.term && !self.on_newer_term(from, term, &body) {
            return;
        }
        match body {
            Body::PreVote { last } => self.on_pre_vote(from, term, last),
            Body::PreVoteReply { granted } => self.on_pre_vote_reply(from, term, granted),
            Body::Vote { last, transfer } => self.on_vote(from, last, transfer),
            Body::VoteReply { granted } => self.on_vote_reply(from, granted),
            Body::Append { base, entries, commit, trim } => {
                self.on_append(from, base, entries, commit, trim);
            }
            Body::AppendAccepted { matched } => self.on_accepted(from, matched),
            Body::AppendRejected(rejection) => self.on_rejected(from, &rejection),
            Body::Heartbeat { round, commit, trim } => self.on_heartbeat(from, round, commit, trim),
            Body::HeartbeatReply { round } => self.on_heartbeat_reply(from, round),
            Body::Propose { parcel, commands } => self.on_forwarded(from, parcel, commands),
            Body::ReadIndex { reads } => self.on_read_index(from, reads),
            Body::ReadIndexReply { reads, index } => self.on_read_index_reply(from, &reads, index),
            Body::TransferLeadership { to } => self.transfer_to(to),
            Body::TimeoutNow => self.on_timeout_now(from),
            Body::Snapshot { last, number, data, done } => {
                self.on_snapshot(from, last, Output::Chunk { from, last, number, data, done });
            }
            Body::SnapshotReply { last, next } => self.on_snapshot_reply(from, last, next),
            Body::Mend(_) => self.drop_message(),
        }
    }

    /// The leader of this term, where known.
    #[must_use]
    pub const fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// The current term.
    #[must_use]
    pub const fn term(&self) -> Term {
        self.term
    }

    /// What this node is.
    #[must_use]
    pub const fn role(&self) -> Role {
        match &self.state {
            State::Follower(_) => Role::Follower,
            State::Candidate(candidate) => candidate.role(),
            State::Leader(_) => Role::Leader,
        }
    }

    /// The commit index as this node knows it.
    #[must_use]
    pub const fn commit(&self) -> Index {
        self.commit
    }

    /// The end of the log.
    #[must_use]
    pub const fn last(&self) -> crate::Position {
        self.log.last()
    }

    /// Entries up to here may have been acknowledged and are not there.
    #[must_use]
    pub const fn doubt(&self) -> Option<Index> {
        self.doubt
    }

    /// As leader: the highest index known to be durable at a peer.
    #[must_use]
    pub fn matched(&self, peer: NodeId) -> Option<Index> {
        match &self.state {
            State::Leader(leader) => leader.peers.get(&peer).map(|progress| progress.matched),
            State::Follower(_) | State::Candidate(_) => None,
        }
    }

    /// How far the log may be trimmed without stranding any member.
    #[must_use]
    pub const fn trim_bound(&self) -> Index {
        self.trim
    }

    /// A look inside.
    #[must_use]
    pub fn status(&self) -> Status {
        let peers = match &self.state {
            State::Follower(_) | State::Candidate(_) => BTreeMap::new(),
            State::Leader(leader) => {
                let since =
                    |confirmed| self.now - confirmed < *self.config.election_timeout.start();
                leader.status(since)
            }
        };
        Status {
            id: self.config.id,
            role: self.role(),
            hard_state: HardState { term: self.term, vote: self.vote, commit: self.commit },
            leader: self.leader,
            applied: self.applied,
            last: self.log.last(),
            base: self.log.base(),
            trim_bound: self.trim,
            peers,
            membership: self.membership().clone(),
            dropped: self.dropped,
            doubt: self.doubt,
        }
    }

    /// Whether this node's own vote decides everything.
    fn is_alone(&self) -> bool {
        self.voters.is_only(self.config.id)
    }

    fn drop_message(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    fn send(&mut self, to: NodeId, body: Body) {
        let message = Message { term: self.term, body };
        self.outbox.push_back(Output::Send { to, message });
    }

    fn announce(&mut self) {
        let (role, term, leader) = (self.role(), self.term, self.leader);
        if self.announced != (role, term, leader) {
            self.announced = (role, term, leader);
            self.outbox.push_back(Output::Event(Event::Role { role, term, leader }));
        }
    }
}

/// The configurations of what was on stable storage.
fn configurations(config: &Config, restored: &Restored) -> Configurations {
    let membership = restored.membership.clone().unwrap_or_else(|| config.membership());
    let mut configurations = Configurations::new(restored.applied, membership);
    for entry in &restored.entries {
        configurations.appended(entry);
    }
    configurations
}
