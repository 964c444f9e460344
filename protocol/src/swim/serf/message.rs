//! What Serf's layer says, as values.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Tags;
use crate::swim::message::{Addr, Name};

/// A time of a Lamport clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LTime(pub u64);

/// Whatever Serf's layer says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A member wants to go, or is sent away.
    Leave(Leave),
    /// A member has come.
    Join(Join),
    /// What a member knows beside the members' states.
    PushPull(PushPull),
    /// Something happened, for whoever listens.
    Event(UserEvent),
    /// A question to all, or to those that filters let through.
    Query(Query),
    /// An answer, or only that the question has arrived.
    Response(Response),
    /// Who bears a name, for one who heard of two; `None` for "nobody that I know".
    Conflict(Option<Member>),
    /// A key to be installed, used or removed.
    KeyRequest(KeyRequest),
    /// How that went, or which keys there are.
    KeyResponse(KeyResponse),
    /// A message to be passed on.
    Relay(Relay),
}

/// A member wants to go. Without this, its end looks like a failure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Leave {
    /// When, by the clock of states.
    pub ltime: LTime,
    /// Who.
    pub node: Name,
    /// Whether to forget it at once.
    pub prune: bool,
}

/// A member has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Join {
    /// When, by the clock of states.
    pub ltime: LTime,
    /// Who.
    pub node: Name,
}

/// What a member knows beside the members' states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PushPull {
    /// Its clock of states.
    pub ltime: LTime,
    /// When it last heard of whom, by that clock.
    pub status: Vec<(Name, LTime)>,
    /// Who has left.
    pub left: Vec<Name>,
    /// Its clock of events.
    pub event_ltime: LTime,
    /// What it remembers of events.
    pub events: Ring,
    /// Its clock of queries.
    pub query_ltime: LTime,
}

/// The events that a member remembers: slots, most of them empty.
///
/// - The slots that are not empty ascend, and lie below the number of slots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ring {
    slots: usize,
    moments: Vec<(usize, Moment)>,
}

/// All events of one time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// When, by the clock of events.
    pub ltime: LTime,
    /// What happened then.
    pub events: Vec<Happening>,
}

/// An event without its time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Happening {
    /// Its name.
    pub name: Bytes,
    /// What it says.
    pub payload: Bytes,
}

/// Something happened, for whoever listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserEvent {
    /// When, by the clock of events.
    pub ltime: LTime,
    /// Its name.
    pub name: Bytes,
    /// What it says.
    pub payload: Bytes,
    /// Whether listeners may be told of the last one of several alone.
    pub coalesce: bool,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// When, by the clock of queries.
    pub ltime: LTime,
    /// Tells it from others of that time.
    pub id: u32,
    /// Where answers go.
    pub addr: Addr,
    /// Its port.
    pub port: u16,
    /// Who asks.
    pub source: Name,
    /// All must let a member through for it to answer; see [`Filter`](super::Filter).
    pub filters: Vec<Bytes>,
    /// [`Query::ACK`] and [`Query::NO_BROADCAST`].
    pub flags: u32,
    /// How many others pass each answer on, beside its direct way.
    pub relay_factor: u8,
    /// For how long answers are taken, in nanoseconds.
    pub timeout_ns: i64,
    /// Its name.
    pub name: Bytes,
    /// What it says.
    pub payload: Bytes,
}

impl Query {
    /// Whoever gets it says so at once.
    pub const ACK: u32 = 1;
    /// Nobody passes it on.
    pub const NO_BROADCAST: u32 = 2;
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Response {
    /// The time of the query.
    pub ltime: LTime,
    /// Its number.
    pub id: u32,
    /// Who answers.
    pub from: Name,
    /// [`Response::ACK`].
    pub flags: u32,
    /// The answer.
    pub payload: Bytes,
}

impl Response {
    /// It says only that the query has arrived.
    pub const ACK: u32 = 1;
}

/// A member as Serf knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its name.
    pub name: Name,
    /// Where it is.
    pub addr: Addr,
    /// Its port.
    pub port: u16,
    /// What it says of itself.
    pub tags: Tags,
    /// What is believed of it.
    pub status: Status,
    /// Least, most and current version of memberlist's protocol.
    pub protocol: [u8; 3],
    /// And of Serf's.
    pub delegate: [u8; 3],
}

/// What Serf's layer believes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Nothing.
    None,
    /// It is there.
    Alive,
    /// It said that it was going.
    Leaving,
    /// It has gone.
    Left,
    /// It has gone without saying so.
    Failed,
}

/// A key of the keyring.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRequest {
    /// 16, 24 or 32 bytes.
    pub key: Bytes,
}

/// What became of a request about keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeyResponse {
    /// Whether it was done.
    pub result: bool,
    /// Why not.
    pub message: Bytes,
    /// The keys that there are, each in base64.
    pub keys: Vec<Bytes>,
    /// The one that encrypts, in base64.
    pub primary_key: Bytes,
}

/// A message to be passed on: an answer that may not arrive on its direct way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Relay {
    /// Where to.
    pub addr: Addr,
    /// Its port.
    pub port: u16,
    /// The zone of an address of one link.
    pub zone: Bytes,
    /// Whom to.
    pub node: Name,
    /// The message, encoded.
    pub message: Bytes,
}

impl Ring {
    /// A ring with this in its slots.
    #[must_use]
    pub fn from_slots(slots: impl IntoIterator<Item = Option<Moment>>) -> Self {
        let mut ring = Self::default();
        for slot in slots {
            ring.push(slot);
        }
        ring
    }

    /// Appends a slot.
    pub(super) fn push(&mut self, slot: Option<Moment>) {
        if let Some(moment) = slot {
            self.moments.push((self.slots, moment));
        }
        self.slots += 1;
    }

    /// How many slots there are, empty ones included.
    #[must_use]
    pub const fn slots(&self) -> usize {
        self.slots
    }

    /// What is in the slots that are not empty, each with its number, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Moment)> {
        self.moments.iter().map(|(slot, moment)| (*slot, moment))
    }
}
