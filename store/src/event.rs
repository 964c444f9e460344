//! What watchers are told.

use crate::{KeyValue, Revision};

/// A change of one key. A deletion's `kv` has only key and `mod_revision`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which kind.
    pub kind: EventKind,
    /// The key now.
    pub kv: KeyValue,
    /// What it was before.
    pub previous: Previous,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Put.
    Put,
    /// Deleted.
    Delete,
}

/// What a key was before a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Previous {
    /// It was not there, or that revision has been compacted.
    Absent,
    /// It is at hand.
    Held(KeyValue),
    /// It stands in the backend, at this revision; by the time it is read it may be compacted.
    Stored(Revision),
}
