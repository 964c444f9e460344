//! Leading: appending commands, and deciding what is committed.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::boundary::{Entry, Output, Payload, Refusal, Tag};
use super::forward::Arrivals;
use super::log::weight;
use super::message::Parcel;
use super::progress::Progress;
use super::read::ReadQueue;
use super::round::Rounds;
use super::status::{Peer, Role};
use super::transfer::Transfer;
use super::{Raft, State};
use crate::mutant::{Mutant, planted};
use crate::{Index, NodeId, Position, Time};

/// What only a leader knows.
///
/// - `opening` is in the log, with the current term; nothing before it has this term.
/// - `peers` holds every member but this one, and those in `leaving`, who are none any more.
#[derive(Clone, Debug, Hash)]
pub(super) struct Leader {
    pub(super) peers: BTreeMap<NodeId, Progress>,
    /// Members that were removed, and until when they are still told; `None` until the removal is
    /// committed.
    pub(super) leaving: BTreeMap<NodeId, Option<Time>>,
    /// This leader is no voter any more, and that is committed.
    pub(super) departed: bool,
    /// The index of the no-op that opened the term.
    pub(super) opening: Index,
    /// The weight of the entries above the commit index.
    uncommitted_bytes: usize,
    /// When the term began here, or the configuration in force.
    pub(super) since: Time,
    pub(super) rounds: Rounds,
    pub(super) heartbeat_at: Time,
    /// When to look again whether a quorum still answers.
    pub(super) check_at: Option<Time>,
    pub(super) transfer: Option<Transfer>,
    /// A disk that hangs is borne with until then.
    pub(super) bear_until: Time,
    /// A successor has been told to campaign: no lease holds against it in this term.
    pub(super) lease_void: bool,
    pub(super) reads: ReadQueue,
    arrivals: Arrivals,
}

impl Leader {
    /// Entries of this weight no longer wait for commit.
    pub(super) const fn settle(&mut self, freed: usize) {
        self.uncommitted_bytes = self.uncommitted_bytes.saturating_sub(freed);
    }

    pub(super) fn timeout(&self) -> Option<Time> {
        let heartbeat = (!self.peers.is_empty()).then_some(self.heartbeat_at);
        let transfer = self.transfer.as_ref().map(|transfer| transfer.until);
        heartbeat.into_iter().chain(self.check_at).chain(transfer).min()
    }

    pub(super) fn status(&self, is_recent: impl Fn(Time) -> bool) -> BTreeMap<NodeId, Peer> {
        let peer = |progress: &Progress| Peer {
            matched: progress.matched,
            next: progress.next,
            state: progress.name(),
            active: progress.confirmed.is_some_and(&is_recent),
            awaited: progress.confirmed.is_none() && is_recent(self.since),
        };
        let members = self.peers.iter().filter(|(id, _)| !self.leaving.contains_key(id));
        members.map(|(&id, progress)| (id, peer(progress))).collect()
    }
}

impl Raft {
    pub(super) fn become_leader(&mut self) {
        assert_eq!(self.role(), Role::Candidate, "leaders are elected");
        assert_eq!(self.vote, Some(self.config.id));
        let last = self.log.last().index;
        let uncommitted_bytes = self.log.range(self.commit.next(), last).map(weight).sum();
        let members = self.configurations.current().members().into_iter();
        let peers = members
            .filter(|&id| id != self.config.id)
            .map(|id| (id, Progress::new(last.next())))
            .collect();
        self.leader = Some(self.config.id);
        self.state = State::Leader(Box::new(Leader {
            peers,
            leaving: BTreeMap::new(),
            departed: false,
            opening: last.next(),
            uncommitted_bytes,
            since: self.now,
            rounds: Rounds::default(),
            heartbeat_at: self.now + self.config.heartbeat,
            check_at: self.first_check(),
            transfer: None,
            bear_until: self.now,
            lease_void: false,
            reads: ReadQueue::default(),
            arrivals: Arrivals::default(),
        }));
        // Raft §8, §5.4.2: what earlier terms left is committed by committing something after it.
        self.append_own(Payload::Empty);
    }

    pub(super) fn first_check(&self) -> Option<Time> {
        let patience: Duration = *self.config.election_timeout.start();
        let checks = self.config.check_quorum && !planted(Mutant::R24);
        (checks && !self.is_alone()).then(|| self.now + patience)
    }

    pub(super) fn append_own(&mut self, payload: Payload) {
        let position = Position::new(self.term, self.log.last().index.next());
        let entry = Entry { position, payload };
        if let State::Leader(leader) = &mut self.state {
            leader.uncommitted_bytes += weight(&entry);
        }
        self.append(entry);
    }

    /// Puts an entry at the end of the log.
    pub(super) fn append(&mut self, entry: Entry) {
        let reconfigures = self.configurations.appended(&entry);
        self.log.append(entry);
        if reconfigures {
            self.reconfigured();
        }
    }

    pub(super) fn on_propose(&mut self, tag: Tag, command: Bytes) {
        let reason = match &mut self.state {
            State::Leader(_) => match self.admit(&command, self.config.max_uncommitted_bytes) {
                Ok(()) => return self.append_own(Payload::Command(command)),
                Err(reason) => reason,
            },
            State::Follower(follower) if self.leader.is_some() => {
                return follower.proposals.push((tag, command));
            }
            State::Follower(_) | State::Candidate(_) => Refusal::NoLeader,
        };
        self.outbox.push_back(Output::ProposalRefused { tag, reason });
    }

    /// Commands that a follower passed on, within this very term: the filter before has seen to
    /// that. What cannot be taken is dropped; its proposer learns nothing and must not assume.
    pub(super) fn on_forwarded(&mut self, from: NodeId, parcel: Parcel, commands: Vec<Bytes>) {
        let State::Leader(leader) = &mut self.state else { return };
        if !leader.arrivals.is_new(from, parcel) {
            return self.drop_message();
        }
        for command in commands {
            if self.admit(&command, self.config.max_client_bytes()).is_ok() {
                self.append_own(Payload::Command(command));
            }
        }
    }

    /// Whether another command may enter the log now, with at most `room` bytes uncommitted.
    fn admit(&self, command: &Bytes, room: usize) -> Result<(), Refusal> {
        let State::Leader(leader) = &self.state else { return Err(Refusal::NoLeader) };
        if leader.transfer.is_some() || leader.departed {
            return Err(Refusal::Transferring);
        }
        // One command always fits into an empty queue, however large it is.
        let waiting = leader.uncommitted_bytes;
        let full = waiting + command.len() > room;
        if full && waiting > 0 && !command.is_empty() {
            return Err(Refusal::Overloaded);
        }
        Ok(())
    }

    /// Whether so much waits for commit that no more of clients' commands should be proposed here.
    #[must_use]
    pub const fn crowded(&self) -> bool {
        match &self.state {
            State::Leader(leader) => leader.uncommitted_bytes > self.config.max_client_bytes(),
            State::Follower(_) | State::Candidate(_) => false,
        }
    }

    /// Commits what a majority holds durably.
    pub(super) fn advance_commit(&mut self) {
        let deciding = self.deciding();
        let State::Leader(leader) = &mut self.state else { return };
        let (own, durable) = (self.config.id, self.writes.durable());
        let durable = if planted(Mutant::R9) { self.log.last().index } else { durable };
        let matched = |id| {
            if id == own { durable } else { leader.peers.get(&id).map_or(Index(0), |p| p.matched) }
        };
        let Some(reached) = deciding.reached(matched) else { return };
        // Raft §5.4.2: only entries of the current term commit by counting.
        let countable = self.log.term_at(reached) == Some(self.term) || planted(Mutant::R5);
        if reached <= self.commit || !countable {
            return;
        }
        let freed: usize = self.log.range(self.commit.next(), reached).map(weight).sum();
        leader.settle(freed);
        self.commit = reached;
    }

    pub(super) fn on_leader_timeout(&mut self) {
        let State::Leader(leader) = &mut self.state else { return };
        if leader.transfer.as_ref().is_some_and(|transfer| self.now >= transfer.until) {
            leader.transfer = None;
        }
        if self.now >= leader.heartbeat_at && !leader.peers.is_empty() {
            self.beat();
        }
        self.watch_disk();
    }

    pub(super) fn flush_leader(&mut self) {
        self.settle_configuration();
        self.start_read_round();
        self.replicate();
        self.depart();
    }
}
