//! What a member says of itself: names with values, in its meta.
//!
//! ```text
//! ff | {name: value, …}        or, from agents of old, the value of the tag "role" alone
//! ```

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use super::limit;
use crate::swim::wire::Error;
use crate::swim::wire::msgpack::{Reader, Sink, map, raw};

/// The byte that tells tags from a role.
const MAGIC: u8 = 0xff;

/// What a member says of itself.
///
/// memberlist lets nobody into a pool whose meta has more than [`Tags::META_MAX`] bytes; whoever
/// sets tags checks that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tags(pub BTreeMap<Bytes, Bytes>);

impl Tags {
    /// Bytes that tags may take when they are encoded.
    pub const META_MAX: usize = 512;

    /// These tags as a member's meta.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(64);
        out.push(MAGIC);
        self.write(&mut out);
        out.into()
    }

    /// Reads a member's meta.
    ///
    /// # Errors
    /// Why it is not tags, though it begins like tags.
    pub fn decode(meta: &Bytes) -> Result<Self, Error> {
        if meta.first() != Some(&MAGIC) {
            let role = (Bytes::from_static(b"role"), meta.clone());
            return Ok(Self(BTreeMap::from([role])));
        }
        Self::read(&mut Reader::new(meta, 1))
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut tags = BTreeMap::new();
        for _ in 0..reader.map(limit::TAGS)? {
            let name = reader.shared()?;
            tags.insert(name, reader.shared()?);
        }
        Ok(Self(tags))
    }

    pub(super) fn write(&self, out: &mut impl Sink) {
        map(out, self.0.len());
        for (name, value) in &self.0 {
            raw(out, name);
            raw(out, value);
        }
    }
}
