//! What the world shows of itself, in order: to invariants, to the trace, to pictures.

use node::{Reply, Request, RequestId};
use protocol::raft::{Message, Restored, Role, Write, WriteId};
use protocol::{Index, NodeId, Position, Term, Time};
use store::watch::WatchResponse;

use crate::fault::Fault;

/// A node's place in the world: 0, 1, … Its [`NodeId`] is one more.
pub type Place = usize;

/// The identity of the node at a place.
#[must_use]
pub const fn id(place: Place) -> NodeId {
    NodeId(place as u64 + 1)
}

/// The place of a node; `None` for an identity that the world did not give.
#[must_use]
pub fn place(id: NodeId) -> Option<Place> {
    usize::try_from(id.0).ok()?.checked_sub(1)
}

/// What became of a message when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives at this time, unless the receiver is down by then.
    Arrives(Time),
    /// It arrives at both times.
    Doubled(Time, Time),
    /// The network loses it.
    Lost,
    /// The link is cut in this direction.
    Cut,
}

/// A look at a node after it has worked off everything that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// What it is.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// The leader, where known.
    pub leader: Option<NodeId>,
    /// The commit index as it knows it.
    pub commit: Index,
    /// The last entry applied.
    pub applied: Position,
    /// The end of its log in memory.
    pub last: Position,
    /// The store's revision (main).
    pub revision: i64,
    /// The oldest readable revision.
    pub compact_revision: i64,
    /// A hash of the whole state at `applied`, where one was taken.
    pub digest: Option<u64>,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// A node starts from what its disk held.
    Started {
        /// Which.
        at: Place,
        /// How often it has started, from 1.
        life: u64,
        /// What consensus got.
        restored: &'a Restored,
    },
    /// A node did not start: its disk holds what must not be served. It stays down.
    Refused {
        /// Which.
        at: Place,
        /// Why, in the words of the storage crate.
        why: &'a str,
    },
    /// A node ended without warning; what was not durable is lost, or partly there.
    Crashed {
        /// Which.
        at: Place,
    },
    /// A node ended itself: its log or its state failed.
    Halted {
        /// Which.
        at: Place,
        /// Why.
        why: &'a str,
    },
    /// A node no longer runs, and does not know it.
    Paused {
        /// Which.
        at: Place,
    },
    /// It runs again.
    Resumed {
        /// Which.
        at: Place,
    },
    /// The world did something to a network, disk, clock or process.
    Fault(&'a Fault),
    /// A node that mends its log gives up what it lacks, and begins anew after its state.
    Surrendered {
        /// Which.
        at: Place,
        /// Who leads, and has not got it either.
        leader: Place,
        /// The end of that leader's log.
        last: Position,
    },
    /// A node handed a write to its log.
    Handed {
        /// Which.
        at: Place,
        /// Its name; grows by one in each life.
        id: WriteId,
        /// Its content.
        write: &'a Write,
    },
    /// A node wants the end of its log cut off.
    Cut {
        /// Which.
        at: Place,
        /// The name of this write.
        id: WriteId,
        /// The last entry that stays.
        through: Index,
    },
    /// A node's log is durable through this write; the node is told right after.
    Durable {
        /// Which.
        at: Place,
        /// Through which write.
        id: WriteId,
    },
    /// A node dropped the log through this position.
    Trimmed {
        /// Which.
        at: Place,
        /// The position before the first entry held.
        base: Position,
    },
    /// A node's state is durable at this position: a flush ended.
    Flushed {
        /// Which.
        at: Place,
        /// What the state on disk stands for.
        applied: Position,
    },
    /// A node wants another state in the place of its own.
    Installing {
        /// Which.
        at: Place,
        /// What the other one stands for.
        last: Position,
    },
    /// It is in its place, durably; the node is told right after.
    Installed {
        /// Which.
        at: Place,
        /// What it stands for.
        last: Position,
    },
    /// A node sent a message.
    Sent {
        /// Who.
        from: Place,
        /// Whom to.
        to: Place,
        /// Names the message in this world.
        number: u64,
        /// What.
        message: &'a Message,
        /// What the network makes of it.
        fate: Fate,
    },
    /// A node gave a message to another one that is to pass it on, or passed it on.
    Passed {
        /// Who.
        by: Place,
        /// Whom to.
        to: Place,
        /// Who said it.
        origin: Place,
        /// Whom it is for.
        target: Place,
        /// Its name.
        number: u64,
    },
    /// A message arrived at a running node.
    Delivered {
        /// Who sent it.
        from: Place,
        /// Where.
        to: Place,
        /// Its name.
        number: u64,
        /// What.
        message: &'a Message,
    },
    /// A node is done with what came in.
    Turn {
        /// Which.
        at: Place,
        /// What it looks like now.
        view: &'a View,
        /// Whether it ends itself: its disk may have refused what it had just written.
        last: bool,
    },
    /// A client's request arrived at a node.
    Asked {
        /// Where.
        at: Place,
        /// The node's name for it; unique in the world.
        id: RequestId,
        /// What.
        request: &'a Request,
    },
    /// A node answered a client; the answer may get lost on its way.
    Replied {
        /// Where.
        at: Place,
        /// Which request.
        id: RequestId,
        /// What.
        reply: &'a Reply,
    },
    /// A node told a watch stream something.
    Watched {
        /// Where.
        at: Place,
        /// Which stream.
        stream: u64,
        /// What.
        response: &'a WatchResponse,
    },
    /// A remark of a scenario, for whoever looks at its picture.
    Note(&'a str),
}

/// A law was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which law: its short name, as in the table of invariants and checks.
    pub law: &'static str,
    /// When it was noticed.
    pub at: Time,
    /// What was seen, and what should have been.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} broken at {:.3} s: {}", self.law, seconds(self.at), self.what)
    }
}

impl std::error::Error for Violation {}

/// Virtual seconds since the world began.
#[must_use]
pub fn seconds(time: Time) -> f64 {
    time.since(Time(0)).as_secs_f64()
}
