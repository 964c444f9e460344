//! Handing what is in memory to the backend.
//!
//! A flush is a cut through the state between two commands: the records since the last one, the
//! metadata that changed, and the position all of it stands for. Commands go on being applied while
//! one is under way; when it fails, everything in it is in the next one.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use protocol::Position;
use protocol::mutant::{Mutant, planted};

use crate::meta::{State, encode, encode_state};
use crate::{Flush, Revision, Store};

impl Store {
    /// Bytes applied that no flush has made durable yet.
    #[must_use]
    pub const fn unflushed_bytes(&self) -> usize {
        self.recent.unflushed_bytes()
    }

    /// What to make durable now; `None` when a flush is under way, or nothing was applied since
    /// the last one.
    pub fn begin_flush(&mut self) -> Option<Flush> {
        if self.flushing.is_some() || self.flushed == self.applied {
            return None;
        }
        let unflushed = |at: i64| self.recent.get(Revision::new(at, 0)).is_some();
        let late = planted(Mutant::A1) && self.revision > self.compact_revision;
        let revision = self.revision - i64::from(late && unflushed(self.revision));
        let mut records = self.recent.begin_flush(Revision::new(revision + 1, 0));
        if late {
            records.retain(|(at, _)| at.main <= revision);
        }
        let names = core::mem::take(&mut self.dirty);
        let state = State {
            revision,
            compact_revision: self.compact_revision,
            clock_ms: self.leases.clock_ms(),
            applied: self.applied,
        };
        let mut meta = Vec::with_capacity(names.len() + 1);
        meta.push(encode_state(&state));
        meta.extend(names.iter().map(|name| encode(self, *name)));
        self.flushing = Some((state, names));
        Some(Flush { records, meta, applied: self.applied })
    }

    /// The flush under way is durable up to this position. Its records may leave memory now.
    ///
    /// # Panics
    /// When no flush is under way, or it was one of another position.
    pub fn flushed(&mut self, applied: Position) {
        let (state, _) = self.flushing.take().expect("a flush is under way");
        assert!(state.applied == applied, "a flush ends as it began");
        self.flushed = applied;
        self.recent.flushed(self.limits.hot_bytes);
        self.pruning.flushed(state.compact_revision);
    }

    /// The flush under way came to nothing; the next one has all it had.
    pub fn flush_failed(&mut self) {
        let (_, names): (_, BTreeSet<_>) = self.flushing.take().expect("a flush is under way");
        self.dirty.extend(names);
        self.recent.flush_failed();
    }
}
