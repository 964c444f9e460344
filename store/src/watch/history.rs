//! Where lagging watchers read what they missed.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::{Error, Event, Record, Revision};

/// The past of the store, as far as it has not been compacted.
pub trait History {
    /// The newest revision (main).
    fn revision(&self) -> i64;

    /// The revision (main) up to which the past has been compacted; negative when it never was.
    ///
    /// What happened *at* this revision can still be told, deletions too; what happened before it
    /// cannot.
    fn compact_revision(&self) -> i64;

    /// What happened from `from` on, oldest first, or where it stands.
    ///
    /// `limit` is a number of events: the answer ends with the revision that reaches it, so it
    /// may be longer by the rest of that revision.
    ///
    /// # Errors
    /// [`Error::Compacted`] when `from.main` is less than [`History::compact_revision`].
    fn history(&self, from: Revision, limit: usize) -> Result<HistoryChunk, Error>;

    /// The event that the record of a revision stands for. `at` is not compacted.
    fn event_of(&self, at: Revision, record: &Record) -> Event;
}

/// A stretch of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryChunk {
    /// It is at hand.
    Events {
        /// What happened, by ascending revision, every main revision whole.
        events: Vec<Arc<Event>>,
        /// Where to go on: `events` are all that happened before it. `sub` is 0, and `main` is
        /// greater than that of the revision asked for.
        next: Revision,
    },
    /// It stands in the backend, as the records with `from <= revision < to`.
    Scan {
        /// The revision asked for.
        from: Revision,
        /// The first revision that is at hand. `sub` is 0, `main` is greater than `from.main`.
        to: Revision,
    },
}
