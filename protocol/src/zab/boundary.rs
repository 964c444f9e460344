//! What goes in and what comes out: the contract between the core and whoever drives it.
//!
//! The driver may call `handle` several times before it drains `poll_output`: everything that
//! piled up meanwhile leaves as one [`Output::Persist`] and a few messages per peer. That is where
//! group commit comes from.
//!
//! # Links
//!
//! A link is a pair of ordered directions between two nodes, and it has a *generation* that grows
//! whenever it is made anew. Whoever drives this core promises:
//!
//! - what is sent within a generation arrives in order and without gaps, until the generation ends;
//! - when anything of a generation is lost, in either direction, both ends are told that it ended;
//! - nothing of a generation arrives after its end was told.
//!
//! # Writes
//!
//! Writes take effect in the order in which they were handed out, and a crash leaves a prefix of
//! them, with a prefix of the parts of the next. [`Output::Cancel`] is the one way to take writes
//! back, and only bare appends are ever taken back.

use alloc::vec::Vec;

use bytes::Bytes;

use super::message::Message;
use super::status::{Phase, Role};
pub use crate::log::{Entry, Payload, ReadId, Tag, WriteId};
use crate::{Index, NodeId, Position, Term};

/// Names a link to a peer: it grows each time the link is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// What must survive a crash beside the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Epochs {
    /// The highest epoch that this node has promised to accept: it follows no lower one.
    pub accepted: Term,
    /// The epoch of the last leader whose history this node holds whole.
    pub current: Term,
}

/// One write to stable storage. The parts take effect in the order of the fields, and all of it is
/// durable before [`Input::Persisted`] says so. That the epochs come last is what
/// synchronisation rests on: see `synchronization.rs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Write {
    /// The history begins anew after this position; everything before is given up, with all that
    /// follows it. The state machine covers it durably: see [`Input::Installed`].
    pub reset: Option<Position>,
    /// Everything after this index is cut off.
    pub cut: Option<Index>,
    /// Contiguous entries behind the end that the parts above have left. When the first has an
    /// index that the log already holds, that entry and everything after it is cut off first.
    pub entries: Vec<Entry>,
    /// Replaces the epochs.
    pub epochs: Option<Epochs>,
}

/// What was on stable storage when the process started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Restored {
    /// The epochs.
    pub epochs: Epochs,
    /// The position just before the first entry that the log still holds.
    pub base: Position,
    /// The epochs of the log: each run's first index and its epoch, ascending, covering
    /// `base.index + 1 ..= last`.
    pub terms: Vec<(Index, Term)>,
    /// The entries after `applied`, contiguous, to the end of the log.
    pub entries: Vec<Entry>,
    /// The last index whose effect is already in the state machine.
    pub applied: Index,
    /// Set when storage could not decide whether entries up to this index had once been durable
    /// (and so perhaps acknowledged). Until a leader has brought this node up to date it neither
    /// votes nor counts when a leader asks who is behind it.
    pub doubt: Option<Index>,
}

/// What happens to a core.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The time given by `poll_timeout` has come. Harmless when it has not.
    Timeout,
    /// There is a link to this peer.
    LinkUp {
        /// The peer.
        peer: NodeId,
        /// The link.
        generation: Generation,
    },
    /// The link to this peer has ended: what was in flight may be lost.
    LinkDown {
        /// The peer.
        peer: NodeId,
        /// The link.
        generation: Generation,
    },
    /// A message from a peer.
    Receive {
        /// Who sent it, as the link knows.
        from: NodeId,
        /// The link.
        generation: Generation,
        /// What it says.
        message: Message,
    },
    /// Everything up to and including this write is durable.
    Persisted(WriteId),
    /// The answer to [`Output::Cancel`]: all writes up to and including this one are durable, and
    /// no later one of those handed out so far has taken effect or ever will.
    Cancelled(WriteId),
    /// The state machine has applied all entries up to this index.
    Applied(Index),
    /// The log was trimmed: the first index it still holds is the one after this.
    Trimmed(Index),
    /// Append a command. A follower passes it on to its leader, within its epoch: it enters the
    /// log in that epoch or never. Hence: once an entry of a later epoch has been applied, a
    /// command proposed earlier that has not been applied never will.
    Propose {
        /// Given back when refused.
        tag: Tag,
        /// The command.
        command: Bytes,
    },
    /// Find the index that a linearizable read must wait for.
    Read(ReadId),
    /// The answer to [`Output::Fetch`]; `None` when the log no longer has the entries or cannot
    /// read them.
    Fetched {
        /// The learner they are for.
        peer: NodeId,
        /// The first index asked for.
        from: Index,
        /// Contiguous entries from there on.
        entries: Option<Vec<Entry>>,
    },
    /// A piece of a snapshot for a peer that [`Output::SnapshotWanted`] named. It leaves while that
    /// peer still waits for a snapshot; otherwise it is dropped.
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
    /// The transfer to this peer was given up. While it still waits, [`Output::SnapshotWanted`]
    /// comes anew with the next ping.
    SnapshotFailed {
        /// The peer.
        peer: NodeId,
    },
    /// The answer to [`Output::Chunk`]. Dropped unless `to` is still followed.
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
    },
}

/// What a core wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Hand a message to this link; drop it when the link has ended.
    Send {
        /// Whom to.
        to: NodeId,
        /// The link.
        generation: Generation,
        /// What.
        message: Message,
    },
    /// End this link, and make a new one. What is on its way on it is lost; no
    /// [`Input::LinkDown`] is needed on this side.
    Reset {
        /// The peer.
        peer: NodeId,
        /// The link.
        generation: Generation,
    },
    /// Write to stable storage, then answer [`Input::Persisted`]. Sends that follow it in the
    /// queue do not depend on it; those that do are held inside until it is acknowledged.
    Persist {
        /// Its name.
        id: WriteId,
        /// Its content.
        write: Write,
    },
    /// The leader that the writes under way came from is given up: those after this id need not be
    /// done any more. Do as many as cannot be stopped, in order, then answer
    /// [`Input::Cancelled`]; until then this node takes no part. Doing all of them is right, too.
    Cancel {
        /// This write and those before it must be done.
        after: WriteId,
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
    /// Read entries for a learner from the log, then answer [`Input::Fetched`].
    Fetch {
        /// The learner they are for.
        peer: NodeId,
        /// The first index.
        from: Index,
        /// The most bytes of entries to read, at least one entry.
        max_bytes: usize,
    },
    /// A learner needs entries that the log does not hold, or cannot read: send it the state, as
    /// pieces given to [`Input::SendChunk`], or say [`Input::SnapshotFailed`]. Asked once until
    /// that or [`Output::SnapshotEnded`] has ended the transfer. Unless the log is kept from the
    /// snapshot on until then, another one will be wanted.
    SnapshotWanted {
        /// The peer.
        peer: NodeId,
        /// A snapshot that does not cover this entry does not help.
        next: Index,
    },
    /// The peer waits for no snapshot of this node any more. The transfer is void.
    SnapshotEnded {
        /// The peer.
        peer: NodeId,
    },
    /// The leader sent a piece of a snapshot. Answer [`Input::ChunkReply`]. When the state is
    /// whole, and ahead of all that has been applied by then, let nothing be applied, install it
    /// and say [`Input::Installed`]. A snapshot holds what is committed, so installing one is right
    /// even when its leader is gone by then.
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
    /// No established leader is known.
    NoLeader,
    /// Too many bytes wait for commit.
    Overloaded,
    /// The leader that was asked has lost its place.
    LeaderChanged,
}

/// Why a node gave up its leader, or leading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Abandon {
    /// Discovery or synchronisation took longer than the limit.
    InitLimit,
    /// The leader, or a quorum of followers, has not been heard for longer than the limit.
    SyncLimit,
    /// The link to the leader ended.
    LinkLost,
    /// The node that was to lead does not.
    NotLeading,
    /// The leader's epoch is lower than one that was promised.
    OldEpoch,
    /// A follower has promised a higher epoch than this leader's: the next epoch overtakes it.
    Overtaken,
    /// Nobody came, and those who should look for a leader again.
    Deserted,
    /// The leader said what no correct leader says.
    Illegal,
    /// The disk of this leader does not answer.
    Stalled,
    /// A snapshot was installed that contradicts what this node was about to lead with.
    Replaced,
}

/// How a learner is brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It holds a prefix of the leader's history, up to here.
    Diff(Position),
    /// It holds more than that: it goes back to here first.
    Trunc(Position),
    /// It needs the state instead.
    Snap,
}

/// A change of state worth telling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The node's role, phase, epoch or known leader changed.
    Role {
        /// The role now.
        role: Role,
        /// How far it has got with its leader.
        phase: Phase,
        /// The epoch in force here.
        epoch: Term,
        /// The leader, where an established one is known.
        leader: Option<NodeId>,
    },
    /// This node looks for a leader again.
    Abandoned(Abandon),
    /// A learner is being brought up to date.
    Synchronizing {
        /// The learner.
        peer: NodeId,
        /// How.
        mode: Mode,
    },
    /// A follower knows more than this node, which was to lead it: elections are no safety.
    PeerAhead {
        /// The follower.
        peer: NodeId,
    },
    /// A suffix was removed: these entries were never committed.
    Truncated {
        /// The first index removed.
        from: Index,
        /// The last index removed.
        through: Index,
    },
    /// A leader has brought this node up to date: it votes again.
    DoubtResolved {
        /// The index it was in doubt up to.
        through: Index,
    },
}
