//! A disk that outlives the node on it.

use std::cell::{RefCell, RefMut};
use std::io;
use std::rc::Rc;

use storage::disk::{CrashPoint, Disk, FaultPlan, FaultyDisk, FileInfo, Moment, OperationFault};

/// A shared handle of a [`FaultyDisk`]: the log owns one, the world another.
#[derive(Clone, Debug)]
pub(crate) struct SharedDisk(Rc<RefCell<FaultyDisk>>);

impl SharedDisk {
    /// An empty disk.
    pub(crate) fn new(seed: u64) -> Self {
        let plan = FaultPlan { seed, ..FaultPlan::default() };
        Self(Rc::new(RefCell::new(FaultyDisk::new(plan))))
    }

    /// The disk itself.
    pub(crate) fn get(&self) -> RefMut<'_, FaultyDisk> {
        self.0.borrow_mut()
    }

    /// Lets the next changing operation that is `ahead` of now fail in this way.
    pub(crate) fn fail(&self, ahead: u64, fault: OperationFault) {
        self.get().fail_next(ahead, fault);
    }

    /// Ends the machine within the operations of `last`: at one of its first changes to the disk,
    /// chosen by `choice`. `moment` says what survives.
    pub(crate) fn crash_within(&self, choice: u64, moment: Moment, last: impl FnOnce()) {
        let mut disk = self.get();
        let operation = disk.operations() + choice;
        disk.crash_at(CrashPoint { operation, moment });
        drop(disk);
        last();
        let mut disk = self.get();
        if disk.has_crashed() {
            disk.restart();
        } else {
            disk.crash(moment);
        }
    }
}

impl Disk for SharedDisk {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        self.0.borrow().list()
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        self.get().create(name, bytes)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.get().rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.get().remove(name)
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.borrow().read(name, offset, into)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.get().write(name, offset, bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.get().sync(name)
    }
}
