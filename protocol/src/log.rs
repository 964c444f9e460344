//! The words in which every protocol with a log speaks with its driver: entries and names.

use bytes::Bytes;

use crate::Position;

/// Names a write to stable storage. Ids grow by one; an acknowledgement covers all ids up to its
/// own, so that the driver may sync many writes at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u64);

/// The driver's name for one of its reads. Never reused while the read is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// The driver's name for one of its proposals, given back when the core refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// What an entry carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Payload {
    /// What a leader opens its term (Raft §8) or its epoch with.
    Empty,
    /// A command of the replicated state machine; opaque here.
    Command(Bytes),
    /// The members from here on: an encoded [`crate::raft::Membership`]. Raft only, where it is in
    /// force as soon as it is appended; to a core with static members it says nothing.
    Membership(Bytes),
}

/// One entry of a replicated log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Term, or epoch, and index.
    pub position: Position,
    /// What it carries.
    pub payload: Payload,
}

impl Payload {
    /// The bytes that it carries.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Command(bytes) | Self::Membership(bytes) => bytes,
        }
    }
}
