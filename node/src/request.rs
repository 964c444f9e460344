//! What clients ask of a replica, and what it answers.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use protocol::raft::Status;
use protocol::{Index, NodeId, Position, Term};

use crate::equality::Condemned;
use crate::space::Space;
use store::{
    Alarm, Command, Error, LeaseId, Member, MemberChange, Outcome, Range, Stamp, Txn, TxnView, View,
};

/// The driver's name for a request; it comes back with the reply. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What a client asks.
#[derive(Clone, Debug)]
pub enum Request {
    /// Change the state, through the log. Validated by `Store::validate` on arrival.
    Write(Command),
    /// Forget history before a revision.
    Compact {
        /// The oldest revision that stays readable.
        revision: i64,
        /// Answer only when the space has been given up.
        physical: bool,
    },
    /// A [`Request::Write`] or [`Request::Compact`] under its client's number: it may be asked
    /// again, of any replica, and is done at most once and answered alike each time.
    Once {
        /// Which write of which client.
        stamp: Stamp,
        /// What to do. Anything else is done as if it had no number.
        request: Box<Request>,
    },
    /// Read keys.
    Range {
        /// What to read.
        range: Range,
        /// This replica's own state will do; no round of messages is made.
        serializable: bool,
    },
    /// A transaction without puts, deletes or nested transactions.
    ReadTxn {
        /// What to compare and read.
        txn: Txn,
        /// This replica's own state will do.
        serializable: bool,
    },
    /// Renew a lease. Many renewals travel in one command.
    LeaseRenew(LeaseId),
    /// How long a lease still lives.
    LeaseTimeToLive {
        /// Which.
        id: LeaseId,
        /// Name its keys, too.
        keys: bool,
    },
    /// All leases.
    Leases,
    /// A hash of the history up to a revision (main); 0 for the latest. Local.
    HashKv {
        /// The revision.
        revision: i64,
    },
    /// Who belongs to the cluster.
    Members {
        /// Confirmed by a quorum, or as this replica knows it.
        linearizable: bool,
    },
    /// The alarms that are raised.
    Alarms,
    /// How this replica is. Local.
    Status,
    /// Nothing but the confirmation that a linearizable read would get.
    Barrier,
    /// Make everything that this replica has applied by now durable in its backend, for a view of
    /// it to show. Local.
    Settle,
    /// Hand leadership to a member; only the leader takes it.
    MoveLeader(NodeId),
    /// Change the members. Answered with the members when it is done: a new one is there as a
    /// learner by then.
    MemberChange(MemberChange),
}

/// What stands above every answer; the driver adds the cluster's and the member's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The store's revision (main) when the answer was made.
    pub revision: i64,
    /// The replica's term.
    pub term: Term,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Revision and term.
    pub header: Header,
    /// What was asked for, or why not.
    pub body: Result<Body, Failure>,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub enum Body {
    /// The outcome of a write.
    Outcome(Outcome),
    /// The keys of a range. Values that are not in memory are named: the driver's connection
    /// reads them from the backend and completes the view. When one is gone by then, history was
    /// compacted meanwhile: a read of the latest revision is simply asked again.
    View(View),
    /// The same of a read-only transaction.
    TxnView(TxnView),
    /// How long a lease still lives; `None` when there is no such lease.
    TimeToLive(Option<LeaseTime>),
    /// A renewal: the time granted again in seconds, 0 when there is no such lease.
    Renewed(i64),
    /// All leases.
    Leases(Vec<LeaseId>),
    /// The hash of history.
    Hash {
        /// The hash.
        hash: u32,
        /// The compact revision it was taken at.
        compact_revision: i64,
        /// The revision it goes up to.
        hash_revision: i64,
    },
    /// The members.
    Members(Vec<MemberInfo>),
    /// The alarms.
    Alarms(Vec<(NodeId, Alarm)>),
    /// How this replica is.
    Status(Box<NodeStatus>),
    /// Nothing more to say.
    Done,
}

/// The remaining life of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseTime {
    /// Whole seconds left.
    pub remaining: i64,
    /// Seconds granted.
    pub granted: i64,
    /// The keys that hang on it, when asked for, ascending.
    pub keys: Vec<Bytes>,
}

/// A member, as configured and as it told of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberInfo {
    /// Id, name and addresses. Name and client addresses are empty until it has started.
    pub member: Member,
    /// Whether it receives the log without a vote.
    pub learner: bool,
}

/// How a replica is.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// The consensus core.
    pub core: Status,
    /// The last entry applied.
    pub applied: Position,
    /// The store's revision.
    pub revision: i64,
    /// The oldest readable revision.
    pub compact_revision: i64,
    /// Keys alive.
    pub keys: u64,
    /// Bytes applied and not yet flushed to the backend.
    pub unflushed_bytes: u64,
    /// Requests under way.
    pub pending: u64,
    /// Watch streams and watchers.
    pub watch_streams: u64,
    /// Watchers over all streams.
    pub watchers: u64,
    /// Of these, watches that are being told of the past, and those whose client does not read.
    pub slow_watchers: u64,
    /// Leases alive.
    pub leases: u64,
    /// Clients whose last answers are remembered.
    pub sessions: u64,
    /// Bytes of these answers.
    pub session_bytes: u64,
    /// The alarms that are raised.
    pub alarms: Vec<(NodeId, Alarm)>,
    /// Elections seen since the start: changes of the known leader.
    pub leader_changes: u64,
    /// Proposals applied, refused or timed out since the start.
    pub proposals_applied: u64,
    /// Proposals that failed.
    pub proposals_failed: u64,
    /// States sent whole to members whose logs could not be continued, since the start.
    pub snapshots_sent: u64,
    /// States received so and installed, since the start.
    pub snapshots_installed: u64,
    /// The disk, as last measured.
    pub space: Option<Space>,
    /// This member is short of space.
    pub short: bool,
    /// How often this member's state was compared with another's, since the start.
    pub states_compared: u64,
    /// The newest entry after which members had different states.
    pub disputed: Option<Index>,
    /// This member's state is not that of a majority: it must not be served.
    pub condemned: Option<Condemned>,
    /// This member's state was found wrong and is had anew: it is not served yet.
    pub rebuilding: bool,
    /// Members whose states were found wrong, and have not been found right since.
    pub deviants: Vec<NodeId>,
}

/// Why a request failed. Unless it says otherwise, nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The request is wrong, or cannot be done at its place in the log.
    Store(Error),
    /// No leader is known, and none came in time.
    NoLeader,
    /// The leader lost its place while it worked on this.
    LeaderChanged,
    /// Too much is waiting; try again later.
    TooManyRequests,
    /// A member is short of space, and this would grow.
    NoSpace,
    /// No answer in time. A write may or may not have happened.
    Timeout,
    /// No answer in time, and the leader changed meanwhile. A write may or may not have happened.
    TimeoutLeaderLost,
    /// The replica is shutting down. A write may or may not have happened.
    Stopped,
    /// Only the leader does this.
    NotLeader,
    /// Leadership cannot go to that member.
    BadTransferee,
    /// The members of a group that runs Zab are what its members were started with.
    StaticMembers,
    /// A group that runs Zab does not hand leadership over.
    FixedLeader,
    /// This member is no voter, or none any more; another one will take it. Nothing happened.
    NotServing,
    /// A value could not be read from the backend: it is damaged.
    Unreadable,
    /// The backend cannot be written, since the disk is full.
    DiskFull,
}
