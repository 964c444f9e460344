//! A backend in memory, with the contract of the one on disk: what was flushed is there, whole,
//! and what was not is not. A clone of it is what a crash at that moment leaves.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;
use protocol::Position;

use super::{Backend, BackendError, BackendRead, Flush, Size};
use crate::recent::cost;
use crate::{Record, Revision};

/// A backend in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryBackend {
    records: BTreeMap<Revision, Record>,
    meta: BTreeMap<Bytes, Bytes>,
    applied: Position,
    bytes: u64,
}

impl MemoryBackend {
    /// An empty backend.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl BackendRead for MemoryBackend {
    fn get(&self, revision: Revision) -> Result<Option<Record>, BackendError> {
        Ok(self.records.get(&revision).cloned())
    }

    fn scan(
        &self,
        from: Revision,
        to: Revision,
        limit: usize,
    ) -> Result<Vec<(Revision, Record)>, BackendError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let records = self.records.range(from..to).take(limit);
        Ok(records.map(|(revision, record)| (*revision, record.clone())).collect())
    }

    fn meta(&self) -> Result<Vec<(Bytes, Bytes)>, BackendError> {
        Ok(self.meta.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    fn applied(&self) -> Position {
        self.applied
    }

    fn size(&self) -> Size {
        Size { total: self.bytes, in_use: self.bytes }
    }
}

impl Backend for MemoryBackend {
    fn flush(&mut self, flush: &Flush) -> Result<(), BackendError> {
        for (revision, record) in &flush.records {
            let last = self.records.last_key_value().map(|(last, _)| *last);
            assert!(last.is_none_or(|last| last < *revision), "revisions ascend over flushes");
            self.bytes += cost(record) as u64;
            self.records.insert(*revision, record.clone());
        }
        for (name, value) in &flush.meta {
            match value {
                Some(value) => self.meta.insert(name.clone(), value.clone()),
                None => self.meta.remove(name),
            };
        }
        self.applied = flush.applied;
        Ok(())
    }

    fn discard(&mut self, dead: &[Revision]) -> Result<(), BackendError> {
        for revision in dead {
            if let Some(record) = self.records.remove(revision) {
                self.bytes -= cost(&record) as u64;
            }
        }
        Ok(())
    }

    fn maintain(&mut self) -> Result<bool, BackendError> {
        Ok(false)
    }
}
