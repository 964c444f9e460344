//! What the crowd wants from the world.

use node::{Request, RequestId};
use store::watch::{StreamId, WatchCreate, WatchId};

use crate::seen::Place;

/// Something that reaches a node now. Delays and losses on the way lie behind it.
#[derive(Clone, Debug)]
pub enum Act {
    /// A request.
    Request {
        /// Where.
        at: Place,
        /// Its name: the operation's place in the history. After an answer that could not be
        /// completed it comes once more under the same name.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// A client connects for a watch stream.
    OpenWatch {
        /// Where.
        at: Place,
        /// Its name, never used twice.
        stream: StreamId,
    },
    /// A watch is asked for.
    CreateWatch {
        /// Where.
        at: Place,
        /// On which stream.
        stream: StreamId,
        /// What.
        create: WatchCreate,
    },
    /// A watch is no longer wanted.
    CancelWatch {
        /// Where.
        at: Place,
        /// On which stream.
        stream: StreamId,
        /// Which.
        id: WatchId,
    },
    /// A client wants to know how far its stream has come.
    ProgressWatch {
        /// Where.
        at: Place,
        /// Which stream.
        stream: StreamId,
    },
    /// A client has read from its stream.
    SentWatch {
        /// Where.
        at: Place,
        /// Which stream.
        stream: StreamId,
        /// How much, as accounted in the responses.
        bytes: usize,
    },
    /// A client is done with a stream.
    CloseWatch {
        /// Where.
        at: Place,
        /// Which stream.
        stream: StreamId,
    },
}
