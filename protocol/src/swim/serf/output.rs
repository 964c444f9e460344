//! What a member wants done, and what it has to tell.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use super::input::{KeyOperation, QueryId};
use super::message::UserEvent;
use crate::Time;
use crate::swim::message::{Facts, Message, Name, Ping, PushPull};
use crate::swim::{Address, ExchangeId, JoinError, Link, Refusal, StreamId, Tag};

/// What a member wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Send these messages in one packet: one alone, several as a compound.
    Send {
        /// Whom to.
        to: Address,
        /// What, in this order.
        messages: Vec<Message>,
        /// Whether the receiver is known to understand a checksum around the packet.
        checksum: bool,
    },
    /// Open a stream, ask, and say [`Input::StreamAcked`](super::Input::StreamAcked) if the answer
    /// comes in time. Nothing needs to be said if it does not.
    StreamPing {
        /// Whom.
        to: Address,
        /// What.
        ping: Ping,
        /// When to give up.
        deadline: Time,
    },
    /// Open a stream, tell all this, and answer [`Input::Exchanged`](super::Input::Exchanged).
    Exchange {
        /// Its name.
        id: ExchangeId,
        /// With whom.
        to: Address,
        /// What to tell, Serf's part included.
        state: PushPull,
        /// When to give up.
        deadline: Time,
    },
    /// Tell this on a stream that [`Input::Asked`](super::Input::Asked) named.
    Answer {
        /// The stream.
        id: StreamId,
        /// What to tell, Serf's part included.
        state: PushPull,
    },
    /// How joining went.
    Joined {
        /// Which.
        tag: Tag,
        /// Members that were told of and believed, or what stood in the way.
        result: Result<usize, JoinError>,
    },
    /// Remember this for the next life under this name. Nothing waits for it.
    Incarnation(u32),
    /// A direct ping was answered.
    Acked {
        /// By whom.
        member: Arc<Facts>,
        /// After how long.
        round_trip: Duration,
        /// What the answer carried.
        payload: Bytes,
    },
    /// What became of a request.
    Done {
        /// Which.
        tag: Tag,
        /// `Ok`: it is under way. A request that was refused has changed nothing.
        result: Result<(), RequestError>,
    },
    /// An own question has arrived at a member; told of once for each.
    QueryAcked {
        /// Which question.
        tag: Tag,
        /// The member.
        from: Name,
    },
    /// A member has answered an own question; told of once for each.
    QueryAnswered {
        /// Which question.
        tag: Tag,
        /// The member.
        from: Name,
        /// The answer.
        payload: Bytes,
    },
    /// No more answers to an own question are taken.
    QueryEnded {
        /// Which question.
        tag: Tag,
    },
    /// Somebody wants something done with the keyring. Answered by
    /// [`Input::KeyAnswer`](super::Input::KeyAnswer); too late is as good as never.
    KeyRequest {
        /// The query that it came in.
        id: QueryId,
        /// Who asks.
        source: Name,
        /// What.
        operation: KeyOperation,
    },
    /// This member was to go, and may end.
    Gone {
        /// `false`: time ran out first, or its name may be another's and it said nothing. Nobody to
        /// tell is enough.
        told: bool,
    },
    /// The pool says that this member's name is another's. It has fallen silent and takes nothing
    /// in any more, not even [`Input::Leave`](super::Input::Leave): it should end.
    NameLost {
        /// Where the other one is.
        to: Address,
    },
    /// Something that subscribers or a person want to know.
    Event(Event),
}

/// What has changed, or happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Somebody is here, for the first time or again. Of this member itself it is the first event.
    Joined(Arc<Facts>),
    /// Somebody went and said so, or was declared to have gone; this member, too.
    Left(Arc<Facts>),
    /// Somebody is gone.
    Failed(Arc<Facts>),
    /// Something else is said of somebody.
    Updated(Arc<Facts>),
    /// Somebody who was gone is forgotten.
    Reaped(Arc<Facts>),
    /// An event of an application. Each is told of once.
    User(UserEvent),
    /// A query of an application, which this member may answer by
    /// [`Input::Respond`](super::Input::Respond). Each is told of once.
    Query {
        /// Its name for the answer.
        id: QueryId,
        /// Who asks.
        source: Name,
        /// The name of what is asked.
        name: Bytes,
        /// What it says.
        payload: Bytes,
        /// Until when an answer is worth sending.
        deadline: Time,
    },
    /// Somebody does not answer. It may still say that it is there.
    Suspected {
        /// Who.
        member: Arc<Facts>,
        /// Who said so first.
        by: Name,
    },
    /// It was said of this very member that it is gone, and it has answered.
    Refuted {
        /// The incarnation that answered.
        incarnation: u32,
    },
    /// Two members have one name. The one that is known stays.
    Conflict {
        /// The one that is known.
        held: Arc<Facts>,
        /// The other one.
        other: Arc<Facts>,
    },
    /// Somebody else bears this member's name, and the others were asked whose it is.
    ConflictVote {
        /// Who voted for this member.
        matching: usize,
        /// Who voted.
        responses: usize,
        /// Whether the name is this member's: more than half said so, or nobody said anything. If
        /// not, [`Output::NameLost`] follows.
        kept: bool,
    },
    /// Something was told of a member that must not be believed.
    Refused {
        /// Which member.
        member: Name,
        /// Why.
        reason: Refusal,
    },
    /// The way to a member is not what it should be; `None`: it is again.
    Link {
        /// Which member.
        member: Arc<Facts>,
        /// What is wrong.
        link: Option<Link>,
    },
    /// This member stood still for so long.
    Stalled(Duration),
}

/// Why a request was refused. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestError {
    /// Tags take more bytes than members may say of themselves.
    TagsTooLong {
        /// What they take.
        bytes: usize,
        /// What they may take.
        most: usize,
    },
    /// An event is too long.
    EventTooLong {
        /// Its bytes.
        bytes: usize,
        /// What it may have.
        most: usize,
    },
    /// A query is too long.
    QueryTooLong {
        /// Its bytes.
        bytes: usize,
        /// What it may have.
        most: usize,
    },
    /// An answer is too long.
    ResponseTooLong {
        /// Its bytes.
        bytes: usize,
        /// What it may have.
        most: usize,
    },
    /// The name of a query begins as only those of Serf itself do.
    Reserved,
    /// A regular expression of a filter is none.
    Expression,
    /// Too many questions are open.
    Busy {
        /// How many.
        open: usize,
    },
    /// The query is not waiting for an answer: it was answered, its time is over, or there never
    /// was such a query.
    Closed,
    /// Nobody of this name is known.
    Unknown,
    /// It is this very member.
    Oneself,
    /// This member is going.
    Leaving,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TagsTooLong { bytes, most } => write!(
                f,
                "these tags take {bytes} bytes, and a member may say {most} of itself: shorten or \
                 remove some"
            ),
            Self::EventTooLong { bytes, most } => write!(
                f,
                "user event exceeds limit of {most} bytes: it has {bytes}; say where the data is, \
                 not the data"
            ),
            Self::QueryTooLong { bytes, most } => {
                write!(f, "query exceeds limit of {most} bytes: it has {bytes}")
            }
            Self::ResponseTooLong { bytes, most } => {
                write!(f, "response exceeds limit of {most} bytes: it has {bytes}")
            }
            Self::Reserved => f.write_str(
                "names of queries that begin with \"_serf_\" are Serf's own: choose another",
            ),
            Self::Expression => f.write_str("the regular expression of a tag filter is not valid"),
            Self::Busy { open } => {
                write!(f, "{open} queries are open already: wait until some have ended")
            }
            Self::Closed => f.write_str(
                "no such query waits for an answer: it was answered, or its time is over",
            ),
            Self::Unknown => f.write_str("no member of this name is known here"),
            Self::Oneself => {
                f.write_str("this is the member itself: let it leave instead of forcing it")
            }
            Self::Leaving => f.write_str("this member is leaving the pool"),
        }
    }
}

impl core::error::Error for RequestError {}
