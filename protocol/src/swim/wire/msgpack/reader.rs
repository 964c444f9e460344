//! Reads values that have arrived whole.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use bytes::Bytes;

use super::head::{Head, Scan, head};
use crate::swim::message::{Addr, Name};
use crate::swim::wire::Error;

/// A place in bytes from which values are read.
///
/// It takes what any writer may have meant: every family of integers for a number, every family of
/// strings for bytes, nil for "nothing" of any type, arrays of numbers for bytes.
#[derive(Debug)]
pub(in crate::swim) struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the byte `at`.
    pub(in crate::swim) const fn new(bytes: &'a Bytes, at: usize) -> Self {
        Self { bytes, at }
    }

    /// Whatever has not been read.
    pub(in crate::swim) fn rest(&self) -> Bytes {
        self.bytes.slice(self.at..)
    }

    /// A struct: a map of names to values, or its values alone in the order of `names`. Calls
    /// `value` with the place of each name to read its value; skips what has another name. Nil is a
    /// struct without values.
    pub(in crate::swim) fn record(
        &mut self,
        names: &[&str],
        mut value: impl FnMut(&mut Self, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self.head()? {
            Head::Nil => Ok(()),
            Head::Map(count) => {
                for _ in 0..count {
                    let key = self.key()?;
                    match names.iter().position(|name| name.as_bytes() == key) {
                        Some(field) => value(self, field)?,
                        None => self.skip()?,
                    }
                }
                Ok(())
            }
            Head::Array(count) => {
                for field in 0..count {
                    match usize::try_from(field) {
                        Ok(field) if field < names.len() => value(self, field)?,
                        _ => self.skip()?,
                    }
                }
                Ok(())
            }
            Head::Boolean(_)
            | Head::Number(_)
            | Head::Negative(_)
            | Head::Raw(_)
            | Head::Other(_) => Err(Error::Type),
        }
    }

    /// An array: how many values follow. Nil has none.
    pub(in crate::swim) fn array(&mut self, most: u64) -> Result<u64, Error> {
        match self.head()? {
            Head::Nil => Ok(0),
            Head::Array(count) if count > most => Err(Error::Count),
            Head::Array(count) => Ok(count),
            Head::Boolean(_)
            | Head::Number(_)
            | Head::Negative(_)
            | Head::Raw(_)
            | Head::Map(_)
            | Head::Other(_) => Err(Error::Type),
        }
    }

    /// A map: how many pairs follow. Nil has none.
    pub(in crate::swim) fn map(&mut self, most: u64) -> Result<u64, Error> {
        match self.head()? {
            Head::Nil => Ok(0),
            Head::Map(count) if count > most => Err(Error::Count),
            Head::Map(count) => Ok(count),
            Head::Boolean(_)
            | Head::Number(_)
            | Head::Negative(_)
            | Head::Raw(_)
            | Head::Array(_)
            | Head::Other(_) => Err(Error::Type),
        }
    }

    /// Whether the next value is nil, which is then read.
    pub(in crate::swim) fn nil(&mut self) -> bool {
        let nil = self.bytes.get(self.at) == Some(&0xc0);
        self.at += usize::from(nil);
        nil
    }

    /// A truth. Nil is false.
    pub(in crate::swim) fn boolean(&mut self) -> Result<bool, Error> {
        match self.head()? {
            Head::Nil => Ok(false),
            Head::Boolean(truth) => Ok(truth),
            Head::Number(_)
            | Head::Negative(_)
            | Head::Raw(_)
            | Head::Array(_)
            | Head::Map(_)
            | Head::Other(_) => Err(Error::Type),
        }
    }

    /// A number that fits `N`. Nil is 0.
    pub(in crate::swim) fn number<N: TryFrom<u64>>(&mut self) -> Result<N, Error> {
        let number = match self.head()? {
            Head::Nil => 0,
            Head::Number(number) => number,
            Head::Negative(_) => return Err(Error::Range),
            Head::Boolean(_) | Head::Raw(_) | Head::Array(_) | Head::Map(_) | Head::Other(_) => {
                return Err(Error::Type);
            }
        };
        N::try_from(number).map_err(|_| Error::Range)
    }

    /// A number with a sign. Nil is 0.
    pub(in crate::swim) fn signed(&mut self) -> Result<i64, Error> {
        match self.head()? {
            Head::Nil => Ok(0),
            Head::Number(number) => i64::try_from(number).map_err(|_| Error::Range),
            Head::Negative(number) => Ok(number),
            Head::Boolean(_) | Head::Raw(_) | Head::Array(_) | Head::Map(_) | Head::Other(_) => {
                Err(Error::Type)
            }
        }
    }

    /// Bytes, as a slice of what arrived: they keep all of it in memory.
    pub(in crate::swim) fn shared(&mut self) -> Result<Bytes, Error> {
        Ok(match self.bytes()? {
            Cow::Borrowed(bytes) => self.bytes.slice_ref(bytes),
            Cow::Owned(bytes) => bytes.into(),
        })
    }

    /// Bytes of their own: to be kept for as long as a member is.
    pub(in crate::swim) fn kept(&mut self) -> Result<Bytes, Error> {
        Ok(match self.bytes()? {
            Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Cow::Owned(bytes) => bytes.into(),
        })
    }

    /// A name, as a slice of what arrived.
    pub(in crate::swim) fn name(&mut self) -> Result<Name, Error> {
        self.shared().map(Name::from)
    }

    /// An address.
    pub(in crate::swim) fn addr(&mut self) -> Result<Addr, Error> {
        Addr::new(&self.bytes()?).ok_or(Error::Address)
    }

    /// Bytes: a string of any family, an array of numbers, or nil for none.
    pub(in crate::swim) fn bytes(&mut self) -> Result<Cow<'a, [u8]>, Error> {
        match self.head()? {
            Head::Nil => Ok(Cow::Borrowed(&[])),
            Head::Raw(size) => self.take(size).map(Cow::Borrowed),
            Head::Array(count) => {
                // Each takes a byte at least, so this ends where the bytes do.
                let mut bytes = Vec::new();
                for _ in 0..count {
                    bytes.push(self.number()?);
                }
                Ok(Cow::Owned(bytes))
            }
            Head::Boolean(_)
            | Head::Number(_)
            | Head::Negative(_)
            | Head::Map(_)
            | Head::Other(_) => Err(Error::Type),
        }
    }

    /// A value of any type, unread.
    pub(in crate::swim) fn skip(&mut self) -> Result<(), Error> {
        let size = Scan::new().run(&self.bytes[self.at..], usize::MAX)?.ok_or(Error::Short)?;
        self.at += size;
        Ok(())
    }

    /// The name of a field.
    fn key(&mut self) -> Result<&'a [u8], Error> {
        match self.head()? {
            Head::Raw(size) => self.take(size),
            Head::Nil
            | Head::Boolean(_)
            | Head::Number(_)
            | Head::Negative(_)
            | Head::Array(_)
            | Head::Map(_)
            | Head::Other(_) => Err(Error::Type),
        }
    }

    fn head(&mut self) -> Result<Head, Error> {
        let (head, size) = head(&self.bytes[self.at..])?.ok_or(Error::Short)?;
        self.at += size;
        Ok(head)
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], Error> {
        let bytes = self.bytes[self.at..].get(..size).ok_or(Error::Short)?;
        self.at += size;
        Ok(bytes)
    }
}
