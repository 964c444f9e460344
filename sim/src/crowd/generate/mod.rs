//! Makes operations, one after the other, out of what has been seen.

mod keys;
mod knowledge;
mod read;
mod txn;
mod ugly;
mod values;
mod write;

use bytes::Bytes;
use node::{Failure, Request};
use protocol::Rng;
use store::{Command, DeleteRange, KeyRange, LeaseId, Put};

pub(super) use keys::{Keys, Ticket, pick};
pub(super) use knowledge::Knowledge;

use super::kind::Lot;
use super::{Kind, Options};
use crate::history::Ending;

/// What a client asks next.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) kind: Kind,
    pub(super) request: Request,
    /// The single key it uses.
    pub(super) ticket: Option<Ticket>,
}

/// Makes operations.
#[derive(Debug)]
pub(super) struct Generator {
    rng: Rng,
    lot: Lot,
    pub(super) keys: Keys,
    values: values::Values,
    pub(super) knowledge: Knowledge,
    /// Names of leases given so far.
    leases: i64,
}

impl Generator {
    pub(super) fn new(options: &Options, mut rng: Rng) -> Self {
        let (shared, hot, singles) = (options.keys, options.hot_keys, options.single_keys);
        Self {
            lot: Lot::new(&options.mix),
            keys: Keys::new(shared, hot, singles, &mut rng),
            values: values::Values::new(options.value_bytes.clone()),
            knowledge: Knowledge::new(options.leases),
            leases: 0,
            rng,
        }
    }

    /// What a client asks next; `None` when the mix is empty.
    pub(super) fn next(&mut self, client: u32) -> Option<Wish> {
        let kind = self.lot.draw(&mut self.rng)?;
        let mut ticket = None;
        let request = match kind {
            Kind::SinglePut | Kind::SingleDelete | Kind::SingleGet => {
                let Some((key, taken)) = self.keys.single(&mut self.rng) else {
                    return Some(self.instead(kind, client));
                };
                ticket = Some(taken);
                self.single(kind, key, client)
            }
            Kind::Put | Kind::PutPrev | Kind::PutLease | Kind::IgnoreValue | Kind::IgnoreLease => {
                Request::Write(self.put(kind, client))
            }
            Kind::Delete | Kind::DeletePrev | Kind::DeleteRange | Kind::DeletePrefix => {
                Request::Write(self.delete(kind))
            }
            Kind::Cas
            | Kind::TxnMixed
            | Kind::TxnRange
            | Kind::TxnNested
            | Kind::TxnPuts
            | Kind::TxnRead => Request::Write(Command::Txn(self.txn(kind, client))),
            Kind::ReadTxn | Kind::ReadTxnLocal => Request::ReadTxn {
                txn: self.txn(kind, client),
                serializable: kind == Kind::ReadTxnLocal,
            },
            Kind::Get
            | Kind::GetLocal
            | Kind::GetPrefix
            | Kind::GetRange
            | Kind::GetAll
            | Kind::GetLimit
            | Kind::GetSorted
            | Kind::Count
            | Kind::KeysOnly
            | Kind::GetFiltered
            | Kind::GetOld => self.read(kind),
            Kind::Grant | Kind::Renew | Kind::Revoke | Kind::TimeToLive => self.lease(kind),
            Kind::Compact
            | Kind::Leases
            | Kind::Barrier
            | Kind::Members
            | Kind::Alarms
            | Kind::HashKv
            | Kind::Status => self.service(kind),
            Kind::Ugly => self.ugly(client),
            Kind::Scripted => return None,
        };
        Some(Wish { kind, request, ticket })
    }

    /// There is no single key to be had: a shared one will do.
    fn instead(&mut self, kind: Kind, client: u32) -> Wish {
        let (kind, request) = match kind {
            Kind::SinglePut => (Kind::Put, Request::Write(self.put(Kind::Put, client))),
            Kind::SingleDelete => (Kind::Delete, Request::Write(self.delete(Kind::Delete))),
            _ => (Kind::Get, self.read(Kind::Get)),
        };
        Wish { kind, request, ticket: None }
    }

    fn single(&mut self, kind: Kind, key: Bytes, client: u32) -> Request {
        match kind {
            Kind::SinglePut => {
                let prev_kv = self.rng.below(4) == 0;
                Request::Write(Command::Put(Put { prev_kv, ..self.put_of(key, client) }))
            }
            Kind::SingleDelete => {
                let range = KeyRange::single(key);
                let prev_kv = self.rng.below(2) == 0;
                Request::Write(Command::DeleteRange(DeleteRange { range, prev_kv }))
            }
            _ => Request::Range { range: read::plain(KeyRange::single(key)), serializable: false },
        }
    }

    fn lease(&mut self, kind: Kind) -> Request {
        match kind {
            Kind::Grant => {
                // Now and then a name that is taken, or was.
                let again = self.rng.below(16) == 0;
                let id = if again { self.some_lease() } else { self.fresh_lease() };
                let ttl = 2 + i64::try_from(self.rng.below(9)).unwrap_or(0);
                Request::Write(Command::LeaseGrant { id, ttl })
            }
            Kind::Renew => Request::LeaseRenew(self.some_lease()),
            Kind::Revoke => Request::Write(Command::LeaseRevoke { id: self.some_lease() }),
            _ => {
                let keys = self.rng.below(2) == 0;
                Request::LeaseTimeToLive { id: self.some_lease(), keys }
            }
        }
    }

    fn fresh_lease(&mut self) -> LeaseId {
        self.leases += 1;
        LeaseId(self.leases)
    }

    fn service(&mut self, kind: Kind) -> Request {
        match kind {
            Kind::Compact => {
                // Little is left to read at, or most of what there is.
                let newest = self.knowledge.newest;
                let most = if self.rng.below(2) == 0 { 20 } else { newest.unsigned_abs() / 2 };
                let behind = i64::try_from(self.rng.below(most + 1)).unwrap_or(0);
                let revision = (newest - behind).max(1);
                Request::Compact { revision, physical: self.rng.below(3) == 0 }
            }
            Kind::Leases => Request::Leases,
            Kind::Members => Request::Members { linearizable: self.rng.below(2) == 0 },
            Kind::Alarms => Request::Alarms,
            Kind::HashKv => {
                let old = self.rng.below(2) == 0;
                let revision = if old { self.knowledge.revision(&mut self.rng) } else { 0 };
                Request::HashKv { revision }
            }
            Kind::Status => Request::Status,
            _ => Request::Barrier,
        }
    }

    /// An operation has ended: what is to be learnt from it.
    pub(super) fn ended(&mut self, request: &Request, ending: &Ending, ticket: Option<Ticket>) {
        match ending {
            Ending::Answered(answer) => {
                self.knowledge.answered(request, answer);
                // Whatever is seen may turn up in a transaction; single keys must not.
                if ticket.is_none() {
                    self.knowledge.learn(&answer.told);
                }
            }
            Ending::Refused(Failure::Store(error), _) => self.knowledge.refused(request, *error),
            Ending::Refused(..) | Ending::Unknown => {}
        }
        if let Some(ticket) = ticket {
            // A read of unknown outcome makes nothing uncertain.
            let unsure = matches!((request, ending), (Request::Write(_), Ending::Unknown));
            self.keys.give_back(ticket, unsure);
        }
    }
}

impl Generator {
    /// A revision of the past, mostly.
    pub(super) fn old_revision(&mut self) -> i64 {
        self.knowledge.revision(&mut self.rng)
    }

    /// One key, a few, or all.
    pub(super) fn some_keys(&mut self) -> KeyRange {
        self.keys.any(&mut self.rng)
    }
}
