//! Serf's layer: what the agents of Serf, Consul and Nomad say to each other on top of membership.
//!
//! It stands within SWIM, not beside it: it has no packets, no timers and no members of its own.
//! All that it says travels in places that SWIM leaves to the layer above.
//!
//! ```text
//! meta of a member        Tags
//! user message            Message: intents, events, queries, answers, relays
//! user part of push/pull  Message::PushPull: clocks and what is remembered of the others
//! payload of an answer    Message::Conflict, KeyRequest, KeyResponse (of Serf's own queries)
//! ```
//!
//! Three Lamport clocks order what is said: of members' states, of events and of queries.
//!
//! Bytes that are decoded share the memory of what they came in; see
//! [`Name::detach`](super::message::Name::detach) for what is kept.
//!
//! Not here: network coordinates. Serf takes an answer without one as an answer.

mod body;
mod filter;
mod message;
mod tags;
mod wire;

pub use filter::Filter;
pub use message::{
    Happening, Join, KeyRequest, KeyResponse, LTime, Leave, Member, Message, Moment, PushPull,
    Query, Relay, Response, Ring, Status, UserEvent,
};
pub use tags::Tags;
pub use wire::{decode, encode, encoded_len};

/// How much of anything a message may hold, so that a few bytes do not become gigabytes.
mod limit {
    /// Members of which a push/pull tells: as many as the table beside it may have rows.
    pub(super) const MEMBERS: u64 = 1 << 20;
    /// Slots of a ring of events; Serf's has 512.
    pub(super) const SLOTS: u64 = 1 << 16;
    /// Events in all of a ring.
    pub(super) const EVENTS: u64 = 1 << 16;
    /// Filters of a query, and names in a filter.
    pub(super) const FILTERS: u64 = 1 << 12;
    /// Keys in an answer.
    pub(super) const KEYS: u64 = 1 << 12;
    /// Tags of a member; Serf's have 512 bytes together.
    pub(super) const TAGS: u64 = 1 << 10;
}
