//! Reads under way: confirmed together, served in bounded steps.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use protocol::raft::{self, ReadId, Refusal};
use protocol::{Index, Time};
use store::{Error, HashCursor, Range, RangeCursor, Txn, TxnPlan};

use crate::apply::Loading;
use crate::node::Node;
use crate::request::{Body, Failure, LeaseTime, Request, RequestId};

/// Keys looked at before another read gets its turn.
const STEP: usize = 1_000;
/// Unfinished steps in one turn; then writes get theirs.
const STEPS: usize = 4;
/// The pause after a refusal.
const RETRY: Duration = Duration::from_millis(20);
/// Reads that may wait for confirmation.
const MAX_WAITING: usize = 100_000;

/// All reads under way.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    next: u64,
    /// Not yet confirmed, and not yet asked for.
    arriving: Vec<Waiting>,
    /// After a refusal, when to ask again.
    retry_at: Time,
    /// Asked for, by the name given to consensus.
    rounds: BTreeMap<ReadId, Vec<Waiting>>,
    /// Confirmed, waiting for this index to be applied.
    confirmed: BTreeMap<Index, Vec<Waiting>>,
    /// Confirmed read-only transactions that wait for values.
    planning: VecDeque<(RequestId, Txn)>,
    /// Being served.
    active: VecDeque<Active>,
    waiting: usize,
}

/// A read that waits to be confirmed.
#[derive(Debug)]
struct Waiting {
    id: RequestId,
    request: Request,
    deadline: Time,
}

/// A read that is being served, step by step.
#[derive(Debug)]
enum Active {
    Range { id: RequestId, range: Range, cursor: RangeCursor },
    Txn { id: RequestId, txn: Txn, cursor: TxnPlan },
    Hash { id: RequestId, cursor: HashCursor },
}

impl Reads {
    /// Consensus confirmed a round.
    pub(crate) fn ready(&mut self, id: ReadId, index: Index) {
        if let Some(waiting) = self.rounds.remove(&id) {
            self.confirmed.entry(index).or_default().extend(waiting);
        }
    }

    /// Consensus could not confirm a round: nothing happened, so it is asked again.
    pub(crate) fn refused(&mut self, id: ReadId, _reason: Refusal, now: Time) {
        if let Some(waiting) = self.rounds.remove(&id) {
            self.arriving.extend(waiting);
            // Stable, and nearly sorted: every queue stays in the order of arrival.
            self.arriving.sort_by_key(|read| read.deadline);
            self.retry_at = now + RETRY;
        }
    }

    /// A leader is known: no need to wait.
    pub(crate) fn retry_now(&mut self) {
        self.retry_at = Time::default();
    }

    /// Whether reads are left that need no further input.
    pub(crate) fn unfinished(&self) -> bool {
        !self.active.is_empty()
    }

    /// Reads under way.
    pub(crate) fn len(&self) -> usize {
        self.waiting + self.active.len() + self.planning.len()
    }

    /// Those whose time is over.
    pub(crate) fn expired(&mut self, now: Time) -> Vec<(RequestId, Failure)> {
        let mut expired = Vec::new();
        let mut sweep = |waiting: &mut Vec<Waiting>, failure| {
            waiting.retain(|read| {
                let late = read.deadline <= now;
                if late {
                    expired.push((read.id, failure));
                }
                !late
            });
        };
        if self.oldest().is_none_or(|oldest| oldest > now) {
            return expired;
        }
        sweep(&mut self.arriving, Failure::NoLeader);
        self.rounds.values_mut().for_each(|waiting| sweep(waiting, Failure::Timeout));
        self.confirmed.values_mut().for_each(|waiting| sweep(waiting, Failure::Timeout));
        self.rounds.retain(|_, waiting| !waiting.is_empty());
        self.confirmed.retain(|_, waiting| !waiting.is_empty());
        self.waiting -= expired.len();
        expired
    }

    /// Everything, at the end.
    pub(crate) fn drain(&mut self) -> Vec<RequestId> {
        let this = core::mem::take(self);
        let rounds = this.rounds.into_values().chain(this.confirmed.into_values()).flatten();
        let waiting = this.arriving.into_iter().chain(rounds).map(|read| read.id);
        let planning = this.planning.into_iter().map(|(id, _)| id);
        let active = this.active.into_iter().map(|active| match active {
            Active::Range { id, .. } | Active::Txn { id, .. } | Active::Hash { id, .. } => id,
        });
        waiting.chain(planning).chain(active).collect()
    }

    /// When something must be asked again or given up.
    pub(crate) fn timeout(&self) -> Option<Time> {
        let retry = (!self.arriving.is_empty()).then_some(self.retry_at);
        retry.into_iter().chain(self.oldest()).min()
    }

    /// The first deadline.
    fn oldest(&self) -> Option<Time> {
        let rounds = self.rounds.values().chain(self.confirmed.values());
        let first = rounds.chain([&self.arriving]).filter_map(|waiting| waiting.first());
        first.map(|read| read.deadline).min()
    }
}

impl Node {
    /// Takes a read in.
    pub(crate) fn read(&mut self, id: RequestId, request: Request) {
        if let Err(error) = validate(&self.config.limits, &request) {
            self.reply(id, Err(Failure::Store(error)));
        } else if self.reads.len() >= MAX_WAITING {
            self.reply(id, Err(Failure::TooManyRequests));
        } else if is_local(&request) && self.core().doubt().is_none() {
            self.serve(id, request);
        } else {
            let deadline = self.now + self.config.request_timeout;
            self.reads.waiting += 1;
            self.reads.arriving.push(Waiting { id, request, deadline });
        }
    }

    /// Asks consensus to confirm all reads that arrived, as one.
    pub(crate) fn ask_for_reads(&mut self) {
        let reads = &mut self.reads;
        if reads.arriving.is_empty() || self.now < reads.retry_at {
            return;
        }
        let id = ReadId(reads.next);
        reads.next += 1;
        let waiting = core::mem::take(&mut reads.arriving);
        reads.rounds.insert(id, waiting);
        self.consensus(raft::Input::Read(id));
    }

    /// Serves what is confirmed and applied, then a few steps of everything under way.
    pub(crate) fn serve_reads(&mut self) {
        let applied = self.store.applied().index;
        while let Some(entry) = self.reads.confirmed.first_entry() {
            if *entry.key() > applied {
                break;
            }
            for read in entry.remove() {
                self.reads.waiting -= 1;
                self.serve(read.id, read.request);
            }
        }
        self.plan_next();
        let mut unfinished = 0;
        for _ in 0..self.reads.active.len() {
            if unfinished == STEPS {
                break;
            }
            let Some(active) = self.reads.active.pop_front() else { break };
            if let Some(active) = self.step(active) {
                self.reads.active.push_back(active);
                unfinished += 1;
            }
        }
    }

    /// Serves a read that needs no confirmation, or has it.
    fn serve(&mut self, id: RequestId, request: Request) {
        match request {
            Request::Range { range, .. } => match self.store.begin_range(&range) {
                Ok(cursor) => {
                    let active = Active::Range { id, range, cursor };
                    if let Some(active) = self.step(active) {
                        self.reads.active.push_back(active);
                    }
                }
                Err(error) => self.reply(id, Err(Failure::Store(error))),
            },
            Request::ReadTxn { txn, .. } => self.reads.planning.push_back((id, txn)),
            Request::HashKv { revision } => match self.store.begin_hash(revision) {
                Ok(cursor) => self.reads.active.push_back(Active::Hash { id, cursor }),
                Err(error) => self.reply(id, Err(Failure::Store(error))),
            },
            Request::LeaseTimeToLive { id: lease, keys } => {
                let time = self.lease_time(lease, keys);
                self.reply(id, Ok(Body::TimeToLive(time)));
            }
            Request::Leases => {
                let leases = self.store.leases().collect();
                self.reply(id, Ok(Body::Leases(leases)));
            }
            Request::Members { .. } => {
                let members = self.member_list();
                self.reply(id, Ok(Body::Members(members)));
            }
            Request::Alarms => {
                let alarms = self.alarms();
                self.reply(id, Ok(Body::Alarms(alarms)));
            }
            Request::Barrier
            | Request::Write(_)
            | Request::Once { .. }
            | Request::Compact { .. }
            | Request::LeaseRenew(_)
            | Request::Status
            | Request::Settle
            | Request::MoveLeader(_)
            | Request::MemberChange(_) => self.reply(id, Ok(Body::Done)),
        }
    }

    /// One step; gives back what is not finished.
    fn step(&mut self, active: Active) -> Option<Active> {
        match active {
            Active::Range { id, range, mut cursor } => {
                match self.store.step_range(&mut cursor, STEP) {
                    Ok(false) => return Some(Active::Range { id, range, cursor }),
                    Ok(true) => self.reply(id, Ok(Body::View(cursor.into_view()))),
                    // Compaction overtook a read of the newest revision: it starts anew.
                    Err(Error::Compacted) if range.revision <= 0 => {
                        self.serve(id, Request::Range { range, serializable: true });
                    }
                    Err(error) => self.reply(id, Err(Failure::Store(error))),
                }
            }
            Active::Txn { id, txn, mut cursor } => match self.store.step_txn(&mut cursor, STEP) {
                Ok(false) => return Some(Active::Txn { id, txn, cursor }),
                Ok(true) => self.reply(id, Ok(Body::TxnView(cursor.into_view()))),
                Err(Error::Compacted) if txn_is_latest(&txn) => {
                    self.reads.planning.push_back((id, txn));
                }
                Err(error) => self.reply(id, Err(Failure::Store(error))),
            },
            Active::Hash { id, mut cursor } => match self.store.step_hash(&mut cursor, STEP) {
                Ok(false) => return Some(Active::Hash { id, cursor }),
                Ok(true) => {
                    let hash = cursor.finish();
                    let body = Body::Hash {
                        hash: hash.hash,
                        compact_revision: hash.compact_revision,
                        hash_revision: hash.hash_revision,
                    };
                    self.reply(id, Ok(body));
                }
                Err(error) => self.reply(id, Err(Failure::Store(error))),
            },
        }
        None
    }

    /// Begins read-only transactions, in order, as far as their values are at hand.
    pub(crate) fn plan_next(&mut self) {
        while self.apply.loading.is_none() {
            let Some((id, txn)) = self.reads.planning.pop_front() else { return };
            let missing = self.store.missing_for_plan(&txn);
            if !missing.is_empty() {
                self.reads.planning.push_front((id, txn));
                self.load(missing, Loading::Read);
                return;
            }
            match self.store.plan_txn(&txn) {
                Ok(cursor) => self.reads.active.push_back(Active::Txn { id, txn, cursor }),
                Err(error) => self.reply(id, Err(Failure::Store(error))),
            }
            // Nothing was loaded for an entry: it would have been applied by now.
            self.store.forget_supplied();
        }
    }

    /// The transaction at the front cannot be judged.
    pub(crate) fn fail_plan(&mut self, failure: Failure) {
        if let Some((id, _)) = self.reads.planning.pop_front() {
            self.reply(id, Err(failure));
        }
    }

    fn lease_time(&self, lease: store::LeaseId, keys: bool) -> Option<LeaseTime> {
        let view = self.store.lease(lease)?;
        Some(LeaseTime {
            remaining: i64::try_from(view.remaining_ms / 1000).unwrap_or(i64::MAX),
            granted: view.granted,
            keys: if keys { view.keys().map(Bytes::copy_from_slice).collect() } else { Vec::new() },
        })
    }
}

/// Whether a read is answered from this replica's own state, whatever the others have.
pub(crate) fn is_local(request: &Request) -> bool {
    match request {
        Request::Range { serializable, .. } | Request::ReadTxn { serializable, .. } => {
            *serializable
        }
        Request::Members { linearizable } => !*linearizable,
        Request::HashKv { .. } | Request::Status => true,
        Request::LeaseTimeToLive { .. }
        | Request::Leases
        | Request::Alarms
        | Request::Barrier
        | Request::Write(_)
        | Request::Once { .. }
        | Request::Compact { .. }
        | Request::LeaseRenew(_)
        | Request::Settle
        | Request::MoveLeader(_)
        | Request::MemberChange(_) => false,
    }
}

fn validate(limits: &store::Limits, request: &Request) -> Result<(), Error> {
    match request {
        Request::Range { range, .. } => store::Store::validate_range(range),
        Request::ReadTxn { txn, .. } => store::Store::validate_txn(limits, txn),
        Request::LeaseTimeToLive { .. }
        | Request::Leases
        | Request::HashKv { .. }
        | Request::Members { .. }
        | Request::Alarms
        | Request::Status
        | Request::Barrier
        | Request::Write(_)
        | Request::Once { .. }
        | Request::Compact { .. }
        | Request::LeaseRenew(_)
        | Request::Settle
        | Request::MoveLeader(_)
        | Request::MemberChange(_) => Ok(()),
    }
}

/// Whether all reads of a transaction are of the newest revision.
fn txn_is_latest(txn: &Txn) -> bool {
    txn.success.iter().chain(&txn.failure).all(|operation| match operation {
        store::Operation::Range(range) => range.revision <= 0,
        store::Operation::Txn(inner) => txn_is_latest(inner),
        store::Operation::Put(_) | store::Operation::DeleteRange(_) => false,
    })
}
