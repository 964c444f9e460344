//! What one revision holds.

use bytes::Bytes;

use crate::LeaseId;

/// A key as one revision left it. Cloning shares the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeyValue {
    /// The key; never empty.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
    /// The revision (main) that created the key's present life.
    pub create_revision: i64,
    /// The revision (main) of this very change.
    pub mod_revision: i64,
    /// Puts since the key was created; 1 on creation.
    pub version: i64,
    /// The lease that the key hangs on.
    pub lease: Option<LeaseId>,
}

/// One change of one key, as it is kept under its revision.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// The key was put.
    Put(KeyValue),
    /// The key was deleted.
    Tombstone {
        /// The key.
        key: Bytes,
    },
}

impl Record {
    /// Bytes of key and value.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Put(kv) => kv.key.len() + kv.value.len(),
            Self::Tombstone { key } => key.len(),
        }
    }
}
