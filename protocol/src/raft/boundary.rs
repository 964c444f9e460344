//! What goes in and what comes out: the contract between the core and whoever drives it.
//!
//! The driver may call `handle` several times before it drains `poll_output`: everything that
//! piled up meanwhile leaves as **one** [`Output::Persist`] and at most one message of each kind
//! per peer. That is where batching comes from.

use alloc::vec::Vec;

use bytes::Bytes;

use super::membership::Membership;
use super::message::Message;
use super::status::Role;
pub use crate::log::{Entry, Payload, ReadId, Tag, WriteId};
use crate::{Index, NodeId, Position, Term};

/// What must survive a crash beside the log (Raft figure 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HardState {
    /// The latest term seen.
    pub term: Term,
    /// Who got this node's vote in that term.
    pub vote: Option<NodeId>,
    /// The commit index, written along with other writes and never for its own sake: it may lag.
    pub commit: Index,
}

/// One write to stable storage. The parts take effect in the order of the fields, and all of it is
/// durable before [`Input::Persisted`] says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Write {
    /// Replaces the hard state.
    pub hard_state: Option<HardState>,
    /// The log begins anew after this position; everything before is given up, with all that
    /// follows it. The state machine covers it durably: see [`Input::Installed`].
    pub reset: Option<Position>,
    /// Contiguous entries, after a reset those that follow its position. When the first has an
    /// index that the log already holds, that entry and everything after it is cut off first: a
    /// conflict truncation (Raft §5.3).
    pub entries: Vec<Entry>,
}

/// What was on stable storage when the process started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Restored {
    /// Term, vote, commit.
    pub hard_state: HardState,
    /// The position just before the first entry that the log still holds.
    pub base: Position,
    /// The terms of the log: each run's first index and its term, ascending, covering
    /// `base.index + 1 ..= last`.
    pub terms: Vec<(Index, Term)>,
    /// The entries after `applied`, contiguous, to the end of the log.
    pub entries: Vec<Entry>,
    /// The last index whose effect is already in the state machine.
    pub applied: Index,
    /// Set when storage could not decide whether entries up to this index had once been durable
    /// (and so perhaps acknowledged). Until a leader has filled the log up to it, this node neither
    /// votes nor campaigns.
    pub doubt: Option<Index>,
    /// The members as of `applied`, as the state machine has them; `None` when it has never been
    /// told: then they are those of the [`super::Config`].
    pub membership: Option<Membership>,
}

/// What happens to a core.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The time given by `poll_timeout` has come. Harmless when it has not.
    Timeout,
    /// A message from a peer.
    Receive {
        /// Who sent it, as the link knows.
        from: NodeId,
        /// What it says.
        message: Message,
    },
    /// Everything up to and including this write is durable.
    Persisted(WriteId),
    /// The state machine has applied all entries up to this index.
    Applied(Index),
    /// Append a command. A follower forwards it to the leader of its own term; a forwarded command
    /// that reaches a node which does not lead that very term is dropped. Hence: once an entry of a
    /// later term has been applied, a command proposed earlier that has not been applied never
    /// will.
    Propose {
        /// Given back when refused.
        tag: Tag,
        /// The command.
        command: Bytes,
    },
    /// Change the members (Raft §6). The change begins at once or
    /// [`Output::ReconfigureRefused`] says why not; [`Output::Membership`] tells each step. It is
    /// complete when an entry with these voters and nobody outgoing has been applied. A new voter
    /// should have been a learner until its log is nearly complete: its vote counts at once, and
    /// what it lacks is lacked by the majority.
    ///
    /// Panics when `membership` is joint or not sane.
    Reconfigure {
        /// The members there shall be.
        membership: Membership,
    },
    /// Find the index that a linearizable read must wait for.
    Read(ReadId),
    /// Hand leadership over (thesis §3.10). On a follower it is forwarded to the leader.
    TransferLeadership(NodeId),
    /// The link to this peer broke: what was in flight may be lost.
    Unreachable(NodeId),
    /// The answer to [`Output::Fetch`]; `None` when the log no longer has the entries or cannot
    /// read them.
    Fetched {
        /// The follower they are for.
        peer: NodeId,
        /// The first index asked for.
        from: Index,
        /// Contiguous entries from there on.
        entries: Option<Vec<Entry>>,
    },
    /// The log was trimmed: the first index it still holds is the one after this.
    Trimmed(Index),
    /// A piece of a snapshot for a peer that [`Output::SnapshotWanted`] named. It leaves while this
    /// node leads and the peer still needs a snapshot; otherwise it is dropped.
    SendChunk {
        /// Whom it is for.
        to: NodeId,
        /// The last entry that the snapshot covers.
        last: Position,
        /// Which piece, from 0.
        number: u64,
        /// Its bytes, opaque here.
        data: Bytes,
        /// Whether it is the last piece.
        done: bool,
    },
    /// The transfer to this peer was given up. It is probed again after the next heartbeat that it
    /// answers; if it still needs a snapshot, [`Output::SnapshotWanted`] says so anew.
    SnapshotFailed {
        /// The peer.
        peer: NodeId,
    },
    /// The answer to [`Output::Chunk`]. Dropped unless `to` still leads.
    ChunkReply {
        /// Who sent the piece.
        to: NodeId,
        /// The snapshot it belongs to.
        last: Position,
        /// The piece wanted next; `None` refuses the snapshot.
        next: Option<u64>,
    },
    /// The state machine stands at `last`, durably, by a snapshot: what was handed out and not
    /// applied before is void, and entries after `last` are handed out anew. Nothing happens when
    /// the state machine had come as far by itself.
    ///
    /// The state comes first and the log follows: a node that finds its state installed at a
    /// position which its log does not hold begins the log anew after it when it opens it.
    Installed {
        /// The last entry that the state covers.
        last: Position,
        /// The members as of there, as in [`Restored::membership`].
        membership: Option<Membership>,
    },
}

/// What a core wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Hand a message to the link to `to`. It may be lost, delayed or duplicated.
    Send {
        /// Whom to.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Write to stable storage, then answer [`Input::Persisted`]. Sends that follow it in the
    /// queue do not depend on it; those that do are held inside until it is acknowledged.
    Persist {
        /// Its name.
        id: WriteId,
        /// Its content.
        write: Write,
    },
    /// These entries are committed: apply them, in order. Contiguous with the ones before, and
    /// never an entry that is not durable here (a crash must not leave the state ahead of the log).
    Commit(Vec<Entry>),
    /// Serve this read once `index` has been applied.
    ReadReady {
        /// Which read.
        id: ReadId,
        /// What it must see.
        index: Index,
    },
    /// This read cannot be confirmed now; nothing happened.
    ReadRefused {
        /// Which read.
        id: ReadId,
        /// Why.
        reason: Refusal,
    },
    /// This proposal was not appended and never will be.
    ProposalRefused {
        /// Which proposal.
        tag: Tag,
        /// Why.
        reason: Refusal,
    },
    /// The wish for other members was refused; nothing happened.
    ReconfigureRefused {
        /// Why.
        reason: Refusal,
    },
    /// Another configuration is in force here, perhaps for a while only: speak with these members.
    /// Told at the start, too.
    Membership {
        /// The index of its entry, or of the state that it came with.
        at: Index,
        /// The configuration.
        membership: Membership,
    },
    /// Read entries for a lagging follower from the log, then answer [`Input::Fetched`].
    Fetch {
        /// The follower they are for.
        peer: NodeId,
        /// The first index.
        from: Index,
        /// The most bytes of entries to read, at least one entry.
        max_bytes: usize,
    },
    /// A peer needs entries that the log does not hold, or cannot read: send it the state, as
    /// pieces given to [`Input::SendChunk`], or say [`Input::SnapshotFailed`]. Asked once until
    /// that or [`Output::SnapshotEnded`] has ended the transfer. Unless the log is kept from the
    /// snapshot on until then, another one will be wanted.
    SnapshotWanted {
        /// The peer.
        peer: NodeId,
        /// The entry that it needs: a snapshot which does not cover it does not help.
        next: Index,
    },
    /// The peer needs no snapshot from this node any more: it has caught up, however, or this node
    /// no longer leads. The transfer is void.
    SnapshotEnded {
        /// The peer.
        peer: NodeId,
    },
    /// The leader of this term sent a piece of a snapshot that covers more than is committed here;
    /// the term is durable. Answer [`Input::ChunkReply`]. When the state is whole, and ahead of all
    /// that has been applied by then, let nothing be applied, install it and say
    /// [`Input::Installed`].
    ///
    /// Pieces may be lost, repeated, out of order and of other snapshots; `last` and `number` do
    /// not tell those apart, for two views of one state may be cut differently: the data must.
    Chunk {
        /// The leader.
        from: NodeId,
        /// The last entry that the snapshot covers.
        last: Position,
        /// Which piece, from 0.
        number: u64,
        /// Its bytes.
        data: Bytes,
        /// Whether it is the last piece.
        done: bool,
    },
    /// A peer in want of a snapshot says how far it has got.
    ChunkAcked {
        /// The peer.
        peer: NodeId,
        /// The snapshot it speaks of.
        last: Position,
        /// The piece it wants next, 0 when it has to start again; `None` when it refuses.
        next: Option<u64>,
    },
    /// Something a person would want in a log file.
    Event(Event),
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No leader is known.
    NoLeader,
    /// Too many bytes wait for commit.
    Overloaded,
    /// Leadership is being handed over.
    Transferring,
    /// The leader that was asked has lost its place.
    LeaderChanged,
    /// The last change of the members is not complete.
    ChangePending,
    /// The leader has not yet committed anything of its own term.
    NotReady,
}

/// A change of state worth telling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The node's role, term or known leader changed.
    Role {
        /// The role now.
        role: Role,
        /// The term now.
        term: Term,
        /// The leader, where known.
        leader: Option<NodeId>,
    },
    /// A conflicting suffix was removed: these entries were never committed.
    Truncated {
        /// The first index removed.
        from: Index,
        /// The last index removed.
        through: Index,
    },
    /// The log has been filled beyond what storage was in doubt about: this node votes again.
    DoubtResolved {
        /// The index it was in doubt up to.
        through: Index,
    },
    /// This leader is no longer a voter, and has made room.
    Departed {
        /// Who was asked to take over.
        heir: Option<NodeId>,
    },
    /// The disk of this leader does not answer: it hands over.
    Stalled {
        /// To whom.
        heir: NodeId,
    },
    /// A peer needs entries that this node's log no longer holds.
    Stranded {
        /// The peer.
        peer: NodeId,
        /// The entry it needs next.
        next: Index,
        /// The first index held here.
        first: Index,
    },
}
