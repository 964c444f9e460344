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

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use protocol::Rng;
use protocol::mutant::{Mutant, planted};

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

type Sector = [u8; SECTOR];
/// A directory: cheap to copy, since it is copied with each change.
type Names = BTreeMap<Arc<str>, u64>;

#[derive(Clone, Debug, Default)]
struct File {
    /// What reads show.
    live: Image,
    /// What has been synced.
    durable: Image,
    /// The versions of each sector written since, oldest first.
    pending: BTreeMap<usize, Vec<Sector>>,
}

/// A disk in memory with a plan of faults. A clone is an independent copy of everything.
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    plan: FaultPlan,
    rng: Rng,
    files: BTreeMap<u64, File>,
    next_file: u64,
    names: Names,
    /// The directory as last synced, then as it was after each unsynced change.
    directories: Vec<Names>,
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
            directories: vec![BTreeMap::new()],
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

    /// Takes back everything that was planned.
    pub fn clear_plan(&mut self) {
        let seed = self.rng.next();
        self.set_plan(FaultPlan { seed, ..FaultPlan::default() });
    }

    /// The sum of all files' lengths, in bytes.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.names.values().map(|id| self.files[id].live.len() as u64).sum()
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
        file.live.flip(offset, mask) && file.durable.flip(offset, mask)
    }

    /// Cuts a file to this many bytes.
    pub fn cut(&mut self, name: &str, bytes: usize) {
        if let Some(file) = self.names.get(name).and_then(|id| self.files.get_mut(id)) {
            file.live.truncate(bytes);
            file.durable.truncate(bytes);
            file.pending.retain(|sector, _| (sector + 1) * SECTOR <= bytes);
        }
    }

    /// What a file holds now, as reads show it.
    #[must_use]
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        self.names.get(name).and_then(|id| self.files.get(id)).map(|file| file.live.to_vec())
    }

    /// Puts a file in place, durably, whatever was there.
    pub fn insert(&mut self, name: &str, contents: &[u8]) {
        let id = self.add(Image::of(contents.to_vec()));
        self.names.insert(name.into(), id);
        self.directories = vec![self.names.clone()];
    }

    fn add(&mut self, contents: Image) -> u64 {
        let id = self.next_file;
        self.next_file += 1;
        self.files
            .insert(id, File { live: contents.clone(), durable: contents, ..File::default() });
        id
    }

    fn settle(&mut self, moment: Moment) {
        for file in self.files.values_mut() {
            file.settle(moment, &mut self.rng);
        }
        let last = self.directories.len() - 1;
        let survivor = match moment {
            Moment::Before => 0,
            Moment::Torn => pick(&mut self.rng, last + 1),
            Moment::After => last,
        };
        self.names = self.directories.swap_remove(survivor);
        self.directories = vec![self.names.clone()];
        self.files.retain(|id, _| self.names.values().any(|named| named == id));
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

    /// Names changed; the change is not durable yet.
    fn renamed(&mut self) {
        self.directories.push(self.names.clone());
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

impl File {
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.live.write(offset, bytes);
        for sector in offset / SECTOR..=(offset + bytes.len() - 1) / SECTOR {
            let image = self.image(sector);
            self.pending.entry(sector).or_default().push(image);
        }
    }

    fn image(&self, sector: usize) -> Sector {
        let mut image = [0; SECTOR];
        let start = sector * SECTOR;
        let end = self.live.len().min(start + SECTOR);
        assert!(self.live.read(start, &mut image[..end - start]), "a sector of the file");
        image
    }

    /// Decides what of the unsynced sectors is durable.
    fn resolve(&mut self, moment: Moment, rng: &mut Rng) {
        for (sector, versions) in std::mem::take(&mut self.pending) {
            let chosen = match moment {
                Moment::Before => 0,
                Moment::Torn => pick(rng, versions.len() + 1),
                Moment::After => versions.len(),
            };
            if chosen > 0 {
                let start = sector * SECTOR;
                let end = self.durable.len().min(start + SECTOR);
                self.durable.write(start, &versions[chosen - 1][..end - start]);
            }
        }
    }

    fn settle(&mut self, moment: Moment, rng: &mut Rng) {
        self.resolve(moment, rng);
        self.live.clone_from(&self.durable);
    }
}

impl Disk for FaultyDisk {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        if self.crashed {
            return Err(crash_error());
        }
        let bytes = |id: &u64| self.files.get(id).map_or(0, |file| file.live.len() as u64);
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
        self.names.insert(name.into(), id);
        if moment == Some(Moment::Torn) {
            self.renamed();
        } else {
            self.directories = vec![self.names.clone()];
        }
        self.end(moment)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let (fault, moment) = self.begin()?;
        Self::refuse(fault)?;
        let id = self.id(from)?;
        if self.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.names.remove(from);
        self.names.insert(to.into(), id);
        self.renamed();
        self.end(moment)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let (fault, moment) = self.begin()?;
        Self::refuse(fault)?;
        self.id(name)?;
        self.names.remove(name);
        self.renamed();
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
        if !file.live.read(start, into) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (fault, moment) = self.begin()?;
        let id = self.id(name)?;
        let file = self.files.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        if start.saturating_add(bytes.len()) > file.live.len() {
            return Err(io::Error::other("a write beyond the end of the file"));
        }
        match fault {
            None => file.put(start, bytes),
            Some(OperationFault::Short(stored)) => {
                file.put(start, &bytes[..stored.min(bytes.len())]);
            }
            Some(OperationFault::Astray(by)) => {
                let room = (file.live.len() - bytes.len()) / SECTOR + 1;
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
            if self.directories.len() > 1 && !planted(Mutant::W4) {
                self.directories = vec![self.names.clone()];
            }
        }
        self.end(moment)
    }
}

fn pick(rng: &mut Rng, choices: usize) -> usize {
    usize::try_from(rng.below(choices as u64)).expect("below a usize")
}

fn errno(number: rustix::io::Errno) -> io::Error {
    number.into()
}

fn crash_error() -> io::Error {
    io::Error::other("the process has crashed")
}
