//! The two kinds of state, as the thread that owns one sees it.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;
use protocol::Position;
use store::{Backend, BackendError, BackendRead, Flush, MemoryBackend, Record, Revision, Size};

use super::backend::DiskBackend;
use super::error::OpenError;
use super::files::{Files, RealFiles};
use super::options::StateOptions;
use super::reader::DiskReader;
use crate::Identity;

/// A state: one thread owns it, and [`State::reader`] gives readers for others.
pub enum State<F = RealFiles> {
    /// In memory: gone with the process.
    Memory(Arc<RwLock<MemoryBackend>>),
    /// On disk.
    Disk(Box<DiskBackend<F>>),
}

/// A reader of a state, for any thread.
#[derive(Debug)]
pub enum Reader<F = RealFiles> {
    /// Of one in memory.
    Memory(Arc<RwLock<MemoryBackend>>),
    /// Of one on disk.
    Disk(DiskReader<F>),
}

impl<F> Clone for Reader<F> {
    fn clone(&self) -> Self {
        match self {
            Self::Memory(memory) => Self::Memory(Arc::clone(memory)),
            Self::Disk(disk) => Self::Disk(disk.clone()),
        }
    }
}

impl State {
    /// An empty state in memory.
    #[must_use]
    pub fn memory() -> Self {
        Self::Memory(Arc::default())
    }

    /// Opens the state in an existing directory, or makes one there.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed but files removed that no manifest names.
    pub fn open(
        directory: &Path,
        identity: Identity,
        options: StateOptions,
    ) -> Result<Self, OpenError> {
        let files = RealFiles::open(directory)
            .map_err(|e| OpenError::io(&format!("open {}", directory.display()), &e))?;
        Self::on(files, identity, options)
    }
}

impl<F: Files> State<F> {
    /// Opens the state in these files, or makes one there.
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn on(files: F, identity: Identity, options: StateOptions) -> Result<Self, OpenError> {
        Ok(Self::Disk(Box::new(DiskBackend::open(files, identity, options)?)))
    }

    /// Whether space is short, so that what is dead is to be given back sooner.
    pub fn economise(&mut self, short: bool) {
        match self {
            Self::Memory(_) => {}
            Self::Disk(disk) => disk.economise(short),
        }
    }

    /// A reader for any thread.
    #[must_use]
    pub fn reader(&self) -> Reader<F> {
        match self {
            Self::Memory(memory) => Reader::Memory(Arc::clone(memory)),
            Self::Disk(disk) => Reader::Disk(disk.reader()),
        }
    }
}

impl<F: Files> BackendRead for Reader<F> {
    fn get(&self, revision: Revision) -> Result<Option<Record>, BackendError> {
        match self {
            Self::Memory(memory) => memory.read().get(revision),
            Self::Disk(disk) => disk.get(revision),
        }
    }

    fn scan(
        &self,
        from: Revision,
        to: Revision,
        limit: usize,
    ) -> Result<Vec<(Revision, Record)>, BackendError> {
        match self {
            Self::Memory(memory) => memory.read().scan(from, to, limit),
            Self::Disk(disk) => disk.scan(from, to, limit),
        }
    }

    fn meta(&self) -> Result<Vec<(Bytes, Bytes)>, BackendError> {
        match self {
            Self::Memory(memory) => memory.read().meta(),
            Self::Disk(disk) => disk.meta(),
        }
    }

    fn applied(&self) -> Position {
        match self {
            Self::Memory(memory) => memory.read().applied(),
            Self::Disk(disk) => disk.applied(),
        }
    }

    fn size(&self) -> Size {
        match self {
            Self::Memory(memory) => memory.read().size(),
            Self::Disk(disk) => disk.size(),
        }
    }
}

impl<F: Files> BackendRead for State<F> {
    fn get(&self, revision: Revision) -> Result<Option<Record>, BackendError> {
        self.reader().get(revision)
    }

    fn scan(
        &self,
        from: Revision,
        to: Revision,
        limit: usize,
    ) -> Result<Vec<(Revision, Record)>, BackendError> {
        self.reader().scan(from, to, limit)
    }

    fn meta(&self) -> Result<Vec<(Bytes, Bytes)>, BackendError> {
        self.reader().meta()
    }

    fn applied(&self) -> Position {
        self.reader().applied()
    }

    fn size(&self) -> Size {
        self.reader().size()
    }
}

impl<F: Files> Backend for State<F> {
    fn flush(&mut self, flush: &Flush) -> Result<(), BackendError> {
        match self {
            Self::Memory(memory) => memory.write().flush(flush),
            Self::Disk(disk) => disk.flush(flush),
        }
    }

    fn discard(&mut self, dead: &[Revision]) -> Result<(), BackendError> {
        match self {
            Self::Memory(memory) => memory.write().discard(dead),
            Self::Disk(disk) => disk.discard(dead),
        }
    }

    fn maintain(&mut self) -> Result<bool, BackendError> {
        match self {
            Self::Memory(memory) => memory.write().maintain(),
            Self::Disk(disk) => disk.maintain(),
        }
    }
}
