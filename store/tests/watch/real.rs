//! The hub over the store itself: past and present, memory and backend, tell the same story.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{Index, Position, Rng, Term, Time};
use store::watch::{CancelReason, Hub, WatchLimits, WatchOutput, WatchResponse};
use store::{
    Backend as _, BackendRead as _, Command, DeleteRange, Event, KeyRange, Limits, MemoryBackend,
    Operation, Put, Store, Txn,
};

use crate::desk::{STREAM, all, between, from};

struct Member {
    rng: Rng,
    store: Store,
    backend: MemoryBackend,
    hub: Hub,
    index: u64,
    /// All that ever happened, as it was published.
    truth: Vec<Arc<Event>>,
    /// By watch: whether it is open, everything told before, and whether it leaves out `a`.
    watches: Vec<(bool, i64, bool)>,
    scans: usize,
    told: usize,
    canceled: usize,
}

impl Member {
    fn new(seed: u64) -> Self {
        let limits = Limits { hot_bytes: 600, ..Limits::default() };
        let bounds = WatchLimits {
            outstanding_bytes: 2000,
            batch: 7,
            scan_bytes: 100,
            ..WatchLimits::default()
        };
        let mut hub = Hub::new(bounds, seed);
        assert!(hub.open(STREAM));
        let mut store = Store::new(limits);
        store.set_watched(true);
        Self {
            rng: Rng::new(seed),
            store,
            backend: MemoryBackend::new(),
            hub,
            index: 0,
            truth: Vec::new(),
            watches: Vec::new(),
            scans: 0,
            told: 0,
            canceled: 0,
        }
    }

    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.rng.below(u64::try_from(bound).unwrap())).unwrap()
    }

    fn apply(&mut self, command: &Command) {
        self.index += 1;
        let position = Position { term: Term(1), index: Index(self.index) };
        for revision in self.store.missing(command) {
            let record = self.backend.get(revision).unwrap();
            self.store.supply(revision, record);
        }
        self.store.apply(position, command).outcome.ok();
        let events = self.store.take_events();
        self.hub.publish(Time::default(), self.store.revision(), &events);
        self.truth.extend(events);
    }

    fn write(&mut self) {
        let mut operations = Vec::new();
        for key in [b"a", b"b", b"c"] {
            let key = Bytes::from_static(key);
            match self.rng.below(5) {
                0 => {
                    let range = KeyRange { key, end: Bytes::new() };
                    operations.push(Operation::DeleteRange(DeleteRange { range, prev_kv: false }));
                }
                1 | 2 => operations.push(Operation::Put(Put {
                    key,
                    value: Some(Bytes::from(vec![b'v'; 30])),
                    lease: Some(None),
                    prev_kv: false,
                })),
                _ => {}
            }
        }
        self.apply(&Command::Txn(Txn { success: operations, ..Txn::default() }));
    }

    fn act(&mut self) {
        match self.rng.below(20) {
            0..9 => self.write(),
            9 | 10 => {
                if let Some(flush) = self.store.begin_flush() {
                    self.backend.flush(&flush).unwrap();
                    self.store.flushed(flush.applied);
                }
            }
            11 => {
                let revision = self.store.revision() - self.below(20);
                self.apply(&Command::Compact { revision });
            }
            12 => {
                let dead = self.store.compact_step(3);
                self.backend.discard(&dead).unwrap();
            }
            13 if self.watches.len() < 40 => {
                let start = (self.store.revision() - self.below(25)).max(1);
                let without_a = self.below(2) == 0;
                let request = if without_a { between("b", "z") } else { all() };
                self.hub.create(Time::default(), STREAM, from(start, request), &self.store);
                self.watches.push((true, start, without_a));
            }
            _ => {
                self.turn();
            }
        }
    }

    /// A step, its scan, and what the connection writes.
    fn turn(&mut self) -> bool {
        let more = self.hub.step(Time::default(), &self.store, 10);
        let mut any = false;
        while let Some(output) = self.hub.poll() {
            any = true;
            match output {
                WatchOutput::Respond { stream, response } => {
                    self.hub.sent(stream, response.cost());
                    self.check(&response);
                }
                WatchOutput::Scan { token, from, to, limit } => {
                    self.scans += 1;
                    let records = self.backend.scan(from, to, limit);
                    self.hub.scanned(token, records, &self.store);
                }
                WatchOutput::Overrun { .. } => panic!("it reads"),
            }
        }
        more || any
    }

    fn check(&mut self, response: &WatchResponse) {
        match response {
            WatchResponse::Events { id, events, .. } => {
                let (open, next, without_a) = self.watches[usize::try_from(id.0).unwrap()];
                assert!(open);
                let last = events.last().unwrap().kv.mod_revision;
                let expected = self.expected(next, last, without_a);
                let bare = |events: &[Arc<Event>]| -> Vec<_> {
                    events.iter().map(|event| (event.kind, event.kv.clone())).collect()
                };
                assert_eq!(bare(events), bare(&expected));
                self.told += events.len();
                self.watches[usize::try_from(id.0).unwrap()].1 = last + 1;
            }
            WatchResponse::Canceled { id, reason, compact_revision, .. } => {
                let watch = &mut self.watches[usize::try_from(id.0).unwrap()];
                assert_eq!(*reason, Some(CancelReason::Compacted));
                assert!(watch.1 < compact_revision.unwrap());
                watch.0 = false;
                self.canceled += 1;
            }
            WatchResponse::Created { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn expected(&self, first: i64, last: i64, without_a: bool) -> Vec<Arc<Event>> {
        let inside = |event: &&Arc<Event>| {
            let main = event.kv.mod_revision;
            first <= main && main <= last && !(without_a && event.kv.key == "a")
        };
        self.truth.iter().filter(inside).cloned().collect()
    }
}

#[test]
fn the_store_tells_its_past_as_it_told_its_present() {
    let (mut scans, mut told, mut canceled) = (0, 0, 0);
    for seed in 0..40 {
        let mut member = Member::new(seed);
        for _ in 0..500 {
            member.act();
        }
        let mut turns = 0;
        while member.turn() {
            turns += 1;
            assert!(turns < 10_000, "catching up ends, seed {seed}");
        }
        for (open, next, without_a) in &member.watches {
            let left = member.expected(*next, i64::MAX, *without_a);
            assert!(!open || left.is_empty(), "seed {seed}: {left:?}");
        }
        scans += member.scans;
        told += member.told;
        canceled += member.canceled;
    }
    assert!(scans > 300 && told > 10_000 && canceled > 50, "{scans} {told} {canceled}");
}
