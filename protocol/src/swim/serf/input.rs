//! What happens to a member.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::filter::Filter;
use super::message::{KeyResponse, LTime};
use super::tags::Tags;
use crate::swim::message::{Message, Name, PushPull};
use crate::swim::{Address, ExchangeId, StreamId, Tag};

/// Names a query, here and everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId {
    /// When it was asked, by the clock of queries.
    pub ltime: LTime,
    /// Tells it from others of that time.
    pub id: u32,
}

/// What happens to a member.
///
/// Requests carry a tag, and each is answered once, within the same call, by
/// [`Output::Done`](super::Output::Done) with that tag; `Join` by
/// [`Output::Joined`](super::Output::Joined), later.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The time given by `poll_timeout` has come. Harmless when it has not.
    Timeout,
    /// A packet: one message, or the parts of a compound in their order.
    Receive {
        /// Where it came from.
        from: Address,
        /// What it says.
        messages: Vec<Message>,
    },
    /// A user message that came over a stream.
    Told(Bytes),
    /// The ping with this number could not be sent at all.
    Unsent {
        /// The number in the ping.
        seq: u32,
    },
    /// A ping over a stream was answered, by an acknowledgement of its number.
    StreamAcked {
        /// The number in the ping.
        seq: u32,
    },
    /// Somebody opened a stream and told all that it believes. Answered at once by
    /// [`Output::Answer`](super::Output::Answer).
    Asked {
        /// The stream.
        id: StreamId,
        /// What came.
        state: PushPull,
    },
    /// How an exchange that this member began has ended. Every one ends, by its deadline.
    Exchanged {
        /// Which.
        id: ExchangeId,
        /// What the other side told; `None`: nothing, for whatever reason.
        state: Option<PushPull>,
    },
    /// What acknowledgements carry from now on.
    Payload(Bytes),
    /// Become a member of the pool that is there.
    Join {
        /// Given back.
        tag: Tag,
        /// Where somebody of the pool may be.
        to: Address,
        /// Whether events from before are nothing to this member.
        ignore_old: bool,
    },
    /// Say this of the own member from now on.
    SetTags {
        /// Given back.
        tag: Tag,
        /// All of its tags.
        tags: Tags,
    },
    /// Something happened; everybody is to hear of it.
    Event {
        /// Given back.
        tag: Tag,
        /// Its name.
        name: Bytes,
        /// What it says.
        payload: Bytes,
        /// Whether listeners may be told of the last one of several alone.
        coalesce: bool,
    },
    /// Ask everybody, or some. Once [`Output::Done`](super::Output::Done) has said that it was
    /// asked, answers come with the same tag, and at last
    /// [`Output::QueryEnded`](super::Output::QueryEnded).
    Query {
        /// Given back.
        tag: Tag,
        /// What.
        question: Question,
    },
    /// Answer a query that [`Event::Query`](super::Event::Query) told of.
    Respond {
        /// Given back.
        tag: Tag,
        /// Which one.
        id: QueryId,
        /// The answer.
        payload: Bytes,
    },
    /// What the keyring says to [`Output::KeyRequest`](super::Output::KeyRequest).
    KeyAnswer {
        /// Which one.
        id: QueryId,
        /// What became of it.
        response: KeyResponse,
    },
    /// Declare that somebody has left who cannot say so itself. One that is there objects.
    ForceLeave {
        /// Given back.
        tag: Tag,
        /// Who.
        node: Name,
        /// Whether to forget it at once, everywhere.
        prune: bool,
    },
    /// Say that this member goes. [`Output::Gone`](super::Output::Gone) tells the end.
    Leave,
}

/// A question to the pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// What is asked.
    pub topic: Topic,
    /// All must let a member through for it to answer.
    pub filters: Vec<Filter>,
    /// Whether everybody says at once that the question has arrived.
    pub ack: bool,
    /// How many others pass each answer on, beside its direct way.
    pub relay_factor: u8,
    /// For how long answers are taken; `None`: for as long as such a pool takes.
    pub timeout: Option<Duration>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Whatever applications agree on.
    Named {
        /// Its name; `_serf_` in front is refused.
        name: Bytes,
        /// What it says.
        payload: Bytes,
    },
    /// Whether the question arrives: only `ack` gives answers.
    Ping,
    /// Something is to be done with everybody's keys. Answers are an encoded
    /// [`Message::KeyResponse`](super::Message::KeyResponse).
    Keys(KeyOperation),
}

/// What is to be done with the keyring. Keys are raw bytes: 16, 24 or 32.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyOperation {
    /// Take this one in.
    Install(Bytes),
    /// Encrypt with this one from now on.
    Use(Bytes),
    /// Forget this one.
    Remove(Bytes),
    /// Say which there are.
    List,
}
