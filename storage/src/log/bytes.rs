//! Little-endian fields, sizes and checksums, for every part of the log's format.

use protocol::mutant::{Mutant, planted};

use crate::Identity;
use crate::disk::SECTOR;

/// The checksum of one log: CRC32C, begun with who owns it, so that the bytes of another cluster's
/// or node's log never verify here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checksum(u32);

impl Checksum {
    pub(crate) fn new(owner: Identity) -> Self {
        let cluster = crc32c::crc32c(&owner.cluster.0.to_le_bytes());
        Self(crc32c::crc32c_append(cluster, &owner.node.0.to_le_bytes()))
    }

    /// Over a part of the segment `segment`: the number is in the sum, so that what a recycled
    /// file held before never verifies.
    pub(crate) fn of(self, segment: u64, bytes: &[u8]) -> u32 {
        let bound = !planted(Mutant::W5) && !planted(Mutant::W7);
        let segment = if bound { segment } else { 0 };
        crc32c::crc32c_append(crc32c::crc32c_append(self.0, &segment.to_le_bytes()), bytes)
    }
}

/// The field at `at`, which the caller knows to be there.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The field at `at`, which the caller knows to be there.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// Rounded up to whole sectors.
pub(crate) const fn whole_sectors(bytes: usize) -> usize {
    bytes.div_ceil(SECTOR) * SECTOR
}
