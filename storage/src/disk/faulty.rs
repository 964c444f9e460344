//! A disk in memory that does what disks do at their worst, the same way for the same seed.
//!
//! # What it may do
//!
//! - **At a crash** (a [`CrashPoint`], or [`FaultyDisk::crash`]): every 512-byte sector written
//!   since its file's last sync becomes any of its versions, the synced one or a later one, each
//!   sector on its own. Changes of the directory since the last sync survive as a prefix: file
//!   systems journal names in order. [`Moment`] says how much survives.
//! - **A write** fails with EIO or ENOSPC, or writes a part and then fails.
//! - **A write goes astray**: it is confirmed, and its bytes land in other sectors of the
//!   same file.
//! - **A sync** fails with EIO. Any subset of the unsynced sectors is durable; the others are
//!   *forgotten*: reads still show them, and no later sync writes them. So does Linux.
//! - **A read** fails with EIO.
//! - **The disk is full**: `create` fails beyond the capacity.
//! - **Bits flip** in what is durable ([`FaultyDisk::flip`]), and a file may be cut
//!   ([`FaultyDisk::cut`]).
//!
//! # What would be unfair
//!
//! - to tear a sector: a sector is old or new;
//! - to lose what a sync confirmed, other than by a flip, a cut or a write gone astray;
//! - to lose, or send to another file, the *last* write before a crash so that no trace is left;
//! - to lose a file, or a name, that was synced;
//! - to lose both names of a file that was being renamed;
//! - to damage all copies of something, when nothing else could tell that it ever was.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use protocol::Rng;
use protocol::mutant::{Mutant, planted};

use super::file::File;
use super::image::Image;
use super::{Disk, FileInfo, SECTOR};

/// How much of what is not synced survives a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// The operation does not happen, and nothing unsynced survives.
    Before,
    /// The operation happens, and any subset of what is unsynced survives, as the seed says. A
    /// sync that is hit is not complete; a file being created has any length.
    Torn,
    /// The operation happens, and everything survives; the caller never learns of it.
    After,
}

/// The process ends at this operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashPoint {
    /// Which changing operation (create, rename, remove, write, sync), counted from 0.
    pub operation: u64,
    /// What survives of it.
    pub moment: Moment,
}

/// What happens to one changing operation instead of success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationFault {
    /// It fails with EIO; a write has done nothing, a sync has forgotten a part.
    Eio,
    /// It fails with ENOSPC and has done nothing.
    NoSpace,
    /// A write stores this many bytes and fails with ENOSPC. Other operations: as `NoSpace`.
    Short(usize),
    /// A write is confirmed but lands this many sectors further on, wrapping at the end of the
    /// file. Other operations are not affected.
    Astray(u64),
}

/// What a [`FaultyDisk`] is going to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// Decides what survives where there is a choice.
    pub seed: u64,
    /// Where the process ends.
    pub crash: Option<CrashPoint>,
    /// Faults of changing operations, by their number.
    pub operations: BTreeMap<u64, OperationFault>,
    /// Reads that fail with EIO, by their number.
    pub reads: Vec<u64>,
    /// The sum of all files' lengths, in bytes, beyond which `create` fails.
    pub capacity: Option<u64>,
}

type Names = BTreeMap<Arc<str>, u64>;

/// A change of the directory.
#[derive(Clone, Debug)]
enum Change {
    Added(Arc<str>, u64),
    Renamed { from: Arc<str>, to: Arc<str> },
    Removed(Arc<str>),
}

impl Change {
    /// Carries it out. Gives the file that has lost its name.
    fn apply(&self, names: &mut Names) -> Option<u64> {
        match self {
            Self::Added(name, id) => names.insert(Arc::clone(name), *id),
            Self::Renamed { from, to } => {
                let id = names.remove(from)?;
                names.insert(Arc::clone(to), id)
            }
            Self::Removed(name) => names.remove(name),
        }
    }
}

/// A disk in memory with a plan of faults. A clone is an independent copy of everything.
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    plan: FaultPlan,
    rng: Rng,
    files: BTreeMap<u64, File>,
    next_file: u64,
    names: Names,
    /// The directory as last synced.
    synced: Names,
    /// What was done to it since, in order.
    changes: Vec<Change>,
    operations: u64,
    reads: std::cell::Cell<u64>,
    crashed: bool,
}

impl Default for FaultyDisk {
    fn default() -> Self {
        Self::new(FaultPlan::default())
    }
}

impl FaultyDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(plan: FaultPlan) -> Self {
        Self {
            rng: Rng::new(plan.seed),
            plan,
            files: BTreeMap::new(),
            next_file: 0,
            names: BTreeMap::new(),
            synced: BTreeMap::new(),
            changes: Vec::new(),
            operations: 0,
            reads: std::cell::Cell::new(0),
            crashed: false,
        }
    }

    /// Replaces the plan and starts to count from 0 again.
    pub fn set_plan(&mut self, plan: FaultPlan) {
        self.rng = Rng::new(plan.seed);
        self.plan = plan;
        self.operations = 0;
        self.reads.set(0);
    }

    /// Adds to the plan: the changing operation that comes `ahead` after the next one fails.
    pub fn fail_next(&mut self, ahead: u64, fault: OperationFault) {
        self.plan.operations.insert(self.operations + ahead, fault);
    }

    /// Adds to the plan: the read that comes `ahead` after the next one fails with EIO.
    pub fn fail_read(&mut self, ahead: u64) {
        self.plan.reads.push(self.reads.get() + ahead);
    }

    /// Adds to the plan: the process ends there.
    pub fn crash_at(&mut self, point: CrashPoint) {
        self.plan.crash = Some(point);
    }

    /// Bounds the sum of all files' lengths from now on; `None`: without bound.
    pub fn set_capacity(&mut self, capacity: Option<u64>) {
        self.plan.capacity = capacity;
    }

    /// Bytes that files may still take; `None`: without bound.
    #[must_use]
    pub fn free(&self) -> Option<u64> {
        self.plan.capacity.map(|capacity| capacity.saturating_sub(self.held()))
    }

    /// Takes back everything that was planned.
    pub fn clear_plan(&mut self) {
        let seed = self.rng.next();
        self.set_plan(FaultPlan { seed, ..FaultPlan::default() });
    }

    /// The sum of all files' lengths, in bytes.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.names.values().map(|id| self.files[id].len() as u64).sum()
    }

    /// How many changing operations were asked for since the plan was set.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// Whether the crash point was reached: every call fails until [`FaultyDisk::restart`].
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        self.crashed
    }

    /// The power fails now, and comes back: `moment` says what survives.
    pub fn crash(&mut self, moment: Moment) {
        self.settle(moment);
        self.restart();
    }

    /// The power comes back after a crash point was reached; the plan is spent.
    pub fn restart(&mut self) {
        self.crashed = false;
        let seed = self.rng.next();
        self.set_plan(FaultPlan { seed, ..FaultPlan::default() });
    }

    /// Changes durable bits: `mask` is exclusive-ored into the byte at `offset`. False when there
    /// is no such byte.
    pub fn flip(&mut self, name: &str, offset: usize, mask: u8) -> bool {
        let Some(file) = self.names.get(name).and_then(|id| self.files.get_mut(id)) else {
            return false;
        };
        file.flip(offset, mask)
    }

    /// Cuts a file to this many bytes.
    pub fn cut(&mut self, name: &str, bytes: usize) {
        if let Some(file) = self.names.get(name).and_then(|id| self.files.get_mut(id)) {
            file.cut(bytes);
        }
    }

    /// What a file holds now, as reads show it.
    #[must_use]
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        self.names.get(name).and_then(|id| self.files.get(id)).map(File::to_vec)
    }

    /// Puts a file in place, durably, whatever was there.
    pub fn insert(&mut self, name: &str, contents: &[u8]) {
        let id = self.add(Image::of(contents));
        self.change(Change::Added(name.into(), id));
        self.names_settled();
    }

    fn add(&mut self, contents: Image) -> u64 {
        let id = self.next_file;
        self.next_file += 1;
        self.files.insert(id, File::new(contents));
        id
    }

    fn settle(&mut self, moment: Moment) {
        for file in self.files.values_mut() {
            file.settle(moment, &mut self.rng);
        }
        let done = match moment {
            Moment::Before => 0,
            Moment::Torn => pick(&mut self.rng, self.changes.len() + 1),
            Moment::After => self.changes.len(),
        };
        self.changes.truncate(done);
        self.names_settled();
        self.names.clone_from(&self.synced);
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|id, _| named.contains(id));
    }

    /// The changes of the directory are durable. What has no name any more is gone.
    fn names_settled(&mut self) {
        for change in self.changes.drain(..) {
            if let Some(nameless) = change.apply(&mut self.synced) {
                self.files.remove(&nameless);
            }
        }
    }

    /// Changes the directory, for now in memory only.
    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    /// Counts a changing operation. `Ok(fault)` when it is to be carried out.
    fn begin(&mut self) -> io::Result<(Option<OperationFault>, Option<Moment>)> {
        if self.crashed {
            return Err(crash_error());
        }
        let number = self.operations;
        self.operations += 1;
        let moment = self.plan.crash.filter(|c| c.operation == number).map(|c| c.moment);
        if moment == Some(Moment::Before) {
            self.crashed = true;
            self.settle(Moment::Before);
            return Err(crash_error());
        }
        let fault = self.plan.operations.get(&number).copied();
        match fault {
            Some(OperationFault::NoSpace) => Err(errno(rustix::io::Errno::NOSPC)),
            other => Ok((other, moment)),
        }
    }

    fn end(&mut self, moment: Option<Moment>) -> io::Result<()> {
        match moment {
            None => Ok(()),
            Some(moment) => {
                self.crashed = true;
                self.settle(moment);
                Err(crash_error())
            }
        }
    }

    fn id(&self, name: &str) -> io::Result<u64> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn refuse(fault: Option<OperationFault>) -> io::Result<()> {
        match fault {
            Some(OperationFault::Eio) => Err(errno(rustix::io::Errno::IO)),
            Some(OperationFault::NoSpace | OperationFault::Short(_)) => {
                Err(errno(rustix::io::Errno::NOSPC))
            }
            Some(OperationFault::Astray(_)) | None => Ok(()),
        }
    }
}

impl Disk for FaultyDisk {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        if self.crashed {
            return Err(crash_error());
        }
        let bytes = |id: &u64| self.files.get(id).map_or(0, |file| file.len() as u64);
        let info = |(name, id): (&Arc<str>, &u64)| FileInfo {
            name: (**name).to_owned(),
            bytes: bytes(id),
        };
        Ok(self.names.iter().map(info).collect())
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        let (fault, moment) = self.begin()?;
        Self::refuse(fault)?;
        if self.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if self.plan.capacity.is_some_and(|capacity| self.held() + bytes > capacity) {
            return Err(errno(rustix::io::Errno::NOSPC));
        }
        let length = usize::try_from(bytes).map_err(io::Error::other)?;
        let length = match moment {
            Some(Moment::Torn) => pick(&mut self.rng, length + 1),
            Some(Moment::Before | Moment::After) | None => length,
        };
        let id = self.add(Image::zeros(length));
        self.change(Change::Added(name.into(), id));
        if moment != Some(Moment::Torn) {
            self.names_settled();
        }
        self.end(moment)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let (fault, moment) = self.begin()?;
        Self::refuse(fault)?;
        self.id(from)?;
        if self.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change(Change::Renamed { from: from.into(), to: to.into() });
        self.end(moment)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let (fault, moment) = self.begin()?;
        Self::refuse(fault)?;
        self.id(name)?;
        self.change(Change::Removed(name.into()));
        self.end(moment)
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        if self.crashed {
            return Err(crash_error());
        }
        let number = self.reads.get();
        self.reads.set(number + 1);
        if self.plan.reads.contains(&number) {
            return Err(errno(rustix::io::Errno::IO));
        }
        let file = &self.files[&self.id(name)?];
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        if !file.read(start, into) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (fault, moment) = self.begin()?;
        let id = self.id(name)?;
        let file = self.files.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        if start.saturating_add(bytes.len()) > file.len() {
            return Err(io::Error::other("a write beyond the end of the file"));
        }
        match fault {
            None => file.put(start, bytes),
            Some(OperationFault::Short(stored)) => {
                file.put(start, &bytes[..stored.min(bytes.len())]);
            }
            Some(OperationFault::Astray(by)) => {
                let room = (file.len() - bytes.len()) / SECTOR + 1;
                let by = usize::try_from(by).map_err(io::Error::other)?;
                file.put((start / SECTOR + by) % room * SECTOR, bytes);
            }
            Some(OperationFault::Eio | OperationFault::NoSpace) => {}
        }
        Self::refuse(fault)?;
        self.end(moment)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let (fault, moment) = self.begin()?;
        let id = self.id(name)?;
        let file = self.files.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        if fault == Some(OperationFault::Eio) {
            file.resolve(Moment::Torn, &mut self.rng);
        }
        Self::refuse(fault)?;
        if moment != Some(Moment::Torn) {
            file.resolve(Moment::After, &mut self.rng);
            if !planted(Mutant::W4) {
                self.names_settled();
            }
        }
        self.end(moment)
    }
}

pub(super) fn pick(rng: &mut Rng, choices: usize) -> usize {
    usize::try_from(rng.below(choices as u64)).expect("below a usize")
}

fn errno(number: rustix::io::Errno) -> io::Error {
    number.into()
}

fn crash_error() -> io::Error {
    io::Error::other("the process has crashed")
}
