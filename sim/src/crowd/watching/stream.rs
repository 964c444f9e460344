//! One stream of one watcher, and what it carries.

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::Time;
use store::watch::{StreamId, WatchCreate, WatchId, WatchResponse};
use store::{BackendError, Event, Previous, Record};

use crate::crowd::Act;
use crate::crowd::completion::Fetch;
use crate::history::Watch;
use crate::seen::Place;

/// A stream that has not ended.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) at: Place,
    /// The node has been told of it.
    pub(super) opened: bool,
    /// On the way to the node, in order.
    pub(super) outbox: VecDeque<Act>,
    /// When the last of these arrives.
    pub(super) sent_until: Time,
    /// Watches asked for, by their places in the history, oldest first.
    pub(super) pending: VecDeque<usize>,
    /// Watches created, and their places in the history.
    pub(super) active: Vec<(WatchId, usize)>,
    /// When the last response arrives.
    pub(super) heard_until: Time,
    /// Accounted bytes that the watcher has not read.
    pub(super) unread: usize,
    /// It is going to read.
    pub(super) draining: bool,
    /// It takes its time.
    pub(super) slow: bool,
}

impl Stream {
    pub(super) fn new(id: StreamId, at: Place, slow: bool) -> Self {
        Self {
            id,
            at,
            opened: false,
            outbox: VecDeque::new(),
            sent_until: Time::default(),
            pending: VecDeque::new(),
            active: Vec::new(),
            heard_until: Time::default(),
            unread: 0,
            draining: false,
            slow,
        }
    }

    /// The places of all watches that have not ended.
    pub(super) fn watches(&self) -> impl Iterator<Item = usize> {
        self.active.iter().map(|(_, watch)| *watch).chain(self.pending.iter().copied())
    }

    /// The place of the watch with an id.
    pub(super) fn watch(&self, id: WatchId) -> Option<usize> {
        self.active.iter().find(|(known, _)| *known == id).map(|(_, watch)| *watch)
    }
}

/// What a client asks for that takes up where a watch ended: the first revision that it has not
/// been told of.
pub(super) fn successor(watch: &Watch) -> WatchCreate {
    let start = watch.create.start_revision;
    let told = watch.heard.iter().rev().find_map(|(_, response)| match response {
        WatchResponse::Events { events, .. } => events.last().map(|event| event.kv.mod_revision),
        WatchResponse::Progress { revision, .. } => Some(*revision),
        WatchResponse::Created { revision, .. } if start == 0 => Some(*revision),
        WatchResponse::Created { .. }
        | WatchResponse::Refused { .. }
        | WatchResponse::Canceled { .. } => None,
    });
    let start_revision = told.map_or(start, |told| start.max(told.saturating_add(1)));
    WatchCreate { start_revision, id: 0, ..watch.create.clone() }
}

/// Fetches previous values that a response only names. One that is gone has been compacted.
///
/// # Errors
/// The disk did not give one: the server ends the stream.
pub(super) fn complete(
    response: WatchResponse,
    fetch: &mut Fetch<'_>,
) -> Result<WatchResponse, BackendError> {
    match response {
        WatchResponse::Events { id, revision, mut events, prev_kv: true, fragment } => {
            for event in &mut events {
                if let Previous::Stored(at) = event.previous {
                    let previous = match fetch(at)? {
                        Some(Record::Put(kv)) => Previous::Held(kv),
                        Some(Record::Tombstone { .. }) | None => Previous::Absent,
                    };
                    *event = Arc::new(Event { previous, ..Event::clone(event) });
                }
            }
            Ok(WatchResponse::Events { id, revision, events, prev_kv: true, fragment })
        }
        other => Ok(other),
    }
}
