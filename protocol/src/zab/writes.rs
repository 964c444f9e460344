//! What waits for the disk.
//!
//! Every write gets the next id when it is handed out, and acknowledgements are cumulative. Two
//! things wait for them: words and steps that promise something (they are *held* until the write
//! that makes the promise true is durable) and the index through which the log is durable.
//!
//! Entries written, then cut off, then perhaps written again with the same indexes must not be
//! counted by the acknowledgement of the first write. So a cut lowers the mark of every write in
//! flight, and an acknowledgement counts only what no later write takes back.

use alloc::collections::VecDeque;

use super::boundary::{Epochs, Write, WriteId};
use super::message::Message;
use crate::{Index, Time};

/// What happens once a write is durable.
#[derive(Clone, Debug, Hash)]
pub(super) enum Held {
    /// A learner's word to its leader leaves.
    Tell(Message),
    /// The epoch that this leader has chosen may be told.
    Promised,
    /// This leader is of its own epoch: histories may be made equal.
    Founded,
}

/// A write under way.
#[derive(Clone, Debug, Hash)]
struct InFlight {
    id: WriteId,
    /// The index through which the log is durable once it is.
    through: Index,
    /// Whether it only adds entries at the end, and so can be taken back.
    bare: bool,
}

/// The pipeline to storage.
///
/// - `acknowledged ≤ issued`; ids in `in_flight` and `held` ascend.
/// - `durable` never covers an entry that a write in flight replaces.
#[derive(Clone, Debug, Hash)]
pub(super) struct Writes {
    issued: WriteId,
    acknowledged: WriteId,
    in_flight: VecDeque<InFlight>,
    /// Since when storage owes an answer and has given none.
    owing: Option<Time>,
    held: VecDeque<(WriteId, Held)>,
    durable: Index,
    /// The epochs last handed out.
    epochs: Epochs,
}

impl Writes {
    /// A pipeline with nothing in it.
    pub(super) const fn new(epochs: Epochs, durable: Index) -> Self {
        Self {
            issued: WriteId(0),
            acknowledged: WriteId(0),
            in_flight: VecDeque::new(),
            owing: None,
            held: VecDeque::new(),
            durable,
            epochs,
        }
    }

    /// The index through which the log is durable here.
    pub(super) const fn durable(&self) -> Index {
        self.durable
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Since when storage has answered nothing, while something is under way.
    pub(super) const fn silent_since(&self) -> Option<Time> {
        self.owing
    }

    /// Whether the epochs differ from what was last handed out.
    pub(super) fn outdated(&self, epochs: Epochs) -> bool {
        self.epochs != epochs
    }

    /// The epochs for the next write: `None` when storage has been given these.
    pub(super) fn replace(&mut self, epochs: Epochs) -> Option<Epochs> {
        let old = core::mem::replace(&mut self.epochs, epochs);
        (old != epochs).then_some(epochs)
    }

    /// Names a write that leaves the log durable through `through`.
    pub(super) fn issue(&mut self, write: &Write, through: Index, now: Time) -> WriteId {
        self.owing.get_or_insert(now);
        self.issued.0 += 1;
        let bare = write.reset.is_none() && write.cut.is_none() && write.epochs.is_none();
        self.in_flight.push_back(InFlight { id: self.issued, through, bare });
        self.issued
    }

    /// Holds `held` until everything written so far is durable, or also the next write when
    /// `dirty`. Gives it back when there is nothing to wait for.
    pub(super) fn hold(&mut self, dirty: bool, held: Held) -> Option<Held> {
        let needed = WriteId(self.issued.0 + u64::from(dirty));
        if needed <= self.acknowledged {
            return Some(held);
        }
        self.held.push_back((needed, held));
        None
    }

    /// Whoever was to hear or to do what is held is gone.
    pub(super) fn forget_held(&mut self) {
        self.held.clear();
    }

    /// The log lost everything after `last`.
    pub(super) fn truncated(&mut self, last: Index) {
        self.durable = self.durable.min(last);
        for write in &mut self.in_flight {
            write.through = write.through.min(last);
        }
    }

    /// Everything up to `id` is durable. Gives `false` for a write that was never issued.
    pub(super) fn acknowledge(&mut self, id: WriteId, now: Time) -> bool {
        if id > self.issued {
            return false;
        }
        self.acknowledged = self.acknowledged.max(id);
        while let Some(write) = self.in_flight.front().filter(|write| write.id <= id) {
            self.durable = self.durable.max(write.through);
            self.in_flight.pop_front();
            self.owing = Some(now);
        }
        self.owing = self.owing.filter(|_| !self.in_flight.is_empty());
        true
    }

    /// The writes after this one may be taken back: they only add entries.
    pub(super) fn cancellable_after(&self) -> WriteId {
        let kept = self.in_flight.iter().rev().find(|write| !write.bare);
        kept.map_or(self.acknowledged, |write| write.id)
    }

    /// Whether a write comes after this one.
    pub(super) fn may_cancel(&self, after: WriteId) -> bool {
        after < self.issued
    }

    /// What is under way was taken back.
    pub(super) fn cancelled(&mut self) {
        self.in_flight.clear();
        (self.acknowledged, self.owing) = (self.issued, None);
    }

    /// The next thing that no longer has to wait.
    pub(super) fn release(&mut self) -> Option<Held> {
        let ready = self.held.front().is_some_and(|&(id, _)| id <= self.acknowledged);
        if ready { self.held.pop_front().map(|(_, held)| held) } else { None }
    }

    /// Checks the laws.
    pub(super) fn assert_invariants(&self, last: Index) {
        assert!(self.acknowledged <= self.issued);
        assert!(self.durable <= last, "nothing is durable beyond the log");
        assert!(self.in_flight.iter().all(|write| write.id > self.acknowledged));
        assert!(self.in_flight.iter().all(|write| write.through <= last));
    }
}
