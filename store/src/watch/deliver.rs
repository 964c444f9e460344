//! Telling watchers of events: as they are published, and as the past is read.

use alloc::sync::Arc;
use alloc::vec::Vec;

use protocol::Time;
use protocol::mutant::{Mutant, planted};

use super::hub::Hub;
use super::interest::Handle;
use super::response::event_cost;
use super::watcher::Place;
use super::{History, StreamId, WatchResponse};
use crate::Event;

/// Which watcher is told of which event of a run, by its place in the run.
pub(super) type Match = (Handle, usize);

impl Hub {
    /// Commands have been applied. `revision` is the store's newest now, `events` are what they
    /// changed since the last call: whole main revisions, in order.
    ///
    /// What was published before is not told again. If something in between has not been
    /// published, what is missing is read from the history.
    pub fn publish(&mut self, now: Time, revision: i64, events: &[Arc<Event>]) {
        if revision <= self.revision {
            return;
        }
        let known = events.partition_point(|event| event.kv.mod_revision <= self.revision);
        let fresh = &events[known..];
        if !continues(self.revision, fresh, revision) {
            self.rewind(revision);
            return;
        }
        self.revision = revision;
        let mut matches = Vec::new();
        for (place, event) in fresh.iter().enumerate() {
            self.live.visit(&event.kv.key, |handle| {
                if self.watchers[&handle].wants(event) {
                    matches.push((handle, place));
                }
            });
        }
        self.deliver(now, &mut matches, fresh, revision);
        self.fulfil(revision);
    }

    /// The store has been replaced by a newer state of the same history (a snapshot was
    /// installed): what live watchers have not been told is now in its past. Scans under way are
    /// forgotten.
    pub fn restored(&mut self, history: &impl History) {
        self.reader.clear();
        self.rewind(history.revision());
        self.fulfil(self.revision);
    }

    /// What came after the newest published revision has to be read from the past, up to
    /// `revision`. Nobody is told anything below what he was told before.
    fn rewind(&mut self, revision: i64) {
        let told = self.revision.saturating_add(1);
        self.revision = revision;
        let handles: Vec<Handle> = self.watchers.keys().copied().collect();
        for handle in handles {
            let watcher = &self.watchers[&handle];
            match watcher.place {
                Place::Live => self.resume(handle, watcher.next.max(told)),
                Place::Ready => self.resume(handle, watcher.next),
                Place::Blocked => {}
            }
        }
    }

    /// Queues matched events for their watchers; those without credit become blocked where they
    /// stand. `revision` is the header's.
    pub(super) fn deliver(
        &mut self,
        now: Time,
        matches: &mut [Match],
        events: &[Arc<Event>],
        revision: i64,
    ) {
        matches.sort_unstable();
        for own in matches.chunk_by(|a, b| a.0 == b.0) {
            let handle = own[0].0;
            if let Some(stopped) = self.tell(now, handle, own, events, revision) {
                let began = self.watchers[&handle].next;
                let stopped = if planted(Mutant::E15271) { began } else { stopped };
                self.move_to(handle, Place::Blocked, stopped);
            }
        }
    }

    /// Queues events for one watcher, in as few responses as their size allows. Gives the revision
    /// at which the credit ended.
    fn tell(
        &mut self,
        now: Time,
        handle: Handle,
        own: &[Match],
        events: &[Arc<Event>],
        revision: i64,
    ) -> Option<i64> {
        let Handle { stream, id } = handle;
        let watcher = self.watchers.get_mut(&handle).expect("a handle names a watcher");
        let (prev_kv, fragment) = (watcher.request.prev_kv, watcher.request.fragment);
        watcher.told = now;
        let main = |(_, place): &Match| events[*place].kv.mod_revision;
        let (mut batch, mut cost) = (Vec::new(), 0);
        let mut room = self.room(stream);
        for run in own.chunk_by(|a, b| main(a) == main(b) && !planted(Mutant::M3)) {
            if room == 0 {
                return Some(main(&run[0]));
            }
            for (_, place) in run {
                cost += event_cost(&events[*place], prev_kv);
                batch.push(Arc::clone(&events[*place]));
            }
            if cost >= room {
                cost = 0;
                let events = core::mem::take(&mut batch);
                let told = WatchResponse::Events { id, revision, events, prev_kv, fragment };
                self.queue(stream, told);
                room = self.room(stream);
            }
        }
        if !batch.is_empty() {
            let told = WatchResponse::Events { id, revision, events: batch, prev_kv, fragment };
            self.queue(stream, told);
        }
        None
    }

    /// The bytes after which a response to this stream takes no further revision; 0 without
    /// credit.
    fn room(&self, stream: StreamId) -> usize {
        let state = &self.streams[&stream];
        if state.congested {
            return 0;
        }
        let credit = self.limits.outstanding_bytes.saturating_sub(state.outstanding);
        credit.min(self.limits.response_bytes).max(1)
    }
}

/// Whether these events are all that happened after `known`, up to `revision`.
fn continues(known: i64, events: &[Arc<Event>], revision: i64) -> bool {
    let mut last = known;
    for event in events {
        let main = event.kv.mod_revision;
        if main != last && main != last + 1 {
            return false;
        }
        last = main;
    }
    last == revision
}
