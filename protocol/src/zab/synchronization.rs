//! Phase 2: everybody gets the leader's history.
//!
//! The leader knows from a learner's tail what both share, and sends what comes after it: `Diff`,
//! or `Trunc` when the learner holds more than that, or `Snap` when the leader's log begins later.
//! The learner appends what it is sent at once. When it has been sent all that the leader had when
//! this began, `NewLeader` follows; the learner then takes the leader's epoch for its current one,
//! and acknowledges when history *and then* epoch are durable. From a quorum of such
//! acknowledgements on the leader is established, and the history is committed.
//!
//! # Why the epoch comes last
//!
//! Elections go by the current epoch first. A node whose epoch were durable before its history
//! could crash between the two, win over nodes that hold what was committed, and cut it off
//! (ZOOKEEPER-4643).
//!
//! The other way round a crash leaves a node of an *old* epoch with a prefix of a *newer* leader's
//! history, perhaps with entries beyond its current epoch. That is sound. Say it is elected by a
//! quorum, and something was committed: a member of the quorum has acknowledged it and is not
//! ahead. If it was committed in an epoch below the node's current one, the node got it when it
//! became of that epoch, and what it has shared with a newer leader since contains it. If in that
//! very epoch, the member's history ends no later than the node's, both are prefixes of leaders'
//! histories that contain it, and it stands before the end of the shorter one. If in a later one,
//! the member is of a later epoch, and ahead. So the node starts, votes and may lead; `ZooKeeper`
//! refuses to start there.
//!
//! # Why entries are appended before they are known to be committed
//!
//! Nothing is applied before `UpToDate`, and what is appended is a prefix of the leader's history:
//! the case above. So there is no queue of entries that are neither logged nor dropped, which is
//! where ZOOKEEPER-3911, 4394, 4646 and 4785 lived.
//!
//! # Cutting across epochs
//!
//! `ZooKeeper` learns a learner's last zxid only, and must send the whole state when it has never
//! heard of that epoch. Here a learner tells where its runs of one epoch begin, as far back as it
//! knows what is committed. So the leader finds exactly what is shared, and an entry that its dead
//! leader alone had proposed costs a cut and not a snapshot. A snapshot is for those who are behind
//! the log, and everything that they hold is before its beginning: no state that is sent replaces
//! an entry which it does not cover and which may be committed.

use super::boundary::{Entry, Event, Mode, Output, Payload};
use super::leader::Stage;
use super::learner::Step;
use super::message::{Message, Tail};
use super::status::Phase;
use super::writes::Held;
use super::{State, Zab};
use crate::mutant::{Mutant, planted};
use crate::quorum::Outcome;
use crate::{Index, NodeId, Position, Term};

impl Zab {
    /// Begins to send a learner what it lacks, once this leader may.
    pub(super) fn maybe_synchronize(&mut self, peer: NodeId) {
        let State::Leading(leader) = &self.state else { return };
        let phase = leader.phase;
        let Some(learning) = leader.learners.get(&peer) else { return };
        let Stage::Waiting(tail) = &learning.stage else { return };
        // Observers hold nothing but what is committed, which is not known before.
        let early = learning.observer && phase != Phase::Broadcast;
        if early || phase < Phase::Synchronization {
            return;
        }
        let tail = tail.clone();
        self.synchronize(peer, &tail);
    }

    fn synchronize(&mut self, peer: NodeId, tail: &Tail) {
        match self.history.common(tail) {
            Some(shared) => {
                let mode =
                    if shared == tail.last { Mode::Diff(shared) } else { Mode::Trunc(shared) };
                self.stream_from(peer, mode, shared);
            }
            None => self.send_state(peer),
        }
    }

    fn stream_from(&mut self, peer: NodeId, mode: Mode, shared: Position) {
        let (last, commit) = (self.history.last().index, self.commit);
        if let Some(learning) = self.learning(peer) {
            learning.next = shared.index.next();
            let target = if learning.observer { commit } else { last };
            learning.stage = Stage::Streaming { target };
        }
        self.event(Event::Synchronizing { peer, mode });
        self.send(peer, Message::Sync(mode));
    }

    /// The log does not reach back to what the peer holds.
    pub(super) fn send_state(&mut self, peer: NodeId) {
        if let Some(learning) = self.learning(peer) {
            learning.stage = Stage::Snapshot { wanted: true };
            learning.inflight.clear();
            (learning.owing, learning.fetching) = (None, false);
        }
        self.event(Event::Synchronizing { peer, mode: Mode::Snap });
        self.send(peer, Message::Sync(Mode::Snap));
        let next = self.history.base().index;
        self.outbox.push_back(Output::SnapshotWanted { peer, next });
    }

    /// The state is there: what comes after it?
    pub(super) fn on_resume(&mut self, from: NodeId, tail: &Tail) {
        let Some(learning) = self.learning(from) else { return };
        let stage = learning.stage.clone();
        if !matches!(stage, Stage::Snapshot { .. }) {
            self.drop_message();
            return self.reset(from);
        }
        self.snapshot_ended(from, &stage);
        self.moved();
        self.synchronize(from, tail);
    }

    /// The learner holds a part durably: more may be sent.
    pub(super) fn on_stored(&mut self, from: NodeId, through: Index) {
        let now = self.now;
        let Some(learning) = self.learning(from) else { return };
        if matches!(learning.stage, Stage::Snapshot { .. }) {
            // It was on its way when the log was found to be too short.
            return;
        }
        if !learning.is_forwarded() || !learning.settle(through, now) {
            self.drop_message();
            return self.reset(from);
        }
        self.moved();
    }

    /// The learner holds everything and is of this epoch. Nothing else may come before this word
    /// once the learner has been told that it has everything (ZOOKEEPER-4685).
    pub(super) fn on_ack_leader(&mut self, from: NodeId, epoch: Term, through: Index) {
        let (now, own, last) = (self.now, self.leading_epoch(), self.history.last().index);
        let Some(learning) = self.learning(from) else { return };
        let whole = |target| epoch == own && through >= target;
        let expected = matches!(learning.stage, Stage::Sent { target } if whole(target));
        if !expected || !learning.settle(through, now) {
            self.drop_message();
            return self.reset(from);
        }
        let mut through = through;
        learning.stage = Stage::Synced;
        if planted(Mutant::Z1) {
            // As if nothing had been proposed while it synchronised.
            (through, learning.next) = (last, last.next());
        }
        let observer = learning.observer;
        if let State::Leading(leader) = &mut self.state {
            leader.matched.insert(from, through);
            if !observer {
                leader.synced.insert(from);
            }
        }
        self.moved();
        self.maybe_establish();
        self.advance_commit();
    }

    /// A quorum holds what this leader began with.
    pub(super) fn maybe_establish(&mut self) {
        let State::Leading(leader) = &mut self.state else { return };
        let holds = |id| leader.synced.contains(&id).then_some(true);
        let early = leader.phase != Phase::Synchronization;
        if early || self.voters.outcome(holds) != Outcome::Won {
            return;
        }
        leader.phase = Phase::Broadcast;
        let observers: alloc::vec::Vec<NodeId> =
            leader.learners.iter().filter(|it| it.1.observer).map(|it| *it.0).collect();
        self.announce();
        self.advance_commit();
        // So that a new epoch is seen in the log, and what was proposed in old ones is settled.
        self.append(Payload::Empty);
        for peer in observers {
            self.maybe_synchronize(peer);
        }
    }

    /// How this learner gets up to date.
    pub(super) fn on_sync(&mut self, mode: Mode) {
        match self.step() {
            Some(Step::Promised | Step::Syncing) => {}
            Some(Step::Knocking | Step::Installing | Step::Complete | Step::Serving) | None => {
                return self.disbelieve();
            }
        }
        match mode {
            Mode::Diff(at) if at == self.history.last() => self.set_step(Step::Syncing),
            Mode::Trunc(at) if self.history.holds(at) && at.index >= self.commit => {
                self.truncate(at.index);
                self.set_step(Step::Syncing);
            }
            Mode::Snap => self.set_step(Step::Installing),
            Mode::Diff(_) | Mode::Trunc(_) => return self.disbelieve(),
        }
        if planted(Mutant::Z3) {
            self.epochs.current = self.epochs.accepted;
        }
    }

    /// Entries of the leader's history, in order. A gap means that something is wrong with the
    /// link or the leader: nothing that follows it is worth having (ZOOKEEPER-4925).
    pub(super) fn on_proposals(&mut self, base: Position, entries: alloc::vec::Vec<Entry>) {
        match self.step() {
            Some(Step::Syncing | Step::Complete | Step::Serving) => {}
            Some(Step::Knocking | Step::Promised | Step::Installing) | None => {
                return self.disbelieve();
            }
        }
        let epoch = self.epochs.accepted;
        let mut end = base;
        let contiguous = entries.iter().all(|entry| {
            let follows = entry.position.index == end.index.next();
            let rises = entry.position.term >= end.term && entry.position.term <= epoch;
            end = entry.position;
            follows && rises
        });
        if base != self.history.last() || !contiguous {
            return self.disbelieve();
        }
        for entry in entries {
            self.history.append(entry);
        }
    }

    /// This learner has been sent everything.
    pub(super) fn on_new_leader(&mut self, epoch: Term) {
        if self.step() != Some(Step::Syncing) || epoch != self.epochs.accepted {
            return self.disbelieve();
        }
        self.epochs.current = epoch;
        self.set_step(Step::Complete);
        let through = self.history.last().index;
        if planted(Mutant::Z6) {
            self.commit = through;
        }
        let acknowledgement = Message::AckLeader { epoch, through };
        if planted(Mutant::Z4) {
            return self.tell_leader(acknowledgement);
        }
        self.when_durable(Held::Tell(acknowledgement));
    }

    /// A quorum is behind the leader.
    pub(super) fn on_up_to_date(&mut self, commit: Index) {
        if self.step() != Some(Step::Complete) || commit > self.history.last().index {
            return self.disbelieve();
        }
        self.set_step(Step::Serving);
        self.hear();
        if let Some(through) = self.doubt.take() {
            self.event(Event::DoubtResolved { through });
        }
        let State::Following(learner) = &mut self.state else { return };
        learner.owes = true;
        let commit = commit.max(core::mem::take(&mut learner.remembered));
        self.commit_through(commit);
    }
}
