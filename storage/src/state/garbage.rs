//! Which revisions are dead, and how many bytes they hold.
//!
//! Kept in memory alone: after a restart the index finds the dead again. It finds them by what is
//! left of them, so what is left must still say that they are dead. A put that a tombstone ended
//! says so only beside that tombstone: were the tombstone gone for good and the put not, a restart
//! would find the key alive. Hence the law of this module's users:
//!
//! > A dead tombstone goes for good only when every older record that was discarded before it or
//! > along with it has gone for good, unless that is known to be a tombstone too.
//!
//! What was discarded later does not matter: the puts that a tombstone ended die before it or along
//! with it. So each discard has a number, and marks remember theirs, as a span for each table.
//!
//! Marks do not know at first whether they are a put's or a tombstone's: reading the record would
//! cost what the rewrite costs. A rewrite finds out. Tombstones that it must copy are dead as
//! before, but known: they stand in the way of no other, and their bytes count as garbage only
//! once nothing stands in theirs.

use std::collections::{BTreeMap, BTreeSet};

use store::Revision;

use super::table::Table;

/// Dead revisions of one table.
#[derive(Clone, Debug, Default)]
pub(super) struct Dead {
    pub(super) revisions: BTreeSet<Revision>,
    /// Of marks estimated: each counts as the mean of its block. Of known tombstones exact.
    pub(super) bytes: u64,
    /// When they were discarded; there when a revision is.
    pub(super) span: Option<Span>,
}

/// The first and the last of some discards, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Span {
    fn and(self, other: Option<Self>) -> Self {
        other.map_or(self, |other| Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        })
    }
}

impl Dead {
    /// Adds a revision; nothing changes when it is there.
    pub(super) fn add(&mut self, revision: Revision, bytes: u64, span: Span) {
        if self.revisions.insert(revision) {
            self.bytes += bytes;
            self.span = Some(span.and(self.span));
        }
    }

    fn absorb(&mut self, other: Self) {
        self.revisions.extend(other.revisions);
        self.bytes += other.bytes;
        self.span = other.span.map(|span| span.and(self.span)).or(self.span);
    }
}

/// The dead of one table.
#[derive(Clone, Debug, Default)]
pub(super) struct Buried {
    /// Puts, and tombstones that nobody has looked at.
    pub(super) marks: Dead,
    /// Those known to be tombstones.
    pub(super) tombstones: Dead,
}

impl Buried {
    /// Bytes of the table that are the marks' and the known tombstones'. When nothing of the table
    /// lives, all of it is theirs, also what belongs to no record.
    pub(super) fn shares(&self, table: &Table) -> (u64, u64) {
        let marks = self.marks.bytes.min(table.bytes);
        let rest = table.bytes - marks;
        let count = self.marks.revisions.len() + self.tombstones.revisions.len();
        match (count as u64 >= table.records, self.tombstones.revisions.is_empty()) {
            (false, _) => (marks, self.tombstones.bytes.min(rest)),
            (true, false) => (marks, rest),
            (true, true) => (table.bytes, 0),
        }
    }

    /// Bytes of the table that are dead.
    pub(super) fn bytes(&self, table: &Table) -> u64 {
        let (marks, tombstones) = self.shares(table);
        marks + tombstones
    }
}

/// The dead of all tables.
///
/// A dead revision takes some 22 bytes here, less than what the index gave back for it.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    tables: BTreeMap<u64, Buried>,
    /// How many discards there were.
    discards: u64,
}

impl Garbage {
    /// The span of the next discard alone: all that it marks died together.
    pub(super) fn next_discard(&mut self) -> Span {
        self.discards += 1;
        Span { first: self.discards, last: self.discards }
    }

    /// Marks a revision of a table. One that the table does not hold may be marked: dead marks
    /// say what need not be copied, and a table goes only when nothing of it was copied.
    pub(super) fn mark(&mut self, table: &Table, revision: Revision, span: Span) {
        let Some(place) = table.block_of(revision) else { return };
        let buried = self.tables.entry(table.id).or_default();
        if !buried.tombstones.revisions.contains(&revision) {
            let block = table.blocks[place];
            let bytes = u64::from(block.bytes / block.records.max(1));
            buried.marks.add(revision, bytes, span);
        }
    }

    /// The dead of a table, if it has any.
    pub(super) fn of(&self, table: u64) -> Option<&Buried> {
        self.tables.get(&table)
    }

    pub(super) fn take(&mut self, table: u64) -> Buried {
        self.tables.remove(&table).unwrap_or_default()
    }

    /// Adds to the dead of a table.
    pub(super) fn put(&mut self, table: u64, buried: Buried) {
        if buried.marks.revisions.is_empty() && buried.tombstones.revisions.is_empty() {
            return;
        }
        let held = self.tables.entry(table).or_default();
        held.marks.absorb(buried.marks);
        held.tombstones.absorb(buried.tombstones);
    }
}
