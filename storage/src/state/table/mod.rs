//! A table: immutable, checksummed, its records by ascending revision.
//!
//! ```text
//! block … block │ index │ footer
//! ```
//!
//! Laws:
//!
//! - a table is never changed once a manifest names it; it is written whole, read, and removed;
//! - every byte is under a checksum that also covers whose file it is, which, and where in it;
//!   nothing is decoded before its checksum was right;
//! - a point read is one positional read of one block: the index, one entry a block, is in memory
//!   (32 bytes for each 16 KiB of records: 0.2 %).

mod block;
mod footer;
mod writer;

use store::{BackendError, Record, Revision};

use super::error::read_error;
use super::files::Files;
use super::salt::{Kind, Salt};
use crate::Identity;
pub(super) use block::{Block, Entry, RECORD_HEADER};
pub(super) use footer::{FOOTER, Footer};
pub(super) use writer::TableWriter;

const PREFIX: &str = "table-";

/// The name of the file of table `id`.
pub(super) fn file_name(id: u64) -> String {
    format!("{PREFIX}{id:016x}")
}

/// Whether a file is a table's, by its name.
pub(super) fn is_file_name(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The number that the name of a table's file says.
pub(super) fn number_of_file_name(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix(PREFIX)?, 16).ok()
}

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockRef {
    pub(super) first: Revision,
    pub(super) offset: u64,
    pub(super) bytes: u32,
    pub(super) records: u32,
}

/// A table as it is kept in memory: everything but its records.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    name: String,
    pub(super) id: u64,
    /// The length of the file.
    pub(super) bytes: u64,
    /// The checksum of its footer.
    pub(super) checksum: u32,
    pub(super) records: u64,
    pub(super) first: Revision,
    pub(super) last: Revision,
    salt: Salt,
    pub(super) blocks: Vec<BlockRef>,
}

/// What a manifest says of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TableName {
    pub(super) id: u64,
    pub(super) bytes: u64,
    pub(super) checksum: u32,
}

impl Table {
    /// Reads and verifies footer and index.
    pub(super) fn open<F: Files>(
        files: &F,
        identity: Identity,
        named: TableName,
    ) -> Result<Self, BackendError> {
        let name = file_name(named.id);
        let corrupt = |what: &str| BackendError::Corrupt(format!("{name}: {what}"));
        let footer_at = named.bytes.checked_sub(FOOTER as u64);
        let footer_at = footer_at.ok_or_else(|| corrupt("shorter than a footer"))?;
        let bytes = read(files, &name, footer_at, FOOTER)?;
        let footer = Footer::decode(&bytes).ok_or_else(|| corrupt("the footer is damaged"))?;
        let same = footer.identity == identity
            && footer.id == named.id
            && Footer::checksum(&bytes) == named.checksum;
        if !same {
            return Err(corrupt("the footer is another table's"));
        }
        let salt = Salt::new(identity, Kind::Table, named.id);
        let length = footer_at.checked_sub(footer.index_offset);
        let length = length.and_then(|n| usize::try_from(n).ok());
        let length = length.ok_or_else(|| corrupt("the index has no place"))?;
        let bytes = read(files, &name, footer.index_offset, length)?;
        let blocks = footer::decode_index(&bytes, salt, footer.index_offset);
        let blocks = blocks.ok_or_else(|| corrupt("the index is damaged"))?;
        if blocks.len() as u64 != footer.blocks {
            return Err(corrupt("the index has another number of blocks than the footer"));
        }
        Ok(Self {
            name,
            id: named.id,
            bytes: named.bytes,
            checksum: named.checksum,
            records: footer.records,
            first: footer.first,
            last: footer.last,
            salt,
            blocks,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn named(&self) -> TableName {
        TableName { id: self.id, bytes: self.bytes, checksum: self.checksum }
    }

    /// The place of the block that holds a revision, if the table does.
    pub(super) fn block_of(&self, revision: Revision) -> Option<usize> {
        if revision > self.last {
            return None;
        }
        self.blocks.partition_point(|block| block.first <= revision).checked_sub(1)
    }

    /// Reads and verifies a block.
    pub(super) fn block<F: Files>(&self, files: &F, place: usize) -> Result<Block, BackendError> {
        let at = self.blocks[place];
        let length = usize::try_from(at.bytes).map_err(|_| self.damaged(at.offset))?;
        let bytes = read(files, self.name(), at.offset, length)?;
        Block::verify(bytes, self.salt, at.offset).ok_or_else(|| self.damaged(at.offset))
    }

    /// What a checksum that does not match says.
    pub(super) fn damaged(&self, offset: u64) -> BackendError {
        BackendError::Corrupt(format!("{}: the block at {offset} is damaged", self.name()))
    }

    pub(super) fn get<F: Files>(
        &self,
        files: &F,
        revision: Revision,
    ) -> Result<Option<Record>, BackendError> {
        let Some(place) = self.block_of(revision) else { return Ok(None) };
        let damaged = || self.damaged(self.blocks[place].offset);
        for entry in self.block(files, place)?.iter() {
            let entry = entry.ok_or_else(damaged)?;
            if entry.revision == revision {
                return entry.decode().map(Some).ok_or_else(damaged);
            }
            if entry.revision > revision {
                break;
            }
        }
        Ok(None)
    }
}

fn read<F: Files>(
    files: &F,
    name: &str,
    offset: u64,
    length: usize,
) -> Result<Vec<u8>, BackendError> {
    let mut bytes = vec![0; length];
    files
        .read(name, offset, &mut bytes)
        .map_err(|e| read_error(&format!("{length} bytes at {offset} of {name}"), &e))?;
    Ok(bytes)
}
