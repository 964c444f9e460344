//! What a replica wants done.

use alloc::vec::Vec;

use bytes::Bytes;
use protocol::raft::{Membership, Write};
use protocol::{Index, NodeId, Position, WriteId};
use store::watch::{StreamId, WatchResponse};
use store::{Flush, Record, Revision};

use crate::consensus::{Event, Message};
use crate::request::{Reply, RequestId};
use crate::snapshot::{SnapshotRefused, ViewId};

/// What a replica wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Hand a message to the link to a peer. It may be lost.
    Send {
        /// Whom to.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Write to the log and sync; answer [`crate::Input::Persisted`].
    Persist {
        /// The name of the write.
        id: WriteId,
        /// Its content.
        write: Write,
    },
    /// Cut off everything in the log after this entry, in the order of the writes, and sync; answer
    /// [`crate::Input::Persisted`].
    Cut {
        /// The name of this write.
        id: WriteId,
        /// The last entry that stays.
        through: Index,
    },
    /// Read old entries from the log; answer [`crate::Input::Fetched`].
    Fetch {
        /// The follower they are for.
        peer: NodeId,
        /// The first index.
        from: Index,
        /// The most bytes, at least one entry.
        max_bytes: usize,
    },
    /// Look whether the log has these very entries, for a member that mends its own; answer
    /// [`crate::Input::Found`]. See [`crate::gather`].
    Look {
        /// Who asks.
        peer: NodeId,
        /// In which life of its.
        life: u64,
        /// For which entries.
        wanted: Vec<Position>,
    },
    /// Drop the log up to and including this index; answer [`crate::Input::Trimmed`].
    Trim(Index),
    /// Answer a client.
    Reply {
        /// Which request.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// Read these records from the backend; answer [`crate::Input::Loaded`]. One at a time.
    Load(Vec<Revision>),
    /// Make this durable in the backend; answer [`crate::Input::Flushed`]. One at a time.
    Flush(Flush),
    /// These revisions are dead: tell the backend.
    Discard(Vec<Revision>),
    /// Scan the backend for `from <= revision < to`; answer [`crate::Input::Scanned`].
    Scan {
        /// Comes back with the answer.
        token: u64,
        /// The first revision.
        from: Revision,
        /// The end, exclusive.
        to: Revision,
        /// The most records.
        limit: usize,
    },
    /// Pin what the last flush has made durable; answer [`crate::Input::ViewOpened`].
    ViewOpen {
        /// Its name; never used again.
        view: ViewId,
    },
    /// Read a view from a revision on; answer [`crate::Input::ViewRead`].
    ViewRead {
        /// Which.
        view: ViewId,
        /// The first revision.
        from: Revision,
        /// The most records. Fewer may come; none says that there are no more.
        limit: usize,
    },
    /// Let go of a view, whether or not it is open yet.
    ViewClose {
        /// Which.
        view: ViewId,
    },
    /// Begin to stage another state beside this one, in place of what may have been staged.
    StageBegin,
    /// Stage these records; answer [`crate::Input::Staged`].
    Stage(Vec<(Revision, Record)>),
    /// Forget what was staged.
    StageAbort,
    /// Put what was staged in place of the state, at once and durably; answer
    /// [`crate::Input::Installed`].
    Install {
        /// All its metadata.
        meta: Vec<(Bytes, Bytes)>,
        /// What it stands for.
        applied: Position,
    },
    /// A snapshot was not installed, for a person to know. The leader has been told.
    SnapshotRefused {
        /// Who sent it.
        from: NodeId,
        /// Why.
        why: SnapshotRefused,
    },
    /// Space is short from now on, or no longer is: give back sooner what is not needed, or not.
    Economise(bool),
    /// Tell a watch stream something. In order for each stream.
    Watch {
        /// Which stream.
        stream: StreamId,
        /// What.
        response: WatchResponse,
    },
    /// A stream asked without end and read nothing: it is forgotten here, and its connection ends.
    WatchOverrun(StreamId),
    /// Another configuration is in force, or the first one after the start: speak with these
    /// members. Those who are not among them any more may still be spoken to for a while.
    Membership {
        /// The index of its entry, or of the state that it came with.
        at: Index,
        /// The configuration.
        membership: Membership,
    },
    /// This member was removed from the cluster for good, and all it could still answer is
    /// answered: the driver may end.
    Removed,
    /// Something a person would want in a log file.
    Event(Event),
    /// The backend failed for good: this replica must not go on.
    Halt(store::BackendError),
    /// All is handed over and answered: the driver may end.
    Stopped,
}
