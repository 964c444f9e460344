//! The pool as its servers see it: tables of what each has shown, merged by version.

use std::collections::BTreeMap;

use protocol::NodeId;
use protocol::bootstrap::Sighting;

/// What a table has of one server.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Counts what the server has shown.
    pub(super) version: u64,
    pub(super) sighting: Sighting,
    pub(super) alive: bool,
}

/// One process's table. It ends with the process.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    rows: BTreeMap<NodeId, Row>,
}

impl Table {
    /// Takes in a row when it is news; says whether it is.
    pub(super) fn merge(&mut self, row: &Row) -> bool {
        let id = row.sighting.seat.id;
        let old = self.rows.get(&id);
        let is_news = old.is_none_or(|old| {
            row.version > old.version || (row.version == old.version && row.alive != old.alive)
        });
        if is_news {
            self.rows.insert(id, row.clone());
        }
        is_news
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }
}
