//! What a leader knows, and how long it stays one.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::boundary::Abandon;
use super::history::History;
use super::message::{Message, Tail};
use super::read::ReadQueue;
use super::status::{Peer, Phase};
use super::{State, Zab};
use crate::{Index, NodeId, Term, Time};

/// How far the epoch of a leader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Epoch {
    /// A quorum has still to come.
    Open,
    /// It is chosen, and not durable yet.
    Chosen,
    /// It is durable and may be told.
    Told,
    /// A quorum has promised it; the leader's own epoch is not durable yet.
    Agreed,
}

/// What a leader knows.
///
/// - `matched` holds what voters and observers have acknowledged in this epoch: it outlives their
///   sessions, since it is durable there and nobody takes it away while this leader leads.
/// - Only `synced` voters count for commits, and all of them hold everything up to `opening`.
#[derive(Clone, Debug, Hash)]
pub(super) struct Leader {
    pub(super) phase: Phase,
    pub(super) epoch: Epoch,
    pub(super) since: Time,
    /// Until when something must have moved, as long as the phase is not [`Phase::Broadcast`].
    pub(super) until: Time,
    pub(super) ping_at: Time,
    pub(super) learners: BTreeMap<NodeId, Learning>,
    pub(super) connecting: BTreeSet<NodeId>,
    pub(super) electing: BTreeSet<NodeId>,
    pub(super) synced: BTreeSet<NodeId>,
    pub(super) matched: BTreeMap<NodeId, Index>,
    /// When each member was heard last, in whatever session.
    pub(super) heard: BTreeMap<NodeId, Time>,
    /// The end of the history that this leader began with.
    pub(super) opening: Index,
    pub(super) uncommitted_bytes: usize,
    /// The number of the last round of pings.
    pub(super) round: u64,
    pub(super) reads: ReadQueue,
}

/// Where the session of a learner stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// It has said that it is here.
    Connected,
    /// It has been told the epoch.
    Told,
    /// It has answered, and waits for the leader.
    Waiting(Tail),
    /// It needs the state; `false` while the driver is to be asked again.
    Snapshot { wanted: bool },
    /// It is being sent what it lacks, at least through this index.
    Streaming { target: Index },
    /// It has been told that it has everything, at least through this index.
    Sent { target: Index },
    /// It has everything, durably.
    Synced,
}

/// The session of a learner.
///
/// - `inflight` ascends, and `next` is behind it all.
#[derive(Clone, Debug, Hash)]
pub(super) struct Learning {
    pub(super) observer: bool,
    pub(super) stage: Stage,
    pub(super) next: Index,
    /// The ends of messages that were not acknowledged, with their bytes.
    pub(super) inflight: VecDeque<(Index, usize)>,
    /// Since when the first of them waits.
    pub(super) owing: Option<Time>,
    pub(super) fetching: bool,
    /// What it has been told is committed, once it has been told to serve.
    pub(super) told: Option<Index>,
    /// The last round of pings that it has answered since it counts.
    pub(super) pong: u64,
}

impl Learning {
    const fn new(observer: bool) -> Self {
        Self {
            observer,
            stage: Stage::Connected,
            next: Index(0),
            inflight: VecDeque::new(),
            owing: None,
            fetching: false,
            told: None,
            pong: 0,
        }
    }

    pub(super) fn inflight_bytes(&self) -> usize {
        self.inflight.iter().map(|&(_, bytes)| bytes).sum()
    }

    /// It says that it holds everything through this index. Gives `false` when it never got it.
    pub(super) fn settle(&mut self, through: Index, now: Time) -> bool {
        let settled = self.inflight.partition_point(|&(end, _)| end <= through);
        self.inflight.drain(..settled);
        if settled > 0 {
            self.owing = (!self.inflight.is_empty()).then_some(now);
        }
        through < self.next
    }

    /// Whether the whole history goes to it, and what comes on top.
    pub(super) const fn is_forwarded(&self) -> bool {
        matches!(self.stage, Stage::Streaming { .. } | Stage::Sent { .. } | Stage::Synced)
    }

    const fn state(&self) -> &'static str {
        match self.stage {
            Stage::Connected => "connected",
            Stage::Told => "told",
            Stage::Waiting(_) => "waiting",
            Stage::Snapshot { .. } => "snapshot",
            Stage::Streaming { .. } => "streaming",
            Stage::Sent { .. } => "sent",
            Stage::Synced => "synced",
        }
    }
}

impl Leader {
    pub(super) fn new(now: Time, until: Time, id: NodeId) -> Self {
        Self {
            phase: Phase::Discovery,
            epoch: Epoch::Open,
            since: now,
            until,
            ping_at: now,
            learners: BTreeMap::new(),
            connecting: BTreeSet::from([id]),
            electing: BTreeSet::new(),
            synced: BTreeSet::new(),
            matched: BTreeMap::new(),
            heard: BTreeMap::new(),
            opening: Index(0),
            uncommitted_bytes: 0,
            round: 0,
            reads: ReadQueue::default(),
        }
    }

    pub(super) fn connect(&mut self, peer: NodeId, observer: bool, now: Time) {
        self.learners.insert(peer, Learning::new(observer));
        self.heard.insert(peer, now);
    }

    /// Whether the epoch is chosen.
    pub(super) const fn is_fixed(&self) -> bool {
        !matches!(self.epoch, Epoch::Open)
    }

    /// When something has to happen, apart from the limits of quorum and disk.
    pub(super) fn timeout(&self) -> Time {
        match self.phase {
            Phase::Broadcast => self.ping_at,
            Phase::Election | Phase::Discovery | Phase::Synchronization => {
                self.ping_at.min(self.until)
            }
        }
    }

    pub(super) fn status(&self) -> BTreeMap<NodeId, Peer> {
        let peer = |(&id, learning): (&NodeId, &Learning)| {
            let matched = self.matched.get(&id).copied().unwrap_or_default();
            let synced = learning.stage == Stage::Synced;
            (id, Peer { matched, next: learning.next, state: learning.state(), synced })
        };
        self.learners.iter().map(peer).collect()
    }

    pub(super) fn assert_invariants(&self, history: &History, id: NodeId) {
        let last = history.last().index;
        assert!(self.opening <= last && self.matched.values().all(|&index| index <= last));
        for peer in self.synced.iter().filter(|&&peer| peer != id) {
            assert!(self.matched.get(peer) >= Some(&self.opening), "it holds what there was");
        }
        for learning in self.learners.values() {
            let ends = learning.inflight.iter().map(|&(end, _)| end);
            assert!(ends.is_sorted() && learning.inflight.iter().all(|it| it.0 < learning.next));
        }
    }
}

impl Zab {
    pub(super) fn lead(&mut self, from: NodeId, message: Message) {
        let now = self.now;
        let State::Leading(leader) = &mut self.state else { return };
        if !leader.learners.contains_key(&from) {
            return self.drop_message();
        }
        leader.heard.insert(from, now);
        match message {
            Message::AckEpoch { current, tail } => self.on_ack_epoch(from, current, tail),
            Message::Resume { tail } => self.on_resume(from, &tail),
            Message::Stored { through } => self.on_stored(from, through),
            Message::AckLeader { epoch, through } => self.on_ack_leader(from, epoch, through),
            Message::Ack { through } => self.on_ack(from, through),
            Message::Pong { round } => self.on_pong(from, round),
            Message::Requests { requests } => self.on_requests(from, requests),
            Message::ReadIndex { reads } => self.on_read_index(from, reads),
            Message::SnapshotReply { last, next } => self.on_snapshot_reply(from, last, next),
            Message::Notification(_)
            | Message::LearnerInfo { .. }
            | Message::NotLeading
            | Message::LeaderInfo { .. }
            | Message::Sync(_)
            | Message::NewLeader { .. }
            | Message::UpToDate { .. }
            | Message::Proposals { .. }
            | Message::Inform { .. }
            | Message::Commit { .. }
            | Message::Ping { .. }
            | Message::RequestsRefused { .. }
            | Message::ReadIndexReply { .. }
            | Message::Snapshot { .. } => self.drop_message(),
        }
    }

    pub(super) fn learning(&mut self, peer: NodeId) -> Option<&mut Learning> {
        match &mut self.state {
            State::Leading(leader) => leader.learners.get_mut(&peer),
            State::Draining | State::Looking(_) | State::Following(_) => None,
        }
    }

    /// The session of `peer` is over. What it has acknowledged still counts.
    pub(super) fn forget_learner(&mut self, peer: NodeId) {
        let State::Leading(leader) = &mut self.state else { return };
        if leader.epoch == Epoch::Open {
            leader.connecting.remove(&peer);
        }
        if let Some(learning) = leader.learners.remove(&peer) {
            leader.reads.forget(peer);
            self.snapshot_ended(peer, &learning.stage);
        }
    }

    /// The epoch that this leader leads, or is about to.
    pub(super) const fn leading_epoch(&self) -> Term {
        self.epochs.accepted
    }

    /// Something moved: the leader has time again.
    pub(super) fn moved(&mut self) {
        let until = self.now + self.config.timing.init_limit;
        if let State::Leading(leader) = &mut self.state {
            leader.until = until;
        }
    }

    /// Until when a quorum may be silent: the time at which its slowest member was heard last, and
    /// the limit.
    pub(super) fn quorum_until(&self, leader: &Leader) -> Option<Time> {
        let timing = &self.config.timing;
        if leader.phase != Phase::Broadcast || self.voters.is_only(self.config.id) {
            return None;
        }
        let heard = |id| {
            let own = (id == self.config.id).then_some(self.now);
            own.or_else(|| leader.heard.get(&id).copied()).unwrap_or(leader.since)
        };
        self.voters.reached(heard).map(|time| time + timing.sync_limit)
    }

    /// When this leader gives up on its own disk.
    pub(super) fn stalled_at(&self) -> Option<Time> {
        self.writes.silent_since().map(|since| since + self.config.timing.sync_limit)
    }

    /// A leader that no quorum hears, or whose disk does not answer, is none.
    pub(super) fn check_quorum(&mut self) {
        let State::Leading(leader) = &self.state else { return };
        if self.quorum_until(leader).is_some_and(|until| self.now >= until) {
            return self.abandon(Abandon::SyncLimit);
        }
        if self.stalled_at().is_some_and(|until| self.now >= until) {
            self.abandon(Abandon::Stalled);
        }
    }

    pub(super) fn on_leader_timeout(&mut self) {
        let (now, timing) = (self.now, self.config.timing.clone());
        let State::Leading(leader) = &mut self.state else { return };
        if leader.phase != Phase::Broadcast && now >= leader.until {
            return self.abandon(Abandon::InitLimit);
        }
        if now < leader.ping_at {
            return;
        }
        leader.ping_at = now + timing.ping;
        let silent = |(peer, learning): &(&NodeId, &Learning)| {
            let synced = learning.stage == Stage::Synced;
            let limit = if synced { timing.sync_limit } else { timing.init_limit };
            let owes = synced && learning.owing.is_some_and(|since| now - since >= limit);
            let heard = leader.heard.get(peer).copied().unwrap_or(leader.since);
            now - heard >= limit || owes
        };
        let late: Vec<NodeId> = leader.learners.iter().filter(silent).map(|it| *it.0).collect();
        for peer in late {
            self.reset(peer);
        }
        self.want_snapshots();
        self.ping();
    }

    /// The lowest index that is known to be durable at every member, itself included: a quorum may
    /// have committed what this node's own disk is still to store.
    pub(super) fn lowest_match(&self) -> Index {
        let State::Leading(leader) = &self.state else { return Index(0) };
        let held = |peer| leader.matched.get(&peer).copied().unwrap_or_default();
        let lowest = self.config.peers().map(held).min();
        let own = self.commit.min(self.writes.durable());
        lowest.map_or(own, |lowest| lowest.min(own))
    }
}
