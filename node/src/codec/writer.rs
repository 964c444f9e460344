//! What messages are made of, as bytes behind each other.

use alloc::vec::Vec;

use bytes::Bytes;
use protocol::{Entry, Payload, Position, ReadId};

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_flag(out: &mut Vec<u8>, flag: bool) {
    out.push(u8::from(flag));
}

/// Counts and lengths are bounded by the frame, which is far below 4 GiB; one that is not makes a
/// frame that is refused for its size.
pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &Bytes) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

pub(super) fn put_option(out: &mut Vec<u8>, value: Option<u64>) {
    out.push(u8::from(value.is_some()));
    put_u64(out, value.unwrap_or(0));
}

pub(super) fn put_position(out: &mut Vec<u8>, position: Position) {
    put_u64(out, position.term.0);
    put_u64(out, position.index.0);
}

pub(super) fn put_positions(out: &mut Vec<u8>, positions: &[Position]) {
    put_count(out, positions.len());
    positions.iter().for_each(|position| put_position(out, *position));
}

pub(super) fn put_reads(out: &mut Vec<u8>, reads: &[ReadId]) {
    put_count(out, reads.len());
    reads.iter().for_each(|read| put_u64(out, read.0));
}

pub(super) fn put_entries(out: &mut Vec<u8>, entries: &[Entry]) {
    put_count(out, entries.len());
    entries.iter().for_each(|entry| put_entry(out, entry));
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    put_position(out, entry.position);
    match &entry.payload {
        Payload::Empty => {
            out.push(0);
            put_count(out, 0);
        }
        Payload::Command(bytes) => {
            out.push(1);
            put_bytes(out, bytes);
        }
        Payload::Membership(bytes) => {
            out.push(2);
            put_bytes(out, bytes);
        }
    }
}
