//! Two disks in one machine: the log's and the state's, which lose their power together.

use std::io;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use storage::disk::{CrashPoint, Disk, FaultPlan, FaultyDisk, FileInfo, Moment};
use storage::state::Files;

/// Files of the state have this many bytes at least: a small table or manifest fits in.
pub(crate) const ROOM: u64 = 8192;

/// Whose disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Log,
    State,
}

/// Both disks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disks {
    pub(crate) log: FaultyDisk,
    pub(crate) state: FaultyDisk,
}

type Change<'a> = &'a dyn Fn(&mut FaultyDisk) -> io::Result<()>;

/// An operation that is about to change a disk.
pub(crate) struct Operation<'a> {
    /// On which disk.
    pub(crate) side: Side,
    change: Change<'a>,
}

type Witness = Box<dyn FnMut(&Disks, &Operation<'_>) + Send>;

#[derive(Default)]
struct Inner {
    disks: Mutex<Disks>,
    witness: Mutex<Option<Witness>>,
}

/// A machine. A clone is the same one.
#[derive(Clone, Default)]
pub(crate) struct Machine(Arc<Inner>);

/// The log's disk in a machine.
pub(crate) struct LogDisk(pub(crate) Machine);

/// The state's files in a machine.
pub(crate) struct StateFiles(pub(crate) Machine);

impl Disks {
    pub(crate) fn side(&mut self, side: Side) -> &mut FaultyDisk {
        match side {
            Side::Log => &mut self.log,
            Side::State => &mut self.state,
        }
    }

    /// What is left when the power fails at this operation, which one of the disks carries out,
    /// and comes back.
    pub(crate) fn cut_off(&self, operation: &Operation<'_>, moment: Moment, seed: u64) -> Self {
        let mut left = self.clone();
        let struck = left.side(operation.side);
        let crash = Some(CrashPoint { operation: 0, moment });
        struck.set_plan(FaultPlan { seed, crash, ..FaultPlan::default() });
        assert!((operation.change)(struck).is_err() && struck.has_crashed());
        struck.restart();
        left.side(operation.side.other()).fail(moment, seed);
        left
    }

    /// The power fails between two operations, and comes back.
    pub(crate) fn power_off(&mut self, moment: Moment, seed: u64) {
        self.log.fail(moment, seed);
        self.state.fail(moment, seed);
    }
}

/// A disk loses its power between two operations.
pub(crate) trait Fail {
    fn fail(&mut self, moment: Moment, seed: u64);
}

impl Fail for FaultyDisk {
    fn fail(&mut self, moment: Moment, seed: u64) {
        self.set_plan(FaultPlan { seed, ..FaultPlan::default() });
        self.crash(moment);
    }
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Log => Self::State,
            Self::State => Self::Log,
        }
    }
}

impl Machine {
    /// A machine with these disks.
    pub(crate) fn of(disks: Disks) -> Self {
        let machine = Self::default();
        *machine.disks() = disks;
        machine
    }

    pub(crate) fn disks(&self) -> MutexGuard<'_, Disks> {
        self.0.disks.lock()
    }

    /// Shows every operation from now on, before it is carried out.
    pub(crate) fn witness(&self, see: impl FnMut(&Disks, &Operation<'_>) + Send + 'static) {
        *self.0.witness.lock() = Some(Box::new(see));
    }

    /// Shows no more.
    pub(crate) fn dismiss(&self) {
        *self.0.witness.lock() = None;
    }

    fn change(&self, side: Side, change: Change<'_>) -> io::Result<()> {
        let mut disks = self.disks();
        if disks.log.has_crashed() || disks.state.has_crashed() {
            return Err(io::Error::other("the machine has no power"));
        }
        if let Some(see) = self.0.witness.lock().as_mut() {
            see(&disks, &Operation { side, change });
        }
        change(disks.side(side))
    }
}

impl Disk for LogDisk {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        self.0.disks().log.list()
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        self.0.change(Side::Log, &|disk| disk.create(name, bytes))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.0.change(Side::Log, &|disk| disk.rename(from, to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.0.change(Side::Log, &|disk| disk.remove(name))
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.disks().log.read(name, offset, into)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.change(Side::Log, &|disk| disk.write(name, offset, bytes))
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.0.change(Side::Log, &|disk| disk.sync(name))
    }
}

impl Files for StateFiles {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        self.0.disks().state.list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<()> {
        self.0.change(Side::State, &|disk| disk.create(name, bytes.max(ROOM)))
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.disks().state.read(name, offset, into)
    }

    fn write(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.change(Side::State, &|disk| disk.write(name, offset, bytes))
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.0.change(Side::State, &|disk| disk.sync(name))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.change(Side::State, &|disk| disk.remove(name))
    }
}
