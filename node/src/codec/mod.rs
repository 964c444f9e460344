//! Bytes: what travels between replicas and what the log carries for this crate.
//!
//! Little-endian, hand-written, bounded. Decoding takes untrusted bytes: it never panics, never
//! allocates more than the input's size warrants, and slices instead of copying. The layouts are
//! drawn in `docs/formats.md`.

mod envelope;
mod frame;
mod message;
mod packet;
mod raft;
mod reader;
mod writer;
mod zab;

pub use envelope::Envelope;
pub use frame::{FRAME_HEADER, FrameHeader, MAX_FRAME, frame, unframe};
pub use message::{decode_message, encode_message};
pub use packet::{decode_packet, encode_packet};

/// Why bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// They end too early.
    Short,
    /// Something stands behind the end.
    Trailing,
    /// A tag that this version does not know.
    UnknownKind(u8),
    /// The checksum does not match.
    Checksum,
    /// A length beyond the limit.
    TooLarge(usize),
    /// A value that cannot be, such as entries whose indexes are not contiguous.
    Malformed,
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Short => f.write_str("the bytes end too early"),
            Self::Trailing => f.write_str("bytes stand behind the end"),
            Self::UnknownKind(kind) => write!(f, "kind {kind} is unknown to this version"),
            Self::Checksum => f.write_str("the checksum does not match"),
            Self::TooLarge(size) => write!(f, "a length of {size} bytes is beyond the limit"),
            Self::Malformed => f.write_str("a value contradicts another"),
        }
    }
}

impl core::error::Error for DecodeError {}
