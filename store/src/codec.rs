//! Bytes: how commands stand in the log and records in the backend.
//!
//! All integers are little-endian and of fixed width; byte strings and lists have a length before
//! them (u32). `docs/formats.md` draws every layout. A decoder takes bytes from disks and peers: it
//! never panics, allocates in proportion to its input, and refuses what is left over at the end, so
//! every value has exactly one encoding. Decoded byte strings are slices of the input.

mod answer;
mod command;
mod reader;
mod record;

use alloc::vec::Vec;
use core::fmt;

pub(crate) use answer::{read_answer, write_answer};
pub(crate) use command::{alarm_of, alarm_tag, read_member, write_member};
pub(crate) use reader::Reader;

/// Why bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecodeError {
    /// They end too early, or a length leads beyond their end.
    Short,
    /// They go on after the end of the value.
    Trailing,
    /// The format version is unknown: written by a later release.
    Version(u8),
    /// A tag or flag has no meaning; names what it should have been.
    Tag(&'static str),
    /// A number that cannot be, such as a negative revision; names what.
    Number(&'static str),
    /// Text that is not UTF-8.
    Text,
    /// Transactions nested too deeply.
    Depth,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the bytes end too early"),
            Self::Trailing => f.write_str("bytes are left over"),
            Self::Version(version) => write!(f, "format version {version} is unknown"),
            Self::Tag(what) => write!(f, "no such {what}"),
            Self::Number(what) => write!(f, "an impossible {what}"),
            Self::Text => f.write_str("text is not UTF-8"),
            Self::Depth => f.write_str("transactions are nested too deeply"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Appends a length.
///
/// # Panics
/// From 4 GiB on: sizes are bounded by [`crate::Limits::max_request_bytes`] long before.
pub(crate) fn put_len(out: &mut Vec<u8>, len: usize) {
    let len = u32::try_from(len).expect("invariant: commands and records are far below 4 GiB");
    out.extend_from_slice(&len.to_le_bytes());
}

/// Appends a byte string.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a number.
pub(crate) fn put_i64(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends a number.
pub(crate) fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}
