//! What the hub remembers of a watcher and of a stream.

use alloc::collections::BTreeSet;

use protocol::Time;
use protocol::mutant::{Mutant, planted};

use super::interest::Keys;
use super::{WatchCreate, WatchId};
use crate::{Event, EventKind};

/// Where a watcher is; the chapter draws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Live,
    Ready,
    Blocked,
}

/// One watcher.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    pub(super) keys: Keys,
    pub(super) request: WatchCreate,
    /// The least revision that may still be told. Of a live watcher only a lower bound: it has
    /// also been told all that was published since.
    pub(super) next: i64,
    /// The least revision that progress may promise.
    pub(super) promise_from: i64,
    pub(super) place: Place,
    /// When something was last told.
    pub(super) told: Time,
    /// When to look whether it has been silent for long.
    pub(super) due: Option<Time>,
}

impl Watcher {
    /// Whether this event is for it, keys apart.
    pub(super) fn wants(&self, event: &Event) -> bool {
        let filtered = match event.kind {
            EventKind::Put => self.request.no_put,
            EventKind::Delete => self.request.no_delete,
        };
        !filtered && (event.kv.mod_revision >= self.next || planted(Mutant::E20221))
    }
}

/// One stream.
///
/// - `behind` counts its watchers that are not live, `blocked` names those that wait for credit;
/// - without congestion nothing is blocked and nothing unread;
/// - `starts` has the watchers that may not be promised the newest revision yet, at least.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    pub(super) watchers: BTreeSet<WatchId>,
    /// Where to look for a free id.
    pub(super) next_id: i64,
    /// Accounted bytes queued and not yet written.
    pub(super) outstanding: usize,
    /// Its credit is used up: no events until half of it is back.
    pub(super) congested: bool,
    /// Answers queued since then.
    pub(super) unread: usize,
    pub(super) behind: usize,
    pub(super) blocked: BTreeSet<WatchId>,
    pub(super) starts: BTreeSet<(i64, WatchId)>,
    /// The client asked for progress and has no answer yet.
    pub(super) asked: bool,
    /// The revision at which the answer will be looked at again.
    pub(super) promised_at: Option<i64>,
}

impl Stream {
    /// The next free id.
    pub(super) fn free_id(&mut self) -> WatchId {
        while self.watchers.contains(&WatchId(self.next_id)) {
            self.next_id = self.next_id.wrapping_add(1);
        }
        let id = WatchId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        id
    }

    /// The least revision that may be promised to all its watchers, if that lies beyond `revision`.
    pub(super) fn not_before(&mut self, revision: i64) -> Option<i64> {
        while self.starts.first().is_some_and(|(start, _)| *start <= revision) {
            self.starts.pop_first();
        }
        self.starts.last().map(|(start, _)| *start)
    }
}
