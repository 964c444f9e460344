//! Rewriting tables, a step at a time.

use std::sync::Arc;

use store::{BackendError, Record};

use super::files::Files;
use super::garbage::{Buried, Dead};
use super::options::StateOptions;
use super::table::{Entry, RECORD_HEADER, Table, TableWriter};
use crate::Identity;

/// Adjacent tables being copied into one, without what was dead when it began, but for tombstones
/// that must stay.
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
    /// The dead tombstones that were copied.
    kept: Dead,
    /// The next block: which input, and which of its blocks.
    at: (usize, usize),
}

/// A table being copied.
pub(super) struct Input {
    pub(super) table: Arc<Table>,
    pub(super) dead: Buried,
    /// Whether tombstones among its marks go. What died later than this was decided holds up none
    /// of them.
    pub(super) drops_marked: bool,
    /// Whether the dead that are known to be tombstones go.
    pub(super) drops_known: bool,
}

impl Input {
    /// What is dead and why it may have to stay: the dead it is among, and whether those go when
    /// they are tombstones. `None` when it lives.
    fn dead(&self, entry: &Entry<'_>) -> Option<(&Dead, bool)> {
        let Buried { marks, tombstones } = &self.dead;
        let among = |dead: &Dead| dead.revisions.contains(&entry.revision);
        let marked = among(marks).then_some((marks, self.drops_marked));
        marked.or_else(|| among(tombstones).then_some((tombstones, self.drops_known)))
    }
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
        Self { inputs, id, writer: None, kept: Dead::default(), at: (0, 0) }
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
        let offset = table.blocks[self.at.1].offset;
        let damaged = || failed(table.damaged(offset));
        let block = table.block(&**files, self.at.1).map_err(failed)?;
        for entry in block.iter() {
            let entry = entry.ok_or_else(damaged)?;
            if keeps(&self.inputs[self.at.0], &entry, &mut self.kept).ok_or_else(damaged)? {
                let writer = self.writer(files, identity, options).map_err(Failure::Write)?;
                writer.push_encoded(entry.revision, entry.record).map_err(Failure::Write)?;
            }
        }
        Ok(())
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

    /// The copy, durable, and its dead; `None` when there was nothing to copy.
    pub(super) fn finish(&mut self) -> Result<Option<(Table, Buried)>, BackendError> {
        let Some(writer) = self.writer.take() else { return Ok(None) };
        let dead = Buried { tombstones: std::mem::take(&mut self.kept), ..Buried::default() };
        Ok(Some((writer.finish()?, dead)))
    }
}

/// Whether a record is copied, and if so although it is dead, among the kept. `None` when it does
/// not decode.
fn keeps(input: &Input, entry: &Entry<'_>, kept: &mut Dead) -> Option<bool> {
    let Some((dead, drops)) = input.dead(entry) else { return Some(true) };
    if drops || !Record::is_tombstone_bytes(entry.record).ok()? {
        return Some(false);
    }
    let bytes = RECORD_HEADER + entry.record.len();
    kept.add(entry.revision, bytes as u64, dead.span?);
    Some(true)
}
