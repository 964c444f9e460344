//! What happens to a replica.

use alloc::vec::Vec;

use protocol::{Entry, Index, NodeId, Position, WriteId};
use store::watch::{StreamId, WatchCreate, WatchId};
use store::{BackendError, Record, Revision};

use crate::consensus::Message;
use crate::request::{Request, RequestId};
use crate::snapshot::{ViewHead, ViewId};
use crate::space::Space;

/// What happens to a replica. None of it can fail: what is wrong is answered or counted.
#[derive(Clone, Debug)]
pub enum Input {
    /// The time given by `poll_timeout` has come.
    Timeout,
    /// A message from a peer.
    Receive {
        /// Who, as the link's handshake has shown.
        from: NodeId,
        /// What.
        message: Message,
    },
    /// The link to a peer broke.
    Unreachable(NodeId),
    /// The log is durable up to and including this write.
    Persisted(WriteId),
    /// The log was trimmed: this is the entry before the first one it still holds.
    Trimmed(Position),
    /// The answer to [`crate::Output::Fetch`].
    Fetched {
        /// The follower they are for.
        peer: NodeId,
        /// The first index asked for.
        from: Index,
        /// The entries; `None` when they cannot be read.
        entries: Option<Vec<Entry>>,
    },
    /// A client asks.
    Request {
        /// The driver's name for it.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// The answer to [`crate::Output::Load`].
    Loaded(Result<Vec<(Revision, Option<Record>)>, BackendError>),
    /// The answer to [`crate::Output::Flush`].
    Flushed(Result<Position, BackendError>),
    /// A client opened a watch stream.
    WatchOpen(StreamId),
    /// A client wants to watch.
    WatchCreate {
        /// On which stream.
        stream: StreamId,
        /// What.
        create: WatchCreate,
    },
    /// A client no longer wants to.
    WatchCancel {
        /// On which stream.
        stream: StreamId,
        /// Which watch.
        id: WatchId,
    },
    /// A client wants to know how far its stream has come.
    WatchProgress(StreamId),
    /// A connection has written this many bytes of a stream, as accounted in the responses.
    WatchSent {
        /// Which stream.
        stream: StreamId,
        /// How many.
        bytes: usize,
    },
    /// A stream is over.
    WatchClose(StreamId),
    /// The answer to [`crate::Output::Scan`].
    Scanned {
        /// The token given.
        token: u64,
        /// The records, ascending.
        records: Result<Vec<(Revision, Record)>, BackendError>,
    },
    /// The answer to [`crate::Output::ViewOpen`].
    ViewOpened {
        /// Which.
        view: ViewId,
        /// What it shows.
        opened: Result<ViewHead, BackendError>,
    },
    /// The answer to [`crate::Output::ViewRead`].
    ViewRead {
        /// Which.
        view: ViewId,
        /// The first revision asked for.
        from: Revision,
        /// The records, ascending; none at the end.
        records: Result<Vec<(Revision, Record)>, BackendError>,
    },
    /// The answer to [`crate::Output::Stage`].
    Staged(Result<(), BackendError>),
    /// The answer to [`crate::Output::Install`].
    Installed(Result<(), BackendError>),
    /// Whoever reads the state beside this replica has met damage.
    Damaged(BackendError),
    /// The answer to [`crate::Output::Look`].
    Found {
        /// Who had asked.
        peer: NodeId,
        /// In which life of its.
        life: u64,
        /// What the log has, intact.
        entries: Vec<Entry>,
        /// What it has not.
        absent: Vec<Position>,
    },
    /// The disk was measured; about once a second.
    Space(Space),
    /// Shut down: hand leadership over, refuse what is new. [`crate::Output::Stopped`] follows.
    Stop,
}
