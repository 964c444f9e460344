//! The checksum of a packet: CRC-32 (IEEE), big-endian, of all that follows it.
//!
//! It stands below encryption and above compression, and only peers whose protocol reaches 5
//! understand it. Upstream sends it with what gossips and not with what answers.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{Error, kind};

/// Bytes that a checksum adds to a packet.
pub const SIZE: usize = 5;

/// A packet with its checksum.
#[must_use]
pub fn seal(packet: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(SIZE + packet.len());
    sealed.push(kind::CHECKSUM);
    sealed.extend_from_slice(&crc32fast::hash(packet).to_be_bytes());
    sealed.extend_from_slice(packet);
    sealed
}

/// The packet below its checksum; one that has none is as it was.
///
/// # Errors
/// [`Error::Checksum`] when it does not agree, [`Error::Short`] when there is only a part of it.
pub fn open(packet: Bytes) -> Result<Bytes, Error> {
    let Some((&kind::CHECKSUM, rest)) = packet.split_first() else { return Ok(packet) };
    let (checksum, rest) = rest.split_first_chunk::<4>().ok_or(Error::Short)?;
    if crc32fast::hash(rest) != u32::from_be_bytes(*checksum) {
        return Err(Error::Checksum);
    }
    Ok(packet.slice(SIZE..))
}
