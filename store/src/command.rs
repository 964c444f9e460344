//! What the log carries: the commands of the state machine, and what they answer.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use protocol::{Index, NodeId};

use crate::{
    KeyRange, KeyValue, LeaseId, MemberChange, MemberRefusal, Range, RangeResult, Recovery, Stamp,
};

/// A change of the replicated state. Validated before it is proposed ([`crate::Error`]); what can
/// only be known at its place in the log is checked when it is applied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Put one key.
    Put(Put),
    /// Delete the keys of a range.
    DeleteRange(DeleteRange),
    /// Compare, then do one of two lists of operations.
    Txn(Txn),
    /// Forget history before this revision (main).
    Compact {
        /// The oldest revision that stays readable.
        revision: i64,
    },
    /// Make a lease.
    LeaseGrant {
        /// Its name, chosen by the client or by the node that proposes.
        id: LeaseId,
        /// Seconds, already raised to the minimum.
        ttl: i64,
    },
    /// End a lease; its keys are deleted in one revision.
    LeaseRevoke {
        /// Its name.
        id: LeaseId,
    },
    /// Renew leases: each lives its granted time from here on. Unknown ones are reported.
    LeaseRenew {
        /// Their names.
        ids: Vec<LeaseId>,
    },
    /// The leader's clock went on: leases whose time is over are revoked, at most
    /// [`crate::Limits::expiries_per_tick`] of them, each in a revision of its own.
    Tick {
        /// Milliseconds since the leader's last tick, or since it became leader. Capped by the
        /// proposer, so that a process that was paused never expires leases in one leap.
        elapsed_ms: u32,
    },
    /// Raise or clear an alarm.
    Alarm {
        /// What to do.
        action: AlarmAction,
        /// Whose alarm; `None` for all members (clearing only).
        member: Option<NodeId>,
        /// Which; `None` for all kinds (clearing only).
        alarm: Option<Alarm>,
    },
    /// A member tells its name and addresses.
    Publish(Member),
    /// What a member's state was after an entry. All members compare, and note what their own is
    /// after this one.
    StateHash {
        /// Which member.
        member: NodeId,
        /// Its number ([`crate::Store::state_hash`]) after an entry; `None`: it has none to tell.
        told: Option<(Index, u64)>,
    },
    /// A client's write under its number, which is carried out at most once.
    Once {
        /// Which write of which client.
        stamp: Stamp,
        /// The write: a put, a deletion, a transaction, a compaction, or the grant or end of a
        /// lease.
        command: Box<Command>,
    },
    /// A member tells whether its disk is short of space. As long as one is, [`Alarm::NoSpace`] is
    /// raised for it; what an operator has raised is another matter, and stays.
    SpaceReport {
        /// Which member.
        member: NodeId,
        /// Less is free than it keeps in reserve.
        short: bool,
    },
    /// Other members are wished: put in line, see [`MemberChange`].
    Member(MemberChange),
    /// The leader refuses the wish that is first in line.
    Settle {
        /// Which; another one is left alone.
        ticket: u64,
        /// Why.
        refusal: MemberRefusal,
    },
    /// This cluster was begun out of what another one had left.
    Recovered(Recovery),
}

impl Command {
    /// The command under a client's number, if it is one that can have a number; itself otherwise.
    #[must_use]
    pub fn stamped(self, stamp: Stamp) -> Self {
        match self {
            Self::Put(_)
            | Self::DeleteRange(_)
            | Self::Txn(_)
            | Self::Compact { .. }
            | Self::LeaseGrant { .. }
            | Self::LeaseRevoke { .. } => Self::Once { stamp, command: Box::new(self) },
            Self::LeaseRenew { .. }
            | Self::Tick { .. }
            | Self::Alarm { .. }
            | Self::Publish(_)
            | Self::StateHash { .. }
            | Self::SpaceReport { .. }
            | Self::Member(_)
            | Self::Settle { .. }
            | Self::Recovered(_)
            | Self::Once { .. } => self,
        }
    }
}

/// Put one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Put {
    /// The key.
    pub key: Bytes,
    /// The value; `None` keeps the present one (`ignore_value`).
    pub value: Option<Bytes>,
    /// The lease: `None` keeps the present one (`ignore_lease`), `Some(None)` detaches.
    pub lease: Option<Option<LeaseId>>,
    /// Answer with what was there before.
    pub prev_kv: bool,
}

/// Delete the keys of a range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeleteRange {
    /// Which keys.
    pub range: KeyRange,
    /// Answer with what was there before.
    pub prev_kv: bool,
}

/// If all comparisons hold, `success`, else `failure`. All comparisons of all nesting levels are
/// judged on the state before the transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Txn {
    /// The conditions, joined by "and".
    pub compare: Vec<Compare>,
    /// What to do when all hold.
    pub success: Vec<Operation>,
    /// What to do otherwise.
    pub failure: Vec<Operation>,
}

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Read.
    Range(Range),
    /// Put.
    Put(Put),
    /// Delete.
    DeleteRange(DeleteRange),
    /// Nest.
    Txn(Txn),
}

/// A condition on the keys of a range: every one must satisfy it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Compare {
    /// Which keys.
    pub range: KeyRange,
    /// How the key's attribute relates to the operand.
    pub comparison: Comparison,
    /// The attribute and the operand.
    pub condition: Condition,
}

/// The relation of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Equal.
    Equal,
    /// The key's attribute is greater than the operand.
    Greater,
    /// The key's attribute is less than the operand.
    Less,
    /// Not equal.
    NotEqual,
}

/// The attribute compared, with the operand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Puts since creation; 0 for a missing key.
    Version(i64),
    /// The revision of creation; 0 for a missing key.
    CreateRevision(i64),
    /// The revision of the last change; 0 for a missing key.
    ModRevision(i64),
    /// The value; a missing key satisfies no relation.
    Value(Bytes),
    /// The lease as on the wire; 0 for none and for a missing key.
    Lease(i64),
}

/// The kinds of alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alarm {
    /// A member is out of space.
    NoSpace,
    /// A member's state differs from the others'.
    Corrupt,
}

/// What to do with an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlarmAction {
    /// Raise it.
    Activate,
    /// Clear it.
    Deactivate,
}

/// What a member tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its id.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Where peers reach it, as URLs.
    pub peer_urls: Vec<String>,
    /// Where clients reach it, as URLs.
    pub client_urls: Vec<String>,
}

/// What a command answered. The revision of the answer's header stands beside it, in
/// [`crate::Applied`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Of a put.
    Put {
        /// What was there before, when asked for.
        prev: Option<KeyValue>,
    },
    /// Of a deletion.
    DeleteRange {
        /// How many keys went.
        deleted: i64,
        /// What they held, when asked for.
        prev: Vec<KeyValue>,
    },
    /// Of a transaction.
    Txn {
        /// Whether all comparisons held.
        succeeded: bool,
        /// The answers of the operations, in order, each with the revision of its own header.
        responses: Vec<(i64, Outcome)>,
    },
    /// Of a read inside a transaction.
    Range(RangeResult),
    /// Of a grant.
    LeaseGrant {
        /// Its name.
        id: LeaseId,
        /// The time granted, in seconds.
        ttl: i64,
    },
    /// Of renewals: for each lease the time it has now in seconds, or 0 when it is unknown.
    LeaseRenew(Vec<(LeaseId, i64)>),
    /// Of an alarm: the alarms it changed.
    Alarm(Vec<(NodeId, Alarm)>),
    /// Of a wish for other members: it is in line under this ticket, and
    /// [`crate::Store::take_settled`] tells what became of it, perhaps at once.
    Queued(u64),
    /// Of everything that has nothing to say.
    Done,
}
