//! What clients saw: every operation with its times and outcome, and every watch stream.

use std::sync::Arc;
use std::time::Duration;

use node::{Failure, Header, LeaseTime, Request};
use protocol::raft::Membership;
use protocol::{Position, Time};
use store::watch::{WatchCreate, WatchResponse};
use store::{Command, LeaseId, Outcome, RangeResult, Stamp};

/// One operation of one client, as the client saw it.
///
/// A client does one thing at a time. After an operation with an unknown outcome it goes on under
/// a new number, so that what is still on its way counts as another's.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Whose.
    pub client: u32,
    /// When it was sent.
    pub called: Time,
    /// When the answer came; `None`: never.
    pub returned: Option<Time>,
    /// What was asked.
    pub request: Arc<Request>,
    /// The client's number for it: then it may have been sent several times, to several nodes.
    pub stamp: Option<Stamp>,
    /// What came of it.
    pub ending: Ending,
}

/// What came of an operation.
#[derive(Clone, Debug)]
pub enum Ending {
    /// It was done.
    Answered(Answer),
    /// It was refused and certainly not done.
    Refused(Failure, Header),
    /// It may have been done, now or later.
    Unknown,
}

/// An answer, completed with whatever had to be fetched.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Revision and term.
    pub header: Header,
    /// What was answered.
    pub told: Told,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Of a write, or of a read-only transaction.
    Outcome(Outcome),
    /// Of a read.
    Range {
        /// The revision it was read at.
        revision: i64,
        /// The keys.
        result: RangeResult,
    },
    /// Of a renewal: seconds granted again, 0 for an unknown lease.
    Renewed(i64),
    /// Of a question for a lease's life.
    TimeToLive(Option<LeaseTime>),
    /// Of a question for all leases.
    Leases(Vec<LeaseId>),
    /// Of everything else.
    Done,
}

/// One watch of one client, from its creation to its end or that of the stream.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Whose.
    pub client: u32,
    /// When it was asked for.
    pub called: Time,
    /// What was asked.
    pub create: WatchCreate,
    /// What came, in order, with the times of arrival; completed like answers: an event's previous
    /// value stands in `previous`.
    pub heard: Vec<(Time, WatchResponse)>,
    /// The stream lived, and everything that was sent on it arrived, until the world ended.
    pub open_at_end: bool,
}

/// An entry that was committed, in the order of the log: the truth against which clients are
/// judged.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Term and index.
    pub position: Position,
    /// When some node first knew it to be committed.
    pub at: Time,
    /// What it commands; `None` for the no-op of a new leader.
    pub command: Option<Command>,
    /// The members from here on, where they change.
    pub membership: Option<Membership>,
}

/// All that the clients of a run saw.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Operations in the order of their calls.
    pub operations: Vec<Operation>,
    /// Watches in the order of their calls.
    pub watches: Vec<Watch>,
    /// The committed log.
    pub truth: Vec<Committed>,
    /// When a node became leader, ascending.
    pub leader_changes: Vec<Time>,
    /// The most that any node's clock may run fast or slow, in parts per thousand.
    pub drift_per_mille: u32,
    /// When a node's clock leapt ahead, ascending.
    pub leaps: Vec<Time>,
    /// From here on nothing was wrong with a majority of the nodes; `None` when that never was.
    pub healed_at: Option<Time>,
    /// What a commit may take, at most, beyond a moment: where little fits into a message and few
    /// are under way, commands queue up.
    pub commit_delay: Duration,
    /// When the world ended.
    pub ended_at: Time,
}
