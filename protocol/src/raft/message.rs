//! What Raft nodes say to each other.

use alloc::vec::Vec;

use bytes::Bytes;

use super::boundary::{Entry, ReadId};
use super::mend::Mend;
use crate::{Index, Position, Term};

/// A message, with the sender's term (for a pre-vote: the term it would campaign in).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Terms are Raft's logical clock (§5.1).
    pub term: Term,
    /// What is said.
    pub body: Body,
}

/// Names what a follower passes on to a leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parcel {
    /// Which life of the follower: drawn at each start.
    pub life: u64,
    /// Grows by one with each parcel of that life.
    pub number: u64,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// Would you vote for me? (thesis §9.6)
    PreVote {
        /// The end of the asker's log.
        last: Position,
    },
    /// The answer to a pre-vote.
    PreVoteReply {
        /// Whether it would.
        granted: bool,
    },
    /// Vote for me (Raft §5.2).
    Vote {
        /// The end of the candidate's log.
        last: Position,
        /// The old leader asked for this election: stickiness does not apply (thesis §4.2.3).
        transfer: bool,
    },
    /// The answer to a vote.
    VoteReply {
        /// Whether it was granted.
        granted: bool,
    },
    /// Entries to append (Raft §5.3); with none, a probe.
    Append {
        /// The entry before the first one sent.
        base: Position,
        /// Contiguous entries after it.
        entries: Vec<Entry>,
        /// The leader's commit index.
        commit: Index,
        /// How far logs may be trimmed: the lowest match of all members.
        trim: Index,
    },
    /// The log matches the leader's, durably, up to this index.
    AppendAccepted {
        /// The index.
        matched: Index,
    },
    /// The base did not match.
    AppendRejected(Rejection),
    /// I still lead, and here is what is committed.
    Heartbeat {
        /// The number of this round: an answer confirms this round and the ones before, never a
        /// later one (etcd #20418).
        round: u64,
        /// At most what the receiver is known to have.
        commit: Index,
        /// How far logs may be trimmed.
        trim: Index,
    },
    /// The answer to a heartbeat.
    HeartbeatReply {
        /// The round it answers.
        round: u64,
    },
    /// A follower hands proposals to the leader of its own term.
    Propose {
        /// Its name: a leader takes each parcel once.
        parcel: Parcel,
        /// The commands.
        commands: Vec<Bytes>,
    },
    /// A follower asks for read indexes.
    ReadIndex {
        /// The follower's names for the reads.
        reads: Vec<ReadId>,
    },
    /// The leader's answer.
    ReadIndexReply {
        /// The reads it answers.
        reads: Vec<ReadId>,
        /// What they must see; `None` when the leader cannot tell.
        index: Option<Index>,
    },
    /// Hand leadership to `to`; a follower passes an operator's wish on to the leader.
    TransferLeadership {
        /// The chosen successor.
        to: crate::NodeId,
    },
    /// Campaign at once (thesis §3.10).
    TimeoutNow,
    /// One piece of a snapshot (Raft §7).
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
    /// Of mending, which comes before consensus: the driver's affair.
    Mend(Mend),
}

/// Why a base did not match, and where to look next: the leader skips a whole term a round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rejection {
    /// The base that was refused.
    pub base: Index,
    /// The term that the follower has at `base`, and the first index of that term in its log;
    /// `None` when its log ends before `base`.
    pub conflict: Option<Position>,
    /// The end of the follower's log.
    pub last: Position,
}

impl Message {
    /// Whether terms and indexes leave room to count on. No cluster gets there by counting; a peer
    /// that says so has lost its mind.
    pub(super) fn is_sane(&self) -> bool {
        const LIMIT: u64 = 1 << 62;
        let base = match &self.body {
            Body::Append { base, .. } => base.index,
            Body::Snapshot { last, .. } => last.index,
            Body::PreVote { .. }
            | Body::PreVoteReply { .. }
            | Body::Vote { .. }
            | Body::VoteReply { .. }
            | Body::AppendAccepted { .. }
            | Body::AppendRejected(_)
            | Body::Heartbeat { .. }
            | Body::HeartbeatReply { .. }
            | Body::Propose { .. }
            | Body::ReadIndex { .. }
            | Body::ReadIndexReply { .. }
            | Body::TransferLeadership { .. }
            | Body::TimeoutNow
            | Body::SnapshotReply { .. }
            | Body::Mend(_) => Index(0),
        };
        self.term.0 < LIMIT && base.0 < LIMIT
    }
}
