//! Records as bytes.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{DecodeError, Reader, put_bytes, put_i64};
use crate::{KeyValue, LeaseId, Record};

/// The format version.
const VERSION: u8 = 1;
const PUT: u8 = 1;
const TOMBSTONE: u8 = 2;

impl Record {
    /// Appends the record's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        match self {
            Self::Put(kv) => {
                out.reserve(42 + kv.key.len() + kv.value.len());
                out.push(PUT);
                write_key_value(out, kv);
            }
            Self::Tombstone { key } => {
                out.push(TOMBSTONE);
                put_bytes(out, key);
            }
        }
    }

    /// The record that these bytes are.
    ///
    /// # Errors
    /// Whatever is not the encoding of a record.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let record = match reader.u8()? {
            PUT => Self::Put(read_key_value(&mut reader)?),
            TOMBSTONE => Self::Tombstone { key: key(&mut reader)? },
            _ => return Err(DecodeError::Tag("record")),
        };
        reader.end(record)
    }

    /// Whether these bytes, the encoding of a record, are a tombstone's. Looks at no more than the
    /// first two of them.
    ///
    /// # Errors
    /// When they cannot be the beginning of a record.
    pub const fn is_tombstone_bytes(bytes: &[u8]) -> Result<bool, DecodeError> {
        match *bytes {
            [VERSION, PUT, ..] => Ok(false),
            [VERSION, TOMBSTONE, ..] => Ok(true),
            [VERSION, _, ..] => Err(DecodeError::Tag("record")),
            [] | [VERSION] => Err(DecodeError::Short),
            [other, ..] => Err(DecodeError::Version(other)),
        }
    }
}

/// A key with all that belongs to it.
pub(super) fn write_key_value(out: &mut Vec<u8>, kv: &KeyValue) {
    put_i64(out, kv.create_revision);
    put_i64(out, kv.mod_revision);
    put_i64(out, kv.version);
    put_i64(out, kv.lease.map_or(0, |lease| lease.0));
    put_bytes(out, &kv.key);
    put_bytes(out, &kv.value);
}

pub(super) fn read_key_value(reader: &mut Reader) -> Result<KeyValue, DecodeError> {
    let mut positive = |what| match reader.i64()? {
        number if number > 0 => Ok(number),
        _ => Err(DecodeError::Number(what)),
    };
    let create_revision = positive("revision")?;
    let mod_revision = positive("revision")?;
    let version = positive("version")?;
    let lease = Some(reader.i64()?).filter(|id| *id != 0).map(LeaseId);
    let key = key(reader)?;
    let value = reader.bytes()?;
    Ok(KeyValue { key, value, create_revision, mod_revision, version, lease })
}

fn key(reader: &mut Reader) -> Result<Bytes, DecodeError> {
    let key = reader.bytes()?;
    if key.is_empty() { Err(DecodeError::Number("length of a key")) } else { Ok(key) }
}
