//! A cursor over shared bytes.

use alloc::vec::Vec;

use bytes::{Buf, Bytes};
use protocol::{Entry, Index, Payload, Position, ReadId, Term};

use super::DecodeError;

/// The least bytes of an encoded entry: term, index, kind, length.
const LEAST_ENTRY: usize = 8 + 8 + 1 + 4;

/// Takes values off the front of shared bytes.
pub(super) struct Reader(Bytes);

impl Reader {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    fn need(&self, size: usize) -> Result<(), DecodeError> {
        if self.0.len() < size { Err(DecodeError::Short) } else { Ok(()) }
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.need(1)?;
        Ok(self.0.get_u8())
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.need(4)?;
        Ok(self.0.get_u32_le())
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.need(8)?;
        Ok(self.0.get_u64_le())
    }

    pub(super) fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Malformed),
        }
    }

    pub(super) fn index(&mut self) -> Result<Index, DecodeError> {
        self.u64().map(Index)
    }

    pub(super) fn term(&mut self) -> Result<Term, DecodeError> {
        self.u64().map(Term)
    }

    pub(super) fn position(&mut self) -> Result<Position, DecodeError> {
        Ok(Position::new(self.term()?, self.index()?))
    }

    /// A count of items that take at least `least` bytes each: checked against what is left, so
    /// that a lie cannot make the caller reserve memory.
    pub(super) fn count(&mut self, least: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.u32()?).map_err(|_| DecodeError::Short)?;
        if count > self.0.len() / least.max(1) { Err(DecodeError::Short) } else { Ok(count) }
    }

    /// Bytes behind their u32 length.
    pub(super) fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        let size = usize::try_from(self.u32()?).map_err(|_| DecodeError::Short)?;
        self.need(size)?;
        Ok(self.0.split_to(size))
    }

    pub(super) fn option(&mut self) -> Result<Option<u64>, DecodeError> {
        match (self.flag()?, self.u64()?) {
            (true, value) => Ok(Some(value)),
            (false, 0) => Ok(None),
            (false, _) => Err(DecodeError::Malformed),
        }
    }

    pub(super) fn positions(&mut self) -> Result<Vec<Position>, DecodeError> {
        let count = self.count(16)?;
        (0..count).map(|_| self.position()).collect()
    }

    pub(super) fn reads(&mut self) -> Result<Vec<ReadId>, DecodeError> {
        let count = self.count(8)?;
        (0..count).map(|_| self.u64().map(ReadId)).collect()
    }

    pub(super) fn entries(&mut self) -> Result<Vec<Entry>, DecodeError> {
        let count = self.count(LEAST_ENTRY)?;
        (0..count).map(|_| self.entry()).collect()
    }

    /// Entries that follow `base` in one log: contiguous indexes, and terms that never sink (what
    /// log matching presupposes, Raft §5.3).
    pub(super) fn suffix(&mut self, base: Position) -> Result<Vec<Entry>, DecodeError> {
        let count = self.count(LEAST_ENTRY)?;
        let mut entries = Vec::with_capacity(count);
        let mut previous = base;
        for _ in 0..count {
            let entry = self.entry()?;
            let follows = previous.index.0.checked_add(1) == Some(entry.position.index.0);
            if !follows || entry.position.term < previous.term {
                return Err(DecodeError::Malformed);
            }
            previous = entry.position;
            entries.push(entry);
        }
        Ok(entries)
    }

    fn entry(&mut self) -> Result<Entry, DecodeError> {
        let position = self.position()?;
        let kind = self.u8()?;
        let bytes = self.bytes()?;
        let payload = match kind {
            0 if bytes.is_empty() => Payload::Empty,
            0 => return Err(DecodeError::Malformed),
            1 => Payload::Command(bytes),
            2 => Payload::Membership(bytes),
            unknown => return Err(DecodeError::UnknownKind(unknown)),
        };
        Ok(Entry { position, payload })
    }

    /// Everything that is left.
    pub(super) fn rest(self) -> Bytes {
        self.0
    }

    /// Asserts that nothing is left.
    pub(super) fn end(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}
