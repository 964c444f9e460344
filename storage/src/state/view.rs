//! One flush of a state, pinned: what is streamed to another member, or into a backup.
//!
//! A view sees what stood when it was taken, whatever is flushed, discarded, maintained or
//! installed later: its tables are immutable, and their files stay until the last view of them is
//! gone. Taking one copies the metadata and no record.
//!
//! What it costs: the space of tables that were rewritten meanwhile, which counts in
//! [`Size::total`] of the state. A process that ends takes its views with it; the next start
//! removes what they held.

use std::sync::Arc;

use bytes::Bytes;
use protocol::Position;
use store::{BackendError, BackendRead, MemoryBackend, Record, Revision, Size};

use super::backend::DiskBackend;
use super::files::{Files, RealFiles};
use super::manifest::Contents;
use super::owner::State;
use super::table::RECORD_HEADER;
use super::version::{Most, Version};

/// One flush of a state, for any thread. Clones are cheap.
#[derive(Clone, Debug)]
pub enum View<F = RealFiles> {
    /// Of one in memory.
    Memory(Arc<MemoryBackend>),
    /// Of one on disk.
    Disk(Arc<DiskView<F>>),
}

/// One flush of a state on disk. Every record that it gives was verified just then.
#[derive(Debug)]
pub struct DiskView<F> {
    files: Arc<F>,
    version: Arc<Version>,
    contents: Contents,
    size: Size,
}

impl<F: Files> DiskBackend<F> {
    /// The last flush, pinned.
    #[must_use]
    pub fn view(&self) -> DiskView<F> {
        DiskView {
            files: Arc::clone(&self.shared.files),
            version: self.shared.version(),
            contents: self.shared.contents.read().clone(),
            size: self.shared.size.read(),
        }
    }
}

impl<F: Files> State<F> {
    /// The last flush, pinned.
    #[must_use]
    pub fn view(&self) -> View<F> {
        match self {
            Self::Memory(memory) => View::Memory(Arc::new(memory.read().view())),
            Self::Disk(disk) => View::Disk(Arc::new(disk.view())),
        }
    }
}

/// How much a view holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Records, dead ones included.
    pub records: u64,
    /// Their bytes: of each its revision (12), its length (4) and itself.
    pub bytes: u64,
}

impl<F> DiskView<F> {
    /// How much it holds, as the indexes of its tables say: nothing is read.
    fn weight(&self) -> Weight {
        let blocks = self.version.tables.iter().flat_map(|table| &table.blocks);
        blocks.fold(Weight::default(), |sum, block| Weight {
            records: sum.records + u64::from(block.records),
            bytes: sum.bytes + u64::from(block.bytes),
        })
    }
}

impl<F: Files> View<F> {
    /// How much it holds, at most.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self {
            Self::Memory(memory) => weigh(memory),
            Self::Disk(disk) => disk.weight(),
        }
    }

    /// What comes from a revision on: at most so many records, and none behind the one that makes
    /// it so many bytes. Nothing only where nothing follows. For whoever reads all of it: memory
    /// is bounded however large the values are.
    ///
    /// # Errors
    /// As [`BackendRead::scan`].
    pub fn part(
        &self,
        from: Revision,
        records: usize,
        bytes: usize,
    ) -> Result<Vec<(Revision, Record)>, BackendError> {
        let end = Revision::new(i64::MAX, 0);
        match self {
            // Its values are shared, not copied.
            Self::Memory(memory) => memory.scan(from, end, records),
            Self::Disk(disk) => disk.version.scan(&*disk.files, from, end, Most { records, bytes }),
        }
    }
}

fn weigh(memory: &MemoryBackend) -> Weight {
    let (mut weight, mut bytes) = (Weight::default(), Vec::new());
    memory.for_each(|record| {
        bytes.clear();
        record.encode(&mut bytes);
        weight.records += 1;
        weight.bytes += RECORD_HEADER as u64 + bytes.len() as u64;
    });
    weight
}

impl<F: Files> BackendRead for DiskView<F> {
    fn get(&self, revision: Revision) -> Result<Option<Record>, BackendError> {
        self.version.get(&*self.files, revision)
    }

    fn scan(
        &self,
        from: Revision,
        to: Revision,
        limit: usize,
    ) -> Result<Vec<(Revision, Record)>, BackendError> {
        let most = Most { records: limit, bytes: usize::MAX };
        self.version.scan(&*self.files, from, to, most)
    }

    fn meta(&self) -> Result<Vec<(Bytes, Bytes)>, BackendError> {
        Ok(self.contents.all_meta())
    }

    fn applied(&self) -> Position {
        self.contents.applied
    }

    fn size(&self) -> Size {
        self.size
    }
}

impl<F: Files> View<F> {
    fn read(&self) -> &dyn BackendRead {
        match self {
            Self::Memory(memory) => &**memory,
            Self::Disk(disk) => &**disk,
        }
    }
}

impl<F: Files> BackendRead for View<F> {
    fn get(&self, revision: Revision) -> Result<Option<Record>, BackendError> {
        self.read().get(revision)
    }

    fn scan(
        &self,
        from: Revision,
        to: Revision,
        limit: usize,
    ) -> Result<Vec<(Revision, Record)>, BackendError> {
        self.read().scan(from, to, limit)
    }

    fn meta(&self) -> Result<Vec<(Bytes, Bytes)>, BackendError> {
        self.read().meta()
    }

    fn applied(&self) -> Position {
        self.read().applied()
    }

    fn size(&self) -> Size {
        self.read().size()
    }
}
