//! Which revisions are dead, and how many bytes they hold.

use std::collections::{BTreeMap, BTreeSet};

use store::Revision;

use super::table::Table;

/// The dead of one table.
#[derive(Clone, Debug, Default)]
pub(super) struct Dead {
    pub(super) revisions: BTreeSet<Revision>,
    /// Estimated: each dead record counts as the mean of its block.
    pub(super) bytes: u64,
}

/// The dead of all tables. Kept in memory alone: after a restart the index finds them again.
///
/// A dead revision takes some 22 bytes here, less than what the index gave back for it.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    tables: BTreeMap<u64, Dead>,
}

impl Garbage {
    /// Marks a revision of a table. One that the table does not hold may be marked: dead marks
    /// say what need not be copied, and a table goes only when nothing of it was copied.
    pub(super) fn mark(&mut self, table: &Table, revision: Revision) {
        let Some(place) = table.block_of(revision) else { return };
        let dead = self.tables.entry(table.id).or_default();
        if dead.revisions.insert(revision) {
            let block = table.blocks[place];
            dead.bytes += u64::from(block.bytes / block.records.max(1));
        }
    }

    /// Estimated bytes of the dead records of a table, its length at most.
    pub(super) fn bytes(&self, table: &Table) -> u64 {
        self.tables.get(&table.id).map_or(0, |dead| dead.bytes).min(table.bytes)
    }

    pub(super) fn take(&mut self, table: u64) -> Dead {
        self.tables.remove(&table).unwrap_or_default()
    }

    /// Adds to the dead of a table.
    pub(super) fn put(&mut self, table: u64, dead: Dead) {
        if dead.revisions.is_empty() {
            return;
        }
        let held = self.tables.entry(table).or_default();
        held.revisions.extend(dead.revisions);
        held.bytes += dead.bytes;
    }
}
