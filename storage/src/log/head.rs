//! The head of a segment: two pages, each with a copy of the header and of the hard state.
//!
//! ```text
//! page 0:  sector 0  header copy 0   sector 1  hard state copy 0   (rest: zeros)
//! page 1:  sector 0  header copy 1   sector 1  hard state copy 1   (rest: zeros)
//! ```
//!
//! The header is written once, when the segment begins. The hard state of the *last* segment is the
//! hard state of the log. Both its copies are written by the same sync: a crash leaves each old or
//! new, and the higher generation holds; a flipped bit damages one, and the other still has what
//! was acknowledged. (Were they written alternately, damage of the newer one would silently bring
//! back the older vote.)

use protocol::mutant::{Mutant, planted};
use protocol::raft::HardState;
use protocol::{ClusterId, Index, NodeId, Position, Term};

use super::bytes::{Checksum, put_u32, put_u64, u32_at, u64_at};
use crate::Identity;
use crate::disk::SECTOR;

/// The newest version of the format that this code writes and reads; it reads the earlier ones too.
///
/// A header has the earliest version that can say what it says: 2 where the log was reset, else 1.
/// So a program that knows nothing of resets opens a log that has none, and refuses any other.
pub const LOG_FORMAT_VERSION: u32 = 2;

const FIRST_VERSION: u32 = 1;

const HEADER_MAGIC: &[u8; 8] = b"CNCLVLOG";
const HEADER_BYTES: usize = 96;
const SLOT_MAGIC: &[u8; 8] = b"CNCLVHRD";
const SLOT_BYTES: usize = 136;

const HAS_VOTE: u32 = 1;
const HAS_DOUBT: u32 = 2;
const SEALED: u32 = 4;

/// A flag of a header.
const RESET: u32 = 1;

/// What stands at the beginning of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) owner: Identity,
    /// The number of this segment. Numbers grow by one and are never used twice.
    pub(crate) segment: u64,
    /// The length of the file.
    pub(crate) segment_bytes: u64,
    /// The length of each of the two pages of the head.
    pub(crate) page_bytes: u32,
    /// Where the batches of the segment before this one end; whatever follows there is void.
    pub(crate) previous_end: u64,
    /// The last batch before this segment: it was durable.
    pub(crate) sequence: u64,
    /// The last entry of the log when this segment began.
    pub(crate) last: Position,
    /// The log begins anew with this segment, after `last`: the segments before it are void.
    pub(crate) reset: bool,
}

/// Where the log stood when a process opened it. Batches that come later in the sequence and were
/// written by an earlier process are void.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resumption {
    /// Names the process: the generation of the hard state that it wrote first.
    pub(crate) epoch: u64,
    /// The last batch that it found.
    pub(crate) sequence: u64,
    /// The last entry that it kept.
    pub(crate) last: Position,
}

/// The hard state and what else the log must remember.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Grows with every write of the hard state.
    pub(crate) generation: u64,
    pub(crate) hard_state: HardState,
    /// The last batch known to be durable when this was written.
    pub(crate) completed: u64,
    pub(crate) resumption: Resumption,
    /// Entries up to this index may have been acknowledged and cut.
    pub(crate) doubt: Option<Index>,
    /// Another segment follows.
    pub(crate) sealed: bool,
}

/// What a sector of a head turns out to be. A crash leaves a sector old or new, so `Bad` is never
/// the work of a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen<T> {
    /// Zeros, or what a recycled file held before.
    Blank,
    Valid(T),
    Bad,
}

impl<T: Copy> Seen<T> {
    pub(crate) fn valid(self) -> Option<T> {
        match self {
            Self::Valid(value) => Some(value),
            Self::Blank | Self::Bad => None,
        }
    }
}

/// A header in a format that this code does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownVersion(pub(crate) u32);

impl Header {
    /// The version of the format that it is written in.
    pub(crate) const fn version(&self) -> u32 {
        if self.reset { LOG_FORMAT_VERSION } else { FIRST_VERSION }
    }

    pub(crate) fn encode(&self) -> [u8; SECTOR] {
        let mut out = [0; SECTOR];
        out[8..16].copy_from_slice(HEADER_MAGIC);
        put_u32(&mut out, 4, self.version());
        put_u64(&mut out, 16, self.owner.cluster.0);
        put_u64(&mut out, 24, self.owner.node.0);
        put_u64(&mut out, 32, self.segment);
        put_u64(&mut out, 40, self.segment_bytes);
        put_u64(&mut out, 48, self.previous_end);
        put_u64(&mut out, 56, self.sequence);
        put_u64(&mut out, 64, self.last.index.0);
        put_u64(&mut out, 72, self.last.term.0);
        put_u32(&mut out, 80, self.page_bytes);
        put_u32(&mut out, 84, flag(self.reset, RESET));
        let sum = crc32c::crc32c(&out[4..HEADER_BYTES]);
        put_u32(&mut out, 0, sum);
        out
    }

    /// Reads the header of the segment that the file's name says it is.
    pub(crate) fn decode(sector: &[u8], segment: u64) -> Result<Seen<Self>, UnknownVersion> {
        if is_zero(sector) {
            return Ok(Seen::Blank);
        }
        if sector.len() < HEADER_BYTES
            || &sector[8..16] != HEADER_MAGIC
            || crc32c::crc32c(&sector[4..HEADER_BYTES]) != u32_at(sector, 0)
        {
            return Ok(Seen::Bad);
        }
        let version = u32_at(sector, 4);
        if !(FIRST_VERSION..=LOG_FORMAT_VERSION).contains(&version) {
            return Err(UnknownVersion(version));
        }
        let header = Self {
            owner: Identity {
                cluster: ClusterId(u64_at(sector, 16)),
                node: NodeId(u64_at(sector, 24)),
            },
            segment: u64_at(sector, 32),
            segment_bytes: u64_at(sector, 40),
            page_bytes: u32_at(sector, 80),
            previous_end: u64_at(sector, 48),
            sequence: u64_at(sector, 56),
            last: position_at(sector, 64),
            reset: version > FIRST_VERSION && u32_at(sector, 84) & RESET != 0,
        };
        Ok(if header.segment == segment { Seen::Valid(header) } else { Seen::Blank })
    }
}

impl Slot {
    pub(crate) fn encode(&self, checksum: Checksum, segment: u64, copy: u32) -> [u8; SECTOR] {
        let mut out = [0; SECTOR];
        let HardState { term, vote, commit } = self.hard_state;
        let flags = flag(vote.is_some(), HAS_VOTE)
            | flag(self.doubt.is_some(), HAS_DOUBT)
            | flag(self.sealed, SEALED);
        put_u32(&mut out, 4, flags);
        out[8..16].copy_from_slice(SLOT_MAGIC);
        put_u64(&mut out, 16, segment);
        put_u32(&mut out, 24, copy);
        put_u64(&mut out, 32, self.generation);
        put_u64(&mut out, 40, term.0);
        put_u64(&mut out, 48, vote.map_or(0, |node| node.0));
        put_u64(&mut out, 56, commit.0);
        put_u64(&mut out, 64, self.completed);
        put_u64(&mut out, 72, self.doubt.map_or(0, |index| index.0));
        put_u64(&mut out, 80, self.resumption.epoch);
        put_u64(&mut out, 88, self.resumption.sequence);
        put_u64(&mut out, 96, self.resumption.last.index.0);
        put_u64(&mut out, 104, self.resumption.last.term.0);
        let sum = checksum.of(segment, &out[4..SLOT_BYTES]);
        put_u32(&mut out, 0, sum);
        out
    }

    /// Reads one copy of the hard state in the given segment.
    pub(crate) fn decode(sector: &[u8], checksum: Checksum, segment: u64, copy: u32) -> Seen<Self> {
        if is_zero(sector) {
            return Seen::Blank;
        }
        if sector.len() < SLOT_BYTES || &sector[8..16] != SLOT_MAGIC {
            return Seen::Bad;
        }
        let written_for = u64_at(sector, 16);
        if checksum.of(written_for, &sector[4..SLOT_BYTES]) != u32_at(sector, 0) {
            return Seen::Bad;
        }
        if written_for != segment {
            return Seen::Blank;
        }
        if u32_at(sector, 24) != copy {
            return Seen::Bad;
        }
        let flags = u32_at(sector, 4);
        Seen::Valid(Self {
            generation: u64_at(sector, 32),
            hard_state: HardState {
                term: Term(u64_at(sector, 40)),
                vote: (flags & HAS_VOTE != 0).then(|| NodeId(u64_at(sector, 48))),
                commit: Index(u64_at(sector, 56)),
            },
            completed: u64_at(sector, 64),
            doubt: (flags & HAS_DOUBT != 0).then(|| Index(u64_at(sector, 72))),
            sealed: flags & SEALED != 0,
            resumption: Resumption {
                epoch: u64_at(sector, 80),
                sequence: u64_at(sector, 88),
                last: position_at(sector, 96),
            },
        })
    }
}

/// The two copies of everything in a head, as read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) headers: [Seen<Header>; 2],
    pub(crate) slots: [Seen<Slot>; 2],
}

impl Head {
    /// Reads the head of a segment; a file too short for one has nothing valid in it.
    pub(crate) fn decode(
        file: &[u8],
        page_bytes: usize,
        checksum: Checksum,
        segment: u64,
    ) -> Result<Self, UnknownVersion> {
        let sector = |number: usize| file.get(number..number + SECTOR).unwrap_or(&[1]);
        let header = |page: usize| Header::decode(sector(page), segment);
        let slot = |page: usize, copy| Slot::decode(sector(page + SECTOR), checksum, segment, copy);
        Ok(Self {
            headers: [header(0)?, header(page_bytes)?],
            slots: [slot(0, 0), slot(page_bytes, 1)],
        })
    }

    pub(crate) fn header(&self) -> Option<Header> {
        self.headers[0].valid().or(self.headers[1].valid())
    }

    /// The newer of the valid copies of the hard state.
    pub(crate) fn slot(&self) -> Option<Slot> {
        if planted(Mutant::R25) && self.slots == [Seen::Bad; 2] {
            return Some(Slot::default());
        }
        self.slots.iter().filter_map(|slot| slot.valid()).max_by_key(|slot| slot.generation)
    }
}

/// The segment that a sector of a head was written for, whether or not it verifies.
pub(crate) fn segment_of(sector: &[u8]) -> Option<u64> {
    match sector.get(8..16)?.try_into().ok()? {
        HEADER_MAGIC => Some(u64_at(sector, 32)),
        SLOT_MAGIC => Some(u64_at(sector, 16)),
        _ => None,
    }
}

fn position_at(bytes: &[u8], at: usize) -> Position {
    Position::new(Term(u64_at(bytes, at + 8)), Index(u64_at(bytes, at)))
}

const fn flag(set: bool, bit: u32) -> u32 {
    if set { bit } else { 0 }
}

fn is_zero(sector: &[u8]) -> bool {
    sector.iter().all(|byte| *byte == 0)
}
