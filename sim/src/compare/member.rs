//! One node of a contest: a production core, its disk, and what both look like from outside.

use std::collections::VecDeque;

use protocol::Time;
use protocol::bully::message::Message as BullyMessage;
use protocol::bully::{Epoch, Shown, Standing};
use protocol::raft::Message as RaftMessage;
use protocol::zab::Message as ZabMessage;

use super::bully::Candidate;
use super::raft::Voter;
use super::zab::Peer;

/// What travels between two nodes of one protocol.
#[derive(Clone, Debug)]
pub(super) enum Parcel {
    Raft(RaftMessage),
    Zab(ZabMessage),
    Bully(BullyMessage),
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// To find a leader and to make it known.
    Election,
    /// To let it serve: histories made equal, the first entry of its term.
    Recovery,
    /// What flows while nothing happens: heartbeats, pings, renewals and their answers.
    Routine,
}

/// What happens to a node.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Timeout,
    Receive {
        from: usize,
        generation: u64,
        parcel: Parcel,
    },
    /// The oldest write under way is durable.
    Synced,
    LinkUp {
        peer: usize,
        generation: u64,
    },
    LinkDown {
        peer: usize,
        generation: u64,
    },
    Saw {
        shown: Shown,
        standing: Standing,
    },
    Stopped(Epoch),
    /// How fresh the state of its program is, for those whom that ranks.
    Fresh(u64),
}

/// What a node wants done.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// `generation` is of the link, where the protocol knows links.
    Send {
        to: usize,
        generation: u64,
        kind: &'static str,
        purpose: Purpose,
        parcel: Parcel,
    },
    Sync,
    Reset {
        peer: usize,
        generation: u64,
    },
    Show(Shown),
    Stop(Epoch),
}

/// A node as others see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// It looks for a leader, or wants to be one.
    pub(super) electing: bool,
    /// It takes itself for the leader.
    pub(super) leads: bool,
    /// And has all that it takes to act, as far as it knows.
    pub(super) serves: bool,
    /// Its term, promised epoch or ballot.
    pub(super) epoch: u64,
    /// Whom it follows, itself perhaps.
    pub(super) follows: Option<usize>,
}

/// The writes of one node, in order. A crash loses those under way.
#[derive(Clone, Debug)]
pub(super) struct Writes<W>(VecDeque<W>);

impl<W> Default for Writes<W> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<W> Writes<W> {
    pub(super) fn push(&mut self, write: W) {
        self.0.push_back(write);
    }

    pub(super) fn first(&self) -> Option<&W> {
        self.0.front()
    }

    pub(super) fn pop(&mut self) -> Option<W> {
        self.0.pop_front()
    }

    pub(super) fn lose(&mut self) {
        self.0.clear();
    }
}

/// One node, up or down.
#[derive(Debug)]
pub(super) enum Member {
    Raft(Box<Voter>),
    Zab(Box<Peer>),
    Bully(Box<Candidate>),
}

impl Member {
    /// Starts it with what is on its disk.
    pub(super) fn start(&mut self, seed: u64) {
        match self {
            Self::Raft(voter) => voter.start(seed),
            Self::Zab(peer) => peer.start(seed),
            Self::Bully(candidate) => candidate.start(seed),
        }
    }

    pub(super) fn crash(&mut self) {
        match self {
            Self::Raft(voter) => voter.crash(),
            Self::Zab(peer) => peer.crash(),
            Self::Bully(candidate) => candidate.crash(),
        }
    }

    /// Nothing happens to a node that is down.
    pub(super) fn input(&mut self, now: Time, input: Input) -> Vec<Effect> {
        match self {
            Self::Raft(voter) => voter.input(now, input),
            Self::Zab(peer) => peer.input(now, input),
            Self::Bully(candidate) => candidate.input(now, input),
        }
    }

    pub(super) fn timeout(&self) -> Option<Time> {
        match self {
            Self::Raft(voter) => voter.timeout(),
            Self::Zab(peer) => peer.timeout(),
            Self::Bully(candidate) => candidate.timeout(),
        }
    }

    /// `None` while it is down.
    pub(super) fn view(&self, now: Time) -> Option<View> {
        match self {
            Self::Raft(voter) => voter.view(),
            Self::Zab(peer) => peer.view(),
            Self::Bully(candidate) => candidate.view(now),
        }
    }
}
