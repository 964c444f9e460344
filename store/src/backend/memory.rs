//! A backend in memory, with the contract of the one on disk: what was flushed is there, whole,
//! and what was not is not. A view of it is what a crash at that moment leaves, and what a snapshot
//! of it holds.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use protocol::Position;

use super::{Backend, BackendError, BackendRead, Flush, Size};
use crate::recent::cost;
use crate::{Record, Revision};

/// A backend in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryBackend {
    /// Shared with views and clones until one of them changes.
    records: Arc<BTreeMap<Revision, Record>>,
    meta: Arc<BTreeMap<Bytes, Bytes>>,
    applied: Position,
    bytes: u64,
    /// Another state, that may take this one's place.
    staged: Option<BTreeMap<Revision, Record>>,
}

impl MemoryBackend {
    /// An empty backend.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The last flush, as it stays whatever happens to the backend.
    #[must_use]
    pub fn view(&self) -> Self {
        let (records, meta) = (Arc::clone(&self.records), Arc::clone(&self.meta));
        Self { records, meta, applied: self.applied, bytes: self.bytes, staged: None }
    }

    /// Shows every record, in the order of revisions.
    pub fn for_each(&self, look: impl FnMut(&Record)) {
        self.records.values().for_each(look);
    }

    /// Begins to stage another state. What was staged before is given up.
    pub fn stage_begin(&mut self) {
        self.staged = Some(BTreeMap::new());
    }

    /// Adds records, ascending from call to call. The state that stands is not touched by it.
    ///
    /// # Panics
    /// When nothing was begun, or a revision does not ascend: a fault of the caller.
    pub fn stage(&mut self, records: &[(Revision, Record)]) {
        let staged = self.staged.as_mut().expect("invariant: a staging was begun");
        for (revision, record) in records {
            let last = staged.last_key_value().map(|(last, _)| *last);
            assert!(last < Some(*revision), "{revision} staged out of order");
            staged.insert(*revision, record.clone());
        }
    }

    /// Puts what was staged in the place of the state that stands, with this metadata, all of it,
    /// and this applied position.
    ///
    /// # Panics
    /// When nothing was begun.
    pub fn install(&mut self, meta: &[(Bytes, Bytes)], applied: Position) {
        let records = self.staged.take().expect("invariant: a staging was begun");
        let bytes = records.values().map(|record| cost(record) as u64).sum();
        let (records, meta) = (Arc::new(records), Arc::new(meta.iter().cloned().collect()));
        *self = Self { records, meta, applied, bytes, staged: None };
    }

    /// Gives up what was staged, if anything was.
    pub fn stage_abort(&mut self) {
        self.staged = None;
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
        // A copy of all of it when a view is held: only when there is something to change.
        for (revision, record) in &flush.records {
            let records = Arc::make_mut(&mut self.records);
            let last = records.last_key_value().map(|(last, _)| *last);
            assert!(last.is_none_or(|last| last < *revision), "revisions ascend over flushes");
            self.bytes += cost(record) as u64;
            records.insert(*revision, record.clone());
        }
        for (name, value) in &flush.meta {
            let meta = Arc::make_mut(&mut self.meta);
            match value {
                Some(value) => meta.insert(name.clone(), value.clone()),
                None => meta.remove(name),
            };
        }
        self.applied = flush.applied;
        Ok(())
    }

    fn discard(&mut self, dead: &[Revision]) -> Result<(), BackendError> {
        for revision in dead {
            let records = Arc::make_mut(&mut self.records);
            if let Some(record) = records.remove(revision) {
                self.bytes -= cost(&record) as u64;
            }
        }
        Ok(())
    }

    fn maintain(&mut self) -> Result<bool, BackendError> {
        Ok(false)
    }
}
