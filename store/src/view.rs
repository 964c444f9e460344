//! What a read found, before its older values are fetched.
//!
//! A view stands for itself: it leaves the store's thread and is completed wherever the backend
//! can be read. Rows are sorted and cut first, as far as the index's knowledge goes, so that only
//! values that are answered (or sorted by) are fetched.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use bytes::Bytes;

use crate::{KeyValue, Range, RangeResult, Record, Revision, SortOrder, SortTarget};

/// A key that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// All of it is at hand.
    Held(KeyValue),
    /// The rest of it stands in the backend.
    Stored(Stored),
}

/// What the index knows of a key whose record stands in the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where.
    pub revision: Revision,
    /// The revision (main) of creation.
    pub create_revision: i64,
    /// Puts since creation.
    pub version: i64,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    revision: i64,
    rows: Vec<Row>,
    count: i64,
    more: bool,
    keys_only: bool,
    /// The order by value and the number of rows that remain, when that is still to be done.
    by_value: Option<(SortOrder, usize)>,
}

/// The backend no longer had a record: its revision was compacted meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gone(pub Revision);

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the record of revision {} is gone", self.0)
    }
}

impl core::error::Error for Gone {}

impl Row {
    /// Where its value stands, if not here.
    pub(crate) const fn stored(&self) -> Option<Revision> {
        match self {
            Self::Held(_) => None,
            Self::Stored(stored) => Some(stored.revision),
        }
    }

    fn number(&self, target: SortTarget) -> i64 {
        match (target, self) {
            (SortTarget::Version, Self::Held(kv)) => kv.version,
            (SortTarget::Version, Self::Stored(it)) => it.version,
            (SortTarget::Create, Self::Held(kv)) => kv.create_revision,
            (SortTarget::Create, Self::Stored(it)) => it.create_revision,
            (SortTarget::Mod, Self::Held(kv)) => kv.mod_revision,
            (SortTarget::Mod, Self::Stored(it)) => it.revision.main,
            (SortTarget::Key | SortTarget::Value, _) => 0,
        }
    }
}

/// Sorts so that equals stay in the order of their keys.
fn sort<T>(rows: &mut [T], order: SortOrder, compare: impl Fn(&T, &T) -> Ordering) {
    match order {
        SortOrder::None | SortOrder::Ascend => rows.sort_by(compare),
        SortOrder::Descend => rows.sort_by(|a, b| compare(b, a)),
    }
}

impl View {
    pub(crate) fn new(range: Range, revision: i64, mut rows: Vec<Row>, count: i64) -> Self {
        let limit = if range.limit > 0 {
            usize::try_from(range.limit).unwrap_or(usize::MAX)
        } else {
            usize::MAX
        };
        let more = rows.len() > limit;
        let mut by_value = None;
        match range.target {
            SortTarget::Key => {
                if range.order == SortOrder::Descend {
                    rows.reverse();
                }
            }
            target @ (SortTarget::Version | SortTarget::Create | SortTarget::Mod) => {
                sort(&mut rows, range.order, |a, b| a.number(target).cmp(&b.number(target)));
            }
            SortTarget::Value => by_value = Some((range.order, limit)),
        }
        if by_value.is_none() {
            rows.truncate(limit);
        }
        Self { revision, rows, count, more, keys_only: range.keys_only, by_value }
    }

    /// The revision (main) it was read at.
    #[must_use]
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// All keys in the range, whatever limit and filters say.
    #[must_use]
    pub const fn count(&self) -> i64 {
        self.count
    }

    /// The rows, for those who would rather look than complete.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The revisions whose records are to be fetched, in the order in which
    /// [`View::complete`] asks for them.
    pub fn stored(&self) -> impl Iterator<Item = Revision> {
        self.rows.iter().filter_map(Row::stored)
    }

    /// The answer, with the help of whoever has the older records.
    ///
    /// # Errors
    /// [`Gone`] when a record is no longer there. A read of the latest revision may be asked again;
    /// one of a given revision has been compacted.
    pub fn complete(
        self,
        mut fetched: impl FnMut(Revision) -> Option<Record>,
    ) -> Result<RangeResult, Gone> {
        let mut kvs = Vec::with_capacity(self.rows.len());
        for row in self.rows {
            kvs.push(match row {
                Row::Held(kv) => kv,
                Row::Stored(Stored { revision, .. }) => match fetched(revision) {
                    Some(Record::Put(kv)) => kv,
                    Some(Record::Tombstone { .. }) | None => return Err(Gone(revision)),
                },
            });
        }
        if let Some((order, limit)) = self.by_value {
            sort(&mut kvs, order, |a, b| a.value.cmp(&b.value));
            kvs.truncate(limit);
        }
        if self.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value = Bytes::new());
        }
        Ok(RangeResult { kvs, more: self.more, count: self.count })
    }
}
