//! One record of a manifest: what a flush or a step of maintenance changed.
//!
//! ```text
//! 0   u32  CRC32C of the salt of the manifest, the record's offset, and all that follows
//! 4   u32  bytes of the record, these 20 included
//! 8   u32  the checksum of the record before; 0 in the first
//! 12  u64  sequence: one more than the record before
//! 20  u8   1: replaces all that came before; 0: changes it
//! 21       applied: term u64, index u64
//! 37       newest revision ever flushed: main i64, sub u32
//! 49  u64  number of the next table
//! 57  u32  tables removed; then their numbers, u64 each
//!     u32  tables added; then each: number u64, bytes u64, checksum of its footer u32
//!     u32  metadata; then each: name (length u32, bytes), u8 1 and value (length u32, bytes) or 0
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::Position;
use store::Revision;

use super::super::fields::{Fields, put_count, put_position, put_revision};
use super::super::salt::Salt;
use super::super::table::TableName;

/// Bytes before the body.
pub(super) const HEADER: usize = 20;

/// Small named values.
type Meta = BTreeMap<Bytes, Bytes>;

/// A change of the state's contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Edit {
    /// Everything that was before is gone.
    pub(in super::super) whole: bool,
    pub(in super::super) applied: Position,
    pub(in super::super) newest: Revision,
    pub(in super::super) next_table: u64,
    pub(in super::super) removed: Vec<u64>,
    pub(in super::super) added: Vec<TableName>,
    pub(in super::super) meta: Vec<(Bytes, Option<Bytes>)>,
}

/// What all records of a manifest together say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Contents {
    pub(in super::super) applied: Position,
    pub(in super::super) newest: Revision,
    pub(in super::super) next_table: u64,
    pub(in super::super) tables: BTreeMap<u64, TableName>,
    pub(in super::super) meta: Meta,
}

impl Contents {
    /// All metadata, by ascending name.
    pub(in super::super) fn all_meta(&self) -> Vec<(Bytes, Bytes)> {
        self.meta.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// What stands after this edit.
    pub(in super::super) fn apply(&mut self, edit: Edit) {
        if edit.whole {
            *self = Self::default();
        }
        self.applied = edit.applied;
        self.newest = edit.newest;
        self.next_table = edit.next_table;
        for id in edit.removed {
            self.tables.remove(&id);
        }
        for table in edit.added {
            self.tables.insert(table.id, table);
        }
        for (name, value) in edit.meta {
            match value {
                Some(value) => self.meta.insert(name, value),
                None => self.meta.remove(&name),
            };
        }
    }
}

/// Where in a manifest a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    /// The checksum of the record before.
    pub(super) chain: u32,
    pub(super) sequence: u64,
}

impl Edit {
    /// Appends the record; gives its checksum, or `None` when it is too long for the format.
    pub(super) fn encode(&self, salt: Salt, place: Place, into: &mut Vec<u8>) -> Option<u32> {
        let start = into.len();
        into.extend_from_slice(&[0; 8]);
        into.extend_from_slice(&place.chain.to_le_bytes());
        into.extend_from_slice(&place.sequence.to_le_bytes());
        into.push(u8::from(self.whole));
        put_position(into, self.applied);
        put_revision(into, self.newest);
        into.extend_from_slice(&self.next_table.to_le_bytes());
        put_count(into, self.removed.len())?;
        for id in &self.removed {
            into.extend_from_slice(&id.to_le_bytes());
        }
        put_count(into, self.added.len())?;
        for table in &self.added {
            into.extend_from_slice(&table.id.to_le_bytes());
            into.extend_from_slice(&table.bytes.to_le_bytes());
            into.extend_from_slice(&table.checksum.to_le_bytes());
        }
        put_count(into, self.meta.len())?;
        for (name, value) in &self.meta {
            put_count(into, name.len())?;
            into.extend_from_slice(name);
            into.push(u8::from(value.is_some()));
            if let Some(value) = value {
                put_count(into, value.len())?;
                into.extend_from_slice(value);
            }
        }
        let length = u32::try_from(into.len() - start).ok()?;
        into[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
        let checksum = salt.checksum(place.offset, &into[start + 4..]);
        into[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
        Some(checksum)
    }

    /// The record at the start of `bytes`, with its checksum and length. `None` when there is no
    /// whole record that continues the one before.
    pub(super) fn decode(
        bytes: &[u8],
        salt: Salt,
        place: Place,
        first: bool,
    ) -> Option<(Self, Decoded)> {
        let mut header = Fields::new(bytes);
        let checksum = header.u32()?;
        let length = header.count()?;
        let body = bytes.get(HEADER..length)?;
        if salt.checksum(place.offset, bytes.get(4..length)?) != checksum {
            return None;
        }
        let chained = header.u32()? == place.chain;
        let sequence = header.u64()?;
        if !chained || (!first && sequence != place.sequence) {
            return None;
        }
        let edit = Self::body(body)?;
        (edit.whole == first).then_some((edit, Decoded { checksum, length, sequence }))
    }

    fn body(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let mut edit = Self {
            whole: fields.u8()? == 1,
            applied: fields.position()?,
            newest: fields.revision()?,
            next_table: fields.u64()?,
            ..Self::default()
        };
        for _ in 0..fields.u32()? {
            edit.removed.push(fields.u64()?);
        }
        for _ in 0..fields.u32()? {
            let (id, bytes) = (fields.u64()?, fields.u64()?);
            edit.added.push(TableName { id, bytes, checksum: fields.u32()? });
        }
        for _ in 0..fields.u32()? {
            let name = Bytes::copy_from_slice(fields.counted()?);
            let present = fields.u8()? == 1;
            let value =
                if present { Some(Bytes::copy_from_slice(fields.counted()?)) } else { None };
            edit.meta.push((name, value));
        }
        fields.is_empty().then_some(edit)
    }
}

/// A record that was read.
pub(super) struct Decoded {
    pub(super) checksum: u32,
    pub(super) length: usize,
    pub(super) sequence: u64,
}
