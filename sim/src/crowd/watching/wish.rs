//! What watchers ask for.

use std::time::Duration;

use bytes::Bytes;
use store::KeyRange;
use store::watch::WatchCreate;

use crate::crowd::shared::Shared;

/// The pause between two ideas of a watcher.
pub(super) const PAUSE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(3);
/// The pause before a watcher whose stream has ended opens another.
pub(super) const REOPEN: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_millis(600);
/// How late a slow reader reads.
pub(super) const SLOWLY: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(2);
/// The most watches that a watcher wants at a time.
pub(super) const WATCHES: usize = 3;

/// What a watcher may come to think of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idea {
    /// One more watch.
    Create,
    /// One that has to be refused, or that takes the name of another.
    CreateUgly,
    /// One watch less.
    Cancel,
    /// To end a watch that there never was.
    CancelUgly,
    /// To know how far the stream has come.
    Progress,
    /// To go on elsewhere.
    Move,
    /// To begin anew.
    Abandon,
    /// To read slowly, or at once again.
    Pace,
    /// To go on listening.
    Listen,
}

impl Shared {
    /// What a watcher comes to think of.
    pub(super) fn idea(&mut self) -> Idea {
        match self.below(100) {
            0..15 => Idea::Create,
            15..19 => Idea::CreateUgly,
            19..30 => Idea::Cancel,
            30..33 => Idea::CancelUgly,
            33..50 => Idea::Progress,
            50..60 => Idea::Move,
            60..66 => Idea::Abandon,
            66..74 => Idea::Pace,
            _ => Idea::Listen,
        }
    }

    /// A watch that somebody may want.
    pub(super) fn watch_wish(&mut self) -> WatchCreate {
        let keys = self.watch_keys();
        let (newest, compacted) =
            (self.generator.knowledge.newest, self.generator.knowledge.compacted);
        let ahead = i64::try_from(self.below(20)).unwrap_or(0);
        let start_revision = match self.below(20) {
            0..10 => 0,
            10..16 => self.generator.old_revision(),
            // Mostly too late, and then by little.
            16 => (compacted - ahead / 4).max(1),
            17..19 => newest + ahead,
            _ => newest + 20 * ahead,
        };
        let id = if self.chance(200) { i64::try_from(self.below(4)).unwrap_or(0) } else { 0 };
        WatchCreate {
            id,
            keys,
            start_revision,
            no_put: self.chance(80),
            no_delete: self.chance(80),
            prev_kv: self.chance(400),
            progress_notify: self.chance(400),
            fragment: self.chance(300),
        }
    }

    fn watch_keys(&mut self) -> KeyRange {
        let open = Bytes::from_static(&[0]);
        match self.below(10) {
            0 => KeyRange { key: open.clone(), end: open },
            1 => KeyRange { key: Bytes::new(), end: open },
            _ => self.generator.some_keys(),
        }
    }

    /// A watch that no sane client asks for.
    pub(super) fn ugly_watch_wish(&mut self) -> WatchCreate {
        let wish = WatchCreate { id: 0, ..self.watch_wish() };
        let keys = wish.keys.key.clone();
        match self.below(5) {
            0 => WatchCreate { start_revision: -5, ..wish },
            1 => WatchCreate { keys: KeyRange { end: keys.clone(), key: keys }, ..wish },
            2 => {
                let (key, end) = (Bytes::from_static(b"l"), Bytes::from_static(b"k"));
                WatchCreate { keys: KeyRange { key, end }, ..wish }
            }
            3 => WatchCreate { start_revision: i64::MAX, id: -9, ..wish },
            _ => WatchCreate { no_put: true, no_delete: true, id: 1, ..wish },
        }
    }
}
