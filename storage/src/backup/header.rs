//! The first 512 bytes: what the file is, where it is from, how long it is.
//!
//! ```text
//!  0  "CNCLSNAP"     16  u64 length of the file    40  u64 ms since 1970, UTC   64  i64 revision
//!  8  u32 version    24  u64 cluster               48  u64 applied term         72  zeros
//! 12  u32 zero       32  u64 member                56  u64 applied index       508  u32 CRC32C
//! ```

use protocol::{ClusterId, Index, NodeId, Position, Term};

use super::{BackupError, DIGEST_BYTES, UNIT};
use crate::Identity;

/// The bytes of a header.
pub(super) const HEADER_BYTES: usize = 512;
/// The version of the format that this code writes, and the only one it reads.
const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"CNCLSNAP";
/// Where the checksum of all before it stands.
const SUM: usize = HEADER_BYTES - 4;
/// What the first page of a bbolt database has at this place, little-endian.
const BBOLT_AT: usize = 16;
const BBOLT: u32 = 0xED0C_DAED;

/// Who made a backup, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The member, and its cluster.
    pub identity: Identity,
    /// Milliseconds since 1970, UTC, by the clock of that member.
    pub taken_at_ms: u64,
}

/// What a backup says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who made it, and when.
    pub origin: Origin,
    /// The bytes of the whole file.
    pub length: u64,
    /// The last entry whose effect is in it.
    pub applied: Position,
    /// The revision (main) of the state.
    pub revision: i64,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        let Identity { cluster, node } = self.origin.identity;
        let numbers = [
            self.length,
            cluster.0,
            node.0,
            self.origin.taken_at_ms,
            self.applied.term.0,
            self.applied.index.0,
            self.revision.cast_unsigned(),
        ];
        for (place, number) in bytes[16..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let sum = crc32c::crc32c(&bytes[..SUM]);
        bytes[SUM..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, BackupError> {
        let half = |at: usize| {
            let half = bytes[at..at + 4].try_into().expect("invariant: four bytes");
            u32::from_le_bytes(half)
        };
        let field = |at: usize| {
            let field = bytes[at..at + 8].try_into().expect("invariant: eight bytes");
            u64::from_le_bytes(field)
        };
        if half(BBOLT_AT) == BBOLT && &bytes[..8] != MAGIC {
            return Err(BackupError::Bbolt);
        }
        let sound = crc32c::crc32c(&bytes[..SUM]) == half(SUM);
        if !sound && bytes[..8].iter().zip(MAGIC).filter(|(a, b)| a == b).count() < 4 {
            return Err(BackupError::Foreign);
        }
        if !sound {
            return Err(BackupError::damaged(0, "the header does not match its checksum"));
        }
        if &bytes[..8] != MAGIC {
            return Err(BackupError::Foreign);
        }
        if half(8) != VERSION {
            return Err(BackupError::Version { found: half(8), known: VERSION });
        }
        let header = Self {
            origin: Origin {
                identity: Identity { cluster: ClusterId(field(24)), node: NodeId(field(32)) },
                taken_at_ms: field(40),
            },
            length: field(16),
            applied: Position::new(Term(field(48)), Index(field(56))),
            revision: field(64).cast_signed(),
        };
        if header.encode() != *bytes || !is_length(header.length) {
            return Err(BackupError::damaged(0, "the header makes no sense"));
        }
        Ok(header)
    }
}

/// Whether a file of a backup can have this length.
fn is_length(bytes: u64) -> bool {
    bytes > HEADER_BYTES as u64 && bytes % UNIT == DIGEST_BYTES as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let identity = Identity { cluster: ClusterId(7), node: NodeId(8) };
        Header {
            origin: Origin { identity, taken_at_ms: 9 },
            length: 1024 + 32,
            applied: Position::new(Term(3), Index(4)),
            revision: 5,
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        assert_eq!(Header::decode(&header().encode()).unwrap(), header());
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let bytes = header().encode();
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = Header::decode(&flipped).unwrap_err();
            assert!(matches!(error, BackupError::Damaged { offset: 0, .. }), "{bit}: {error}");
        }
    }

    #[test]
    fn what_is_something_else_is_said_to_be() {
        let mut bytes = [7; HEADER_BYTES];
        assert!(matches!(Header::decode(&bytes), Err(BackupError::Foreign)));
        bytes[BBOLT_AT..BBOLT_AT + 4].copy_from_slice(&BBOLT.to_le_bytes());
        assert!(matches!(Header::decode(&bytes), Err(BackupError::Bbolt)));
        let mut later = header().encode();
        later[8] = 2;
        let sum = crc32c::crc32c(&later[..SUM]);
        later[SUM..].copy_from_slice(&sum.to_le_bytes());
        let error = Header::decode(&later).unwrap_err();
        assert!(matches!(error, BackupError::Version { found: 2, known: 1 }), "{error}");
    }
}
