//! What the rest of the process asks of the pool.

use bytes::Bytes;
use protocol::swim::message::Name;
use protocol::swim::serf::{QueryId, Question, RequestError, Stats, Tags};
use protocol::swim::{Address, Status};
use tokio::sync::{mpsc, oneshot};

use super::failure::NotJoined;
use super::member::PoolMember;

/// What becomes of a request.
pub(super) type Reply = oneshot::Sender<Result<(), RequestError>>;

/// A request.
#[derive(Debug)]
pub(super) enum Call {
    Members(oneshot::Sender<Vec<PoolMember>>),
    Status(oneshot::Sender<Box<PoolStatus>>),
    Join {
        to: Address,
        ignore_old: bool,
        reply: oneshot::Sender<Result<usize, NotJoined>>,
    },
    SetTags(Tags, Reply),
    Event {
        name: Bytes,
        payload: Bytes,
        coalesce: bool,
        reply: Reply,
    },
    Query {
        question: Question,
        answers: mpsc::Sender<Answer>,
    },
    Respond {
        id: QueryId,
        payload: Bytes,
        reply: Reply,
    },
    /// A letter to one member, which may be lost.
    Tell {
        to: Address,
        letter: Bytes,
    },
    ForceLeave {
        node: Name,
        prune: bool,
        reply: Reply,
    },
    Leave(oneshot::Sender<bool>),
}

/// A look at the member of the pool.
#[derive(Clone, Debug)]
pub struct PoolStatus {
    /// What it believes of members.
    pub swim: Status,
    /// What it knows beside.
    pub serf: Stats,
}

/// What comes of a query, in this order; the channel closes when no more can come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was asked.
    Asked,
    /// It was not.
    Refused(RequestError),
    /// It has arrived at a member.
    Arrived(Name),
    /// A member has answered.
    Answered(Name, Bytes),
}
