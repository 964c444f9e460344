//! The guarantees, one check each, applied to what a connection has written.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::watch::{CancelReason, StreamId, WatchCreate, WatchId, WatchResponse};
use store::{Event, EventKind, Previous};

use crate::world::World;

struct Watch {
    request: WatchCreate,
    /// Everything before this has been told.
    next: i64,
    progressed: i64,
}

/// What the clients know.
#[derive(Default)]
pub(crate) struct Checker {
    /// Requests not yet answered, oldest first.
    asked: BTreeMap<StreamId, Vec<WatchCreate>>,
    watches: BTreeMap<(StreamId, WatchId), Watch>,
    pub(crate) events: usize,
    pub(crate) progress: usize,
    pub(crate) compacted: usize,
}

impl Checker {
    pub(crate) fn asked(&mut self, stream: StreamId, request: WatchCreate) {
        self.asked.entry(stream).or_default().push(request);
    }

    pub(crate) fn closed(&mut self, stream: StreamId) {
        self.asked.remove(&stream);
        self.watches.retain(|(of, _), _| *of != stream);
    }

    /// The ids that clients know to be open on a stream.
    pub(crate) fn open(&self, stream: StreamId) -> Vec<WatchId> {
        self.watches.keys().filter(|(of, _)| *of == stream).map(|(_, id)| *id).collect()
    }

    pub(crate) fn written(&mut self, world: &World, stream: StreamId, response: WatchResponse) {
        match response {
            WatchResponse::Created { id, revision } => {
                let request = self.asked.get_mut(&stream).unwrap().remove(0);
                let next = match request.start_revision {
                    0 => revision + 1,
                    start => start,
                };
                let watch = Watch { request, next, progressed: 0 };
                assert!(self.watches.insert((stream, id), watch).is_none(), "ids are unique");
            }
            WatchResponse::Refused { .. } => {
                self.asked.get_mut(&stream).unwrap().remove(0);
            }
            WatchResponse::Events { id, revision, events, prev_kv, fragment } => {
                let watch = self.watches.get_mut(&(stream, id)).expect("the watch is open");
                assert_eq!(prev_kv, watch.request.prev_kv);
                assert_eq!(fragment, watch.request.fragment);
                let last = events.last().expect("never empty").kv.mod_revision;
                assert!(revision >= last);
                watch.check_events(world, &events, last);
                watch.next = last + 1;
                self.events += events.len();
            }
            WatchResponse::Canceled { id, reason, compact_revision, .. } => {
                let watch = self.watches.remove(&(stream, id)).expect("the watch is open");
                if reason == Some(CancelReason::Compacted) {
                    let compacted = compact_revision.expect("said");
                    assert!(watch.next < compacted, "resumable: nothing was lost");
                    self.compacted += 1;
                } else {
                    assert_eq!((reason, compact_revision), (None, None));
                }
            }
            WatchResponse::Progress { id: Some(id), revision } => {
                let watch = self.watches.get_mut(&(stream, id)).expect("the watch is open");
                assert!(watch.request.progress_notify);
                watch.check_progress(world, revision);
                self.progress += 1;
            }
            WatchResponse::Progress { id: None, revision } => {
                let own = self.watches.iter_mut().filter(|((of, _), _)| *of == stream);
                let count = own.map(|(_, watch)| watch.check_progress(world, revision)).count();
                assert!(count > 0, "somebody is told");
                self.progress += 1;
            }
        }
    }

    /// Liveness: nobody has anything left to be told.
    pub(crate) fn finished(&self, world: &World, last: i64) {
        for watch in self.watches.values() {
            assert_eq!(watch.expected(world, last), [], "left out at the end");
        }
        assert!(self.asked.values().all(Vec::is_empty), "every request is answered");
    }
}

impl Watch {
    /// What has still to be told, up to `last`.
    fn expected(&self, world: &World, last: i64) -> Vec<Arc<Event>> {
        let mut events = world.events(self.next, last.max(self.next - 1));
        events.retain(|event| self.wants(event));
        events
    }

    fn wants(&self, event: &Event) -> bool {
        let (key, end) = (&self.request.keys.key, &self.request.keys.end);
        let inside = match end.as_ref() {
            b"" => event.kv.key == key,
            b"\0" => event.kv.key >= key,
            end => event.kv.key >= key && event.kv.key.as_ref() < end,
        };
        inside
            && match event.kind {
                EventKind::Put => !self.request.no_put,
                EventKind::Delete => !self.request.no_delete,
            }
    }

    /// Filtered, ordered, unique, atomic, reliable, resumable, and not before its time: the
    /// response is exactly what happened since the last one.
    fn check_events(&self, world: &World, events: &[Arc<Event>], last: i64) {
        let expected = self.expected(world, last);
        let bare = |events: &[Arc<Event>]| -> Vec<_> {
            events.iter().map(|event| (event.kind, event.kv.clone())).collect()
        };
        assert_eq!(bare(events), bare(&expected));
        for event in events {
            let at = store::Revision::new(event.kv.mod_revision, 0);
            let truth = world.before(&event.kv.key, at);
            match (&event.previous, truth) {
                (Previous::Absent, None) => {}
                (Previous::Held(kv), Some((_, truth))) => assert_eq!(*kv, truth),
                (Previous::Stored(place), Some((truth, _))) => assert_eq!(*place, truth),
                (told, truth) => panic!("previous: {told:?}, not {truth:?}"),
            }
        }
    }

    /// Bookmarkable, and of its time.
    fn check_progress(&mut self, world: &World, revision: i64) {
        assert!(revision >= self.progressed, "progress goes forward");
        assert!(revision >= self.request.start_revision, "progress before the start");
        assert!(revision >= self.next - 1, "progress behind what was told");
        assert_eq!(self.expected(world, revision), [], "progress ahead of events");
        self.progressed = revision;
        self.next = revision + 1;
    }
}
