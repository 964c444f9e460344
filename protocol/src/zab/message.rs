//! What nodes say to each other.
//!
//! Everything but a [`Notification`] belongs to a *session*: one attempt of one learner with one
//! leader, which lives at most as long as the link it runs on. The names in brackets are those of
//! `ZooKeeper`'s packets.

use alloc::vec::Vec;

use bytes::Bytes;

use super::boundary::{Entry, Mode, ReadId, Refusal, Tag};
use super::vote::Notification;
use crate::{Index, Position, Term};

/// The end of a learner's history, as far as a leader needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tail {
    /// A committed position, then the first position of each later run of one epoch.
    pub runs: Vec<Position>,
    /// The last position.
    pub last: Position,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Of fast leader election.
    Notification(Notification),
    /// Learner to leader: here I am (FOLLOWERINFO, OBSERVERINFO). Repeated until it is answered,
    /// since the leader may not know yet that it is one.
    LearnerInfo {
        /// The highest epoch that the learner has promised.
        accepted: Term,
        /// Whether it only observes.
        observer: bool,
    },
    /// The answer of a node that follows another one.
    NotLeading,
    /// Leader to learner: my epoch (LEADERINFO).
    LeaderInfo {
        /// The epoch.
        epoch: Term,
    },
    /// Learner to leader: I follow no lower epoch any more (ACKEPOCH).
    AckEpoch {
        /// The learner's current epoch; `None` when it had promised this epoch before, perhaps to
        /// somebody else, and must not be counted.
        current: Option<Term>,
        /// Its history.
        tail: Tail,
    },
    /// Leader to learner: how the learner gets up to date (DIFF, TRUNC, SNAP).
    Sync(Mode),
    /// Learner to leader: the snapshot is installed; go on from here.
    Resume {
        /// The learner's history.
        tail: Tail,
    },
    /// Learner to leader, while it synchronises: durable up to here. It promises nothing and
    /// regulates the flow.
    Stored {
        /// The index.
        through: Index,
    },
    /// Leader to learner: you have been sent my whole history (NEWLEADER).
    NewLeader {
        /// The leader's epoch.
        epoch: Term,
    },
    /// Learner to leader: I hold it all durably, and am of your epoch (ACK of NEWLEADER).
    AckLeader {
        /// The leader's epoch.
        epoch: Term,
        /// The end of what the learner holds.
        through: Index,
    },
    /// Leader to learner: a quorum is behind me; serve (UPTODATE).
    UpToDate {
        /// What is committed of that which the learner has been sent.
        commit: Index,
    },
    /// Leader to follower: append these (PROPOSAL).
    Proposals {
        /// The entry before the first one.
        base: Position,
        /// Contiguous entries after it.
        entries: Vec<Entry>,
    },
    /// Leader to observer: append these, they are committed (INFORM).
    Inform {
        /// The entry before the first one.
        base: Position,
        /// Contiguous entries after it.
        entries: Vec<Entry>,
    },
    /// Follower to leader: durable up to here, and promised (ACK).
    Ack {
        /// The index.
        through: Index,
    },
    /// Leader to follower: committed up to here (COMMIT).
    Commit {
        /// The index.
        through: Index,
    },
    /// Leader to learner: I am alive.
    Ping {
        /// Grows with each round; an answer confirms this round and the ones before.
        round: u64,
        /// How far logs may be trimmed without stranding any member.
        trim: Index,
    },
    /// The answer.
    Pong {
        /// The round it answers.
        round: u64,
    },
    /// Learner to leader: commands of clients.
    Requests {
        /// Each with the learner's name for it.
        requests: Vec<(Tag, Bytes)>,
    },
    /// Leader to learner: these were not appended and never will be.
    RequestsRefused {
        /// The learner's names.
        tags: Vec<Tag>,
        /// Why.
        reason: Refusal,
    },
    /// Learner to leader: what must these reads see?
    ReadIndex {
        /// The learner's names for them.
        reads: Vec<ReadId>,
    },
    /// The leader's answer.
    ReadIndexReply {
        /// The reads it answers.
        reads: Vec<ReadId>,
        /// What they must see.
        index: Index,
    },
    /// One piece of a snapshot.
    Snapshot {
        /// The last entry the snapshot covers.
        last: Position,
        /// Which piece, from 0.
        number: u64,
        /// Its bytes.
        data: Bytes,
        /// Whether it is the last piece.
        done: bool,
    },
    /// How far a snapshot has been received.
    SnapshotReply {
        /// The snapshot.
        last: Position,
        /// The piece wanted next; `None` when it is refused.
        next: Option<u64>,
    },
}

impl Message {
    /// Whether epochs and indexes leave room to count on. No cluster gets there by counting; a peer
    /// that says so has lost its mind.
    pub(super) fn is_sane(&self) -> bool {
        match self {
            Self::Notification(Notification { round, vote, .. }) => {
                small(*round) && vote.is_none_or(|it| small(it.epoch.0) && sane(it.last))
            }
            Self::LearnerInfo { accepted: epoch, .. }
            | Self::LeaderInfo { epoch }
            | Self::NewLeader { epoch } => small(epoch.0),
            Self::AckEpoch { current, tail } => {
                current.is_none_or(|epoch| small(epoch.0)) && tail.is_sane()
            }
            Self::Resume { tail } => tail.is_sane(),
            Self::Sync(Mode::Diff(at) | Mode::Trunc(at)) => sane(*at),
            Self::Proposals { base, entries } | Self::Inform { base, entries } => {
                sane(*base) && entries.last().is_none_or(|entry| sane(entry.position))
            }
            Self::AckLeader { epoch, through } => small(epoch.0) && small(through.0),
            Self::Stored { through: index }
            | Self::UpToDate { commit: index }
            | Self::Ack { through: index }
            | Self::Commit { through: index }
            | Self::ReadIndexReply { index, .. } => small(index.0),
            Self::Snapshot { last, .. } | Self::SnapshotReply { last, .. } => sane(*last),
            Self::Ping { round, trim } => small(*round) && small(trim.0),
            Self::Pong { round } => small(*round),
            Self::Sync(Mode::Snap)
            | Self::NotLeading
            | Self::Requests { .. }
            | Self::RequestsRefused { .. }
            | Self::ReadIndex { .. } => true,
        }
    }
}

impl Tail {
    fn is_sane(&self) -> bool {
        let ascends = |a: &Position, b: &Position| a.term <= b.term && a.index <= b.index;
        self.runs.is_sorted_by(ascends)
            && self.runs.last().is_some_and(|run| ascends(run, &self.last))
            && sane(self.last)
    }
}

fn small(number: u64) -> bool {
    const LIMIT: u64 = 1 << 62;
    number < LIMIT
}

fn sane(position: Position) -> bool {
    small(position.term.0) && small(position.index.0)
}
