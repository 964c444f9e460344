//! What a stream is told, and what the hub asks of its owner.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{StreamId, WatchId};
use crate::{Event, Previous, Revision};

/// Accounted for a response besides its events.
const RESPONSE_COST: usize = 64;
/// Accounted for an event besides its keys and values.
const EVENT_COST: usize = 64;

/// One response on a stream. `revision` is the header's: the store's newest when it was queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchResponse {
    /// `created`. Everything about this watch follows; without a start revision, that is every
    /// event after `revision`.
    Created {
        /// The id given.
        id: WatchId,
        /// The header's revision.
        revision: i64,
    },
    /// `created` and `canceled` at once, with id −1: there is no such watch.
    Refused {
        /// Why.
        reason: RefuseReason,
        /// The header's revision.
        revision: i64,
    },
    /// Something happened. Whole main revisions, in order; two responses for one watch never
    /// share a revision.
    Events {
        /// Whose.
        id: WatchId,
        /// The header's revision; not less than that of any event.
        revision: i64,
        /// What. The same `Arc` goes to all watchers of an event. Never empty.
        events: Vec<Arc<Event>>,
        /// Whether the client wants to know what the keys were before. If not,
        /// [`Event::previous`] is to be left out.
        prev_kv: bool,
        /// Whether the client lets this be cut into several, with `fragment` on all but the last.
        fragment: bool,
    },
    /// `canceled`: nothing follows about this watch, and its id is free again.
    Canceled {
        /// Whose.
        id: WatchId,
        /// Why; `None`: the client asked for it.
        reason: Option<CancelReason>,
        /// For [`CancelReason::Compacted`], how far the past has been compacted. etcd sends the
        /// header of such a response without a revision.
        compact_revision: Option<i64>,
        /// The header's revision.
        revision: i64,
    },
    /// An empty response: every event up to `revision` has been queued before this, of the watch
    /// named, or with `None` (id −1) of all watches on the stream.
    Progress {
        /// Whose.
        id: Option<WatchId>,
        /// The header's revision, here a promise.
        revision: i64,
    },
}

/// Why there is no such watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefuseReason {
    /// The id is taken: `mvcc: duplicate watch ID provided on the WatchStream`.
    Duplicate,
    /// The range ends where it starts, or before: `mvcc: watcher range is empty`.
    EmptyRange,
    /// The start revision is negative; etcd's text is that of a compacted revision.
    NegativeStart,
    /// The stream has as many watchers as it may have.
    TooManyWatchers,
}

/// Why a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CancelReason {
    /// What it had still to be told has been compacted.
    Compacted,
    /// What it had still to be told cannot be read on this member; another one may have it.
    Unreadable,
}

/// What the hub asks of its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchOutput {
    /// Write this to the stream, in order, and say so with [`super::Hub::sent`].
    Respond {
        /// Where to.
        stream: StreamId,
        /// What.
        response: WatchResponse,
    },
    /// Read up to `limit` records with `from <= revision < to` from the backend and hand them to
    /// [`super::Hub::scanned`].
    Scan {
        /// Names the scan.
        token: u64,
        /// The first revision.
        from: Revision,
        /// The end, exclusive.
        to: Revision,
        /// The most records to give.
        limit: usize,
    },
    /// The client asked without end and read nothing: the hub has forgotten the stream, and the
    /// connection ends it.
    Overrun {
        /// Which.
        stream: StreamId,
    },
}

impl WatchResponse {
    /// The bytes accounted for this response, to be given back to [`super::Hub::sent`] once it is
    /// written. A measure of memory held, not of the wire: a previous value that stands in the
    /// backend counts nothing.
    #[must_use]
    pub fn cost(&self) -> usize {
        match self {
            Self::Events { events, prev_kv, .. } => {
                events.iter().fold(RESPONSE_COST, |sum, event| sum + event_cost(event, *prev_kv))
            }
            Self::Created { .. }
            | Self::Refused { .. }
            | Self::Canceled { .. }
            | Self::Progress { .. } => RESPONSE_COST,
        }
    }
}

/// The bytes accounted for one event.
pub(super) fn event_cost(event: &Event, prev_kv: bool) -> usize {
    let previous = match &event.previous {
        Previous::Held(kv) if prev_kv => kv.key.len() + kv.value.len(),
        Previous::Held(_) | Previous::Absent | Previous::Stored(_) => 0,
    };
    EVENT_COST + event.kv.key.len() + event.kv.value.len() + previous
}
