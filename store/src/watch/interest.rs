//! Who watches a key: single keys in a map, ranges in a tree. Finding them never looks at the
//! watchers of other keys.

use alloc::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::interval::{End, IntervalTree};
use super::{StreamId, WatchId};
use crate::KeyRange;

/// One watcher of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Handle {
    pub(super) stream: StreamId,
    pub(super) id: WatchId,
}

impl Handle {
    /// Not greater than any handle.
    pub(super) const LEAST: Self = Self { stream: StreamId(0), id: WatchId(i64::MIN) };
}

/// The keys that a watcher watches.
#[derive(Clone, Debug)]
pub(super) enum Keys {
    /// One key.
    Single(Bytes),
    /// All from the first on, to the end.
    Span(Bytes, End),
}

impl Keys {
    /// Reads a range as etcd's watch does; `None`: it is empty.
    pub(super) fn of(range: &KeyRange) -> Option<Self> {
        let key = match range.key.is_empty() {
            true => Bytes::from_static(b"\0"),
            false => range.key.clone(),
        };
        match range.end.as_ref() {
            b"" => Some(Self::Single(key)),
            b"\0" => Some(Self::Span(key, End::Never)),
            end if key.as_ref() >= end => None,
            _ => Some(Self::Span(key, End::Before(range.end.clone()))),
        }
    }
}

/// Watchers by what they watch.
#[derive(Clone, Debug)]
pub(super) struct Interest {
    single: BTreeMap<Bytes, BTreeSet<Handle>>,
    spans: IntervalTree<Handle>,
}

impl Interest {
    pub(super) const fn new() -> Self {
        Self { single: BTreeMap::new(), spans: IntervalTree::new() }
    }

    pub(super) fn insert(&mut self, keys: &Keys, handle: Handle) {
        match keys {
            Keys::Single(key) => {
                self.single.entry(key.clone()).or_default().insert(handle);
            }
            Keys::Span(start, end) => self.spans.insert(start, end, handle),
        }
    }

    pub(super) fn remove(&mut self, keys: &Keys, handle: Handle) {
        match keys {
            Keys::Single(key) => {
                if let Some(holders) = self.single.get_mut(key) {
                    holders.remove(&handle);
                    if holders.is_empty() {
                        self.single.remove(key);
                    }
                }
            }
            Keys::Span(start, end) => self.spans.remove(start, end, handle),
        }
    }

    /// Calls `found` once with each watcher of `key`.
    pub(super) fn visit(&self, key: &[u8], mut found: impl FnMut(Handle)) {
        if let Some(holders) = self.single.get(key) {
            holders.iter().copied().for_each(&mut found);
        }
        self.spans.visit(key, &mut |holders| holders.iter().copied().for_each(&mut found));
    }
}
