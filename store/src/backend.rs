//! Where records go when memory lets go of them: the contract of the state backend.
//!
//! The replicated log is the durability; a backend may lag behind it and is caught up from it.
//! What a backend must keep, in memory or on disk:
//!
//! - a flush is atomic: records, metadata and the applied position become durable together, or not
//!   at all; after a crash the backend stands at exactly one flush;
//! - what a read gives was verified by a checksum, or it is an error: never a wrong value;
//! - discarded revisions may still be read for a while, and a crash may bring them back. What comes
//!   back is found dead once more when the index is rebuilt, and is discarded again before anything
//!   else is;
//! - discarded puts go for good in any order; a discarded tombstone goes only when every put below
//!   it that was discarded before it or along with it has gone for good.
//!
//! Why tombstones are last: a compaction drops a tombstone together with the puts that it ended,
//! and a rebuilt index knows that those are dead by the tombstone alone.
//!
//! ```text
//! put@5  tombstone@7   compact(8)     both are dead, and discarded together
//!   ·    tombstone@7                  the put gone first: the key is deleted, the tombstone dead
//! put@5      ·                        the tombstone gone first: the key is back
//! ```
//!
//! Puts need no order: what makes a put dead is a later record of its key, which lives, or is dead
//! by one that does, or is such a tombstone. Nor do tombstones among themselves: one of them is
//! enough, as long as it is newer than every put that is left.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use protocol::Position;

use crate::{Record, Revision};

mod memory;

pub use memory::MemoryBackend;

/// What a backend could not do. The caller's state is unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendError {
    /// A checksum did not match: what was asked for is damaged. Names file and place.
    Corrupt(String),
    /// The file system is full. Reads go on; the flush may be tried again.
    Full(String),
    /// Any other failure of the file system, with what was attempted.
    Io(String),
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(what) => write!(f, "state is corrupt: {what}"),
            Self::Full(what) => write!(f, "no space left for state: {what}"),
            Self::Io(what) => write!(f, "state i/o failed: {what}"),
        }
    }
}

impl core::error::Error for BackendError {}

/// Everything that becomes durable at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flush {
    /// Records by ascending revision, all greater than any flushed before.
    pub records: Vec<(Revision, Record)>,
    /// Small named values that replace older ones; `None` removes.
    pub meta: Vec<(Bytes, Option<Bytes>)>,
    /// The log position whose effect this completes.
    pub applied: Position,
}

/// Bytes taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// On the file system.
    pub total: u64,
    /// Of that, in use by records that live.
    pub in_use: u64,
}

/// The reading side. Reads see the last flush that has returned; they never wait for a flush.
pub trait BackendRead {
    /// The record of a revision; `None` when it was never flushed or has been discarded.
    ///
    /// # Errors
    /// [`BackendError::Corrupt`] when its checksum does not match, and whatever the disk says.
    fn get(&self, revision: Revision) -> Result<Option<Record>, BackendError>;

    /// Up to `limit` records with `from <= revision < to`, ascending.
    ///
    /// # Errors
    /// As [`BackendRead::get`].
    fn scan(
        &self,
        from: Revision,
        to: Revision,
        limit: usize,
    ) -> Result<Vec<(Revision, Record)>, BackendError>;

    /// All metadata, by ascending name.
    ///
    /// # Errors
    /// As [`BackendRead::get`].
    fn meta(&self) -> Result<Vec<(Bytes, Bytes)>, BackendError>;

    /// The position of the last flush.
    fn applied(&self) -> Position;

    /// Bytes taken.
    fn size(&self) -> Size;
}

/// The writing side, which one thread owns.
pub trait Backend: BackendRead {
    /// Makes a flush durable.
    ///
    /// # Errors
    /// [`BackendError::Full`] may be tried again, with the same or a larger flush; after any other
    /// error the backend refuses all further writes.
    fn flush(&mut self, flush: &Flush) -> Result<(), BackendError>;

    /// These revisions will not be read again.
    ///
    /// # Errors
    /// As [`Backend::flush`].
    fn discard(&mut self, dead: &[Revision]) -> Result<(), BackendError>;

    /// One bounded step of giving back space; true when there is more to do.
    ///
    /// # Errors
    /// As [`Backend::flush`].
    fn maintain(&mut self) -> Result<bool, BackendError>;
}
