//! The framing of what wraps messages: label, compression, encryption.
//!
//! What is done with the bytes inside (LZW, AES-GCM, keys) is the shell's. Outermost comes the
//! label, then encryption, in packets the checksum, then compression:
//!
//! ```text
//! label       f4 | length u8, not 0 | label …             never encrypted; authenticated, though
//! encrypted   version u8 | nonce, 12 bytes | ciphertext … | tag, 16 bytes    whole packet
//!             0a | length u32, big-endian | the same                         stream
//! compressed  09 | {Algo: 0, Buf: bytes}
//! ```

use alloc::vec::Vec;

use bytes::Bytes;

use super::msgpack::{Length, Reader, Sink, field, map, number, raw};
use super::{Error, kind};

/// Bytes of a nonce.
const NONCE: usize = 12;

/// Bytes of what proves that a message was encrypted by somebody with the key.
const TAG: usize = 16;

/// Bytes of a block: padding fills the last one, or is one.
const BLOCK: usize = 16;

/// The label of a packet, empty when it has none, and what stands behind it.
///
/// # Errors
/// [`Error::Label`] for a label without bytes, [`Error::Short`] for a part of one.
pub fn unlabel(packet: Bytes) -> Result<(Bytes, Bytes), Error> {
    let Some((&kind::LABEL, rest)) = packet.split_first() else {
        return Ok((Bytes::new(), packet));
    };
    let (&length, rest) = rest.split_first().ok_or(Error::Short)?;
    let length = usize::from(length);
    if length == 0 {
        return Err(Error::Label);
    }
    if rest.len() < length {
        return Err(Error::Short);
    }
    Ok((packet.slice(2..2 + length), packet.slice(2 + length..)))
}

/// Writes a label in front of what follows. An empty one is none.
///
/// # Errors
/// [`Error::Label`] when it has more than 255 bytes; nothing is written then.
pub fn label(label: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    if label.is_empty() {
        return Ok(());
    }
    let length = u8::try_from(label.len()).map_err(|_| Error::Label)?;
    out.extend_from_slice(&[kind::LABEL, length]);
    out.extend_from_slice(label);
    Ok(())
}

/// A message that was compressed: with LZW of 8-bit literals, least significant bits first, the
/// only algorithm that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressed {
    /// What is to be decompressed, with a bound: a few bytes can become gigabytes.
    pub buf: Bytes,
}

impl Compressed {
    /// Reads what stands behind the kind.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (mut algorithm, mut buf) = (0_u8, Bytes::new());
        reader.record(&["Algo", "Buf"], |reader, field| {
            match field {
                0 => algorithm = reader.number()?,
                _ => buf = reader.shared()?,
            }
            Ok(())
        })?;
        if algorithm != 0 {
            return Err(Error::Algorithm);
        }
        Ok(Self { buf })
    }

    /// Writes compressed bytes with all that stands in front of them.
    pub fn write(buf: &[u8], out: &mut Vec<u8>) {
        Self::put(buf, out);
    }

    /// How long that is. A packet is sent compressed only when this is less than its length.
    #[must_use]
    pub fn written_len(buf: &[u8]) -> usize {
        let mut length = Length::default();
        Self::put(buf, &mut length);
        length.0
    }

    fn put(buf: &[u8], out: &mut impl Sink) {
        out.put(&[kind::COMPRESSED]);
        map(out, 2);
        field(out, "Algo");
        number(out, 0_u8);
        field(out, "Buf");
        raw(out, buf);
    }
}

/// What is encrypted: a packet below its label, or the blob of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Whether what was encrypted had been padded to whole blocks, as in PKCS#7: version 0.
    pub padded: bool,
    /// Never used twice with one key.
    pub nonce: [u8; NONCE],
    /// Ciphertext and tag.
    pub text: Bytes,
}

impl Sealed {
    /// Bytes in front of the blob in a stream: kind and length, which are authenticated with it.
    pub const STREAM_FRONT: usize = 5;

    /// Takes a blob apart.
    ///
    /// # Errors
    /// [`Error::Short`] when it cannot hold anything, [`Error::Algorithm`] for a version that there
    /// is not: most likely it is not encrypted at all.
    pub fn read(blob: &Bytes) -> Result<Self, Error> {
        let (&version, rest) = blob.split_first().ok_or(Error::Short)?;
        let padded = match version {
            0 => true,
            1 => false,
            _ => return Err(Error::Algorithm),
        };
        let nonce = *rest.first_chunk().ok_or(Error::Short)?;
        let text = blob.slice(1 + NONCE..);
        if text.len() < TAG + if padded { BLOCK } else { 0 } {
            return Err(Error::Short);
        }
        Ok(Self { padded, nonce, text })
    }

    /// The front of a blob: what ciphertext and tag are appended to.
    pub fn write_front(padded: bool, nonce: [u8; NONCE], out: &mut Vec<u8>) {
        out.push(u8::from(!padded));
        out.extend_from_slice(&nonce);
    }

    /// The front of a stream that carries a blob of this length: sent with it, and authenticated.
    ///
    /// # Errors
    /// [`Error::Long`] when no stream can say such a length.
    pub fn stream_front(blob: usize) -> Result<[u8; Self::STREAM_FRONT], Error> {
        let [a, b, c, d] = u32::try_from(blob).map_err(|_| Error::Long)?.to_be_bytes();
        Ok([kind::ENCRYPTED, a, b, c, d])
    }

    /// Bytes of a blob that holds `size` of plaintext.
    #[must_use]
    pub const fn sealed_len(padded: bool, size: usize) -> usize {
        let padding = if padded { BLOCK - size % BLOCK } else { 0 };
        1 + NONCE + size + padding + TAG
    }
}
