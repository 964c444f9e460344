//! Writing a table, front to back, in one pass.

use std::sync::Arc;

use protocol::mutant::{Mutant, planted};
use store::{BackendError, Record, Revision};

use super::super::error::write_error;
use super::super::files::Files;
use super::super::salt::{Kind, Salt};
use super::block::BlockBuilder;
use super::{BlockRef, Footer, Table, file_name, footer};
use crate::Identity;

/// Blocks are gathered to writes of this many bytes.
const WRITE_BYTES: usize = 1 << 18;

/// A table being written. Nothing names it before [`TableWriter::finish`] has returned and a
/// manifest was written; until then it is a file that the next start removes.
pub(in super::super) struct TableWriter<F> {
    files: Arc<F>,
    name: String,
    id: u64,
    identity: Identity,
    salt: Salt,
    block_bytes: usize,
    /// Written to the file so far.
    written: u64,
    /// Finished blocks that are not written yet.
    pending: Vec<u8>,
    block: BlockBuilder,
    first_of_block: Option<Revision>,
    blocks: Vec<BlockRef>,
    records: u64,
    last: Option<Revision>,
    scratch: Vec<u8>,
}

impl<F: Files> TableWriter<F> {
    /// Creates the file of table `id`.
    pub(in super::super) fn create(
        files: &Arc<F>,
        identity: Identity,
        id: u64,
        block_bytes: usize,
    ) -> Result<Self, BackendError> {
        let name = file_name(id);
        files.create(&name, 0).map_err(|e| write_error(&format!("create {name}"), &e))?;
        Ok(Self {
            files: Arc::clone(files),
            name,
            id,
            identity,
            salt: Salt::new(identity, Kind::Table, id),
            block_bytes,
            written: 0,
            pending: Vec::new(),
            block: BlockBuilder::default(),
            first_of_block: None,
            blocks: Vec::new(),
            records: 0,
            last: None,
            scratch: Vec::new(),
        })
    }

    pub(in super::super) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the file so far.
    pub(in super::super) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes of what was appended so far, but for what follows the blocks.
    pub(in super::super) fn length(&self) -> u64 {
        self.written + (self.pending.len() + self.block.len()) as u64
    }

    /// Appends a record.
    pub(in super::super) fn push(
        &mut self,
        revision: Revision,
        record: &Record,
    ) -> Result<(), BackendError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        record.encode(&mut scratch);
        let pushed = self.push_encoded(revision, &scratch);
        self.scratch = scratch;
        pushed
    }

    /// Appends the bytes of a record, as another table holds them.
    pub(in super::super) fn push_encoded(
        &mut self,
        revision: Revision,
        record: &[u8],
    ) -> Result<(), BackendError> {
        assert!(self.last < Some(revision), "{revision} does not ascend in {}", self.name);
        let filled = self.block.len() + super::block::RECORD_HEADER + record.len();
        if self.first_of_block.is_some() && filled > self.block_bytes {
            self.end_block()?;
        }
        self.block.push(revision, record).ok_or_else(|| self.too_long(revision))?;
        self.first_of_block.get_or_insert(revision);
        self.last = Some(revision);
        self.records += 1;
        Ok(())
    }

    fn too_long(&self, revision: Revision) -> BackendError {
        BackendError::Io(format!("{}: record {revision} is longer than the format", self.name))
    }

    fn end_block(&mut self) -> Result<(), BackendError> {
        let Some(first) = self.first_of_block.take() else { return Ok(()) };
        let offset = self.written + self.pending.len() as u64;
        let records = self.block.records();
        let bytes = self.block.finish(self.salt, offset);
        let length = u32::try_from(bytes.len())
            .map_err(|_| BackendError::Io(format!("{}: a block above 4 GiB", self.name)))?;
        self.blocks.push(BlockRef { first, offset, bytes: length, records });
        self.pending.extend_from_slice(&bytes);
        if self.pending.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), BackendError> {
        self.files
            .write(&self.name, self.written, &self.pending)
            .map_err(|e| write_error(&format!("write {}", self.name), &e))?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Makes durable what is written, so that the last sync has little left to do.
    pub(in super::super) fn sync(&mut self) -> Result<(), BackendError> {
        self.files.sync(&self.name).map_err(|e| write_error(&format!("sync {}", self.name), &e))
    }

    /// Writes index and footer, and makes all of it durable.
    pub(in super::super) fn finish(mut self) -> Result<Table, BackendError> {
        self.end_block()?;
        let first = self.blocks.first().map(|b| b.first).unwrap_or_default();
        let index_offset = self.written + self.pending.len() as u64;
        let index = footer::encode_index(&self.blocks, self.salt, index_offset);
        self.pending.extend_from_slice(&index);
        let footer = Footer {
            identity: self.identity,
            id: self.id,
            blocks: self.blocks.len() as u64,
            index_offset,
            records: self.records,
            first,
            last: self.last.unwrap_or_default(),
        };
        let bytes = footer.encode();
        let checksum = Footer::checksum(&bytes);
        self.pending.extend_from_slice(&bytes);
        self.write()?;
        if !planted(Mutant::W9) {
            self.sync()?;
        }
        Ok(Table {
            name: self.name,
            id: self.id,
            bytes: self.written,
            checksum,
            records: self.records,
            first,
            last: footer.last,
            salt: self.salt,
            blocks: self.blocks,
        })
    }
}
