//! The core that a replica runs: Raft or Zab, in one form.
//!
//! Everything above speaks with the core in Raft's words, which are nearly Zab's too: propose,
//! read, persist, commit. What differs stays in here. In a group that runs Zab the *term* is the
//! epoch, the members are static, leadership is not handed over, and messages travel on links that
//! end for both sides when anything was lost (`protocol::link`).

mod broadcast;
mod message;

use alloc::boxed::Box;
use alloc::vec::Vec;

use protocol::raft::{self, Membership, Raft, Role, Status};
use protocol::zab;
use protocol::{Entry, Index, NodeId, Position, ReadId, Tag, Term, Time, WriteId};

pub use broadcast::{Broadcast, epochs, hard_state};
pub use message::Message;

use crate::config::{Config, Protocol};

/// The core of a replica: a closed choice, made once for a group.
#[derive(Clone, Debug)]
pub enum Consensus {
    /// Raft.
    Raft(Box<Raft>),
    /// Zab.
    Zab(Box<Broadcast>),
}

/// What a core wants done: [`raft::Output`] with the messages of either.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    Send { to: NodeId, message: Message },
    Persist { id: WriteId, write: raft::Write },
    Cut { id: WriteId, through: Index },
    Commit(Vec<Entry>),
    ReadReady { id: ReadId, index: Index },
    ReadRefused { id: ReadId, reason: raft::Refusal },
    ProposalRefused { tag: Tag, reason: raft::Refusal },
    Fetch { peer: NodeId, from: Index, max_bytes: usize },
    SnapshotWanted { peer: NodeId, next: Index },
    SnapshotEnded { peer: NodeId },
    Chunk { from: NodeId, last: Position, number: u64, data: bytes::Bytes },
    ChunkAcked { peer: NodeId, last: Position, next: Option<u64> },
    Membership { at: Index, membership: Membership },
    Event(Event),
}

/// Something a person would want in a log file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Of Raft.
    Raft(raft::Event),
    /// Of Zab.
    Zab(zab::Event),
}

impl Event {
    /// The role, the term and the leader from now on, where that is what it tells. Whoever looks
    /// for a leader by Zab is a candidate.
    #[must_use]
    pub fn role(&self) -> Option<(Role, Term, Option<NodeId>)> {
        match self {
            Self::Raft(raft::Event::Role { role, term, leader }) => Some((*role, *term, *leader)),
            Self::Zab(zab::Event::Role { role, phase, epoch, leader }) => {
                Some((broadcast::role(*role, *phase), *epoch, *leader))
            }
            Self::Raft(_) | Self::Zab(_) => None,
        }
    }
}

impl Consensus {
    /// The core that the settings ask for, over what storage held.
    ///
    /// # Errors
    /// As [`zab::Zab::new`]: a node whose parts contradict each other must not run. Raft
    /// trusts what its log says.
    pub fn new(
        config: &Config,
        restored: raft::Restored,
        seed: u64,
    ) -> Result<Self, zab::StartError> {
        Ok(match &config.protocol {
            Protocol::Raft => Self::Raft(Box::new(Raft::new(config.raft.clone(), restored, seed))),
            Protocol::Zab(timing) => {
                Self::Zab(Box::new(Broadcast::new(&config.raft, timing.clone(), restored, seed)?))
            }
        })
    }

    pub(crate) fn handle(&mut self, now: Time, input: raft::Input) {
        match self {
            Self::Raft(raft) => raft.handle(now, input),
            Self::Zab(zab) => zab.handle(now, input),
        }
    }

    /// A message came in. What is of the other protocol is dropped: its sender does not belong to
    /// this group.
    pub(crate) fn receive(&mut self, now: Time, from: NodeId, message: Message) {
        match (self, message) {
            (Self::Raft(raft), Message::Raft(message)) => {
                raft.handle(now, raft::Input::Receive { from, message });
            }
            (Self::Zab(zab), Message::Zab(frame)) => zab.receive(now, from, frame),
            (Self::Raft(_), Message::Zab(_)) | (Self::Zab(_), Message::Raft(_)) => {}
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        match self {
            Self::Raft(raft) => raft.poll_timeout(),
            Self::Zab(zab) => zab.poll_timeout(),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        match self {
            Self::Raft(raft) => loop {
                if let Some(output) = of_raft(raft.poll_output()?) {
                    return Some(output);
                }
            },
            Self::Zab(zab) => zab.poll_output(),
        }
    }

    /// What this member is. Whoever looks for a leader by Zab is a candidate.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            Self::Raft(raft) => raft.role(),
            Self::Zab(zab) => zab.role(),
        }
    }

    /// The term, or the epoch of the last leader whose history this member holds whole.
    #[must_use]
    pub fn term(&self) -> Term {
        match self {
            Self::Raft(raft) => raft.term(),
            Self::Zab(zab) => zab.zab().epoch(),
        }
    }

    /// The leader, where known.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        match self {
            Self::Raft(raft) => raft.leader(),
            Self::Zab(zab) => zab.zab().leader(),
        }
    }

    /// The commit index as this member knows it.
    #[must_use]
    pub fn commit(&self) -> Index {
        match self {
            Self::Raft(raft) => raft.commit(),
            Self::Zab(zab) => zab.zab().commit(),
        }
    }

    /// The end of the log.
    #[must_use]
    pub fn last(&self) -> Position {
        match self {
            Self::Raft(raft) => raft.last(),
            Self::Zab(zab) => zab.zab().last(),
        }
    }

    /// Up to where this member withholds its vote.
    #[must_use]
    pub fn doubt(&self) -> Option<Index> {
        match self {
            Self::Raft(raft) => raft.doubt(),
            Self::Zab(zab) => zab.zab().doubt(),
        }
    }

    /// How far the log may be trimmed without stranding any member.
    #[must_use]
    pub fn trim_bound(&self) -> Index {
        match self {
            Self::Raft(raft) => raft.trim_bound(),
            Self::Zab(zab) => zab.zab().trim_bound(),
        }
    }

    /// The configuration in force.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        match self {
            Self::Raft(raft) => raft.membership(),
            Self::Zab(zab) => zab.membership(),
        }
    }

    /// As leader, how much of the log is durable at a peer.
    #[must_use]
    pub fn matched(&self, peer: NodeId) -> Option<Index> {
        match self {
            Self::Raft(raft) => raft.matched(peer),
            Self::Zab(zab) => zab.zab().matched(peer),
        }
    }

    /// Whether so much waits for commit that clients' commands are refused.
    #[must_use]
    pub fn crowded(&self) -> bool {
        match self {
            Self::Raft(raft) => raft.crowded(),
            Self::Zab(zab) => zab.zab().crowded(),
        }
    }

    /// Whether members change, and leadership can be handed over.
    #[must_use]
    pub const fn is_elastic(&self) -> bool {
        matches!(self, Self::Raft(_))
    }

    /// A look inside.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Raft(raft) => raft.status(),
            Self::Zab(zab) => zab.status(),
        }
    }
}

fn of_raft(output: raft::Output) -> Option<Output> {
    use raft::Output as Raft;
    Some(match output {
        Raft::Send { to, message } => Output::Send { to, message: Message::Raft(message) },
        Raft::Persist { id, write } => Output::Persist { id, write },
        Raft::Commit(entries) => Output::Commit(entries),
        Raft::ReadReady { id, index } => Output::ReadReady { id, index },
        Raft::ReadRefused { id, reason } => Output::ReadRefused { id, reason },
        Raft::ProposalRefused { tag, reason } => Output::ProposalRefused { tag, reason },
        Raft::Membership { at, membership } => Output::Membership { at, membership },
        Raft::Fetch { peer, from, max_bytes } => Output::Fetch { peer, from, max_bytes },
        Raft::SnapshotWanted { peer, next } => Output::SnapshotWanted { peer, next },
        Raft::SnapshotEnded { peer } => Output::SnapshotEnded { peer },
        Raft::Chunk { from, last, number, data, .. } => Output::Chunk { from, last, number, data },
        Raft::ChunkAcked { peer, last, next } => Output::ChunkAcked { peer, last, next },
        // What was wished is looked at again before long.
        Raft::ReconfigureRefused { .. } => return None,
        Raft::Event(event) => Output::Event(Event::Raft(event)),
    })
}
