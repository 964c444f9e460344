//! The end of a table: where its blocks are, and whose they are.
//!
//! ```text
//! index, at the offset that the footer names:
//! 0   u32  CRC32C of the salt of the file, the index's offset, and the entries
//! 4        entries, one a block: first main i64, first sub u32, offset u64, bytes u32, records u32
//!
//! footer, the last 96 bytes:
//! 0   [8]  "conclave"
//! 8   u32  format version, 1
//! 12  u64  cluster
//! 20  u64  node
//! 28  u64  number of the file
//! 36  u64  blocks
//! 44  u64  offset of the index
//! 52  u64  records
//! 60       first revision: main i64, sub u32
//! 72       last revision: main i64, sub u32
//! 84  [8]  zeros
//! 92  u32  CRC32C of the 92 bytes before
//! ```

use protocol::{ClusterId, NodeId};
use store::Revision;

use super::super::fields::{Fields, put_revision};
use super::super::salt::Salt;
use super::BlockRef;
use crate::Identity;

/// Bytes of a footer.
pub(in super::super) const FOOTER: usize = 96;

/// Bytes of an entry of the index.
pub(super) const INDEX_ENTRY: usize = 28;

const MAGIC: &[u8; 8] = b"conclave";
const VERSION: u32 = 1;

/// What the end of a table says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Footer {
    pub(super) identity: Identity,
    pub(super) id: u64,
    pub(super) blocks: u64,
    pub(super) index_offset: u64,
    pub(super) records: u64,
    pub(super) first: Revision,
    pub(super) last: Revision,
}

impl Footer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FOOTER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.identity.cluster.0.to_le_bytes());
        bytes.extend_from_slice(&self.identity.node.0.to_le_bytes());
        for field in [self.id, self.blocks, self.index_offset, self.records] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        put_revision(&mut bytes, self.first);
        put_revision(&mut bytes, self.last);
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// The footer in these bytes; `None` when they are damaged or another format.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let body = bytes.get(..FOOTER - 4)?;
        if bytes.len() != FOOTER || crc32c::crc32c(body) != Self::checksum(bytes) {
            return None;
        }
        let mut fields = Fields::new(body);
        if fields.bytes(8)? != MAGIC || fields.u32()? != VERSION {
            return None;
        }
        let cluster = ClusterId(fields.u64()?);
        let identity = Identity { cluster, node: NodeId(fields.u64()?) };
        Some(Self {
            identity,
            id: fields.u64()?,
            blocks: fields.u64()?,
            index_offset: fields.u64()?,
            records: fields.u64()?,
            first: fields.revision()?,
            last: fields.revision()?,
        })
    }

    /// The checksum at its end, which a manifest repeats.
    pub(super) fn checksum(bytes: &[u8]) -> u32 {
        bytes.last_chunk().copied().map_or(0, u32::from_le_bytes)
    }
}

pub(super) fn encode_index(blocks: &[BlockRef], salt: Salt, offset: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + blocks.len() * INDEX_ENTRY);
    bytes.extend_from_slice(&[0; 4]);
    for block in blocks {
        put_revision(&mut bytes, block.first);
        bytes.extend_from_slice(&block.offset.to_le_bytes());
        bytes.extend_from_slice(&block.bytes.to_le_bytes());
        bytes.extend_from_slice(&block.records.to_le_bytes());
    }
    let checksum = salt.checksum(offset, &bytes[4..]);
    bytes[..4].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The entries of an index that was read at `offset`; `None` when it is damaged.
pub(super) fn decode_index(bytes: &[u8], salt: Salt, offset: u64) -> Option<Vec<BlockRef>> {
    let mut fields = Fields::new(bytes);
    let checksum = fields.u32()?;
    let entries = fields.rest();
    if salt.checksum(offset, entries) != checksum {
        return None;
    }
    let mut fields = Fields::new(entries);
    let mut blocks = Vec::with_capacity(entries.len() / INDEX_ENTRY);
    while !fields.is_empty() {
        blocks.push(BlockRef {
            first: fields.revision()?,
            offset: fields.u64()?,
            bytes: fields.u32()?,
            records: fields.u32()?,
        });
    }
    Some(blocks)
}
