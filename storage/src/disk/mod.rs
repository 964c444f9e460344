//! The disk as the log sees it: a few files with fixed lengths in one directory.
//!
//! All of the log's files go through [`Disk`], so that the same code runs on a file system
//! ([`RealDisk`]) and on a disk that loses, tears and flips what it was given ([`FaultyDisk`]).
//!
//! Laws that every implementation keeps:
//!
//! - What [`Disk::sync`] has confirmed survives a crash; what it has not may survive in any subset
//!   of its [`SECTOR`]s. A sector itself is old or new, never a mixture.
//! - A change of the directory survives once any later `sync` has been confirmed.
//! - A file has its full length, filled with zeros and durable, once [`Disk::create`] returns.
//! - After an error the state of what the call touched is unknown. Whoever gets one from `write`
//!   or `sync` must not go on as if a second try could mend it: a kernel forgets dirty pages
//!   after a failed fsync, so that the next one succeeds without having written them.

mod faulty;
mod file;
mod image;
mod real;

use std::io;

pub use faulty::{CrashPoint, FaultPlan, FaultyDisk, Moment, OperationFault};
pub use real::RealDisk;

/// The unit, in bytes, that a disk writes wholly or not at all.
pub const SECTOR: usize = 512;

/// One file of a disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileInfo {
    /// Its name within the directory.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Named files in one directory.
pub trait Disk {
    /// All files, ascending by name.
    fn list(&self) -> io::Result<Vec<FileInfo>>;

    /// Creates a file of `bytes` zeros, durably. It must not exist yet.
    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()>;

    /// Renames a file; `to` must not exist yet. Durable with the next `sync`.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Durable with the next `sync`.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Fills `into` from `offset`; a file that ends before is an `UnexpectedEof`.
    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, within the file's length. An error may leave a part.
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes durable what was written to this file, and all changes of the directory so far.
    fn sync(&mut self, name: &str) -> io::Result<()>;
}

impl<D: Disk + ?Sized> Disk for &mut D {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        (**self).list()
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        (**self).create(name, bytes)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        (**self).rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        (**self).remove(name)
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        (**self).read(name, offset, into)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        (**self).write(name, offset, bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        (**self).sync(name)
    }
}
