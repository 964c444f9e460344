//! Which keys there are, and their versions: the one structure that knows every key.
//!
//! It holds keys and revisions, never values. Memory is per key: about 130 bytes for one version,
//! 32 bytes for each further one, and a key beyond 46 bytes itself.

use alloc::collections::{BTreeMap, btree_map};
use alloc::vec::Vec;
use core::ops::Bound;

use crate::key::Key;
use crate::key_index::{KeyIndex, Version};
use crate::{KeyRange, Revision};

type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// All keys that have a version left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// Keys are copied: a slice of the log entry would hold the entry's values in memory.
    keys: BTreeMap<Key, KeyIndex>,
    live: u64,
}

impl Index {
    /// Keys that are there at the newest revision.
    pub(crate) const fn live(&self) -> u64 {
        self.live
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&KeyIndex> {
        self.keys.get(key)
    }

    /// Adds a version to a key: `make` is told the key's present one, unless it is deleted.
    /// One lookup for a key that is known.
    pub(crate) fn push(&mut self, key: &[u8], make: impl FnOnce(Option<&Version>) -> Version) {
        let (before, after) = if let Some(known) = self.keys.get_mut(key) {
            let before = known.live().is_some();
            known.push(make(known.live()));
            (before, known.live().is_some())
        } else {
            let version = make(None);
            self.keys.insert(key.into(), KeyIndex::new(version));
            (false, !version.is_tombstone())
        };
        self.live = self.live + u64::from(after) - u64::from(before);
    }

    /// Adds a version as it was kept, and says whether the key hung on a lease until then; `None`
    /// when the key has one as new.
    pub(crate) fn restore(&mut self, key: &[u8], version: Version) -> Option<bool> {
        let Some(known) = self.keys.get_mut(key) else {
            self.live += u64::from(!version.is_tombstone());
            self.keys.insert(key.into(), KeyIndex::new(version));
            return Some(false);
        };
        if known.newest().main() >= version.main() {
            return None;
        }
        let leased = known.newest().leased();
        let before = u64::from(!known.newest().is_tombstone());
        self.live = self.live + u64::from(!version.is_tombstone()) - before;
        known.push(version);
        Some(leased)
    }

    /// The keys of a range, ascending, those beyond `after`.
    pub(crate) fn range<'a>(
        &'a self,
        keys: &KeyRange,
        after: Option<&[u8]>,
    ) -> btree_map::Range<'a, Key, KeyIndex> {
        let bounds = bounds(keys, after).unwrap_or(EMPTY);
        self.keys.range::<[u8], _>(bounds)
    }

    /// Deletes the live keys of a range: `make` gives the tombstone for each.
    pub(crate) fn delete(
        &mut self,
        keys: &KeyRange,
        mut make: impl FnMut(&[u8], &Version) -> Version,
    ) {
        for (key, known) in self.keys.range_mut::<[u8], _>(bounds(keys, None).unwrap_or(EMPTY)) {
            if let Some(present) = known.live() {
                let tombstone = make(key, present);
                known.push(tombstone);
                self.live -= 1;
            }
        }
    }

    /// All keys beyond `after`, ascending.
    pub(crate) fn all<'a>(&'a self, after: Option<&[u8]>) -> btree_map::Range<'a, Key, KeyIndex> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.keys.range::<[u8], _>((start, Bound::Unbounded))
    }

    /// Prunes up to `max` keys beyond `after` and up to `until`; says where it stopped, or `None`
    /// when there is nothing beyond.
    pub(crate) fn prune(
        &mut self,
        after: Option<&[u8]>,
        until: Option<&[u8]>,
        (compact, max): (i64, usize),
        dropped: &mut Vec<Revision>,
    ) -> Option<Key> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let end = until.map_or(Bound::Unbounded, Bound::Included);
        let mut empty = Vec::new();
        let mut stopped = None;
        for (seen, (key, known)) in self.keys.range_mut::<[u8], _>((start, end)).enumerate() {
            if known.prune(compact, dropped) {
                empty.push(key.clone());
            }
            if seen + 1 >= max {
                stopped = Some(key.clone());
                break;
            }
        }
        for key in empty {
            self.keys.remove(&key);
        }
        stopped
    }
}

/// Bounds that hold nothing.
const EMPTY: Bounds<'static> = (Bound::Included(&[]), Bound::Excluded(&[]));

/// What a range means to an ordered map; `None` when nothing lies in it.
fn bounds<'a>(keys: &'a KeyRange, after: Option<&'a [u8]>) -> Option<Bounds<'a>> {
    let start = after.map_or(Bound::Included(&keys.key[..]), Bound::Excluded);
    let end = if keys.is_single() {
        Bound::Included(&keys.key[..])
    } else if keys.is_open() {
        Bound::Unbounded
    } else {
        Bound::Excluded(&keys.end[..])
    };
    let (Bound::Included(low) | Bound::Excluded(low)) = start else { return Some((start, end)) };
    match end {
        Bound::Included(high) if low > high => None,
        Bound::Included(high) if low == high && after.is_some() => None,
        Bound::Excluded(high) if low >= high => None,
        Bound::Included(_) | Bound::Excluded(_) | Bound::Unbounded => Some((start, end)),
    }
}
