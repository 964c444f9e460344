//! The owner of a state on disk.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use protocol::Position;
use store::{Backend, BackendError, BackendRead, Flush, Record, Revision, Size};

use super::error::{OpenError, write_error};
use super::files::Files;
use super::garbage::Garbage;
use super::job::Job;
use super::manifest::{self, Contents, Edit, Manifest};
use super::options::StateOptions;
use super::reader::DiskReader;
use super::staging::Staging;
use super::table::{self, Table, TableWriter};
use super::version::{Shared, Version};
use crate::Identity;

/// A state on disk. One thread owns it; [`DiskBackend::reader`] gives readers for others.
///
/// Laws:
///
/// - a table is durable before a manifest names it, and a manifest is durable in both copies
///   before a flush returns, and again before a state that was opened is believed;
/// - a table's file is removed after no durable manifest names it and no reader holds it;
/// - a dead tombstone goes after all that it may have ended (`garbage.rs`);
/// - an error other than [`BackendError::Full`] of a write ends all writing; reading goes on.
pub struct DiskBackend<F> {
    pub(super) shared: Arc<Shared<F>>,
    pub(super) options: StateOptions,
    pub(super) manifest: Manifest,
    pub(super) garbage: Garbage,
    pub(super) job: Option<Job<F>>,
    /// Tables that no manifest names, and that readers may hold.
    pub(super) obsolete: Vec<Arc<Table>>,
    /// Tables that could not be read; left alone until the next start.
    pub(super) barred: BTreeSet<u64>,
    /// The last attempt to rewrite found the disk full.
    pub(super) cramped: bool,
    /// Space is short: what is dead is given back sooner.
    pub(super) thrifty: bool,
    /// The tables whose copies found no space since then, so that each has its turn.
    pub(super) starved: BTreeSet<u64>,
    /// Another state, that may take this one's place.
    pub(super) staging: Option<Staging<F>>,
    next_table: u64,
    poison: Option<BackendError>,
}

impl<F: Files> DiskBackend<F> {
    /// Opens the state of `identity` in these files, or makes a new one where there is none.
    ///
    /// Verifies the manifest, and footer and index of every table. Then writes the manifest anew,
    /// so that what is opened is durable whatever became of an earlier process.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed but copies of the manifest, to what they were to be, and
    /// files removed that no manifest names.
    pub fn open(files: F, identity: Identity, options: StateOptions) -> Result<Self, OpenError> {
        let files = Arc::new(files);
        let (mut manifest, contents) = match manifest::recover(&*files, identity)? {
            Some(found) => found,
            None => {
                let made = Manifest::create(&*files, identity, options.manifest_bytes)?;
                (made, Contents::default())
            }
        };
        let version = open_tables(&*files, identity, &contents)?;
        manifest.confirm(&*files)?;
        let next_table = sweep(&*files, &contents)?;
        let backend = Self {
            shared: Arc::new(Shared::new(files, identity, version, contents)),
            options,
            manifest,
            garbage: Garbage::default(),
            job: None,
            obsolete: Vec::new(),
            barred: BTreeSet::new(),
            cramped: false,
            thrifty: false,
            starved: BTreeSet::new(),
            staging: None,
            next_table,
            poison: None,
        };
        backend.measure();
        Ok(backend)
    }

    /// A reader for any thread.
    #[must_use]
    pub fn reader(&self) -> DiskReader<F> {
        DiskReader::new(Arc::clone(&self.shared))
    }

    /// How many tables there are.
    #[must_use]
    pub fn tables(&self) -> usize {
        self.shared.version().tables.len()
    }

    pub(super) fn refuse_if_poisoned(&self) -> Result<(), BackendError> {
        self.poison.clone().map_or(Ok(()), Err)
    }

    /// After an error that leaves the files in doubt nothing more is written.
    pub(super) fn judge(&mut self, error: BackendError) -> BackendError {
        if !matches!(error, BackendError::Full(_)) {
            self.poison = Some(error.clone());
        }
        error
    }

    /// A number that no table has had, not even one that came to nothing.
    pub(super) fn take_table_number(&mut self) -> u64 {
        let number = self.next_table;
        self.next_table += 1;
        number
    }

    /// Makes an edit durable, then visible.
    pub(super) fn commit(
        &mut self,
        mut edit: Edit,
        version: Option<Version>,
    ) -> Result<(), BackendError> {
        edit.next_table = self.next_table;
        {
            let contents = self.shared.contents.read();
            let least = self.options.manifest_bytes;
            self.manifest.commit(&self.shared.files, &edit, &contents, least)?;
        }
        if let Some(version) = version {
            self.shared.publish(version);
        }
        self.shared.contents.write().apply(edit);
        Ok(())
    }

    /// Removes the files that nobody needs any more. One that stays is removed by the next start.
    pub(super) fn reap(&mut self) {
        let files = &self.shared.files;
        self.obsolete.retain(|table| {
            let held = Arc::strong_count(table) > 1;
            if !held {
                drop(files.remove(table.name()));
            }
            held
        });
    }

    /// Removes a table's file that no manifest has named.
    pub(super) fn discard_file(&self, name: &str) {
        drop(self.shared.files.remove(name));
    }

    fn write_table(&mut self, records: &[(Revision, Record)]) -> Result<Table, BackendError> {
        let (id, block_bytes) = (self.take_table_number(), self.options.block_bytes);
        let files = Arc::clone(&self.shared.files);
        let mut writer = TableWriter::create(&files, self.shared.identity, id, block_bytes)?;
        let name = writer.name().to_owned();
        let write = || {
            for (revision, record) in records {
                writer.push(*revision, record)?;
            }
            writer.finish()
        };
        write().inspect_err(|_| self.discard_file(&name))
    }

    fn try_flush(&mut self, flush: &Flush) -> Result<(), BackendError> {
        let newest = self.shared.contents.read().newest;
        let mut edit = Edit {
            applied: flush.applied,
            newest: flush.records.last().map_or(newest, |(revision, _)| *revision),
            meta: flush.meta.clone(),
            ..Edit::default()
        };
        if flush.records.is_empty() {
            return self.commit(edit, None);
        }
        let table = Arc::new(self.write_table(&flush.records)?);
        edit.added.push(table.named());
        let mut tables = self.shared.version().tables.clone();
        tables.push(Arc::clone(&table));
        let version = Version::new(tables)?;
        match self.commit(edit, Some(version)) {
            Err(error @ BackendError::Full(_)) => {
                self.discard_file(table.name());
                Err(error)
            }
            done => done,
        }
    }

    /// Sets what readers see as [`Size`].
    pub(super) fn measure(&self) {
        let version = self.shared.version();
        let tables: u64 = version.tables.iter().map(|table| table.bytes).sum();
        let dead: u64 = version.tables.iter().map(|table| self.dead_bytes(table)).sum();
        let obsolete: u64 = self.obsolete.iter().map(|table| table.bytes).sum();
        let job = self.job.as_ref().map_or(0, Job::written);
        let staged = self.staging.as_ref().map_or(0, Staging::bytes);
        let total = tables + obsolete + job + staged + self.manifest.bytes();
        self.shared.size.set(Size { total, in_use: tables.saturating_sub(dead) });
    }

    /// Bytes of a table's dead records, those that a job has taken up included.
    pub(super) fn dead_bytes(&self, table: &Table) -> u64 {
        let inputs = self.job.iter().flat_map(|job| &job.inputs);
        let inputs = inputs.filter(|input| input.table.id == table.id).map(|input| &input.dead);
        let buried = inputs.chain(self.garbage.of(table.id));
        buried.map(|buried| buried.bytes(table)).sum::<u64>().min(table.bytes)
    }
}

fn open_tables<F: Files>(
    files: &F,
    identity: Identity,
    contents: &Contents,
) -> Result<Version, OpenError> {
    let open = |named| Table::open(files, identity, named).map(Arc::new);
    let tables = contents.tables.values().copied().map(open).collect::<Result<_, _>>()?;
    Ok(Version::new(tables)?)
}

/// Removes the tables that no manifest names: a crash ended the flush that made them, or came
/// between a flush and their removal. Gives the first free number.
fn sweep<F: Files>(files: &F, contents: &Contents) -> Result<u64, OpenError> {
    let mut next = contents.next_table;
    let list = files.list().map_err(|e| OpenError::io("list the state's files", &e))?;
    for info in list {
        let Some(id) = table::number_of_file_name(&info.name) else { continue };
        next = next.max(id + 1);
        if !contents.tables.contains_key(&id) {
            files
                .remove(&info.name)
                .map_err(|e| write_error(&format!("remove {}", info.name), &e))?;
        }
    }
    Ok(next)
}

impl<F: Files> BackendRead for DiskBackend<F> {
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

impl<F: Files> Backend for DiskBackend<F> {
    fn flush(&mut self, flush: &Flush) -> Result<(), BackendError> {
        self.refuse_if_poisoned()?;
        assert_ascending(self.shared.contents.read().newest, flush);
        self.reap();
        let mut flushed = self.try_flush(flush);
        if flushed.is_ok() {
            self.has_space();
        } else if matches!(flushed, Err(BackendError::Full(_)))
            && let Some(merge) = self.job.take_if(|job| job.inputs.len() > 1)
        {
            // What is copied is there already: the copy makes room, and is made another time. That
            // of a single table gives back space by itself when it is done.
            self.starve(merge);
            flushed = self.try_flush(flush);
        }
        self.measure();
        flushed.map_err(|error| self.judge(error))
    }

    fn discard(&mut self, dead: &[Revision]) -> Result<(), BackendError> {
        self.refuse_if_poisoned()?;
        let version = self.shared.version();
        let span = self.garbage.next_discard();
        for revision in dead {
            if let Some(table) = version.table_of(*revision) {
                self.garbage.mark(table, *revision, span);
            }
        }
        self.measure();
        Ok(())
    }

    fn maintain(&mut self) -> Result<bool, BackendError> {
        self.refuse_if_poisoned()?;
        self.reap();
        let more = self.work();
        self.reap();
        self.measure();
        more
    }
}

/// The contract's precondition of a flush: a violation is a fault of the caller.
fn assert_ascending(newest: Revision, flush: &Flush) {
    let mut last = newest;
    for (revision, _) in &flush.records {
        assert!(*revision > last, "{revision} flushed after {last}");
        last = *revision;
    }
}
