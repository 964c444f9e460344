//! Takes bytes apart, without copying them.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use super::DecodeError;

/// What has not been read yet.
pub(crate) struct Reader {
    rest: Bytes,
}

impl Reader {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.rest.try_get_u8().map_err(|_| DecodeError::Short)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.rest.try_get_u32_le().map_err(|_| DecodeError::Short)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.rest.try_get_u64_le().map_err(|_| DecodeError::Short)
    }

    /// Names are big-endian, so that they sort like what they name.
    pub(crate) fn u64_be(&mut self) -> Result<u64, DecodeError> {
        self.rest.try_get_u64().map_err(|_| DecodeError::Short)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, DecodeError> {
        self.rest.try_get_i64_le().map_err(|_| DecodeError::Short)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        self.rest.try_copy_to_slice(&mut array).map_err(|_| DecodeError::Short)?;
        Ok(array)
    }

    /// A flag: 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Tag("flag")),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        let len = usize::try_from(self.u32()?).map_err(|_| DecodeError::Short)?;
        if len > self.rest.len() {
            return Err(DecodeError::Short);
        }
        Ok(self.rest.split_to(len))
    }

    pub(crate) fn text(&mut self) -> Result<String, DecodeError> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| DecodeError::Text)
    }

    /// A list. An element takes at least one byte, so a false length cannot make it allocate more
    /// than the input's own size allows.
    pub(crate) fn list<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let len = usize::try_from(self.u32()?).map_err(|_| DecodeError::Short)?;
        if len > self.rest.len() {
            return Err(DecodeError::Short);
        }
        let mut list = Vec::with_capacity(len.min(16));
        for _ in 0..len {
            list.push(element(self)?);
        }
        Ok(list)
    }

    /// The value, if nothing is left.
    pub(crate) fn end<T>(self, value: T) -> Result<T, DecodeError> {
        if self.rest.is_empty() { Ok(value) } else { Err(DecodeError::Trailing) }
    }
}
