//! Where a node's state goes: in memory, or through the real tables on a faulty disk.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use protocol::Position;
use storage::Identity;
use storage::state::{DiskBackend, FaultyFiles, OpenError, StateOptions};
use store::{Backend, BackendError, BackendRead, Flush, MemoryBackend, Record, Revision, Size};

/// Blocks, tables and steps so small that a few records make several of each.
const STATE: StateOptions =
    StateOptions { block_bytes: 200, table_bytes: 6_000, step_bytes: 1_000, manifest_bytes: 1 };
/// Files of the state have this many bytes at least: a table of a whole flush fits in.
pub(crate) const ROOM: u64 = 256 << 10;

/// What of the state outlives the node.
#[derive(Clone, Debug)]
pub(crate) enum Medium {
    /// The contract's atomic flushes, without files.
    Memory(Rc<RefCell<MemoryBackend>>),
    /// Production's files.
    Disk(FaultyFiles),
}

/// The state of a running node.
pub(crate) enum State {
    Memory(Rc<RefCell<MemoryBackend>>),
    Disk(Box<DiskBackend<FaultyFiles>>),
}

impl Medium {
    /// Opens what is there.
    pub(crate) fn open(&self, identity: Identity) -> Result<State, OpenError> {
        match self {
            Self::Memory(memory) => Ok(State::Memory(Rc::clone(memory))),
            Self::Disk(files) => {
                let backend = DiskBackend::open(files.clone(), identity, STATE)?;
                Ok(State::Disk(Box::new(backend)))
            }
        }
    }
}

impl BackendRead for State {
    fn get(&self, revision: Revision) -> Result<Option<Record>, BackendError> {
        match self {
            Self::Memory(memory) => memory.borrow().get(revision),
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
            Self::Memory(memory) => memory.borrow().scan(from, to, limit),
            Self::Disk(disk) => disk.scan(from, to, limit),
        }
    }

    fn meta(&self) -> Result<Vec<(Bytes, Bytes)>, BackendError> {
        match self {
            Self::Memory(memory) => memory.borrow().meta(),
            Self::Disk(disk) => disk.meta(),
        }
    }

    fn applied(&self) -> Position {
        match self {
            Self::Memory(memory) => memory.borrow().applied(),
            Self::Disk(disk) => disk.applied(),
        }
    }

    fn size(&self) -> Size {
        match self {
            Self::Memory(memory) => memory.borrow().size(),
            Self::Disk(disk) => disk.size(),
        }
    }
}

impl Backend for State {
    fn flush(&mut self, flush: &Flush) -> Result<(), BackendError> {
        match self {
            Self::Memory(memory) => memory.borrow_mut().flush(flush),
            Self::Disk(disk) => disk.flush(flush),
        }
    }

    fn discard(&mut self, dead: &[Revision]) -> Result<(), BackendError> {
        match self {
            Self::Memory(memory) => memory.borrow_mut().discard(dead),
            Self::Disk(disk) => disk.discard(dead),
        }
    }

    fn maintain(&mut self) -> Result<bool, BackendError> {
        match self {
            Self::Memory(memory) => memory.borrow_mut().maintain(),
            Self::Disk(disk) => disk.maintain(),
        }
    }
}
