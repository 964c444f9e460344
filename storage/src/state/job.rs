//! Rewriting tables, a step at a time.

use std::sync::Arc;

use store::{BackendError, Revision};

use super::files::Files;
use super::garbage::Dead;
use super::identity::Identity;
use super::options::StateOptions;
use super::table::{Table, TableWriter};

/// Adjacent tables being copied into one, without what was dead when it began.
///
/// A flush may come between two steps: it makes a newer table, and touches none of these. What
/// dies meanwhile is marked on the tables that are being copied, and counts for the new one at the
/// end.
pub(super) struct Job<F> {
    pub(super) inputs: Vec<Input>,
    /// The number of the table to be made.
    id: u64,
    /// Made with the first record that lives: what is wholly dead needs no space to go.
    writer: Option<TableWriter<F>>,
    /// The next block: which input, and which of its blocks.
    at: (usize, usize),
}

/// A table being copied.
pub(super) struct Input {
    pub(super) table: Arc<Table>,
    /// Its revisions that are not copied.
    pub(super) dead: Dead,
}

/// Why a step failed.
pub(super) enum Failure {
    /// A table could not be read: this one.
    Read(u64, BackendError),
    /// The copy could not be written.
    Write(BackendError),
}

impl<F: Files> Job<F> {
    pub(super) fn new(id: u64, inputs: Vec<Input>) -> Self {
        Self { inputs, id, writer: None, at: (0, 0) }
    }

    /// The number of the table that it makes.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Bytes written so far.
    pub(super) fn written(&self) -> u64 {
        self.writer.as_ref().map_or(0, TableWriter::written)
    }

    /// Copies about `step_bytes`; true when all is copied.
    pub(super) fn step(
        &mut self,
        files: &Arc<F>,
        identity: Identity,
        options: StateOptions,
    ) -> Result<bool, Failure> {
        let mut read = 0;
        while let Some(input) = self.inputs.get(self.at.0) {
            let table = Arc::clone(&input.table);
            let Some(at) = table.blocks.get(self.at.1) else {
                self.at = (self.at.0 + 1, 0);
                continue;
            };
            if read >= options.step_bytes {
                // Little by little, so that the last sync is not a long one.
                let synced = self.writer.as_mut().map_or(Ok(()), TableWriter::sync);
                return synced.map(|()| false).map_err(Failure::Write);
            }
            self.copy_block(files, identity, options, &table)?;
            read += u64::from(at.bytes);
            self.at.1 += 1;
        }
        Ok(true)
    }

    fn copy_block(
        &mut self,
        files: &Arc<F>,
        identity: Identity,
        options: StateOptions,
        table: &Table,
    ) -> Result<(), Failure> {
        let failed = |error| Failure::Read(table.id, error);
        let block = table.block(&**files, self.at.1).map_err(failed)?;
        for entry in block.iter() {
            let offset = table.blocks[self.at.1].offset;
            let entry = entry.ok_or_else(|| failed(table.damaged(offset)))?;
            if !self.is_dead(entry.revision) {
                let writer = self.writer(files, identity, options).map_err(Failure::Write)?;
                writer.push_encoded(entry.revision, entry.record).map_err(Failure::Write)?;
            }
        }
        Ok(())
    }

    fn is_dead(&self, revision: Revision) -> bool {
        self.inputs[self.at.0].dead.revisions.contains(&revision)
    }

    fn writer(
        &mut self,
        files: &Arc<F>,
        identity: Identity,
        options: StateOptions,
    ) -> Result<&mut TableWriter<F>, BackendError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => TableWriter::create(files, identity, self.id, options.block_bytes)?,
        };
        Ok(self.writer.insert(writer))
    }

    /// The copy, durable; `None` when nothing lived.
    pub(super) fn finish(&mut self) -> Result<Option<Table>, BackendError> {
        self.writer.take().map(TableWriter::finish).transpose()
    }
}
