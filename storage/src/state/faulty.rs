//! The state's files on a disk that breaks.

use std::io;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::files::Files;
use crate::disk::{Disk, FaultyDisk, FileInfo};

/// [`Files`] on a [`FaultyDisk`], with its faults and crash points. A clone is the same disk.
///
/// Files of that disk cannot grow, so each is created with `room` bytes at least: a table must fit
/// into that.
#[derive(Clone, Debug)]
pub struct FaultyFiles {
    disk: Arc<Mutex<FaultyDisk>>,
    room: u64,
}

impl FaultyFiles {
    /// Puts a state on this disk.
    #[must_use]
    pub fn new(disk: FaultyDisk, room: u64) -> Self {
        Self { disk: Arc::new(Mutex::new(disk)), room }
    }

    /// The disk, to crash it, to flip its bits, to look at it.
    pub fn disk(&self) -> MutexGuard<'_, FaultyDisk> {
        self.disk.lock()
    }
}

impl Files for FaultyFiles {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        self.disk.lock().list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<()> {
        self.disk.lock().create(name, bytes.max(self.room))
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.disk.lock().read(name, offset, into)
    }

    fn write(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.lock().write(name, offset, bytes)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.disk.lock().sync(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.lock().remove(name)
    }
}
