//! Forgetting the past.
//!
//! A compaction takes effect at once and as a whole: from its place in the log on, nothing before
//! its revision can be read, hashed or told, on any replica. What remains is housekeeping: dead
//! versions are pruned from the index in small steps, and the backend is told which records it may
//! drop. Nobody can see how far that has come.
//!
//! The backend is told later than the index. What is dead under a compaction is alive for a replica
//! that starts from a flush before it and replays the log up to it, so a record may be dropped only
//! once a flush that knows of the compaction is durable.
//!
//! The pruning goes round the keys like a hand round a clock. When a further compaction comes while
//! it is under way, the hand goes on from where it stands, and once around.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::key::Key;
use crate::{Error, Outcome, Revision, Store};

/// How far the pruning has come.
#[derive(Clone, Debug)]
pub(crate) struct Pruning {
    /// Where the hand stands; `None` when there is nothing to do.
    hand: Option<Hand>,
    /// Dead records, each batch with the compact revision that a durable flush must have before
    /// the backend may drop them. Ascending.
    waiting: VecDeque<(i64, Vec<Revision>)>,
    /// Dead records that the backend may drop.
    free: Vec<Revision>,
    /// The compact revision that a restart would find.
    durable: i64,
}

#[derive(Clone, Debug, Default)]
struct Hand {
    /// Keys up to this one are done in this round; `None`: none are.
    after: Option<Key>,
    /// Keys beyond this one were done before; `None`: none were.
    until: Option<Key>,
    /// Whether the hand has passed the end of the keys, so that it ends at `until`.
    wrapped: bool,
}

impl Pruning {
    /// Nothing to do, and a backend that knows of this compaction.
    pub(crate) const fn new(durable: i64) -> Self {
        Self { hand: None, waiting: VecDeque::new(), free: Vec::new(), durable }
    }

    /// There is more to prune.
    fn begin(&mut self) {
        let after = self.hand.take().and_then(|hand| hand.after);
        self.hand = Some(Hand { until: after.clone(), after, wrapped: false });
    }

    fn bury(&mut self, compact: i64, dead: Vec<Revision>) {
        if compact <= self.durable {
            self.free.extend(dead);
            return;
        }
        match self.waiting.back_mut() {
            Some((other, waiting)) if *other == compact => waiting.extend(dead),
            Some(_) | None if dead.is_empty() => {}
            Some(_) | None => self.waiting.push_back((compact, dead)),
        }
    }

    /// A flush that knows of this compaction is durable.
    pub(crate) fn flushed(&mut self, compact: i64) {
        self.durable = compact;
        while let Some((_, dead)) = self.waiting.pop_front_if(|(needed, _)| *needed <= compact) {
            self.free.extend(dead);
        }
    }
}

impl Store {
    pub(crate) fn apply_compact(&mut self, revision: i64) -> Result<Outcome, Error> {
        if revision <= self.compact_revision {
            return Err(Error::Compacted);
        }
        if revision > self.revision {
            return Err(Error::FutureRevision);
        }
        self.compact_revision = revision;
        self.pruning.begin();
        Ok(Outcome::Done)
    }

    /// Whether [`Store::compact_step`] has something to do.
    #[must_use]
    pub const fn compacting(&self) -> bool {
        self.pruning.hand.is_some() || !self.pruning.free.is_empty()
    }

    /// Whether every compaction has given up its space, so that all dead records have been given
    /// out by [`Store::compact_step`]. Besides steps, that takes a flush.
    #[must_use]
    pub fn compaction_settled(&self) -> bool {
        !self.compacting() && self.pruning.waiting.is_empty()
    }

    /// Goes on pruning, over at most `max_keys` keys. Gives back records that the backend may drop
    /// from now on ([`crate::Backend::discard`]); some were never flushed.
    pub fn compact_step(&mut self, max_keys: usize) -> Vec<Revision> {
        let Some(hand) = self.pruning.hand.take() else {
            return core::mem::take(&mut self.pruning.free);
        };
        let until = if hand.wrapped { hand.until.as_deref() } else { None };
        let mut dead = Vec::new();
        let bounds = (self.compact_revision, max_keys);
        let stopped = self.index.prune(hand.after.as_deref(), until, bounds, &mut dead);
        self.recent.bury(&dead);
        self.pruning.bury(self.compact_revision, dead);
        self.pruning.hand = match stopped {
            Some(at) => Some(Hand { after: Some(at), ..hand }),
            None if !hand.wrapped && hand.until.is_some() => {
                Some(Hand { after: None, wrapped: true, ..hand })
            }
            None => None,
        };
        core::mem::take(&mut self.pruning.free)
    }
}
