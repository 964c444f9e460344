//! A cursor over shared bytes.

use bytes::{Buf, Bytes};
use protocol::{Index, Position, Term};

use super::DecodeError;

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

    /// Everything that is left.
    pub(super) fn rest(self) -> Bytes {
        self.0
    }

    /// Asserts that nothing is left.
    pub(super) fn end(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}
