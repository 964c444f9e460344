//! Writes under way: from the client's request to its place in the log.
//!
//! A write is proposed in the term the core is in, and goes to that term's leader or nowhere (see
//! `raft::Input::Propose`). So when the entry that opens a *later* term is applied here, every
//! earlier write that has not been applied by then never will be, and may be proposed again: a
//! change of leaders costs clients time, not errors, and nothing is ever applied twice.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use protocol::raft::Refusal;
use protocol::{Term, Time};
use store::LeaseId;

use crate::request::{Failure, RequestId};

/// The pause after a refusal.
const RETRY: Duration = Duration::from_millis(20);

/// Who waits for a write.
#[derive(Clone, Debug)]
pub(crate) enum Waiter {
    /// A client.
    Client(RequestId),
    /// A client that also wants the space given up.
    Compaction(RequestId),
    /// An operator who wishes for other members.
    Member(RequestId),
    /// Clients that renew leases, each its own.
    Renewals(Vec<(RequestId, LeaseId)>),
    /// Nobody: this replica's own doing, tried again by its own means.
    Nobody,
}

/// A write under way.
#[derive(Clone, Debug)]
struct Pending {
    waiter: Waiter,
    envelope: Bytes,
    /// The term it was last proposed in; `None` while it waits to be proposed.
    proposed: Option<Term>,
    deadline: Time,
}

/// All writes under way, by sequence number: oldest first, and so by deadline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writes {
    pending: BTreeMap<u64, Pending>,
    /// The bytes of their envelopes.
    bytes: usize,
    /// Those that wait to be proposed.
    waiting: Vec<u64>,
    next: u64,
    /// The failure that the last refusal would give, should time run out.
    last_refusal: Option<Refusal>,
    /// After a refusal, when to propose again.
    retry_at: Time,
}

impl Writes {
    /// The sequence number of the next write.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Takes a write in; it is proposed with the next batch.
    pub(crate) fn add(&mut self, waiter: Waiter, envelope: Bytes, deadline: Time) {
        let sequence = self.next;
        self.next += 1;
        self.bytes += envelope.len();
        let pending = Pending { waiter, envelope, proposed: None, deadline };
        self.pending.insert(sequence, pending);
        self.waiting.push(sequence);
    }

    /// The writes to propose now, each once, oldest first.
    pub(crate) fn propose(&mut self, term: Term) -> Vec<(u64, Bytes)> {
        let mut batch = Vec::with_capacity(self.waiting.len());
        self.waiting.sort_unstable();
        for sequence in self.waiting.drain(..) {
            if let Some(pending) = self.pending.get_mut(&sequence) {
                pending.proposed = Some(term);
                batch.push((sequence, pending.envelope.clone()));
            }
        }
        batch
    }

    /// The write was applied: whoever waits for it.
    pub(crate) fn applied(&mut self, sequence: u64) -> Option<Waiter> {
        let pending = self.pending.remove(&sequence)?;
        self.bytes -= pending.envelope.len();
        Some(pending.waiter)
    }

    /// The core refused a write. Whoever must be told now is given back.
    pub(crate) fn refused(
        &mut self,
        sequence: u64,
        reason: Refusal,
        now: Time,
    ) -> Option<(Waiter, Failure)> {
        self.last_refusal = Some(reason);
        self.retry_at = now + RETRY;
        match reason {
            Refusal::Overloaded => {
                let waiter = self.applied(sequence)?;
                Some((waiter, Failure::TooManyRequests))
            }
            Refusal::NoLeader
            | Refusal::Transferring
            | Refusal::LeaderChanged
            | Refusal::ChangePending
            | Refusal::NotReady => {
                let pending = self.pending.get_mut(&sequence)?;
                if matches!(pending.waiter, Waiter::Nobody) {
                    self.applied(sequence);
                    return None;
                }
                pending.proposed = None;
                self.waiting.push(sequence);
                None
            }
        }
    }

    /// A term's opening entry was applied: what was proposed in earlier terms and is still here
    /// never will be. It is proposed again.
    pub(crate) fn revive_before(&mut self, term: Term) {
        let mut forgotten = Vec::new();
        for (sequence, pending) in &mut self.pending {
            if pending.proposed.is_some_and(|proposed| proposed < term) {
                if matches!(pending.waiter, Waiter::Nobody) {
                    forgotten.push(*sequence);
                } else {
                    pending.proposed = None;
                    self.waiting.push(*sequence);
                }
            }
        }
        for sequence in forgotten {
            self.applied(sequence);
        }
    }

    /// Those whose time is over, with what to say.
    pub(crate) fn expired(&mut self, now: Time, term: Term) -> Vec<(Waiter, Failure)> {
        let mut expired = Vec::new();
        while let Some((&sequence, pending)) = self.pending.first_key_value() {
            if pending.deadline > now {
                break;
            }
            let failure = match pending.proposed {
                None if self.last_refusal == Some(Refusal::Transferring) => Failure::LeaderChanged,
                None => Failure::NoLeader,
                Some(proposed) if proposed < term => Failure::TimeoutLeaderLost,
                Some(_) => Failure::Timeout,
            };
            if let Some(waiter) = self.applied(sequence) {
                expired.push((waiter, failure));
            }
        }
        expired
    }

    /// The state went on by a snapshot. What has been proposed may be in it or not, and nobody will
    /// tell: given back, with what to say. What waits to be proposed still waits.
    pub(crate) fn lose_track(&mut self, term: Term) -> Vec<(Waiter, Failure)> {
        let lost = |pending: &Pending| pending.proposed.is_some();
        let lost: Vec<u64> =
            self.pending.iter().filter(|(_, it)| lost(it)).map(|(&sequence, _)| sequence).collect();
        let failure = |pending: &Pending| match pending.proposed {
            Some(proposed) if proposed < term => Failure::TimeoutLeaderLost,
            Some(_) | None => Failure::Timeout,
        };
        let told = lost.into_iter().filter_map(|sequence| {
            let failure = failure(self.pending.get(&sequence)?);
            Some((self.applied(sequence)?, failure))
        });
        told.collect()
    }

    /// Those that were never passed on, or surely in vain: nothing happened.
    pub(crate) fn give_back(&mut self) -> Vec<Waiter> {
        let waiting = core::mem::take(&mut self.waiting);
        waiting.into_iter().filter_map(|sequence| self.applied(sequence)).collect()
    }

    /// Everything, at the end.
    pub(crate) fn drain(&mut self) -> Vec<Waiter> {
        self.waiting.clear();
        self.bytes = 0;
        core::mem::take(&mut self.pending).into_values().map(|pending| pending.waiter).collect()
    }

    /// When the oldest one's time is over.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.pending.first_key_value().map(|(_, pending)| pending.deadline)
    }

    /// Whether some wait to be proposed.
    pub(crate) fn waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When those that wait may be proposed.
    pub(crate) fn retry_at(&self) -> Time {
        self.retry_at
    }

    /// A leader is known: no need to wait.
    pub(crate) fn retry_now(&mut self) {
        self.retry_at = Time::default();
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
