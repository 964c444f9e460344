//! Zab: a primary's order, recovered by whoever is primary next.
//!
//! A group of nodes elects a leader, agrees with it on an epoch, makes its history everybody's, and
//! only then lets it propose; what a quorum holds durably is committed, in the leader's order.
//! Junqueira, Reed, Serafini: *Zab: High-performance broadcast for primary-backup systems*, as
//! `ZooKeeper` has implemented it since 3.4.
//!
//! # What it gives
//!
//! - *Integrity, agreement, total order*: all nodes apply the same commands in the same order.
//! - *Primary order*: a leader's commands are applied in the order in which it made them, and all
//!   that is applied of older epochs is applied before any of its own.
//! - *At most one established leader an epoch*, and it holds everything that was ever committed.
//! - *Linearizable reads* that write nothing: a round of pings answered by a quorum. `ZooKeeper`'s
//!   `sync` asks no quorum and gives less.
//!
//! # How it flows
//!
//! ```text
//!              a quorum votes alike      epoch agreed      histories equal
//!   Looking ──────────▶ Discovery ──────────▶ Synchronization ──────▶ Broadcast
//!      ▲  drained          │                        │                     │
//!   Draining ◀─────────────┴── abandon: a limit, a lost link or quorum ───┘
//!
//!   learner                               leader
//!     LearnerInfo(accepted)   ──────▶       waits for a quorum, chooses the epoch
//!               ◀── LeaderInfo(epoch)       durable: accepted
//!     AckEpoch(current, tail) ──────▶       waits for a quorum; nobody may be ahead of it
//!       durable: accepted     ◀── Sync(Diff | Trunc | Snap), Proposals…    durable: current
//!                             ◀── NewLeader
//!     AckLeader               ──────▶       waits for a quorum: established
//!       durable: history, then current
//!                             ◀── UpToDate, then Proposals, Commit, Ping
//!     Ack, Pong               ──────▶
//! ```
//!
//! The election (`election.rs`) decides who tries, and nothing else: no safety rests on it.
//! Discovery (`discovery.rs`) asks again what matters and hangs up on whoever is ahead of the
//! leader.
//!
//! # Positions
//!
//! A transaction is named by its [`Position`]: the epoch of the leader that made it and its index
//! in the log, counted from 1 without gaps across all epochs. `ZooKeeper`'s zxid is
//! `(epoch, counter)` with a counter that starts again in each epoch; the counter here is the index
//! less the index at which the epoch began, which two histories that hold an entry of the epoch
//! agree on, so both names order entries alike and say the same. The index is what the log, the
//! store and the reads of this system count by. Both numbers have 64 bits, and are packed into
//! fewer only where somebody else's wire demands it: there is no counter to roll over, and no
//! election for its sake.
//!
//! # What is left out, and what follows from it
//!
//! - *Changes of the members*: they are what the configuration says, everywhere the same.
//! - *Fetching history from the best follower*, as the paper has it: as in `ZooKeeper`, the leader
//!   is somebody who lacks nothing, or does not come to lead.
//! - *The content of snapshots*: a core says who needs one and what follows from having it.
//! - *Byzantine nodes*: a malformed message is dropped and counted, a lying peer is believed.
//!
//! `docs/zab.md` tells where this differs from `ZooKeeper`, and why.

mod boundary;
mod broadcast;
mod config;
mod discovery;
mod display;
mod durability;
mod election;
mod history;
mod invariant;
mod leader;
mod learner;
mod link;
mod message;
mod observer;
mod read;
mod snapshot;
mod start;
mod status;
mod synchronization;
mod vote;
mod writes;

pub use boundary::{
    Abandon, Entry, Epochs, Event, Generation, Input, Mode, Output, Payload, ReadId, Refusal,
    Restored, Tag, Write, WriteId,
};
pub use config::{Config, Timing};
pub use message::{Message, Tail};
pub use start::StartError;
pub use status::{Peer, Phase, Role, Status};
pub use vote::{Notification, Stance, Vote};

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};

use self::election::Election;
use self::history::History;
use self::leader::Leader;
use self::learner::Learner;
use self::writes::Writes;
use crate::mutant::{Mutant, planted};
use crate::quorum::Voters;
use crate::{Index, NodeId, Position, Rng, Term, Time};

/// What a node is, with what it needs to know as such.
#[derive(Clone, Debug, Hash)]
enum State {
    /// Waits for storage to answer for the past, and takes no part meanwhile.
    Draining,
    Looking(Election),
    Following(Learner),
    Leading(Box<Leader>),
}

/// One node's part in the broadcast.
///
/// - `applied ≤ delivered ≤ commit ≤ history.last`, and nothing is delivered that is not durable.
/// - `current ≤ accepted`, neither falls, and no entry is of an epoch above `accepted`.
/// - A leader's epoch is its accepted one; so is a learner's, once it has been told it.
/// - Nothing is under way to storage while a node looks for a leader.
#[derive(Clone, Debug, Hash)]
pub struct Zab {
    config: Config,
    voters: Voters,
    now: Time,
    started: bool,
    epochs: Epochs,
    /// The highest epoch that anybody has said to have promised: the next one is beyond it.
    seen: Term,
    /// The election round; not durable.
    round: u64,
    /// What the last election of this node decided.
    elected: Option<Vote>,
    commit: Index,
    delivered: Index,
    applied: Index,
    trim: Index,
    doubt: Option<Index>,
    /// A state that was installed while storage was still to answer.
    installed: Option<Position>,
    links: BTreeMap<NodeId, Generation>,
    state: State,
    history: History,
    writes: Writes,
    /// How many answers to [`Output::Cancel`] are still to come.
    cancelling: u32,
    outbox: VecDeque<Output>,
    /// Whether something may have piled up since the last flush.
    unflushed: bool,
    announced: Option<Event>,
    /// The name of the next question about reads: a fresh range of names at every start.
    next_question: u64,
    dropped: u64,
}

impl Zab {
    /// A node that continues from what was on its disk. `seed` should differ at every start.
    ///
    /// # Errors
    ///
    /// When the parts of `restored` contradict each other: such a node must not run, and the error
    /// says what to do.
    pub fn new(config: Config, restored: Restored, seed: u64) -> Result<Self, StartError> {
        let Restored { epochs, applied, doubt, .. } = restored;
        start::check(&config, &restored)?;
        let history = History::new(restored).ok_or(StartError::Log)?;
        start::check_epochs(epochs, history.last())?;
        let last = history.last();
        Ok(Self {
            voters: Voters::simple(config.voters.clone()),
            config,
            now: Time(0),
            started: false,
            epochs,
            seen: epochs.accepted,
            round: 0,
            elected: None,
            commit: applied,
            delivered: applied,
            applied,
            trim: Index(0),
            doubt: doubt.filter(|&through| through > Index(0)),
            installed: None,
            links: BTreeMap::new(),
            state: State::Draining,
            history,
            writes: Writes::new(epochs, last.index),
            cancelling: 0,
            outbox: VecDeque::new(),
            unflushed: true,
            announced: None,
            next_question: Rng::new(seed).next(),
            dropped: 0,
        })
    }

    /// Takes in what happened. The first call starts the clock.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        if !core::mem::replace(&mut self.started, true) {
            self.look();
        }
        self.check_quorum();
        match input {
            Input::Timeout => self.on_timeout(),
            Input::LinkUp { peer, generation } => self.on_link_up(peer, generation),
            Input::LinkDown { peer, generation } => self.on_link_down(peer, generation),
            Input::Receive { from, generation, message } => {
                self.on_receive(from, generation, message);
            }
            Input::Persisted(id) => self.on_persisted(id),
            Input::Cancelled(through) => self.on_cancelled(through),
            Input::Applied(index) => self.on_applied(index),
            Input::Trimmed(through) => self.on_trimmed(through),
            Input::Propose { tag, command } => self.on_propose(tag, command),
            Input::Read(id) => self.on_read(id),
            Input::Fetched { peer, from, entries } => self.on_fetched(peer, from, entries),
            Input::SendChunk { to, last, number, data, done } => {
                self.on_send_chunk(to, Message::Snapshot { last, number, data, done });
            }
            Input::SnapshotFailed { peer } => self.on_snapshot_failed(peer),
            Input::ChunkReply { to, last, next } => self.on_chunk_reply(to, last, next),
            Input::Installed { last } => self.on_installed(last),
        }
        self.announce();
        self.unflushed = true;
        if cfg!(debug_assertions) {
            self.assert_invariants();
        }
    }

    /// When to call `handle` with [`Input::Timeout`]; before the first call, at once. `None` while
    /// nothing but storage is waited for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        if !self.started {
            return Some(Time(0));
        }
        match &self.state {
            State::Draining => None,
            State::Looking(election) => Some(election.timeout()),
            State::Following(learner) => Some(learner.timeout()),
            State::Leading(leader) => {
                let limits = [self.quorum_until(leader), self.stalled_at()];
                limits.into_iter().flatten().chain([leader.timeout()]).min()
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
            State::Following(_) => self.flush_learner(),
            State::Leading(_) => self.flush_leader(),
            State::Draining | State::Looking(_) => {}
        }
        self.deliver();
        self.persist();
    }

    fn on_timeout(&mut self) {
        match &self.state {
            State::Draining => {}
            State::Looking(_) => self.on_election_timeout(),
            State::Following(_) => self.on_learner_timeout(),
            State::Leading(_) => self.on_leader_timeout(),
        }
    }

    fn on_receive(&mut self, from: NodeId, generation: Generation, message: Message) {
        if self.links.get(&from) != Some(&generation) || !message.is_sane() {
            return self.drop_message();
        }
        match (message, &self.state) {
            (Message::Notification(word), _) => self.on_notification(from, word),
            (Message::LearnerInfo { accepted, observer }, _) => {
                self.on_learner_info(from, accepted, observer);
            }
            (message, State::Leading(_)) => self.lead(from, message),
            (message, State::Following(learner)) if learner.leader == from => self.learn(message),
            (_, State::Draining | State::Looking(_) | State::Following(_)) => self.drop_message(),
        }
    }

    /// What this node is.
    #[must_use]
    pub fn role(&self) -> Role {
        match &self.state {
            State::Draining | State::Looking(_) => Role::Looking,
            State::Following(_) if self.config.observes() => Role::Observing,
            State::Following(_) => Role::Following,
            State::Leading(_) => Role::Leading,
        }
    }

    /// How far it has got with its leader, or as one.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match &self.state {
            State::Draining | State::Looking(_) => Phase::Election,
            State::Following(learner) => learner.phase(),
            State::Leading(leader) => leader.phase,
        }
    }

    /// The established leader, where known.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        match &self.state {
            State::Following(learner) if learner.phase() == Phase::Broadcast => {
                Some(learner.leader)
            }
            State::Leading(leader) if leader.phase == Phase::Broadcast => Some(self.config.id),
            State::Draining | State::Looking(_) | State::Following(_) | State::Leading(_) => None,
        }
    }

    /// The epoch of the last leader whose history this node holds whole.
    #[must_use]
    pub const fn epoch(&self) -> Term {
        self.epochs.current
    }

    /// The commit index as this node knows it.
    #[must_use]
    pub const fn commit(&self) -> Index {
        self.commit
    }

    /// The end of the history.
    #[must_use]
    pub const fn last(&self) -> Position {
        self.history.last()
    }

    /// How far the log may be trimmed without stranding any member.
    #[must_use]
    pub const fn trim_bound(&self) -> Index {
        self.trim
    }

    /// Up to where this node withholds its vote.
    #[must_use]
    pub const fn doubt(&self) -> Option<Index> {
        self.doubt
    }

    /// As leader, how much of the history is durable at a peer that has a session.
    #[must_use]
    pub fn matched(&self, peer: NodeId) -> Option<Index> {
        match &self.state {
            State::Leading(leader) => {
                leader.learners.get(&peer)?;
                Some(leader.matched.get(&peer).copied().unwrap_or_default())
            }
            State::Draining | State::Looking(_) | State::Following(_) => None,
        }
    }

    /// Whether so much waits for commit that no more of clients' commands should be proposed here.
    #[must_use]
    pub const fn crowded(&self) -> bool {
        match &self.state {
            State::Leading(leader) => leader.uncommitted_bytes > self.config.max_client_bytes(),
            State::Draining | State::Looking(_) | State::Following(_) => false,
        }
    }

    /// A look inside.
    #[must_use]
    pub fn status(&self) -> Status {
        let peers = match &self.state {
            State::Leading(leader) => leader.status(),
            State::Draining | State::Looking(_) | State::Following(_) => BTreeMap::new(),
        };
        Status {
            id: self.config.id,
            role: self.role(),
            phase: self.phase(),
            epochs: self.epochs,
            round: self.round,
            leader: self.leader(),
            commit: self.commit,
            applied: self.applied,
            last: self.history.last(),
            base: self.history.base(),
            trim_bound: self.trim,
            peers,
            dropped: self.dropped,
            doubt: self.doubt,
        }
    }

    /// Whether this node's vote counts.
    fn votes(&self) -> bool {
        self.voters.contains(self.config.id) && self.doubt.is_none()
    }

    fn drop_message(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    fn event(&mut self, event: Event) {
        self.outbox.push_back(Output::Event(event));
    }

    fn announce(&mut self) {
        let (role, phase) = (self.role(), self.phase());
        let event = Event::Role { role, phase, epoch: self.epochs.current, leader: self.leader() };
        if self.announced.as_ref() != Some(&event) {
            self.announced = Some(event.clone());
            self.event(event);
        }
    }

    /// Gives up the leader, or leading: nothing of it may go on, here or on its way to the disk.
    fn abandon(&mut self, why: Abandon) {
        self.event(Event::Abandoned(why));
        self.refuse_everything(Refusal::LeaderChanged);
        let peers = match &self.state {
            State::Leading(leader) => leader.learners.keys().copied().collect(),
            State::Following(learner) => alloc::vec![learner.leader],
            State::Draining | State::Looking(_) => alloc::vec::Vec::new(),
        };
        for peer in peers {
            self.reset(peer);
        }
        self.retire();
    }

    /// Looks for a leader as soon as storage has answered for all that it was given: the end of
    /// the history that is voted with is the durable one.
    fn retire(&mut self) {
        self.persist();
        self.writes.forget_held();
        self.state = State::Draining;
        if self.writes.is_idle() || planted(Mutant::Z9) {
            return self.look();
        }
        let after = self.writes.cancellable_after();
        if self.writes.may_cancel(after) {
            self.cancelling += 1;
            self.outbox.push_back(Output::Cancel { after });
        }
    }
}
