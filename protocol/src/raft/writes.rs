//! What waits for the disk.
//!
//! Every write gets the next id when it is handed out, and acknowledgements are cumulative. Two
//! things wait for them: messages that promise something (they are *held* until the write that
//! makes the promise true is durable) and the index through which the log is durable.
//!
//! The ABA problem: entries written, then cut off, then perhaps written again with the same indexes
//! must not be counted by the acknowledgement of the first write. Comparing (term, index) with the
//! log is not enough, for a cut may be on its way to the disk behind the very entries that are
//! acknowledged. So a truncation lowers the mark of every write in flight, and an acknowledgement
//! can only ever count what no later write takes back.

use alloc::collections::VecDeque;

use super::boundary::{HardState, Output, WriteId};
use super::message::Message;
use crate::mutant::{Mutant, planted};
use crate::{Index, NodeId, Term, Time};

#[cfg(feature = "explore")]
mod abstraction;

/// What a write in flight makes true.
#[derive(Clone, Debug, Hash)]
pub(super) enum Held {
    /// A message that may be sent.
    Send(NodeId, Message),
    /// The own vote in this term counts.
    OwnVote(Term),
    /// A piece of a snapshot, which came in this term, may be passed on.
    Chunk(Term, Output),
}

/// The pipeline to storage.
///
/// - `acknowledged ≤ issued`; ids in `in_flight` and `held` ascend.
/// - `durable` never covers an entry that a write in flight replaces.
#[derive(Clone, Debug, Hash)]
pub(super) struct Writes {
    issued: WriteId,
    acknowledged: WriteId,
    /// Each write with the index through which the log is durable once it is.
    in_flight: VecDeque<(WriteId, Index)>,
    /// Since when storage owes an answer and has given none.
    owing: Option<Time>,
    held: VecDeque<(WriteId, Held)>,
    durable: Index,
    /// The hard state last handed out.
    hard_state: HardState,
    /// The write that carried its term and vote.
    promised: WriteId,
}

impl Writes {
    /// A pipeline with nothing in it.
    pub(super) const fn new(hard_state: HardState, durable: Index) -> Self {
        Self {
            issued: WriteId(0),
            acknowledged: WriteId(0),
            in_flight: VecDeque::new(),
            owing: None,
            held: VecDeque::new(),
            durable,
            hard_state,
            promised: WriteId(0),
        }
    }

    /// The index through which the log is durable here.
    pub(super) const fn durable(&self) -> Index {
        self.durable
    }

    /// Since when storage has answered nothing, while something is under way.
    pub(super) const fn silent_since(&self) -> Option<Time> {
        self.owing
    }

    /// Whether term or vote differ from what was last handed out.
    pub(super) fn outdated(&self, term: Term, vote: Option<NodeId>) -> bool {
        (self.hard_state.term, self.hard_state.vote) != (term, vote)
    }

    /// Whether term and vote, as last handed out, are durable.
    pub(super) fn promise_is_durable(&self) -> bool {
        self.promised <= self.acknowledged
    }

    /// The hard state for the next write: `None` when storage has been given this one.
    pub(super) fn replace(&mut self, hard_state: HardState) -> Option<HardState> {
        if self.hard_state == hard_state {
            return None;
        }
        if self.outdated(hard_state.term, hard_state.vote) {
            self.promised = WriteId(self.issued.0 + 1);
        }
        self.hard_state = hard_state;
        Some(hard_state)
    }

    /// Names a write that leaves the log durable through `through`.
    pub(super) fn issue(&mut self, through: Index, now: Time) -> WriteId {
        self.owing.get_or_insert(now);
        self.issued.0 += 1;
        self.in_flight.push_back((self.issued, through));
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

    /// The log lost everything after `last`.
    pub(super) fn truncated(&mut self, last: Index) {
        self.durable = self.durable.min(last);
        for (_, through) in &mut self.in_flight {
            *through = (*through).min(last);
        }
    }

    /// The log begins anew: until storage has done so, what was agreed of it through `agreed` is
    /// all that counts.
    pub(super) fn reset(&mut self, agreed: Index) {
        self.truncated(agreed);
    }

    /// Everything up to `id` is durable. Gives `false` for a write that was never issued.
    pub(super) fn acknowledge(&mut self, id: WriteId, now: Time) -> bool {
        if id > self.issued {
            return false;
        }
        let id = if planted(Mutant::W8) { self.issued } else { id };
        self.acknowledged = self.acknowledged.max(id);
        while let Some(&(first, through)) = self.in_flight.front() {
            if first > id {
                break;
            }
            self.durable = self.durable.max(through);
            self.in_flight.pop_front();
            self.owing = Some(now);
        }
        self.owing = self.owing.filter(|_| !self.in_flight.is_empty());
        true
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
        assert!(self.in_flight.iter().all(|&(id, _)| id > self.acknowledged));
        assert!(self.in_flight.iter().all(|&(_, through)| through <= last));
    }
}
