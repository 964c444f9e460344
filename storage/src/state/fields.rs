//! Little-endian fields, read from bytes whose checksum has been verified and yet not trusted.

use protocol::{Index, Position, Term};
use store::Revision;

/// Takes fields off the front. Every method gives `None` when too few bytes are left.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A `u32` that counts things in memory.
    pub(super) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn revision(&mut self) -> Option<Revision> {
        Some(Revision::new(self.i64()?, self.u32()?))
    }

    pub(super) fn position(&mut self) -> Option<Position> {
        Some(Position::new(Term(self.u64()?), Index(self.u64()?)))
    }

    /// Bytes that follow their own length, a `u32`.
    pub(super) fn counted(&mut self) -> Option<&'a [u8]> {
        let count = self.count()?;
        self.bytes(count)
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

pub(super) fn put_revision(into: &mut Vec<u8>, revision: Revision) {
    into.extend_from_slice(&revision.main.to_le_bytes());
    into.extend_from_slice(&revision.sub.to_le_bytes());
}

pub(super) fn put_position(into: &mut Vec<u8>, position: Position) {
    into.extend_from_slice(&position.term.0.to_le_bytes());
    into.extend_from_slice(&position.index.0.to_le_bytes());
}

/// Appends a length as a `u32`. Lengths above 4 GiB do not fit the format: `None`.
pub(super) fn put_count(into: &mut Vec<u8>, count: usize) -> Option<()> {
    into.extend_from_slice(&u32::try_from(count).ok()?.to_le_bytes());
    Some(())
}
