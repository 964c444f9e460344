//! The records in memory: those that no flush has taken yet, and the hot ones after them.
//!
//! - revisions ascend, without a gap from `floor` on, except for compacted ones;
//! - what is not flushed is never let go of;
//! - revisions leave whole: `floor` stands between two main revisions.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::{Record, Revision};

/// Accounted for a record besides its key and value.
const RECORD_COST: usize = 128;

/// The records in memory.
#[derive(Clone, Debug)]
pub(crate) struct Recent {
    records: VecDeque<(Revision, Record)>,
    /// Every record from here on is in memory, if it is not dead.
    floor: Revision,
    /// Every record before this is in the backend.
    flushed: Revision,
    /// The end of the flush under way.
    flushing: Option<Revision>,
    /// Puts that were compacted before they were flushed: a later flush leaves them out.
    /// Tombstones are not spared: the backend may hold what they have deleted.
    dead: BTreeSet<Revision>,
    bytes: usize,
    unflushed_bytes: usize,
    /// Of the unflushed ones, those in the flush under way.
    flushing_bytes: usize,
}

/// The bytes accounted for a record.
pub(crate) fn cost(record: &Record) -> usize {
    match record {
        Record::Put(kv) => RECORD_COST + kv.key.len() + kv.value.len(),
        Record::Tombstone { key } => RECORD_COST + key.len(),
    }
}

impl Recent {
    /// Nothing in memory; the backend has everything before `floor`.
    pub(crate) const fn new(floor: Revision) -> Self {
        Self {
            records: VecDeque::new(),
            floor,
            flushed: floor,
            flushing: None,
            dead: BTreeSet::new(),
            bytes: 0,
            unflushed_bytes: 0,
            flushing_bytes: 0,
        }
    }

    pub(crate) const fn floor(&self) -> Revision {
        self.floor
    }

    pub(crate) const fn unflushed_bytes(&self) -> usize {
        self.unflushed_bytes
    }

    pub(crate) fn push(&mut self, revision: Revision, record: Record) {
        let last = self.records.back().map_or(self.floor, |(last, _)| *last);
        assert!(revision >= last, "revisions ascend");
        let bytes = cost(&record);
        self.bytes += bytes;
        self.unflushed_bytes += bytes;
        self.records.push_back((revision, record));
    }

    pub(crate) fn get(&self, revision: Revision) -> Option<&Record> {
        if revision < self.floor {
            return None;
        }
        let at = self.records.binary_search_by(|(other, _)| other.cmp(&revision)).ok()?;
        Some(&self.records[at].1)
    }

    /// The records from a revision on, ascending.
    pub(crate) fn from(&self, from: Revision) -> impl Iterator<Item = &(Revision, Record)> {
        let start = self.records.partition_point(|(revision, _)| *revision < from);
        self.records.range(start..)
    }

    /// These revisions were compacted.
    pub(crate) fn bury(&mut self, revisions: &[Revision]) {
        self.dead.extend(revisions.iter().filter(|at| **at >= self.flushed));
    }

    /// Everything that is not flushed, up to and excluding `end`, without dead puts.
    pub(crate) fn begin_flush(&mut self, end: Revision) -> Vec<(Revision, Record)> {
        assert!(self.flushing.is_none(), "one flush at a time");
        self.flushing = Some(end);
        self.flushing_bytes = self.unflushed_bytes;
        let dead = &self.dead;
        let needed = |(at, record): &&(Revision, Record)| {
            matches!(record, Record::Tombstone { .. }) || !dead.contains(at)
        };
        self.from(self.flushed).filter(needed).cloned().collect()
    }

    /// The flush is durable.
    pub(crate) fn flushed(&mut self, hot_bytes: usize) {
        let end = self.flushing.take().expect("a flush is under way");
        self.unflushed_bytes -= self.flushing_bytes;
        self.flushing_bytes = 0;
        self.flushed = end;
        self.dead = self.dead.split_off(&end);
        self.evict(hot_bytes);
    }

    /// The flush came to nothing.
    pub(crate) fn flush_failed(&mut self) {
        self.flushing = None;
        self.flushing_bytes = 0;
    }

    /// Lets the oldest flushed revisions go, until those that stay take `hot_bytes`.
    fn evict(&mut self, hot_bytes: usize) {
        while self.bytes - self.unflushed_bytes > hot_bytes {
            let Some((oldest, _)) = self.records.front() else { return };
            let main = oldest.main;
            if main >= self.flushed.main {
                return;
            }
            while let Some((_, record)) = self.records.pop_front_if(|(at, _)| at.main == main) {
                self.bytes -= cost(&record);
            }
            self.floor = Revision::new(main + 1, 0);
        }
    }
}
