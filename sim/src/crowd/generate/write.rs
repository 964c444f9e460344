//! Puts and deletions.

use bytes::Bytes;
use store::{Command, DeleteRange, KeyRange, LeaseId, Put};

use super::Generator;
use crate::crowd::Kind;

impl Generator {
    /// A put of a kind.
    pub(super) fn put(&mut self, kind: Kind, client: u32) -> Command {
        let key = self.keys.shared(&mut self.rng);
        let put = match kind {
            Kind::PutPrev => Put { prev_kv: true, ..self.put_of(key, client) },
            Kind::PutLease => {
                let lease = self.some_lease();
                Put { lease: Some(Some(lease)), ..self.put_of(key, client) }
            }
            Kind::IgnoreValue => {
                // Both at once is allowed: the key gets a new revision and nothing else.
                let lease = match self.rng.below(3) {
                    0 => None,
                    1 => Some(self.knowledge.lease(&mut self.rng)),
                    _ => Some(None),
                };
                Put { key, value: None, lease, prev_kv: self.rng.below(2) == 0 }
            }
            Kind::IgnoreLease => {
                let prev_kv = self.rng.below(2) == 0;
                Put { lease: None, prev_kv, ..self.put_of(key, client) }
            }
            _ => self.put_of(key, client),
        };
        Command::Put(put)
    }

    /// A put of a fresh value, without a lease.
    pub(super) fn put_of(&mut self, key: Bytes, client: u32) -> Put {
        let value = Some(self.values.fresh(client, &mut self.rng));
        Put { key, value, lease: Some(None), prev_kv: false }
    }

    /// A lease that was granted once, or one that never was.
    pub(super) fn some_lease(&mut self) -> LeaseId {
        self.knowledge.lease(&mut self.rng).unwrap_or(LeaseId(self.leases + 1_000))
    }

    /// A deletion of a kind.
    pub(super) fn delete(&mut self, kind: Kind) -> Command {
        let range = match kind {
            Kind::DeleteRange => self.keys.range(&mut self.rng),
            Kind::DeletePrefix => self.keys.prefix(&mut self.rng),
            _ => KeyRange::single(self.keys.shared(&mut self.rng)),
        };
        let ranged = !range.is_single() && self.rng.below(2) == 0;
        Command::DeleteRange(DeleteRange { range, prev_kv: kind == Kind::DeletePrev || ranged })
    }
}
