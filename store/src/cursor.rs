//! Reads, in bounded steps.
//!
//! A read pins its revision when it begins. Each step visits so many keys of the index; writes may
//! go on in between, since no write changes what a revision holds. Only a compaction beyond the
//! pinned revision ends it.
//!
//! A step takes from the index what the index knows (revisions and versions) and from memory the
//! values that are there. Of the others it notes the revision; they are fetched from the backend
//! elsewhere ([`crate::View`]).

use alloc::vec::Vec;

use bytes::Bytes;

use crate::key::Key;
use crate::key_index::{KeyIndex, Version};
use crate::store::key_value;
use crate::view::{Row, Stored};
use crate::{Alarm, Error, Filter, KeyValue, Range, Revision, SortOrder, SortTarget, Store, View};

/// A read on the way.
#[derive(Clone, Debug)]
pub struct RangeCursor {
    range: Range,
    /// The revision (main) it reads at.
    at: i64,
    /// Rows that may be of use; beyond them keys are only counted.
    keep: usize,
    /// Whether the lease table may say which lease the newest version of a key hangs on. Inside a
    /// transaction, a version that is the newest one when needs are named may not be it any more
    /// when the read is done.
    leases: bool,
    after: Option<Key>,
    rows: Vec<Row>,
    count: i64,
}

impl RangeCursor {
    /// The revision (main) it reads at.
    #[must_use]
    pub const fn revision(&self) -> i64 {
        self.at
    }

    /// What it has found: to be called when the last step has said that it was the last.
    #[must_use]
    pub fn into_view(self) -> View {
        View::new(self.range, self.at, self.rows, self.count)
    }

    /// The revisions of all rows whose values are elsewhere.
    pub(crate) fn into_stored(self) -> impl Iterator<Item = Revision> {
        self.rows.into_iter().filter_map(|row| row.stored())
    }

    /// Takes a key in; false when later ones make no difference but to the count.
    pub(crate) fn visit(&mut self, store: &Store, key: &[u8], known: &KeyIndex) -> bool {
        let Some(version) = known.live_at(self.at) else { return true };
        self.count += 1;
        if self.rows.len() >= self.keep {
            return false;
        }
        if passes(&self.range.filter, version) {
            let newest = self.leases && version == known.newest();
            self.rows.push(self.row(store, key, version, newest));
        }
        true
    }

    fn row(&self, store: &Store, key: &[u8], version: &Version, newest: bool) -> Row {
        let revision = version.revision();
        if let Some(record) = store.held(revision) {
            let kv = key_value(record);
            return Row::Held(if self.blank() {
                KeyValue { value: Bytes::new(), ..kv.clone() }
            } else {
                kv.clone()
            });
        }
        // The index knows everything but values and the names of former leases.
        if self.blank() && (newest || !version.leased()) {
            let lease = if version.leased() { store.leases.of_key(key) } else { None };
            return Row::Held(KeyValue {
                key: Bytes::copy_from_slice(key),
                value: Bytes::new(),
                create_revision: version.created,
                mod_revision: version.main(),
                version: version.version,
                lease,
            });
        }
        let (create_revision, version) = (version.created, version.version);
        Row::Stored(Stored { revision, create_revision, version })
    }

    /// Whether values are of no use.
    fn blank(&self) -> bool {
        self.range.keys_only && self.range.target != SortTarget::Value
    }
}

/// Whether a version is within the bounds asked for.
fn passes(filter: &Filter, version: &Version) -> bool {
    let within = |min: i64, max: i64, revision: i64| {
        (min == 0 || revision >= min) && (max == 0 || revision <= max)
    };
    within(filter.min_mod, filter.max_mod, version.main())
        && within(filter.min_create, filter.max_create, version.created)
}

/// How many rows a read needs before it sorts and cuts. Where etcd does not sort, or sorts only
/// what the limit has left, that is one more than the limit.
fn rows_needed(range: &Range) -> usize {
    if range.count_only {
        return 0;
    }
    let in_order = match range.order {
        SortOrder::None => true,
        SortOrder::Ascend => range.target == SortTarget::Key,
        SortOrder::Descend => false,
    };
    if range.limit > 0 && in_order && range.filter == Filter::default() {
        usize::try_from(range.limit).map_or(usize::MAX, |limit| limit.saturating_add(1))
    } else {
        usize::MAX
    }
}

impl RangeCursor {
    /// A read at a revision that is known to be readable.
    pub(crate) fn new(range: Range, at: i64) -> Self {
        let keep = rows_needed(&range);
        Self { range, at, keep, leases: true, after: None, rows: Vec::new(), count: 0 }
    }

    /// A read inside a transaction, where only a positive revision is one of the past.
    pub(crate) fn within(range: Range, newest: i64) -> Self {
        let latest = range.revision <= 0;
        let at = if latest { newest } else { range.revision };
        Self { leases: latest, ..Self::new(range, at) }
    }
}

impl Store {
    /// Begins a read; its revision is pinned from here on.
    ///
    /// # Errors
    /// [`Error::FutureRevision`], [`Error::Compacted`]; [`Error::Corrupt`] while that alarm is
    /// raised.
    pub fn begin_range(&self, range: &Range) -> Result<RangeCursor, Error> {
        if self.has_alarm(Alarm::Corrupt) {
            return Err(Error::Corrupt);
        }
        let at = self.readable(range.revision)?;
        Ok(RangeCursor::new(range.clone(), at))
    }

    /// Goes on over at most `max_keys` keys; true when it is done.
    ///
    /// # Errors
    /// [`Error::Compacted`] when a compaction has gone beyond the pinned revision.
    pub fn step_range(&self, cursor: &mut RangeCursor, max_keys: usize) -> Result<bool, Error> {
        if cursor.at < self.compact_revision {
            return Err(Error::Compacted);
        }
        Ok(self.advance(cursor, max_keys))
    }

    pub(crate) fn advance(&self, cursor: &mut RangeCursor, max_keys: usize) -> bool {
        let after = cursor.after.take();
        let keys = cursor.range.keys.clone();
        for (seen, (key, known)) in self.index.range(&keys, after.as_deref()).enumerate() {
            cursor.visit(self, key, known);
            if seen + 1 >= max_keys {
                cursor.after = Some(key.clone());
                return false;
            }
        }
        true
    }
}
