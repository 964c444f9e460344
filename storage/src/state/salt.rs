//! What the checksums of a state start from, so that each is right in one place only.

use crate::Identity;

/// What kind of file a checksum belongs to.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Table = 1,
    Manifest = 2,
}

/// The start of the checksums of one file: a block that lies in the wrong file, or at the wrong
/// place of the right one, does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Salt(u32);

impl Salt {
    /// Of the file with this number.
    pub(super) fn new(owner: Identity, kind: Kind, file: u64) -> Self {
        let mut bytes = [0; 25];
        bytes[..8].copy_from_slice(&owner.cluster.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&owner.node.0.to_le_bytes());
        bytes[16] = kind as u8;
        bytes[17..].copy_from_slice(&file.to_le_bytes());
        Self(crc32c::crc32c(&bytes))
    }

    /// The CRC32C of bytes that stand at `offset`.
    pub(super) fn checksum(self, offset: u64, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.0, &offset.to_le_bytes()), bytes)
    }
}
