//! What a member wants done, and what it has to tell.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::input::{Address, ExchangeId, StreamId};
use super::link::Link;
use super::message::{Facts, Message, Name, Ping, PushPull, State};
use super::queue::Tag;
use super::version::Refusal;
use crate::Time;

/// What a member wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Send these messages in one packet: one alone, several as a compound. They fit
    /// [`super::Config::packet_bytes`], unless a message of the layer above did not.
    Send {
        /// Whom to.
        to: Address,
        /// What, in this order.
        messages: Vec<Message>,
        /// Whether the receiver is known to understand a checksum around the packet.
        checksum: bool,
    },
    /// Open a stream, ask, and say [`super::Input::StreamAcked`] if the answer comes in time.
    /// Nothing needs to be said if it does not.
    StreamPing {
        /// Whom.
        to: Address,
        /// What.
        ping: Ping,
        /// When to give up.
        deadline: Time,
    },
    /// Open a stream, tell all this, and answer [`super::Input::Exchanged`]. The layer above puts
    /// its own state in: `user` is empty.
    Exchange {
        /// Its name.
        id: ExchangeId,
        /// With whom.
        to: Address,
        /// What to tell.
        state: PushPull,
        /// When to give up.
        deadline: Time,
    },
    /// Tell this on a stream that [`super::Input::Asked`] named. The layer above puts its own state
    /// in: `user` is empty.
    Answer {
        /// The stream.
        id: StreamId,
        /// What to tell.
        state: PushPull,
    },
    /// How joining went.
    Joined {
        /// Which.
        tag: Tag,
        /// Members that were told of and believed, or what stood in the way.
        result: Result<usize, JoinError>,
    },
    /// Remember this for the next life under this name. Nothing waits for it: a member that lost
    /// it is accused once more, and answers.
    Incarnation(u32),
    /// A message of the layer above has arrived. The same one may come again: what was seen before
    /// is for that layer to know.
    User(Bytes),
    /// The state of the layer above at somebody else.
    UserState {
        /// Whether it came of joining.
        join: bool,
        /// Its bytes.
        state: Bytes,
    },
    /// A direct ping was answered.
    Acked {
        /// By whom.
        member: Arc<Facts>,
        /// After how long.
        round_trip: Duration,
        /// What the answer carried.
        payload: Bytes,
    },
    /// A broadcast was sent as often as is enough, or is void.
    Sent(Tag),
    /// This member has said that it goes; `told` says whether often enough.
    Gone {
        /// `false`: time ran out first. Nobody to tell is enough.
        told: bool,
    },
    /// Something that subscribers or a person want to know.
    Event(Event),
}

/// Why joining failed. The member is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JoinError {
    /// Nobody answered, or not to the end.
    NoAnswer,
    /// Nobody that was told of may be believed: the first of them, and why.
    Incompatible {
        /// The one.
        member: Name,
        /// Why.
        reason: Refusal,
    },
}

/// A member, as believed here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Who and where it is.
    pub facts: Arc<Facts>,
    /// Its incarnation.
    pub incarnation: u32,
    /// What is believed of it.
    pub state: State,
    /// Since when, a tenth of a second more or less.
    pub since: Time,
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Somebody is here, for the first time or again.
    Joined(Arc<Facts>),
    /// Somebody went and said so.
    Left(Arc<Facts>),
    /// Somebody is gone.
    Failed(Arc<Facts>),
    /// Something else is said of somebody.
    Updated(Arc<Facts>),
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
