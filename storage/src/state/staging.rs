//! A whole state from elsewhere, gathered beside the one that stands, then put in its place.
//!
//! ```text
//!   stage   table-…7  table-…8           named by no manifest; the old state serves and is flushed
//!   install one edit: − table-…2 − table-…5  + table-…7 + table-…8   metadata, applied position
//! ```
//!
//! Laws:
//!
//! - until the edit is durable the old state stands, whole; from then on the new one does: after a
//!   crash at any place it is one of them, never a mixture;
//! - the staged tables are durable before the edit names them;
//! - what was staged and not installed is removed: by [`DiskBackend::stage_abort`], by the next
//!   beginning, or by the next start;
//! - memory is bounded by a block's list and the gathered write of one table, whatever is staged;
//! - dead marks, a rewrite under way and tables that were barred belong to the old state and go
//!   with it. Views of the old state keep its files.
//!
//! A staging does not outlive its process: whoever stages begins anew after a restart.

use std::sync::Arc;

use bytes::Bytes;
use protocol::Position;
use store::{BackendError, Record, Revision};

use super::backend::DiskBackend;
use super::files::Files;
use super::garbage::Garbage;
use super::manifest::{Contents, Edit};
use super::owner::State;
use super::table::{Table, TableWriter, file_name};
use super::version::Version;

/// What has been staged so far.
pub(super) struct Staging<F> {
    /// Whole and durable.
    tables: Vec<Arc<Table>>,
    writer: Option<TableWriter<F>>,
    /// The newest record.
    last: Option<Revision>,
    /// How much of the writer's table a sync has confirmed.
    synced: u64,
    /// The files of all of them.
    names: Vec<String>,
    /// It came to nothing; its files are gone.
    failed: Option<BackendError>,
}

impl<F: Files> Default for Staging<F> {
    fn default() -> Self {
        Self {
            tables: Vec::new(),
            writer: None,
            last: None,
            synced: 0,
            names: Vec::new(),
            failed: None,
        }
    }
}

impl<F: Files> Staging<F> {
    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        let whole: u64 = self.tables.iter().map(|table| table.bytes).sum();
        whole + self.writer.as_ref().map_or(0, TableWriter::written)
    }

    /// Ends the table at hand: durable from here on.
    fn end_table(&mut self) -> Result<(), BackendError> {
        if let Some(writer) = self.writer.take() {
            self.tables.push(Arc::new(writer.finish()?));
        }
        self.synced = 0;
        Ok(())
    }
}

impl<F: Files> DiskBackend<F> {
    /// Begins to stage another state. What was staged before is given up.
    ///
    /// # Errors
    /// Those of earlier writes: a state that is closed to writing stays so.
    pub fn stage_begin(&mut self) -> Result<(), BackendError> {
        self.refuse_if_poisoned()?;
        self.stage_abort();
        self.staging = Some(Staging::default());
        Ok(())
    }

    /// Adds records, ascending from call to call. The state that stands is not touched by it.
    ///
    /// # Errors
    /// [`BackendError::Full`]: what was staged is given up and its space is free again; every call
    /// but [`DiskBackend::stage_begin`] now says so. After any other error nothing more is written.
    ///
    /// # Panics
    /// When nothing was begun, or a revision does not ascend: a fault of the caller.
    pub fn stage(&mut self, records: &[(Revision, Record)]) -> Result<(), BackendError> {
        self.refuse_if_poisoned()?;
        let mut staging = self.take_staging()?;
        let mut last = staging.last;
        for (revision, _) in records {
            assert!(last < Some(*revision), "{revision} staged out of order");
            last = Some(*revision);
        }
        let staged = self.try_stage(&mut staging, records);
        self.keep_staging(staging, staged)
    }

    /// Puts what was staged in the place of the state that stands, with this metadata, all of it,
    /// and this applied position. One atomic step, durable when it returns.
    ///
    /// # Errors
    /// As [`DiskBackend::stage`]; after [`BackendError::Full`] the old state stands.
    ///
    /// # Panics
    /// When nothing was begun.
    pub fn install(
        &mut self,
        meta: &[(Bytes, Bytes)],
        applied: Position,
    ) -> Result<(), BackendError> {
        self.refuse_if_poisoned()?;
        let mut staging = self.take_staging()?;
        let ended = staging.end_table();
        let installed = ended.and_then(|()| self.switch(&staging, meta, applied));
        if installed.is_err() {
            return self.keep_staging(staging, installed);
        }
        self.has_space();
        self.reap();
        self.measure();
        Ok(())
    }

    /// Gives up what was staged, if anything was.
    pub fn stage_abort(&mut self) {
        let Some(staging) = self.staging.take() else { return };
        // After a failure a manifest may name the tables when the next process starts.
        if self.refuse_if_poisoned().is_ok() {
            self.give_up(staging);
        }
        self.measure();
    }

    fn take_staging(&mut self) -> Result<Staging<F>, BackendError> {
        let staging = self.staging.take().expect("invariant: a staging was begun");
        if let Some(error) = staging.failed.clone() {
            self.staging = Some(staging);
            return Err(error);
        }
        Ok(staging)
    }

    /// Puts a staging back, or an error in its place.
    fn keep_staging(
        &mut self,
        mut staging: Staging<F>,
        done: Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let done = done.map_err(|error| self.judge(error));
        if let Err(error) = &done {
            if matches!(error, BackendError::Full(_)) {
                self.give_up(std::mem::take(&mut staging));
            }
            staging.failed = Some(error.clone());
        }
        self.staging = Some(staging);
        self.measure();
        done
    }

    fn give_up(&self, staging: Staging<F>) {
        // A table that cannot be removed is removed by the next start.
        staging.names.iter().for_each(|name| self.discard_file(name));
    }

    fn try_stage(
        &mut self,
        staging: &mut Staging<F>,
        records: &[(Revision, Record)],
    ) -> Result<(), BackendError> {
        for (revision, record) in records {
            if staging.writer.is_none() {
                let id = self.take_table_number();
                // Named first: a creation that fails may leave the file.
                staging.names.push(file_name(id));
                let (files, identity) = (&self.shared.files, self.shared.identity);
                let writer = TableWriter::create(files, identity, id, self.options.block_bytes)?;
                staging.writer = Some(writer);
            }
            let Some(writer) = &mut staging.writer else { continue };
            writer.push(*revision, record)?;
            staging.last = Some(*revision);
            let (written, length) = (writer.written(), writer.length());
            if length >= self.options.table_bytes {
                staging.end_table()?;
            } else if written - staging.synced >= self.options.step_bytes {
                // Little by little, so that the last sync is not a long one.
                writer.sync()?;
                staging.synced = written;
            }
        }
        Ok(())
    }

    /// The one edit, and what follows from it in memory.
    fn switch(
        &mut self,
        staging: &Staging<F>,
        meta: &[(Bytes, Bytes)],
        applied: Position,
    ) -> Result<(), BackendError> {
        let old = self.shared.version();
        let edit = {
            let before = self.shared.contents.read();
            Edit {
                applied,
                newest: staging.last.unwrap_or_default(),
                removed: before.tables.keys().copied().collect(),
                added: staging.tables.iter().map(|table| table.named()).collect(),
                meta: replacement(&before, meta),
                ..Edit::default()
            }
        };
        let version = Version::new(staging.tables.clone())?;
        self.commit(edit, Some(version))?;
        if let Some(job) = self.job.take() {
            self.discard_file(&file_name(job.id()));
        }
        self.garbage = Garbage::default();
        self.barred.clear();
        self.obsolete.extend(old.tables.iter().cloned());
        Ok(())
    }
}

/// The change after which the metadata is exactly this.
fn replacement(before: &Contents, meta: &[(Bytes, Bytes)]) -> Vec<(Bytes, Option<Bytes>)> {
    let old = before.meta.keys().map(|name| (name.clone(), None));
    old.chain(meta.iter().map(|(name, value)| (name.clone(), Some(value.clone())))).collect()
}

impl<F: Files> State<F> {
    /// Begins to stage another state. What was staged before is given up.
    ///
    /// # Errors
    /// As [`DiskBackend::stage_begin`]; none in memory.
    pub fn stage_begin(&mut self) -> Result<(), BackendError> {
        match self {
            Self::Memory(memory) => {
                memory.write().stage_begin();
                Ok(())
            }
            Self::Disk(disk) => disk.stage_begin(),
        }
    }

    /// Adds records, ascending from call to call. The state that stands is not touched by it.
    ///
    /// # Errors
    /// As [`DiskBackend::stage`]; none in memory.
    ///
    /// # Panics
    /// When nothing was begun, or a revision does not ascend: a fault of the caller.
    pub fn stage(&mut self, records: &[(Revision, Record)]) -> Result<(), BackendError> {
        match self {
            Self::Memory(memory) => {
                memory.write().stage(records);
                Ok(())
            }
            Self::Disk(disk) => disk.stage(records),
        }
    }

    /// Puts what was staged in the place of the state that stands, with this metadata, all of it,
    /// and this applied position. One atomic step, durable when it returns.
    ///
    /// # Errors
    /// As [`DiskBackend::install`]; none in memory.
    ///
    /// # Panics
    /// When nothing was begun.
    pub fn install(
        &mut self,
        meta: &[(Bytes, Bytes)],
        applied: Position,
    ) -> Result<(), BackendError> {
        match self {
            Self::Memory(memory) => {
                memory.write().install(meta, applied);
                Ok(())
            }
            Self::Disk(disk) => disk.install(meta, applied),
        }
    }

    /// Gives up what was staged, if anything was.
    pub fn stage_abort(&mut self) {
        match self {
            Self::Memory(memory) => memory.write().stage_abort(),
            Self::Disk(disk) => disk.stage_abort(),
        }
    }
}
