//! The manifest: which tables live, the metadata, and how far the state has come.
//!
//! A log of edits, in two copies, each a preallocated file. An edit is written to the first copy
//! and synced, then to the second and synced; only then has the flush happened for its caller.
//! When the files are full, a new generation begins with one record that holds everything.
//!
//! Laws:
//!
//! - at most one copy is ever being changed, so a crash tears at most one, and a state whose two
//!   copies are both damaged was not torn but damaged: it is refused;
//! - an acknowledged flush stands in both copies, so that no single damage takes it away or moves
//!   the state back to an older flush;
//! - of two copies the one with the longer history is right: the other was torn or damaged;
//! - what was recovered is believed only after both copies were written anew and synced, first the
//!   one that did not win. After a failed sync reads may show an edit that is not on the disk and
//!   that no later sync writes (A. Rebello et al., *Can Applications Recover from fsync Failures?*,
//!   USENIX ATC'20); were it believed, the log would be trimmed behind it, tables removed, and the
//!   next loss of power would move the state back. The bytes are those that were read, and zeros
//!   behind them: at each moment either copy holds, in every sector, all that was acknowledged;
//! - the tables that an edit names need no such care: the process that wrote the edit had had
//!   their syncs confirmed before, or it would have ended; and no number of a table is used again
//!   while an edit that names it may still come to light: the zeros see to that;
//! - a generation's files are removed after both of the next are durable;
//! - an edit fits the space that was reserved, so deletions work on a full disk.

mod copy;
mod edit;
mod inspect;
mod recover;

use std::io;
use std::sync::Arc;

use store::BackendError;

use super::error::write_error;
use super::files::Files;
use super::salt::{Kind, Salt};
use crate::Identity;
pub(super) use copy::is_file_name;
use copy::{HEADER, Which};
use edit::Place;
pub(super) use edit::{Contents, Edit};
pub use inspect::CopyInspection;
pub(super) use inspect::inspect;
pub(super) use recover::recover;

const FIRST_GENERATION: u64 = 1;

/// Files are this many times as long as what they begin with, so that rewriting everything costs
/// a third of what the edits cost.
const GROWTH: u64 = 4;

const PAGE: u64 = 4096;

/// The manifest of an open state.
#[derive(Debug)]
pub(super) struct Manifest {
    identity: Identity,
    generation: u64,
    /// Never one that was tried before.
    next_generation: u64,
    /// Bytes of each of its files.
    capacity: u64,
    /// Where the next record goes.
    end: u64,
    chain: u32,
    sequence: u64,
    heal: Option<Heal>,
    /// Files of other generations.
    stale: Vec<String>,
}

/// Copies to be written anew before the next edit.
#[derive(Debug)]
struct Heal {
    /// All whole records.
    records: Vec<u8>,
    /// The one that won comes last.
    copies: Vec<Unconfirmed>,
}

/// A copy that may be torn, damaged, missing, or whole for readers and not on the disk.
#[derive(Clone, Copy, Debug)]
struct Unconfirmed {
    which: Which,
    exists: bool,
    /// It has the length that it must have.
    fits: bool,
}

impl Manifest {
    /// Writes the first manifest of an empty directory.
    pub(super) fn create<F: Files>(
        files: &F,
        identity: Identity,
        least_bytes: u64,
    ) -> Result<Self, BackendError> {
        // What a crash left of an earlier attempt.
        let left = files.list().map_err(|e| write_error("list the state's files", &e))?;
        for name in left.into_iter().map(|info| info.name).filter(|name| is_file_name(name)) {
            files.remove(&name).map_err(|e| write_error(&format!("remove {name}"), &e))?;
        }
        let mut manifest = Self {
            identity,
            generation: 0,
            next_generation: FIRST_GENERATION,
            capacity: 0,
            end: 0,
            chain: 0,
            sequence: 0,
            heal: None,
            stale: Vec::new(),
        };
        manifest.begin_generation(files, &Contents::default(), None, least_bytes)?;
        Ok(manifest)
    }

    /// Bytes of its files.
    pub(super) fn bytes(&self) -> u64 {
        2 * self.capacity
    }

    /// Makes an edit durable. `before` is what stands without it.
    ///
    /// # Errors
    /// [`BackendError::Full`]: the edit did not happen, and may be tried again. After any other
    /// error it may or may not stand there after a restart; nothing more may be written.
    pub(super) fn commit<F: Files>(
        &mut self,
        files: &Arc<F>,
        edit: &Edit,
        before: &Contents,
        least_bytes: u64,
    ) -> Result<(), BackendError> {
        self.mend(&**files)?;
        let mut record = Vec::new();
        let salt = Salt::new(self.identity, Kind::Manifest, self.generation);
        let place = Place { offset: self.end, chain: self.chain, sequence: self.sequence + 1 };
        let checksum = edit.encode(salt, place, &mut record).ok_or_else(too_long)?;
        if self.end + record.len() as u64 > self.capacity {
            return self.begin_generation(&**files, before, Some(edit), least_bytes);
        }
        for which in Which::BOTH {
            self.append(&**files, which, &record)?;
        }
        self.end += record.len() as u64;
        self.chain = checksum;
        self.sequence += 1;
        Ok(())
    }

    fn append<F: Files>(&self, files: &F, which: Which, record: &[u8]) -> Result<(), BackendError> {
        let name = which.file_name(self.generation);
        if let Err(error) = files.write(&name, self.end, record) {
            let error = write_error(&format!("write {name}"), &error);
            return Err(self.undo(files, record.len(), error));
        }
        files.sync(&name).map_err(|e| sync_error(&name, &e))
    }

    /// Takes back what a write without space has left. The space of a manifest is reserved, so
    /// this is for file systems that cannot reserve.
    fn undo<F: Files>(&self, files: &F, length: usize, error: BackendError) -> BackendError {
        if !matches!(error, BackendError::Full(_)) {
            return error;
        }
        let zeros = vec![0; length];
        for which in Which::BOTH {
            let name = which.file_name(self.generation);
            let undone = files.write(&name, self.end, &zeros).and_then(|()| files.sync(&name));
            if let Err(failed) = undone {
                return BackendError::Io(format!("{error}; then undo in {name}: {failed}"));
            }
        }
        error
    }

    /// Writes everything to new files.
    fn begin_generation<F: Files>(
        &mut self,
        files: &F,
        before: &Contents,
        edit: Option<&Edit>,
        least_bytes: u64,
    ) -> Result<(), BackendError> {
        let generation = self.next_generation;
        self.next_generation += 1;
        let (records, chain) = self.first_records(generation, before, edit)?;
        let end = (HEADER + records.len()) as u64;
        let capacity = (end * GROWTH).max(least_bytes).next_multiple_of(PAGE);
        let names = Which::BOTH.map(|which| which.file_name(generation));
        for name in &names {
            if let Err(error) = files.create(name, capacity) {
                // Blank files say nothing: whether these removals are durable does not matter.
                names.iter().for_each(|name| drop(files.remove(name)));
                return Err(write_error(&format!("create {name}"), &error));
            }
        }
        for (which, name) in Which::BOTH.into_iter().zip(&names) {
            let mut bytes = copy::header(self.identity, generation, which);
            bytes.extend_from_slice(&records);
            if let Err(error) = files.write(name, 0, &bytes) {
                let error = write_error(&format!("write {name}"), &error);
                return Err(self.withdraw(files, &names, error));
            }
            files.sync(name).map_err(|e| sync_error(name, &e))?;
        }
        if self.generation > 0 {
            self.stale.extend(Which::BOTH.map(|which| which.file_name(self.generation)));
        }
        self.generation = generation;
        self.capacity = capacity;
        self.end = end;
        self.chain = chain;
        self.sequence += u64::from(edit.is_some());
        self.remove_stale(files);
        Ok(())
    }

    /// Takes back a generation that found no space.
    fn withdraw<F: Files>(
        &self,
        files: &F,
        names: &[String; 2],
        error: BackendError,
    ) -> BackendError {
        if !matches!(error, BackendError::Full(_)) || self.generation == 0 {
            return error;
        }
        let old = Which::A.file_name(self.generation);
        let removed = names.iter().try_for_each(|name| files.remove(name));
        match removed.and_then(|()| files.sync(&old)) {
            Ok(()) => error,
            Err(failed) => BackendError::Io(format!("{error}; then withdraw: {failed}")),
        }
    }

    fn first_records(
        &self,
        generation: u64,
        before: &Contents,
        edit: Option<&Edit>,
    ) -> Result<(Vec<u8>, u32), BackendError> {
        let salt = Salt::new(self.identity, Kind::Manifest, generation);
        let whole = Edit {
            whole: true,
            applied: before.applied,
            newest: before.newest,
            next_table: before.next_table,
            removed: Vec::new(),
            added: before.tables.values().copied().collect(),
            meta: before.meta.iter().map(|(k, v)| (k.clone(), Some(v.clone()))).collect(),
        };
        let mut records = Vec::new();
        let place = Place { offset: HEADER as u64, chain: 0, sequence: self.sequence };
        let mut chain = whole.encode(salt, place, &mut records).ok_or_else(too_long)?;
        if let Some(edit) = edit {
            let offset = (HEADER + records.len()) as u64;
            let place = Place { offset, chain, sequence: self.sequence + 1 };
            chain = edit.encode(salt, place, &mut records).ok_or_else(too_long)?;
        }
        Ok((records, chain))
    }

    /// Makes sure that what was recovered is durable: writes both copies anew.
    ///
    /// A copy that is missing and finds no space is left for the next edit: the other, which has
    /// its space, is enough to stand on.
    ///
    /// # Errors
    /// What was recovered may not survive; the state must not be opened.
    pub(in super::super) fn confirm<F: Files>(&mut self, files: &F) -> Result<(), BackendError> {
        let Err(error) = self.mend(files) else { return Ok(()) };
        let full = matches!(error, BackendError::Full(_));
        let waits = self.heal.as_mut().filter(|heal| full && heal.copies.len() > 1);
        let best = waits.and_then(|heal| Some((heal.copies.pop()?, heal.records.clone())));
        let Some((mut best, records)) = best else { return Err(error) };
        self.restore(files, &records, &mut best)
    }

    /// Writes the copies anew that may not be what they should be, one after the other.
    fn mend<F: Files>(&mut self, files: &F) -> Result<(), BackendError> {
        if let Some(mut heal) = self.heal.take() {
            while let Some(copy) = heal.copies.first_mut() {
                if let Err(error) = self.restore(files, &heal.records, copy) {
                    self.heal = Some(heal);
                    return Err(error);
                }
                heal.copies.remove(0);
            }
        }
        self.remove_stale(files);
        Ok(())
    }

    fn restore<F: Files>(
        &self,
        files: &F,
        records: &[u8],
        copy: &mut Unconfirmed,
    ) -> Result<(), BackendError> {
        let name = copy.which.file_name(self.generation);
        if copy.exists && !copy.fits {
            files.remove(&name).map_err(|e| write_error(&format!("remove {name}"), &e))?;
            copy.exists = false;
        }
        if !copy.fits {
            files
                .create(&name, self.capacity)
                .map_err(|e| write_error(&format!("create {name}"), &e))?;
            (copy.exists, copy.fits) = (true, true);
        }
        let mut bytes = copy::header(self.identity, self.generation, copy.which);
        bytes.extend_from_slice(records);
        let capacity = usize::try_from(self.capacity).map_err(|_| too_long())?;
        bytes.resize(capacity, 0);
        files.write(&name, 0, &bytes).map_err(|e| write_error(&format!("mend {name}"), &e))?;
        files.sync(&name).map_err(|e| sync_error(&name, &e))
    }

    /// Removes the files of other generations. One that stays is removed after the next start.
    fn remove_stale<F: Files>(&mut self, files: &F) {
        for name in std::mem::take(&mut self.stale) {
            drop(files.remove(&name));
        }
    }
}

fn too_long() -> BackendError {
    BackendError::Io("a manifest's record is longer than the format".to_owned())
}

/// A sync that failed is never tried again: the kernel may have dropped what it could not write.
fn sync_error(name: &str, error: &io::Error) -> BackendError {
    BackendError::Io(format!("sync {name}: {error}"))
}
