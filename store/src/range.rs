//! Reads: which keys, at which revision, in which order, how many.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::KeyValue;

/// A set of keys, as etcd spells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRange {
    /// The first key.
    pub key: Bytes,
    /// Empty: that one key. `"\0"`: everything from `key` on. Otherwise the end, exclusive.
    pub end: Bytes,
}

impl KeyRange {
    /// One key.
    #[must_use]
    pub const fn single(key: Bytes) -> Self {
        Self { key, end: Bytes::new() }
    }

    /// Whether it names one key.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.end.is_empty()
    }

    /// Whether it has no end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self.end == [0]
    }

    /// Whether a key lies in it.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        if self.is_single() {
            return *self.key == *key;
        }
        *self.key <= *key && (self.is_open() || *key < *self.end)
    }
}

/// What to sort by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SortTarget {
    /// The key.
    #[default]
    Key,
    /// The version.
    Version,
    /// The revision of creation.
    Create,
    /// The revision of the last change.
    Mod,
    /// The value.
    Value,
}

/// Which way to sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SortOrder {
    /// As the store finds them: by key; by another target ascending, but after the limit.
    #[default]
    None,
    /// Smallest first.
    Ascend,
    /// Greatest first.
    Descend,
}

/// Bounds on revisions; 0 is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Lowest `mod_revision`.
    pub min_mod: i64,
    /// Highest `mod_revision`.
    pub max_mod: i64,
    /// Lowest `create_revision`.
    pub min_create: i64,
    /// Highest `create_revision`.
    pub max_create: i64,
}

/// A read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Which keys.
    pub keys: KeyRange,
    /// At which revision (main); not positive: the latest.
    pub revision: i64,
    /// The most keys to give; not positive: all.
    pub limit: i64,
    /// What to sort by.
    pub target: SortTarget,
    /// Which way.
    pub order: SortOrder,
    /// Leave the values out.
    pub keys_only: bool,
    /// Only count.
    pub count_only: bool,
    /// Bounds on revisions, applied before the limit.
    pub filter: Filter,
}

/// The answer to a read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RangeResult {
    /// The keys found.
    pub kvs: Vec<KeyValue>,
    /// Whether the limit cut some off.
    pub more: bool,
    /// All keys in the range at that revision, whatever limit and filters say.
    pub count: i64,
}
