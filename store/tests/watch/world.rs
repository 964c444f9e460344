//! A store that remembers everything, so that what watchers are told can be compared with what
//! happened. What it tells *them* is honest: compacted records are really gone from its backend.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use store::watch::{History, HistoryChunk};
use store::{Error, Event, EventKind, KeyValue, Previous, Record, Revision};

/// One change: a key and its new value, or `None` for a deletion.
pub(crate) type Change = (&'static str, Option<&'static str>);

pub(crate) struct World {
    truth: BTreeMap<Revision, Record>,
    keys: BTreeMap<Bytes, Vec<Revision>>,
    backend: BTreeMap<Revision, Record>,
    revision: i64,
    compacted: i64,
    /// The first revision that is in memory.
    flushed: i64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            truth: BTreeMap::new(),
            keys: BTreeMap::new(),
            backend: BTreeMap::new(),
            revision: 1,
            compacted: -1,
            flushed: 2,
        }
    }

    /// Applies a transaction; gives its events. Deletions of missing keys change nothing.
    pub(crate) fn apply(&mut self, changes: &[(Bytes, Option<Bytes>)]) -> Vec<Arc<Event>> {
        let main = self.revision + 1;
        let mut sub = 0;
        for (key, value) in changes {
            let at = Revision::new(main, sub);
            let old = self.before(key, at).map(|(_, kv)| kv);
            let record = match (value, old) {
                (Some(value), old) => Record::Put(KeyValue {
                    key: key.clone(),
                    value: value.clone(),
                    create_revision: old.as_ref().map_or(main, |kv| kv.create_revision),
                    mod_revision: main,
                    version: old.map_or(1, |kv| kv.version + 1),
                    lease: None,
                }),
                (None, Some(_)) => Record::Tombstone { key: key.clone() },
                (None, None) => continue,
            };
            self.truth.insert(at, record);
            self.keys.entry(key.clone()).or_default().push(at);
            sub += 1;
        }
        if sub > 0 {
            self.revision = main;
        }
        self.events(main, main)
    }

    pub(crate) fn put(&mut self, key: &'static str, value: &'static str) -> Vec<Arc<Event>> {
        self.txn(&[(key, Some(value))])
    }

    pub(crate) fn delete(&mut self, key: &'static str) -> Vec<Arc<Event>> {
        self.txn(&[(key, None)])
    }

    pub(crate) fn txn(&mut self, changes: &[Change]) -> Vec<Arc<Event>> {
        let changes: Vec<_> = changes
            .iter()
            .map(|(key, value)| (Bytes::from(*key), value.map(Bytes::from)))
            .collect();
        self.apply(&changes)
    }

    /// Keeps only the revisions from this one on in memory.
    pub(crate) fn flush(&mut self, below: i64) {
        self.flushed = self.flushed.max(below.min(self.revision + 1));
        let flushed = self.truth.range(..Revision::new(self.flushed, 0));
        for (at, record) in flushed.filter(|(at, _)| at.main >= self.compacted) {
            self.backend.insert(*at, record.clone());
        }
    }

    /// Compacts, and discards at once what nobody may need any more.
    pub(crate) fn compact(&mut self, revision: i64) {
        if revision <= self.compacted || revision > self.revision {
            return;
        }
        self.compacted = revision;
        let keys = &self.keys;
        self.backend.retain(|at, record| {
            if at.main >= revision {
                return true;
            }
            let (Record::Put(KeyValue { key, .. }) | Record::Tombstone { key }) = record;
            let kept = keys[key].iter().rev().find(|at| at.main <= revision);
            kept == Some(at) && matches!(record, Record::Put(_))
        });
    }

    /// Everything that happened from `first` to `last`, whatever has been compacted.
    pub(crate) fn events(&self, first: i64, last: i64) -> Vec<Arc<Event>> {
        let range = Revision::new(first, 0)..Revision::new(last.max(first - 1) + 1, 0);
        self.truth.range(range).map(|(at, record)| Arc::new(self.event(*at, record))).collect()
    }

    /// The value of a key before a revision, and where it stands.
    pub(crate) fn before(&self, key: &Bytes, at: Revision) -> Option<(Revision, KeyValue)> {
        let revisions = self.keys.get(key)?;
        let last = *revisions.iter().rev().find(|earlier| earlier.main < at.main)?;
        match &self.truth[&last] {
            Record::Put(kv) => Some((last, kv.clone())),
            Record::Tombstone { .. } => None,
        }
    }

    /// What the backend answers to a scan.
    pub(crate) fn scan(
        &self,
        from: Revision,
        to: Revision,
        limit: usize,
    ) -> Vec<(Revision, Record)> {
        let range = self.backend.range(from..to);
        range.take(limit).map(|(at, record)| (*at, record.clone())).collect()
    }

    fn event(&self, at: Revision, record: &Record) -> Event {
        let (kind, kv) = match record {
            Record::Put(kv) => (EventKind::Put, kv.clone()),
            Record::Tombstone { key } => {
                let (key, mod_revision) = (key.clone(), at.main);
                (EventKind::Delete, KeyValue { key, mod_revision, ..KeyValue::default() })
            }
        };
        let previous = match self.before(&kv.key, at) {
            None => Previous::Absent,
            Some((place, _)) if place.main < self.flushed => Previous::Stored(place),
            Some((_, kv)) => Previous::Held(kv),
        };
        Event { kind, kv, previous }
    }
}

impl History for World {
    fn revision(&self) -> i64 {
        self.revision
    }

    fn compact_revision(&self) -> i64 {
        self.compacted
    }

    fn history(&self, from: Revision, limit: usize) -> Result<HistoryChunk, Error> {
        assert!(from.main <= self.revision, "nobody asks for the future");
        assert_eq!(from.sub, 0);
        if from.main < self.compacted {
            return Err(Error::Compacted);
        }
        if from.main < self.flushed {
            return Ok(HistoryChunk::Scan { from, to: Revision::new(self.flushed, 0) });
        }
        let (mut events, mut next) = (Vec::new(), from.main);
        while next <= self.revision && events.len() < limit {
            events.extend(self.events(next, next));
            next += 1;
        }
        Ok(HistoryChunk::Events { events, next: Revision::new(next, 0) })
    }

    fn event_of(&self, at: Revision, record: &Record) -> Event {
        assert!(at.main >= self.compacted, "what is compacted is not asked for");
        self.event(at, record)
    }
}
