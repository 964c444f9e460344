//! A store with a backend, run the way a node runs it; and short words for commands.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use protocol::{Index, Position, Term};
use store::watch::{History, HistoryChunk};
use store::{
    Applied, Backend, BackendRead, Command, Compare, Comparison, Condition, DeleteRange, Error,
    Event, Gone, HistoryHash, KeyRange, KeyValue, LeaseId, Limits, MemoryBackend, Operation,
    Outcome, Previous, Put, Range, RangeResult, Record, Revision, Store, Txn,
};

use crate::random::Draw;

/// A store and its backend.
#[derive(Clone, Debug)]
pub(crate) struct Rig {
    pub(crate) store: Store,
    pub(crate) backend: MemoryBackend,
    pub(crate) limits: Limits,
    /// Discards that the backend has been told and has not carried out: a crash undoes them.
    pub(crate) discards: VecDeque<Vec<Revision>>,
    /// Records that had to be fetched for commands.
    pub(crate) loaded: usize,
}

impl Rig {
    pub(crate) fn new(limits: Limits) -> Self {
        let (store, backend) = (Store::new(limits), MemoryBackend::new());
        Self { store, backend, limits, discards: VecDeque::new(), loaded: 0 }
    }

    /// With nothing hot: what is flushed leaves memory.
    pub(crate) fn cold() -> Self {
        Self::new(Limits { hot_bytes: 0, ..Limits::default() })
    }

    pub(crate) fn apply(&mut self, command: &Command) -> Applied {
        let mut bytes = Vec::new();
        command.encode(&mut bytes);
        let decoded = Command::decode(bytes.into()).expect("a command is decoded as encoded");
        assert_eq!(&decoded, command);
        loop {
            let missing = self.store.missing(&decoded);
            if missing.is_empty() {
                break;
            }
            for revision in missing {
                self.loaded += 1;
                let record = self.backend.get(revision).expect("memory does not fail");
                assert!(record.is_some(), "the backend lost {revision}");
                self.store.supply(revision, record);
            }
        }
        let index = self.store.applied().index.next();
        self.store.apply(Position::new(Term(1), index), &decoded)
    }

    /// Applies what must succeed.
    pub(crate) fn ok(&mut self, command: &Command) -> Outcome {
        self.apply(command).outcome.expect("the command succeeds")
    }

    /// Applies what must be refused, and changes nothing.
    pub(crate) fn refused(&mut self, command: &Command) -> Error {
        let before = (self.store.revision(), self.hash());
        let error = self.apply(command).outcome.expect_err("the command is refused");
        assert_eq!((self.store.revision(), self.hash()), before, "a refusal changes nothing");
        error
    }

    pub(crate) fn put(&mut self, key: &str, value: &str) -> i64 {
        self.apply(&put(key, value)).revision
    }

    pub(crate) fn delete(&mut self, key: &str) -> i64 {
        self.apply(&delete(key, "")).revision
    }

    pub(crate) fn compact(&mut self, revision: i64) {
        assert_eq!(self.ok(&Command::Compact { revision }), Outcome::Done);
    }

    /// Prunes to the end, in the smallest steps.
    pub(crate) fn prune(&mut self) -> usize {
        let mut dropped = 0;
        while self.store.compacting() {
            dropped += self.prune_step(1);
        }
        while self.discard_one() {}
        dropped
    }

    /// Carries out a part of what the backend has been told, as badly as its contract allows: puts
    /// in any order, and tombstones as soon as no put below them stands in their way.
    pub(crate) fn discard_some(&mut self, draw: &mut Draw) {
        // The first discard of the puts that stay, by ascending revision.
        let mut puts = BTreeMap::new();
        let mut tombstones = Vec::new();
        for (number, batch) in self.discards.iter().enumerate() {
            for at in batch {
                match self.fetch(*at) {
                    Some(Record::Put(_)) if !draw.one_in(3) => drop(puts.insert(*at, number)),
                    Some(Record::Tombstone { .. }) => tombstones.push((*at, number)),
                    Some(Record::Put(_)) | None => {}
                }
            }
        }
        let free = |at: Revision, number| puts.range(..at).all(|(_, put)| *put > number);
        tombstones.retain(|(at, number)| !free(*at, *number) || draw.one_in(4));
        let stays = |at: &Revision| {
            puts.contains_key(at) || tombstones.iter().any(|(tombstone, _)| tombstone == at)
        };
        for batch in &mut self.discards {
            let (stay, goes): (Vec<_>, Vec<_>) = batch.iter().copied().partition(stays);
            self.backend.discard(&goes).expect("memory does not fail");
            *batch = stay;
        }
    }

    /// Carries out the oldest discard.
    pub(crate) fn discard_one(&mut self) -> bool {
        let Some(dead) = self.discards.pop_front() else { return false };
        self.backend.discard(&dead).expect("memory does not fail");
        true
    }

    pub(crate) fn prune_step(&mut self, max_keys: usize) -> usize {
        let dead = self.store.compact_step(max_keys);
        let dropped = dead.len();
        self.discards.push_back(dead);
        dropped
    }

    pub(crate) fn flush(&mut self) {
        if let Some(flush) = self.store.begin_flush() {
            self.backend.flush(&flush).expect("memory does not fail");
            self.store.flushed(flush.applied);
        }
    }

    /// What a start from the backend gives.
    pub(crate) fn restarted(&self) -> Self {
        let meta = self.backend.meta().expect("memory does not fail");
        let mut restoring = Store::restore(self.limits, meta).expect("metadata is sound");
        for (revision, record) in self.all_records() {
            restoring.record(revision, &record);
        }
        let (store, dead) = restoring.finish().expect("records are sound");
        assert_eq!(store.applied(), self.backend.applied());
        assert!(dead.is_sorted() && dead.iter().all(|at| self.fetch(*at).is_some()));
        let (backend, discards) = (self.backend.clone(), VecDeque::from([dead]));
        Self { store, backend, limits: self.limits, discards, loaded: self.loaded }
    }

    pub(crate) fn all_records(&self) -> Vec<(Revision, Record)> {
        let end = Revision::new(i64::MAX, 0);
        self.backend.scan(Revision::default(), end, usize::MAX).expect("memory does not fail")
    }

    pub(crate) fn fetch(&self, revision: Revision) -> Option<Record> {
        self.backend.get(revision).expect("memory does not fail")
    }

    /// A read, two keys a step.
    pub(crate) fn read(&self, range: &Range) -> Result<RangeResult, Error> {
        let mut cursor = self.store.begin_range(range)?;
        while !self.store.step_range(&mut cursor, 2)? {}
        let view = cursor.into_view();
        let answer = view.complete(|at| self.fetch(at));
        Ok(answer.unwrap_or_else(|Gone(at)| panic!("the backend lost {at}")))
    }

    pub(crate) fn get(&self, key: &str) -> Option<KeyValue> {
        self.read(&range(key, "")).expect("the latest revision is readable").kvs.pop()
    }

    pub(crate) fn value(&self, key: &str) -> Option<String> {
        self.get(key).map(|kv| String::from_utf8(kv.value.to_vec()).expect("text"))
    }

    pub(crate) fn hash(&self) -> HistoryHash {
        self.hash_at(0).expect("the latest revision can be hashed")
    }

    pub(crate) fn hash_at(&self, revision: i64) -> Result<HistoryHash, Error> {
        let mut cursor = self.store.begin_hash(revision)?;
        while !self.store.step_hash(&mut cursor, 3)? {}
        Ok(cursor.finish())
    }

    /// Everything that happened from a revision (main) on, wherever it stands; what keys were
    /// before is fetched.
    pub(crate) fn past(&self, from: i64, limit: usize) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        let mut from = Revision::new(from, 0);
        while from.main <= self.store.revision() {
            match self.store.history(from, limit)? {
                HistoryChunk::Events { events: more, next } => {
                    assert!(next > from && next.sub == 0);
                    events.extend(more.iter().map(|event| self.told(event)));
                    from = next;
                }
                HistoryChunk::Scan { from: start, to } => {
                    assert!(start == from && to > from && to.sub == 0);
                    for (at, record) in self.backend.scan(start, to, usize::MAX).expect("memory") {
                        events.push(self.told(&self.store.event_of(at, &record)));
                    }
                    from = to;
                }
            }
        }
        Ok(events)
    }

    /// The event, with what its key was before.
    pub(crate) fn told(&self, event: &Event) -> Event {
        let previous = match &event.previous {
            Previous::Stored(at) => match self.fetch(*at) {
                Some(Record::Put(kv)) => Previous::Held(kv),
                other => panic!("{at} should be a put: {other:?}"),
            },
            other => other.clone(),
        };
        Event { previous, ..event.clone() }
    }

    pub(crate) fn events(&mut self) -> Vec<Arc<Event>> {
        self.store.take_events()
    }
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn keys(key: &str, end: &str) -> KeyRange {
    KeyRange { key: bytes(key), end: bytes(end) }
}

/// A put as clients make it by default: value given, no lease.
pub(crate) fn plain(key: &str, value: &str) -> Put {
    Put { key: bytes(key), value: Some(bytes(value)), lease: Some(None), prev_kv: false }
}

pub(crate) fn put(key: &str, value: &str) -> Command {
    Command::Put(plain(key, value))
}

pub(crate) fn put_leased(key: &str, value: &str, lease: i64) -> Command {
    Command::Put(Put { lease: Some(Some(LeaseId(lease))), ..plain(key, value) })
}

pub(crate) fn delete(key: &str, end: &str) -> Command {
    Command::DeleteRange(DeleteRange { range: keys(key, end), prev_kv: false })
}

pub(crate) fn range(key: &str, end: &str) -> Range {
    Range {
        keys: keys(key, end),
        revision: 0,
        limit: 0,
        target: store::SortTarget::Key,
        order: store::SortOrder::None,
        keys_only: false,
        count_only: false,
        filter: store::Filter::default(),
    }
}

pub(crate) fn grant(id: i64, ttl: i64) -> Command {
    Command::LeaseGrant { id: LeaseId(id), ttl }
}

pub(crate) fn compare(key: &str, comparison: Comparison, condition: Condition) -> Compare {
    Compare { range: keys(key, ""), comparison, condition }
}

pub(crate) fn txn(compare: Vec<Compare>, success: Vec<Operation>, failure: Vec<Operation>) -> Txn {
    Txn { compare, success, failure }
}

pub(crate) fn op_put(key: &str, value: &str) -> Operation {
    Operation::Put(plain(key, value))
}

pub(crate) fn op_get(key: &str, end: &str) -> Operation {
    Operation::Range(range(key, end))
}

pub(crate) fn op_delete(key: &str, end: &str) -> Operation {
    Operation::DeleteRange(DeleteRange { range: keys(key, end), prev_kv: false })
}

/// The parts of a transaction's outcome.
pub(crate) fn parts(outcome: Outcome) -> (bool, Vec<(i64, Outcome)>) {
    match outcome {
        Outcome::Txn { succeeded, responses } => (succeeded, responses),
        other => panic!("not a transaction's outcome: {other:?}"),
    }
}

/// The keys of a read's outcome.
pub(crate) fn found(outcome: &Outcome) -> &RangeResult {
    match outcome {
        Outcome::Range(result) => result,
        other => panic!("not a read's outcome: {other:?}"),
    }
}

pub(crate) fn position(index: u64) -> Position {
    Position::new(Term(1), Index(index))
}
