//! One entry on disk: a header of 48 bytes, then the payload.
//!
//! ```text
//!  0  u32  CRC32C of the segment's number and everything from byte 4 to the end of the payload
//!  4  u16  0xE17A    6  u8  kind: 0 empty, 1 command, 2 membership
//!  7  u8   flags: 1 first of its batch, 2 last of its batch
//!  8  u32  length of the payload    12  u32  zero
//! 16  u64  epoch    24  u64  sequence of the batch    32  u64  index    40  u64  term
//! ```
//!
//! Records start at multiples of 8; the gap before the next is zeros that nobody reads. A record
//! says by itself what it is, so that a batch whose identifiers are lost can still be read.

use bytes::Bytes;
use protocol::mutant::{Mutant, planted};
use protocol::raft::{Entry, Payload};
use protocol::{Index, Position, Term};

use super::bytes::{Checksum, put_u32, put_u64, u32_at, u64_at};

/// The bytes before the payload.
pub(crate) const RECORD_HEADER_BYTES: usize = 48;

const MAGIC: [u8; 2] = 0xE17A_u16.to_le_bytes();
const FIRST: u8 = 1;
const LAST: u8 = 2;

/// Where a record belongs: what its header says beside the entry itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
    /// The first record of its batch.
    pub(crate) first: bool,
    /// The last record of its batch.
    pub(crate) last: bool,
}

/// A record whose checksum holds. The payload is still where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) crc: u32,
    pub(crate) membership: Membership,
    pub(crate) position: Position,
    pub(crate) kind: Kind,
    pub(crate) payload_bytes: usize,
}

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Empty,
    Command,
    Membership,
}

/// The bytes from the start of a record to the start of the next.
pub(crate) const fn record_bytes(payload_bytes: usize) -> usize {
    (RECORD_HEADER_BYTES + payload_bytes).next_multiple_of(8)
}

pub(crate) fn payload(entry: &Entry) -> &[u8] {
    match &entry.payload {
        Payload::Empty => &[],
        Payload::Command(bytes) | Payload::Membership(bytes) => bytes,
    }
}

/// Appends a record to `out` and gives its checksum.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    checksum: Checksum,
    segment: u64,
    membership: Membership,
    entry: &Entry,
) -> u32 {
    let start = out.len();
    let bytes = payload(entry);
    let length = u32::try_from(bytes.len()).expect("a payload is shorter than its segment");
    out.resize(start + RECORD_HEADER_BYTES, 0);
    let header = &mut out[start..];
    header[4..6].copy_from_slice(&MAGIC);
    header[6] = match entry.payload {
        Payload::Empty => 0,
        Payload::Command(_) => 1,
        Payload::Membership(_) => 2,
    };
    header[7] =
        (if membership.first { FIRST } else { 0 }) | (if membership.last { LAST } else { 0 });
    put_u32(header, 8, length);
    put_u64(header, 16, membership.epoch);
    put_u64(header, 24, membership.sequence);
    put_u64(header, 32, entry.position.index.0);
    put_u64(header, 40, entry.position.term.0);
    out.extend_from_slice(bytes);
    let sum = checksum.of(segment, &out[start + 4..]);
    put_u32(&mut out[start..], 0, sum);
    out.resize(start + record_bytes(bytes.len()), 0);
    sum
}

/// Reads the record at the start of `bytes`; `None` when there is none that verifies.
pub(crate) fn decode(bytes: &[u8], checksum: Checksum, segment: u64) -> Option<Record> {
    if bytes.len() < RECORD_HEADER_BYTES || bytes[4..6] != MAGIC {
        return None;
    }
    let kind = match bytes[6] {
        0 => Kind::Empty,
        1 => Kind::Command,
        2 => Kind::Membership,
        _ => return None,
    };
    let payload_bytes = usize::try_from(u32_at(bytes, 8)).ok()?;
    let whole = bytes.get(4..RECORD_HEADER_BYTES.checked_add(payload_bytes)?)?;
    let crc = u32_at(bytes, 0);
    if checksum.of(segment, whole) != crc && !planted(Mutant::W1) {
        return None;
    }
    Some(Record {
        crc,
        membership: Membership {
            epoch: u64_at(bytes, 16),
            sequence: u64_at(bytes, 24),
            first: bytes[7] & FIRST != 0,
            last: bytes[7] & LAST != 0,
        },
        position: Position::new(Term(u64_at(bytes, 40)), Index(u64_at(bytes, 32))),
        kind,
        payload_bytes,
    })
}

impl Record {
    /// The entry, given the payload that the record was read with.
    pub(crate) fn entry(&self, payload: Bytes) -> Entry {
        let payload = match self.kind {
            Kind::Empty => Payload::Empty,
            Kind::Command => Payload::Command(payload),
            Kind::Membership => Payload::Membership(payload),
        };
        Entry { position: self.position, payload }
    }
}
