//! Frames: how a stream of bytes between two replicas is cut into messages.

use alloc::vec::Vec;

use bytes::Bytes;

use super::DecodeError;

/// Bytes before a frame's body: its length and its checksum.
pub const FRAME_HEADER: usize = 8;

/// The largest body. An append holds at least one entry whatever its size, so this lies well above
/// the largest request.
pub const MAX_FRAME: usize = 64 << 20;

/// The first eight bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes of the body.
    pub length: usize,
    /// CRC-32 (IEEE) of the length's four bytes and the body.
    pub checksum: u32,
}

impl FrameHeader {
    /// Reads a header.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] when the body would exceed [`MAX_FRAME`]: whoever sent it does not
    /// speak this protocol, and the link must be closed.
    pub fn decode(bytes: [u8; FRAME_HEADER]) -> Result<Self, DecodeError> {
        let [a, b, c, d, e, f, g, h] = bytes;
        let length = u32::from_le_bytes([a, b, c, d]);
        let length = usize::try_from(length).map_err(|_| DecodeError::TooLarge(usize::MAX))?;
        if length > MAX_FRAME {
            return Err(DecodeError::TooLarge(length));
        }
        Ok(Self { length, checksum: u32::from_le_bytes([e, f, g, h]) })
    }
}

/// Appends a frame whose body `write` appends.
///
/// # Errors
/// [`DecodeError::TooLarge`] when the body exceeds [`MAX_FRAME`]; `out` is then as before.
pub fn frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), DecodeError> {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER]);
    write(out);
    let size = out.len() - start - FRAME_HEADER;
    let Some(length) = u32::try_from(size).ok().filter(|_| size <= MAX_FRAME) else {
        out.truncate(start);
        return Err(DecodeError::TooLarge(size));
    };
    let checksum = checksum(length, &out[start + FRAME_HEADER..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + FRAME_HEADER].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

/// Checks a body against its header.
///
/// # Errors
/// [`DecodeError::Checksum`], or [`DecodeError::Short`] when the body has another length.
pub fn unframe(header: FrameHeader, body: Bytes) -> Result<Bytes, DecodeError> {
    let length = u32::try_from(header.length).map_err(|_| DecodeError::TooLarge(header.length))?;
    if body.len() != header.length {
        return Err(DecodeError::Short);
    }
    if checksum(length, &body) != header.checksum {
        return Err(DecodeError::Checksum);
    }
    Ok(body)
}

fn checksum(length: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}
