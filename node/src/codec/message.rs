//! Messages of either protocol: their kinds are disjoint, so the first byte says whose one is.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{DecodeError, raft, zab};
use crate::consensus::Message;

/// Appends a message's bytes.
pub fn encode_message(message: &Message, out: &mut Vec<u8>) {
    match message {
        Message::Raft(message) => raft::encode(message, out),
        Message::Zab(frame) => zab::encode(frame, out),
    }
}

/// Reads a message. Entries are slices of `bytes`.
///
/// # Errors
/// [`DecodeError`] when the bytes are not exactly one message of this version.
pub fn decode_message(bytes: Bytes) -> Result<Message, DecodeError> {
    match bytes.first() {
        Some(&kind) if zab::is_frame(kind) => zab::decode(bytes).map(Message::Zab),
        _ => raft::decode(bytes).map(Message::Raft),
    }
}
