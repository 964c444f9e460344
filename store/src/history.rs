//! The past, for watches that lag behind.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::kv::{deletion, previous};
use crate::watch::{History, HistoryChunk};
use crate::{Error, Event, EventKind, Previous, Record, Revision, Store};

impl History for Store {
    fn revision(&self) -> i64 {
        self.revision
    }

    fn compact_revision(&self) -> i64 {
        self.compact_revision
    }

    fn history(&self, from: Revision, limit: usize) -> Result<HistoryChunk, Error> {
        if from.main < self.compact_revision {
            return Err(Error::Compacted);
        }
        let floor = self.recent.floor();
        if from < floor {
            return Ok(HistoryChunk::Scan { from, to: floor });
        }
        let mut events: Vec<Arc<Event>> = Vec::new();
        for (at, record) in self.recent.from(from) {
            let begins = events.last().is_some_and(|last| last.kv.mod_revision != at.main);
            if begins && events.len() >= limit {
                return Ok(HistoryChunk::Events { events, next: Revision::new(at.main, 0) });
            }
            events.push(Arc::new(self.event_of(*at, record)));
        }
        let next = Revision::new(from.main.max(self.revision + 1), 0);
        Ok(HistoryChunk::Events { events, next })
    }

    fn event_of(&self, at: Revision, record: &Record) -> Event {
        match record {
            Record::Put(kv) => {
                let previous = self.previous_of(at, &kv.key);
                Event { kind: EventKind::Put, kv: kv.clone(), previous }
            }
            Record::Tombstone { key } => deletion(key.clone(), at.main, self.previous_of(at, key)),
        }
    }
}

impl Store {
    /// What a key was before a change. Compaction forgets it once the revision before the change
    /// is forgotten, whether or not the index still has it.
    fn previous_of(&self, at: Revision, key: &[u8]) -> Previous {
        let before = at.main - 1;
        if before < self.compact_revision {
            return Previous::Absent;
        }
        let version = self.index.get(key).and_then(|known| known.live_at(before));
        previous(version, version.and_then(|version| self.recent.get(version.revision())))
    }
}
