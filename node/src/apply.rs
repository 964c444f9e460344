//! Committed entries on their way into the store, in order.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use protocol::mutant::{Mutant, planted};
use protocol::raft::{self, Entry, Payload};
use protocol::{NodeId, Position};
use store::{Applied, BackendError, Command, Outcome, Record, Revision};

use crate::codec::Envelope;
use crate::node::Node;
use crate::output::Output;
use crate::request::{Body, Failure, Header, RequestId};
use crate::snapshot::Receiving;
use crate::weights::Weights;
use crate::writes::Waiter;

/// Entries applied in one turn; a long replay leaves room for other work in between.
const BUDGET: usize = 2_000;

/// The queue of committed entries.
///
/// Applying never reads the disk: when the entry at the front needs a value that is not in memory,
/// it is asked for, and the queue waits, in order.
#[derive(Debug, Default)]
pub(crate) struct Apply {
    queue: VecDeque<Entry>,
    /// The entry at the front, decoded.
    front: Option<Decoded>,
    /// Who asked for the values that are being loaded.
    pub(crate) loading: Option<Loading>,
    /// Clients that wait until compacted history has been given up.
    compactions: Vec<RequestId>,
    ran_out: bool,
    /// Answers to come that were asked for before the state was replaced.
    stale_loads: u32,
    /// Bytes of commands applied, as they were at some indexes: for how far the log is kept.
    pub(crate) weights: Weights,
}

/// Who asked for values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loading {
    /// The entry at the front of the queue.
    Entry,
    /// A read-only transaction.
    Read,
}

#[derive(Debug)]
struct Decoded {
    origin: NodeId,
    incarnation: u64,
    sequence: u64,
    command: Command,
}

impl Apply {
    pub(crate) fn push(&mut self, entries: Vec<Entry>) {
        self.queue.extend(entries);
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether the last turn stopped for the sake of others.
    pub(crate) fn unfinished(&self) -> bool {
        self.ran_out
    }

    /// Whether clients wait for compacted history to be given up.
    pub(crate) fn awaits_compaction(&self) -> bool {
        !self.compactions.is_empty()
    }

    /// The state was replaced: what waited to be applied is in it.
    pub(crate) fn restart(&mut self) {
        self.queue.clear();
        self.front = None;
        self.stale_loads += u32::from(self.loading.take().is_some());
    }

    /// The clients that waited for compacted history to be given up.
    pub(crate) fn compactions_done(&mut self) -> Vec<RequestId> {
        core::mem::take(&mut self.compactions)
    }
}

impl Node {
    /// Applies what is committed. True when anything was applied.
    pub(crate) fn apply_committed(&mut self) -> bool {
        let mut last = None;
        self.apply.ran_out = false;
        for count in 0.. {
            if count == BUDGET {
                self.apply.ran_out = !self.apply.queue.is_empty();
                break;
            }
            match self.apply_front() {
                Some(position) => last = Some(position),
                None => break,
            }
        }
        let Some(position) = last else { return false };
        self.consensus(raft::Input::Applied(position.index));
        // With a budget spent the turn goes on to its other work, and the queue waits for the next.
        !self.apply.ran_out
    }

    /// Applies the entry at the front; `None` when there is none, or it waits for values.
    fn apply_front(&mut self) -> Option<Position> {
        let replaced = self.receiving.as_ref().is_some_and(Receiving::is_installing);
        if self.apply.loading.is_some() || self.flushing.halted || replaced || self.is_condemned() {
            return None;
        }
        let entry = self.apply.queue.front()?;
        let position = entry.position;
        let bytes = match &entry.payload {
            Payload::Empty => {
                self.store.note_applied(position);
                self.writes.revive_before(position.term);
                self.apply.queue.pop_front();
                return Some(position);
            }
            Payload::Membership(bytes) => {
                let bytes = bytes.clone();
                if !self.apply_membership(position, &bytes) {
                    self.halt(unreadable(position, "configuration"));
                    return None;
                }
                self.apply.queue.pop_front();
                self.answer_wishes();
                return Some(position);
            }
            Payload::Command(bytes) => bytes.clone(),
        };
        let weight = bytes.len() as u64;
        if self.apply.front.is_none() {
            let Some(decoded) = decode(bytes) else {
                // Committed and unreadable: written by a newer version. To skip it would be to
                // diverge from every member that can read it.
                self.halt(unreadable(position, "command"));
                return None;
            };
            self.apply.front = Some(decoded);
        }
        let mut decoded = self.apply.front.take()?;
        if planted(Mutant::A2)
            && let Command::Tick { elapsed_ms } = &mut decoded.command
        {
            *elapsed_ms += u32::try_from(self.now.0 / 1_000_000 % 1_000).unwrap_or(0);
        }
        let missing = self.store.missing(&decoded.command);
        if !missing.is_empty() {
            self.apply.front = Some(decoded);
            self.load(missing, Loading::Entry);
            return None;
        }
        self.apply.queue.pop_front();
        let applied = self.store.apply(position, &decoded.command);
        self.counters.applied += 1;
        self.apply.weights.note(position.index, weight);
        let events = self.store.take_events();
        if !events.is_empty() {
            self.hub.publish(self.now, self.store.revision(), &events);
        }
        self.note_state(position.index, &decoded.command);
        if !self.is_condemned() {
            self.answer(&decoded, applied);
        }
        self.answer_wishes();
        Some(position)
    }

    /// Answers whoever waits for a command, when it was this run of this replica that proposed it.
    fn answer(&mut self, decoded: &Decoded, applied: Applied) {
        let mine =
            decoded.origin == self.config.raft.id && decoded.incarnation == self.config.incarnation;
        if !mine {
            return;
        }
        let Some(waiter) = self.writes.applied(decoded.sequence) else { return };
        let header = Header { revision: applied.revision, term: self.core.term() };
        match (waiter, applied.outcome) {
            (Waiter::Member(id), Ok(Outcome::Queued(ticket))) => self.wish_queued(id, ticket),
            (Waiter::Client(id) | Waiter::Compaction(id) | Waiter::Member(id), Err(error)) => {
                self.reply_with(id, header, Err(Failure::Store(error)));
            }
            (Waiter::Compaction(id), Ok(_)) if !self.store.compaction_settled() => {
                self.apply.compactions.push(id);
            }
            (Waiter::Client(id) | Waiter::Compaction(id) | Waiter::Member(id), Ok(outcome)) => {
                self.reply_with(id, header, Ok(Body::Outcome(outcome)));
            }
            (Waiter::Renewals(waiting), Ok(Outcome::LeaseRenew(renewed))) => {
                for (id, lease) in waiting {
                    // In the order of the command, which this replica has sorted.
                    let place = renewed.binary_search_by_key(&lease, |(renewed, _)| *renewed);
                    let ttl = place.map_or(0, |place| renewed[place].1);
                    self.reply_with(id, header, Ok(Body::Renewed(ttl)));
                }
            }
            (Waiter::Renewals(waiting), other) => {
                let failure = other.err().map_or(Failure::LeaderChanged, Failure::Store);
                waiting.into_iter().for_each(|(id, _)| self.reply(id, Err(failure)));
            }
            (Waiter::Nobody, _) => {}
        }
    }

    /// Asks for values.
    pub(crate) fn load(&mut self, revisions: Vec<Revision>, whose: Loading) {
        self.apply.loading = Some(whose);
        self.output(Output::Load(revisions));
    }

    /// Values came in, for the entry at the front or for a read-only transaction.
    pub(crate) fn loaded(&mut self, loaded: Result<Vec<(Revision, Option<Record>)>, BackendError>) {
        if self.apply.stale_loads > 0 {
            self.apply.stale_loads -= 1;
            return;
        }
        let whose = self.apply.loading.take();
        match (loaded, whose) {
            // Others may still hold what was lost here: to apply the entry would be to diverge.
            (Ok(records), Some(Loading::Entry)) if records.iter().any(|(_, it)| it.is_none()) => {
                self.halt(BackendError::Corrupt(alloc::format!(
                    "a record is gone that the entry after {} needs",
                    self.store.applied()
                )));
            }
            (Ok(records), _) => {
                for (revision, record) in records {
                    self.store.supply(revision, record);
                }
            }
            (Err(error), Some(Loading::Read)) => {
                self.fail_plan(Failure::Unreadable);
                self.damaged(error);
            }
            // Without its values the entry cannot be applied, and nothing after it: this replica
            // must not go on, and must not make values up.
            (Err(error), Some(Loading::Entry) | None) => self.halt(error),
        }
        if whose == Some(Loading::Read) {
            self.plan_next();
        }
    }

    /// What the state holds cannot be read. Where others have it, this replica ends, and gets it
    /// back from them at its next start; one that is alone serves what is left.
    pub(crate) fn damaged(&mut self, error: BackendError) {
        let alone = self.core().membership().members().len() <= 1;
        if matches!(error, BackendError::Corrupt(_)) && !alone {
            self.halt(error);
        }
    }

    /// This replica must not go on.
    pub(crate) fn halt(&mut self, error: BackendError) {
        if !self.flushing.halted {
            self.flushing.halted = true;
            self.output(Output::Halt(error));
        }
    }
}

fn unreadable(position: Position, what: &str) -> BackendError {
    BackendError::Corrupt(alloc::format!(
        "entry {position} holds a {what} that this version cannot read; run the version that the \
         other members run"
    ))
}

fn decode(bytes: bytes::Bytes) -> Option<Decoded> {
    let envelope = Envelope::open(bytes).ok()?;
    let command = Command::decode(envelope.command).ok()?;
    let Envelope { origin, incarnation, sequence, .. } = envelope;
    Some(Decoded { origin, incarnation, sequence, command })
}
