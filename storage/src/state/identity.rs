//! Whose state a directory holds.

use protocol::{ClusterId, NodeId};

/// The owner of a state. It goes into every checksum, so that a file that strays in from another
/// node or cluster is never read as one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster: ClusterId,
    /// The member of it.
    pub node: NodeId,
}

impl Identity {
    /// The checksum that everything in one file starts from: a block that lies in the wrong file,
    /// or at the wrong place of the right one, does not match.
    pub(super) fn salt(self, kind: Kind, file: u64) -> Salt {
        let mut bytes = [0; 25];
        bytes[..8].copy_from_slice(&self.cluster.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.node.0.to_le_bytes());
        bytes[16] = kind as u8;
        bytes[17..].copy_from_slice(&file.to_le_bytes());
        Salt(crc32c::crc32c(&bytes))
    }
}

/// What kind of file a checksum belongs to.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Table = 1,
    Manifest = 2,
}

/// The start of the checksums of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Salt(u32);

impl Salt {
    /// The CRC32C of bytes that stand at `offset`.
    pub(super) fn checksum(self, offset: u64, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.0, &offset.to_le_bytes()), bytes)
    }
}
