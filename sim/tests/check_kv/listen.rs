//! Watches of right histories, told by the simplest hub there can be.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::{Rng, Time};
use sim::history::{History, Watch};
use store::watch::{
    CancelReason, History as _, HistoryChunk, RefuseReason, WatchCreate, WatchId, WatchResponse,
};
use store::{Event, EventKind, KeyRange, Revision, Store};

/// All watches, and which revisions were ever the newest one.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    live: Vec<Live>,
    /// Revisions that a tick passed over.
    hidden: BTreeSet<i64>,
}

#[derive(Debug)]
struct Live {
    watch: usize,
    create: WatchCreate,
    keys: KeyRange,
    next: i64,
    promise_from: i64,
}

impl Listeners {
    /// One entry has made these events.
    pub(crate) fn publish(&mut self, events: Vec<Arc<Event>>) {
        let Some(newest) = events.last().map(|event| event.kv.mod_revision) else { return };
        let made = events.iter().map(|event| event.kv.mod_revision);
        self.hidden.extend(made.filter(|revision| *revision < newest));
    }

    /// Whether a replica could ever be at this revision.
    pub(crate) fn shown(&self, revision: i64) -> bool {
        !self.hidden.contains(&revision)
    }

    pub(crate) fn create(
        &mut self,
        client: u32,
        now: Time,
        create: WatchCreate,
        store: &Store,
        history: &mut History,
    ) {
        let mut keys = create.keys.clone();
        if keys.key.is_empty() {
            keys.key = bytes::Bytes::from_static(b"\0");
        }
        let revision = store.revision();
        let empty = !keys.is_single() && !keys.is_open() && keys.key >= keys.end;
        let refusal = match (empty, create.start_revision < 0) {
            (true, _) => Some(RefuseReason::EmptyRange),
            (false, true) => Some(RefuseReason::NegativeStart),
            (false, false) => None,
        };
        let first = match refusal {
            Some(reason) => WatchResponse::Refused { reason, revision },
            None => WatchResponse::Created { id: WatchId(7), revision },
        };
        let watch = history.watches.len();
        history.watches.push(Watch {
            client,
            called: now,
            create: create.clone(),
            heard: vec![(now, first)],
            open_at_end: refusal.is_none(),
        });
        if refusal.is_some() {
            return;
        }
        let (next, promise_from) = match create.start_revision {
            0 => (revision + 1, revision),
            start => (start, start),
        };
        if create.start_revision != 0 && create.start_revision < store.compact_revision() {
            cancel(now, store, &mut history.watches[watch]);
            return;
        }
        self.live.push(Live { watch, create, keys, next, promise_from });
    }

    /// Tells one watch something, or promises it something.
    pub(crate) fn deliver(
        &mut self,
        now: Time,
        rng: &mut Rng,
        store: &Store,
        history: &mut History,
    ) {
        if self.live.is_empty() {
            return;
        }
        let at = usize::try_from(rng.below(self.live.len() as u64)).unwrap();
        if !self.live[at].tell(now, rng, store, history) {
            self.live.remove(at);
        }
    }

    /// Tells all watches everything.
    pub(crate) fn deliver_all(
        &mut self,
        now: Time,
        rng: &mut Rng,
        store: &Store,
        history: &mut History,
    ) {
        self.live.retain_mut(|live| live.tell(now, rng, store, history));
    }
}

fn cancel(now: Time, store: &Store, watch: &mut Watch) {
    watch.open_at_end = false;
    watch.heard.push((
        now,
        WatchResponse::Canceled {
            id: WatchId(7),
            reason: Some(CancelReason::Compacted),
            compact_revision: Some(store.compact_revision()),
            revision: store.revision(),
        },
    ));
}

impl Live {
    /// False: it has ended.
    fn tell(&mut self, now: Time, rng: &mut Rng, store: &Store, history: &mut History) -> bool {
        let watch = &mut history.watches[self.watch];
        let (id, revision) = (WatchId(7), store.revision());
        if self.next <= revision && self.next < store.compact_revision() {
            cancel(now, store, watch);
            return false;
        }
        let events = match store.history(Revision::new(self.next, 0), usize::MAX) {
            Ok(HistoryChunk::Events { events, .. }) => events,
            Ok(HistoryChunk::Scan { .. }) => panic!("nothing was flushed"),
            Err(_) => Vec::new(),
        };
        let wanted = |event: &&Arc<Event>| {
            let filtered = match event.kind {
                EventKind::Put => self.create.no_put,
                EventKind::Delete => self.create.no_delete,
            };
            self.keys.contains(&event.kv.key) && !filtered && event.kv.mod_revision >= self.next
        };
        let events: Vec<Arc<Event>> = events.iter().filter(wanted).cloned().collect();
        let mut batch: Vec<Arc<Event>> = Vec::new();
        let (prev_kv, fragment) = (self.create.prev_kv, self.create.fragment);
        for run in events.chunk_by(|a, b| a.kv.mod_revision == b.kv.mod_revision) {
            if !batch.is_empty() && rng.below(3) == 0 {
                let events = std::mem::take(&mut batch);
                let told = WatchResponse::Events { id, revision, events, prev_kv, fragment };
                watch.heard.push((now, told));
            }
            batch.extend(run.iter().cloned());
        }
        if !batch.is_empty() {
            let told = WatchResponse::Events { id, revision, events: batch, prev_kv, fragment };
            watch.heard.push((now, told));
        }
        self.next = self.next.max(revision + 1);
        if revision >= self.promise_from && rng.below(3) == 0 {
            let id = self.create.progress_notify.then_some(id);
            watch.heard.push((now, WatchResponse::Progress { id, revision }));
        }
        true
    }
}
