//! One burst of entries, written by one sync: the identifiers, then the records.
//!
//! ```text
//! sector-aligned:  batch header, one identifier for each record, zeros to a whole sector
//! sector-aligned:  the records, zeros to a whole sector
//!
//! batch header (104 bytes)
//!  0  u32  CRC32C of the segment's number and everything from byte 4 to the last identifier
//!  4  u32  flags: 1 the hard state has a vote    8  8 bytes  "CNCLVBAT"
//! 16  u64  segment      24  u64  offset in it    32  u64  epoch    40  u64  sequence
//! 48  u64  first index  56  u64  term of the entry before it
//! 64  u64  generation   72  u64  term            80  u64  vote     88  u64  commit
//! 96  u32  number of records                    100  u32  bytes of records
//! identifier (16 bytes)
//!  0  u64  term    8  u32  length of the payload    12  u32  CRC32C of the record
//! ```
//!
//! The identifiers are the evidence that a record had been written (Alagappan et al., FAST'18: the
//! identifier of an entry is persisted apart from it). They stand in other sectors than the
//! records, so that damage to one is told by the other. A batch also is evidence for all batches
//! before it: it is only written once they are durable.

use protocol::mutant::{Mutant, planted};
use protocol::raft::{Entry, HardState};
use protocol::{Index, NodeId, Position, Term};

use super::bytes::{Checksum, put_u32, put_u64, u32_at, u64_at, whole_sectors};
use super::chart::Extent;
use super::record::{self, Membership, Record, record_bytes};
use crate::disk::SECTOR;

const MAGIC: &[u8; 8] = b"CNCLVBAT";
const HEADER_BYTES: usize = 104;
const IDENTIFIER_BYTES: usize = 16;
const HAS_VOTE: u32 = 1;

/// What a batch says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) segment: u64,
    /// Where it stands in the segment's file.
    pub(crate) offset: u64,
    /// The process that wrote it.
    pub(crate) epoch: u64,
    /// Grows by one from batch to batch, over all segments.
    pub(crate) sequence: u64,
    /// The entry before its first one.
    pub(crate) previous: Position,
    /// The hard state that was to be durable together with it, and its generation.
    pub(crate) generation: u64,
    pub(crate) hard_state: HardState,
}

/// The evidence for one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identifier {
    pub(crate) term: Term,
    pub(crate) payload_bytes: usize,
    pub(crate) crc: u32,
}

/// The header and the identifiers of a batch whose checksum holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identifiers {
    pub(crate) header: BatchHeader,
    pub(crate) list: Vec<Identifier>,
}

/// The bytes of the identifiers' sectors.
pub(crate) const fn identifiers_bytes(records: usize) -> usize {
    whole_sectors(HEADER_BYTES + records * IDENTIFIER_BYTES)
}

/// Writes a batch into `out`, which it clears first. `entries` must not be empty.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    checksum: Checksum,
    header: &BatchHeader,
    entries: &[Entry],
) {
    let data = identifiers_bytes(entries.len());
    out.clear();
    out.resize(data, 0);
    for (place, entry) in entries.iter().enumerate() {
        let membership = Membership {
            epoch: header.epoch,
            sequence: header.sequence,
            first: place == 0,
            last: place + 1 == entries.len(),
        };
        let crc = record::encode(out, checksum, header.segment, membership, entry);
        let at = HEADER_BYTES + place * IDENTIFIER_BYTES;
        put_u64(out, at, entry.position.term.0);
        let length = record::payload(entry).len();
        put_u32(out, at + 8, u32::try_from(length).expect("a payload is shorter than its segment"));
        put_u32(out, at + 12, crc);
    }
    let records_bytes = out.len() - data;
    out.resize(whole_sectors(out.len()), 0);

    let count = u32::try_from(entries.len()).expect("a batch is smaller than its segment");
    let records_bytes = u32::try_from(records_bytes).expect("a batch is smaller than its segment");
    let HardState { term, vote, commit } = header.hard_state;
    put_u32(out, 4, if vote.is_some() { HAS_VOTE } else { 0 });
    out[8..16].copy_from_slice(MAGIC);
    put_u64(out, 16, header.segment);
    put_u64(out, 24, header.offset);
    put_u64(out, 32, header.epoch);
    put_u64(out, 40, header.sequence);
    put_u64(out, 48, header.previous.index.next().0);
    put_u64(out, 56, header.previous.term.0);
    put_u64(out, 64, header.generation);
    put_u64(out, 72, term.0);
    put_u64(out, 80, vote.map_or(0, |node| node.0));
    put_u64(out, 88, commit.0);
    put_u32(out, 96, count);
    put_u32(out, 100, records_bytes);
    let end = HEADER_BYTES + entries.len() * IDENTIFIER_BYTES;
    let sum = checksum.of(header.segment, &out[4..end]);
    put_u32(out, 0, sum);
}

impl Identifiers {
    /// Reads the identifiers at the start of `bytes`, wherever they say that they belong.
    pub(crate) fn decode(bytes: &[u8], checksum: Checksum, segment: u64) -> Option<Self> {
        let placed =
            bytes.len() >= HEADER_BYTES && (u64_at(bytes, 16) == segment || planted(Mutant::W5));
        if !placed || &bytes[8..16] != MAGIC {
            return None;
        }
        let count = usize::try_from(u32_at(bytes, 96)).ok()?;
        let end = count.checked_mul(IDENTIFIER_BYTES)?.checked_add(HEADER_BYTES)?;
        let whole = bytes.get(4..end)?;
        if count == 0 || checksum.of(segment, whole) != u32_at(bytes, 0) {
            return None;
        }
        let first = u64_at(bytes, 48).checked_sub(1)?;
        let vote = u32_at(bytes, 4) & HAS_VOTE != 0;
        let header = BatchHeader {
            segment,
            offset: u64_at(bytes, 24),
            epoch: u64_at(bytes, 32),
            sequence: u64_at(bytes, 40),
            previous: Position::new(Term(u64_at(bytes, 56)), Index(first)),
            generation: u64_at(bytes, 64),
            hard_state: HardState {
                term: Term(u64_at(bytes, 72)),
                vote: vote.then(|| NodeId(u64_at(bytes, 80))),
                commit: Index(u64_at(bytes, 88)),
            },
        };
        let identifier = |bytes: &[u8]| {
            Some(Identifier {
                term: Term(u64_at(bytes, 0)),
                payload_bytes: usize::try_from(u32_at(bytes, 8)).ok()?,
                crc: u32_at(bytes, 12),
            })
        };
        let list: Option<Vec<_>> =
            bytes[HEADER_BYTES..end].chunks_exact(IDENTIFIER_BYTES).map(identifier).collect();
        Some(Self { header, list: list? })
    }

    /// Reads the identifiers of this very batch, which begins at the start of `bytes`. What an
    /// earlier process left at its place, of a batch that was void when it was overwritten in part,
    /// is not it.
    pub(crate) fn of(extent: &Extent, bytes: &[u8], checksum: Checksum) -> Option<Self> {
        let written = |by: &BatchHeader| by.epoch == extent.epoch || planted(Mutant::F4);
        let placed =
            |by: &BatchHeader| (by.sequence, by.offset) == (extent.sequence, extent.offset);
        Self::decode(bytes, checksum, extent.segment)
            .filter(|found| written(&found.header) && placed(&found.header))
    }

    /// The index of the first entry.
    pub(crate) fn first(&self) -> Index {
        self.header.previous.index.next()
    }

    /// The index of the last entry.
    pub(crate) fn last(&self) -> Index {
        Index(self.header.previous.index.0 + self.list.len() as u64)
    }

    /// The whole batch, in bytes; `None` when that cannot be.
    pub(crate) fn batch_bytes(&self) -> Option<usize> {
        let add = |sum: usize, i: &Identifier| sum.checked_add(record_bytes(i.payload_bytes));
        let records = self.list.iter().try_fold(0, add)?;
        Some(identifiers_bytes(self.list.len()) + whole_sectors(records))
    }

    /// Every entry of the batch that starts with these identifiers: where its record stands in
    /// `batch`, and the record if it is the one that was written.
    pub(crate) fn records(
        &self,
        batch: &[u8],
        checksum: Checksum,
    ) -> impl Iterator<Item = (Position, usize, Option<Record>)> {
        let mut offset = identifiers_bytes(self.list.len());
        let mut index = self.header.previous.index;
        self.list.iter().map(move |identifier| {
            let at = offset;
            index = index.next();
            offset += record_bytes(identifier.payload_bytes);
            let found = batch
                .get(at..)
                .and_then(|bytes| record::decode(bytes, checksum, self.header.segment))
                .filter(|record| record.crc == identifier.crc || planted(Mutant::W7));
            (Position::new(identifier.term, index), at, found)
        })
    }
}

/// A batch read by its records alone, because its identifiers are damaged.
#[derive(Clone, Debug)]
pub(crate) struct Walked {
    /// Where each record stands, from the start of the batch.
    pub(crate) records: Vec<(usize, Record)>,
    /// The whole batch, in bytes.
    pub(crate) bytes: usize,
}

/// Reads this very batch, which begins at the start of `bytes`, without its identifiers.
pub(crate) fn walk_extent(extent: &Extent, bytes: &[u8], checksum: Checksum) -> Option<Walked> {
    walk(bytes, checksum, extent.segment, extent.sequence)
        .filter(|walked| walked.records[0].1.membership.epoch == extent.epoch)
}

/// Reads the batch `sequence` at the start of `bytes` without its identifiers. `None` unless all
/// of its records verify, from the one marked first to the one marked last.
pub(crate) fn walk(
    bytes: &[u8],
    checksum: Checksum,
    segment: u64,
    sequence: u64,
) -> Option<Walked> {
    let belongs = |record: &Record| record.membership.sequence == sequence;
    let starts = (SECTOR..bytes.len()).step_by(SECTOR);
    let (data, first) = starts
        .filter_map(|at| Some((at, record::decode(&bytes[at..], checksum, segment)?)))
        .find(|(_, record)| belongs(record) && record.membership.first)?;
    let mut records = vec![(data, first)];
    let mut at = data + record_bytes(first.payload_bytes);
    let mut last = first;
    while !last.membership.last {
        let next = record::decode(bytes.get(at..)?, checksum, segment)?;
        let follows = belongs(&next)
            && !next.membership.first
            && next.membership.epoch == first.membership.epoch
            && next.position.index == last.position.index.next();
        if !follows {
            return None;
        }
        records.push((at, next));
        at += record_bytes(next.payload_bytes);
        last = next;
    }
    // The records begin right after as many sectors as their identifiers need.
    let exact = identifiers_bytes(records.len()) == data;
    exact.then_some(Walked { records, bytes: data + whole_sectors(at - data) })
}
