//! What stands at the front of a value, and where the value ends.

use crate::swim::wire::Error;

/// The front of a value: all of it for a number, the length for whatever has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// No value.
    Nil,
    /// A truth.
    Boolean(bool),
    /// A number that is not negative, in whichever family it was written.
    Number(u64),
    /// A negative number.
    Negative(i64),
    /// Bytes follow, whether they are called raw, string or binary.
    Raw(usize),
    /// So many values follow.
    Array(u64),
    /// So many pairs of values follow.
    Map(u64),
    /// Something that no field has: floats, extensions. So many bytes follow.
    Other(usize),
}

/// Reads the front of a value: what it is, and the bytes that the front takes. `None` when there
/// are too few bytes to tell.
pub(super) fn head(bytes: &[u8]) -> Result<Option<(Head, usize)>, Error> {
    let Some((&marker, rest)) = bytes.split_first() else { return Ok(None) };
    let narrow = |small: u8| usize::from(small);
    let wide = |size: usize| unsigned(rest, size).map(|value| (value, 1 + size));
    let long = |size: usize| wide(size).map(|(value, at)| (length(value), at));
    Ok(match marker {
        0x00..=0x7f => Some((Head::Number(u64::from(marker)), 1)),
        0x80..=0x8f => Some((Head::Map(u64::from(marker & 0x0f)), 1)),
        0x90..=0x9f => Some((Head::Array(u64::from(marker & 0x0f)), 1)),
        0xa0..=0xbf => Some((Head::Raw(narrow(marker & 0x1f)), 1)),
        0xc0 => Some((Head::Nil, 1)),
        0xc1 => return Err(Error::Type),
        0xc2 | 0xc3 => Some((Head::Boolean(marker == 0xc3), 1)),
        0xc4 | 0xd9 => long(1).map(|(size, at)| (Head::Raw(size), at)),
        0xc5 | 0xda => long(2).map(|(size, at)| (Head::Raw(size), at)),
        0xc6 | 0xdb => long(4).map(|(size, at)| (Head::Raw(size), at)),
        // An extension has one byte of type beside its data.
        0xc7 => long(1).map(|(size, at)| (Head::Other(size.saturating_add(1)), at)),
        0xc8 => long(2).map(|(size, at)| (Head::Other(size.saturating_add(1)), at)),
        0xc9 => long(4).map(|(size, at)| (Head::Other(size.saturating_add(1)), at)),
        0xca => Some((Head::Other(4), 1)),
        0xcb => Some((Head::Other(8), 1)),
        0xcc => wide(1).map(|(value, at)| (Head::Number(value), at)),
        0xcd => wide(2).map(|(value, at)| (Head::Number(value), at)),
        0xce => wide(4).map(|(value, at)| (Head::Number(value), at)),
        0xcf => wide(8).map(|(value, at)| (Head::Number(value), at)),
        0xd0 => wide(1).map(|(value, at)| (signed(value, 8), at)),
        0xd1 => wide(2).map(|(value, at)| (signed(value, 16), at)),
        0xd2 => wide(4).map(|(value, at)| (signed(value, 32), at)),
        0xd3 => wide(8).map(|(value, at)| (signed(value, 64), at)),
        0xd4..=0xd8 => Some((Head::Other(1 + (1 << narrow(marker - 0xd4))), 1)),
        0xdc => wide(2).map(|(count, at)| (Head::Array(count), at)),
        0xdd => wide(4).map(|(count, at)| (Head::Array(count), at)),
        0xde => wide(2).map(|(count, at)| (Head::Map(count), at)),
        0xdf => wide(4).map(|(count, at)| (Head::Map(count), at)),
        0xe0..=0xff => Some((signed(u64::from(marker), 8), 1)),
    })
}

/// The first `size` bytes as a number, big-endian.
fn unsigned(bytes: &[u8], size: usize) -> Option<u64> {
    let bytes = bytes.get(..size)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A number of `bits` in two's complement.
fn signed(value: u64, bits: u32) -> Head {
    let unused = 64 - bits;
    let number = (value << unused).cast_signed() >> unused;
    u64::try_from(number).map_or(Head::Negative(number), Head::Number)
}

fn length(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Looks for the end of a value whose bytes arrive bit by bit, each of which it sees once.
///
/// What is nested is counted and not descended into, so that depth costs nothing.
#[derive(Clone, Copy, Debug)]
pub(in crate::swim) struct Scan {
    /// So far everything was whole.
    at: usize,
    /// Values that are still to come.
    pending: u64,
}

impl Scan {
    /// At the front of a value.
    pub(in crate::swim) const fn new() -> Self {
        Self { at: 0, pending: 1 }
    }

    /// Goes on in `bytes`, which begin where they began before. Its length once the value is whole.
    pub(in crate::swim) fn run(
        &mut self,
        bytes: &[u8],
        limit: usize,
    ) -> Result<Option<usize>, Error> {
        while self.pending > 0 {
            let Some((head, size)) = head(&bytes[self.at..])? else {
                return if bytes.len() >= limit { Err(Error::Long) } else { Ok(None) };
            };
            let (body, children) = match head {
                Head::Raw(body) | Head::Other(body) => (body, 0),
                Head::Array(count) => (0, count),
                Head::Map(count) => (0, count * 2),
                Head::Nil | Head::Boolean(_) | Head::Number(_) | Head::Negative(_) => (0, 0),
            };
            let next = (self.at + size).saturating_add(body);
            if next > limit {
                return Err(Error::Long);
            }
            if next > bytes.len() {
                return Ok(None);
            }
            self.at = next;
            self.pending = (self.pending - 1).saturating_add(children);
        }
        Ok(Some(self.at))
    }
}
