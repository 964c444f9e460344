//! What readers see: the tables that live, replaced as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use store::{BackendError, Record, Revision, Size};

use super::files::Files;
use super::manifest::Contents;
use super::table::Table;
use crate::Identity;

/// Where one reading ends, though more could follow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    pub(super) records: usize,
    /// Of keys and values. The record that reaches it is the last one.
    pub(super) bytes: usize,
}

/// The tables of one moment, by ascending revision; their ranges do not overlap.
#[derive(Debug, Default)]
pub(super) struct Version {
    pub(super) tables: Vec<Arc<Table>>,
}

impl Version {
    /// # Errors
    /// Two tables that claim the same revisions.
    pub(super) fn new(mut tables: Vec<Arc<Table>>) -> Result<Self, BackendError> {
        tables.sort_by_key(|table| table.first);
        for pair in tables.windows(2) {
            if pair[0].last >= pair[1].first {
                let (one, two) = (pair[0].name(), pair[1].name());
                return Err(BackendError::Corrupt(format!("{one} and {two} overlap")));
            }
        }
        Ok(Self { tables })
    }

    /// The table that may hold a revision.
    pub(super) fn table_of(&self, revision: Revision) -> Option<&Arc<Table>> {
        let place = self.tables.partition_point(|table| table.last < revision);
        self.tables.get(place).filter(|table| table.first <= revision)
    }

    pub(super) fn get<F: Files>(
        &self,
        files: &F,
        revision: Revision,
    ) -> Result<Option<Record>, BackendError> {
        self.table_of(revision).map_or(Ok(None), |table| table.get(files, revision))
    }

    pub(super) fn scan<F: Files>(
        &self,
        files: &F,
        from: Revision,
        to: Revision,
        most: Most,
    ) -> Result<Vec<(Revision, Record)>, BackendError> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        let start = self.tables.partition_point(|table| table.last < from);
        for table in self.tables[start..].iter().take_while(|table| table.first < to) {
            let block = table.block_of(from).unwrap_or(0);
            for place in block..table.blocks.len() {
                let full = found.len() >= most.records || bytes >= most.bytes;
                if full || table.blocks[place].first >= to {
                    return Ok(found);
                }
                let damaged = || table.damaged(table.blocks[place].offset);
                for entry in table.block(files, place)?.iter() {
                    let entry = entry.ok_or_else(damaged)?;
                    let full = found.len() >= most.records || bytes >= most.bytes;
                    if full || entry.revision >= to {
                        break;
                    }
                    if entry.revision >= from {
                        let record = entry.decode().ok_or_else(damaged)?;
                        bytes += record.weight();
                        found.push((entry.revision, record));
                    }
                }
            }
        }
        Ok(found)
    }
}

/// What the owner of a state and its readers share.
///
/// Only the owner writes, and it holds a lock for writing only to swap values that are ready:
/// nobody ever waits for I/O.
#[derive(Debug)]
pub(super) struct Shared<F> {
    pub(super) files: Arc<F>,
    pub(super) identity: Identity,
    version: RwLock<Arc<Version>>,
    /// What the manifest says.
    pub(super) contents: RwLock<Contents>,
    pub(super) size: AtomicSize,
}

impl<F> Shared<F> {
    pub(super) fn new(
        files: Arc<F>,
        identity: Identity,
        version: Version,
        contents: Contents,
    ) -> Self {
        Self {
            files,
            identity,
            version: RwLock::new(Arc::new(version)),
            contents: RwLock::new(contents),
            size: AtomicSize::default(),
        }
    }

    pub(super) fn version(&self) -> Arc<Version> {
        Arc::clone(&self.version.read())
    }

    pub(super) fn publish(&self, version: Version) {
        *self.version.write() = Arc::new(version);
    }
}

/// A [`Size`] that one thread sets and others read. The two halves may be of different moments.
#[derive(Debug, Default)]
pub(super) struct AtomicSize {
    total: AtomicU64,
    in_use: AtomicU64,
}

impl AtomicSize {
    pub(super) fn set(&self, size: Size) {
        self.total.store(size.total, Ordering::Relaxed);
        self.in_use.store(size.in_use, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Size {
        let in_use = self.in_use.load(Ordering::Relaxed);
        Size { total: self.total.load(Ordering::Relaxed).max(in_use), in_use }
    }
}
