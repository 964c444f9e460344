//! What the clients have seen and tell each other: it makes their next questions pointed.

use node::Request;
use protocol::Rng;
use store::{Command, Error, KeyValue, LeaseId, Outcome};

use super::keys::pick;
use crate::history::{Answer, Told};

/// Revisions kept in mind.
const REVISIONS: usize = 32;
/// Keys kept in mind, as they were seen.
const SEEN: usize = 64;

/// What the clients have seen.
#[derive(Clone, Debug)]
pub(crate) struct Knowledge {
    /// The newest revision seen.
    pub(crate) newest: i64,
    /// The greatest revision compacted to.
    pub(crate) compacted: i64,
    revisions: [i64; REVISIONS],
    seen: Vec<KeyValue>,
    turns: usize,
    leases: Vec<LeaseId>,
    /// The most leases kept in mind.
    most_leases: usize,
}

impl Knowledge {
    pub(crate) fn new(leases: u32) -> Self {
        Self {
            newest: 1,
            compacted: 0,
            revisions: [1; REVISIONS],
            seen: Vec::with_capacity(SEEN),
            turns: 0,
            leases: Vec::new(),
            most_leases: usize::try_from(leases.max(1)).unwrap_or(usize::MAX),
        }
    }

    /// A revision that was seen, seldom one that nobody has.
    pub(crate) fn revision(&self, rng: &mut Rng) -> i64 {
        match rng.below(40) {
            0 => self.newest + 1,
            1 => self.compacted,
            2 => self.compacted - 1,
            3 => 1,
            4..12 => self.newest,
            _ => *pick(rng, &self.revisions),
        }
    }

    /// A key as it was seen.
    pub(crate) fn seen(&self, rng: &mut Rng) -> Option<&KeyValue> {
        if self.seen.is_empty() { None } else { Some(pick(rng, &self.seen)) }
    }

    /// A lease that was granted; it may be over by now.
    pub(crate) fn lease(&self, rng: &mut Rng) -> Option<LeaseId> {
        if self.leases.is_empty() { None } else { Some(*pick(rng, &self.leases)) }
    }

    /// An operation was answered.
    pub(crate) fn answered(&mut self, request: &Request, answer: &Answer) {
        if answer.header.revision > self.newest {
            self.newest = answer.header.revision;
            self.revisions[self.turns % REVISIONS] = self.newest;
        }
        self.turns += 1;
        match (&answer.told, request) {
            (Told::Renewed(0), Request::LeaseRenew(id))
            | (Told::TimeToLive(None), Request::LeaseTimeToLive { id, .. }) => self.forget(*id),
            _ => {}
        }
        match request {
            Request::Compact { revision, .. } => self.compacted = self.compacted.max(*revision),
            Request::Write(Command::LeaseRevoke { id }) => self.forget(*id),
            _ => {}
        }
    }

    /// Keeps a key that an answer shows, or a lease that it grants.
    pub(crate) fn learn(&mut self, told: &Told) {
        match told {
            Told::Range { result, .. } => self.note(&result.kvs),
            Told::Outcome(outcome) => self.note_outcome(outcome),
            Told::Renewed(_) | Told::TimeToLive(_) | Told::Leases(_) | Told::Done => {}
        }
    }

    /// An operation was refused.
    pub(crate) fn refused(&mut self, request: &Request, error: Error) {
        if error != Error::LeaseNotFound {
            return;
        }
        match request {
            Request::Write(Command::LeaseRevoke { id }) => self.forget(*id),
            Request::Write(Command::Put(put)) => {
                if let Some(Some(id)) = put.lease {
                    self.forget(id);
                }
            }
            _ => {}
        }
    }

    /// One of the keys found: any of them.
    fn note(&mut self, kvs: &[KeyValue]) {
        if kvs.is_empty() {
            return;
        }
        let kv = kvs[self.turns % kvs.len()].clone();
        if self.seen.len() < SEEN {
            self.seen.push(kv);
        } else {
            self.seen[self.turns % SEEN] = kv;
        }
    }

    fn note_outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Range(result) => self.note(&result.kvs),
            Outcome::Put { prev } => self.note(prev.as_slice()),
            Outcome::DeleteRange { prev, .. } => self.note(prev),
            Outcome::Txn { responses, .. } => {
                responses.iter().for_each(|(_, outcome)| self.note_outcome(outcome));
            }
            Outcome::LeaseGrant { id, .. } => {
                if self.leases.len() >= self.most_leases {
                    self.leases.remove(0);
                }
                self.leases.push(*id);
            }
            Outcome::LeaseRenew(_) | Outcome::Alarm(_) | Outcome::Queued(_) | Outcome::Done => {}
        }
    }

    fn forget(&mut self, id: LeaseId) {
        self.leases.retain(|known| *known != id);
    }
}
