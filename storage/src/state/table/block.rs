//! A block: some records by ascending revision, under one checksum.
//!
//! ```text
//! 0   u32  CRC32C of the salt of the file, the block's offset, and all that follows
//! 4   u32  records
//! 8        records, each: main i64, sub u32, length u32, then as many bytes
//! ```

use bytes::Bytes;
use store::{Record, Revision};

use super::super::fields::{Fields, put_count, put_revision};
use super::super::salt::Salt;

/// Bytes before the first record.
pub(in super::super) const HEADER: usize = 8;

/// Bytes of each record beside its own.
pub(in super::super) const RECORD_HEADER: usize = 16;

/// A block being filled.
#[derive(Default)]
pub(in super::super) struct BlockBuilder {
    bytes: Vec<u8>,
    records: u32,
}

impl BlockBuilder {
    /// Appends one record; `None` when it does not fit the format.
    pub(in super::super) fn push(&mut self, revision: Revision, record: &[u8]) -> Option<()> {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(&[0; HEADER]);
        }
        put_revision(&mut self.bytes, revision);
        put_count(&mut self.bytes, record.len())?;
        self.bytes.extend_from_slice(record);
        self.records += 1;
        Some(())
    }

    pub(in super::super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(in super::super) fn records(&self) -> u32 {
        self.records
    }

    /// The block as it stands at `offset`. The builder is empty afterwards.
    pub(in super::super) fn finish(&mut self, salt: Salt, offset: u64) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes[4..8].copy_from_slice(&self.records.to_le_bytes());
        let checksum = salt.checksum(offset, &bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        self.records = 0;
        bytes
    }
}

/// A block whose checksum was right.
pub(in super::super) struct Block {
    bytes: Vec<u8>,
}

impl Block {
    /// Verifies the bytes that were read at `offset`.
    pub(in super::super) fn verify(bytes: Vec<u8>, salt: Salt, offset: u64) -> Option<Self> {
        let mut fields = Fields::new(&bytes);
        let checksum = fields.u32()?;
        bytes.get(..HEADER)?;
        (salt.checksum(offset, fields.rest()) == checksum).then_some(Self { bytes })
    }

    /// The number of records that it says it holds.
    pub(in super::super) fn records(&self) -> Option<u32> {
        Fields::new(&self.bytes[4..]).u32()
    }

    /// Its records; an item is `None` when the bytes do not decode, and then it is the last.
    pub(in super::super) fn iter(&self) -> Entries<'_> {
        Entries { fields: Fields::new(&self.bytes[HEADER..]), ended: false }
    }
}

/// The records of a block.
pub(in super::super) struct Entries<'a> {
    fields: Fields<'a>,
    ended: bool,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Option<Entry<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.fields.is_empty() {
            return None;
        }
        let entry = Entry::take(&mut self.fields);
        self.ended = entry.is_none();
        Some(entry)
    }
}

/// One record of a block, not decoded yet.
#[derive(Clone, Copy)]
pub(in super::super) struct Entry<'a> {
    pub(in super::super) revision: Revision,
    pub(in super::super) record: &'a [u8],
}

impl<'a> Entry<'a> {
    fn take(fields: &mut Fields<'a>) -> Option<Self> {
        Some(Self { revision: fields.revision()?, record: fields.counted()? })
    }

    /// The record, in memory of its own: whoever keeps it does not keep a whole block.
    pub(in super::super) fn decode(&self) -> Option<Record> {
        Record::decode(Bytes::copy_from_slice(self.record)).ok()
    }
}
