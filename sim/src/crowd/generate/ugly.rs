//! What no sane client asks for. A generator that is polite finds only what polite clients find.

use bytes::Bytes;
use node::Request;
use store::{
    Command, DeleteRange, Filter, KeyRange, LeaseId, Operation, Put, Range, SortTarget, Txn,
};

use super::Generator;
use super::read::plain;

/// More than etcd takes in one request, and more than the store does by default.
const HUGE: &[u8] = &[0; (3 << 19) + 1];

impl Generator {
    /// Something that is mostly refused, and never harms.
    pub(super) fn ugly(&mut self, client: u32) -> Request {
        match self.rng.below(10) {
            0..3 => self.ugly_read(),
            3..6 => self.ugly_put(client),
            6..8 => self.ugly_txn(client),
            8 => self.ugly_lease(),
            _ => self.ugly_revision(),
        }
    }

    fn ugly_read(&mut self) -> Request {
        let everything = plain(self.keys.everything());
        let end = self.keys.shared(&mut self.rng);
        let range = match self.rng.below(9) {
            0 => plain(KeyRange::single(Bytes::new())),
            1 => plain(KeyRange { key: Bytes::new(), end }),
            2 => plain(KeyRange { key: Bytes::from_static(b"l"), end: Bytes::from_static(b"k") }),
            3 => Range { limit: i64::MAX, ..everything },
            4 => Range { limit: i64::MIN, ..everything },
            5 => Range { revision: -7, ..everything },
            6 => Range { revision: i64::MAX, ..everything },
            7 => {
                let filter =
                    Filter { min_mod: i64::MAX, max_mod: 1, min_create: -3, max_create: 2 };
                Range { filter, ..everything }
            }
            _ => {
                let target = SortTarget::Value;
                Range { count_only: true, keys_only: true, limit: 1, target, ..everything }
            }
        };
        Request::Range { range, serializable: self.rng.below(2) == 0 }
    }

    fn ugly_put(&mut self, client: u32) -> Request {
        let key = self.keys.shared(&mut self.rng);
        let put = self.put_of(key.clone(), client);
        Request::Write(match self.rng.below(8) {
            0 => Command::Put(Put { key: Bytes::new(), ..put }),
            1 => Command::Put(Put { lease: Some(Some(LeaseId(-1))), ..put }),
            2 => Command::Put(Put { key: Bytes::from(vec![b'z'; 5_000]), value: None, ..put }),
            3 => Command::Put(Put { value: Some(Bytes::from_static(HUGE)), ..put }),
            4 => Command::Put(Put { value: Some(Bytes::new()), prev_kv: true, ..put }),
            5 => Command::Put(Put { value: Some(Bytes::from_static(&[0, 0xff, 0])), ..put }),
            6 => {
                let range = KeyRange { key: Bytes::new(), end: Bytes::from_static(&[0]) };
                Command::DeleteRange(DeleteRange { range, prev_kv: true })
            }
            _ => {
                let range = KeyRange { key, end: Bytes::from_static(b"a") };
                Command::DeleteRange(DeleteRange { range, prev_kv: true })
            }
        })
    }

    fn ugly_txn(&mut self, client: u32) -> Request {
        let key = self.keys.shared(&mut self.rng);
        let one = KeyRange::single(key.clone());
        let (put, again) = (self.put_of(key.clone(), client), self.put_of(key, client));
        let (put, again) = (Operation::Put(put), Operation::Put(again));
        let mut txn = Txn::default();
        match self.rng.below(7) {
            0 => txn.success = vec![put, again],
            1 => {
                // Only one branch is ever taken, but within it the key is written twice.
                let inner = Txn { failure: vec![again], ..Txn::default() };
                txn.failure = vec![put, Operation::Txn(inner)];
            }
            2 => {
                let delete = DeleteRange { range: self.keys.everything(), prev_kv: false };
                txn.success = vec![Operation::DeleteRange(delete), put];
            }
            3 => txn.success = vec![Operation::Range(plain(one)); 129],
            4 => {
                let read = Range { revision: self.knowledge.newest + 1_000_000, ..plain(one) };
                txn.success = vec![put, Operation::Range(read)];
            }
            5 => {
                let compare = self.compare(KeyRange::single(Bytes::new()));
                txn.compare = vec![compare];
            }
            _ => {
                for _ in 0..5 {
                    txn = Txn { success: vec![Operation::Txn(txn)], ..Txn::default() };
                }
            }
        }
        Request::Write(Command::Txn(txn))
    }

    fn ugly_lease(&mut self) -> Request {
        let known = self.some_lease();
        match self.rng.below(8) {
            0 => Request::Write(Command::LeaseGrant { id: LeaseId(0), ttl: 5 }),
            1 => Request::Write(Command::LeaseGrant { id: known, ttl: 3 }),
            2 => {
                let id = self.fresh_lease();
                Request::Write(Command::LeaseGrant { id, ttl: i64::MAX })
            }
            3 => {
                let id = self.fresh_lease();
                Request::Write(Command::LeaseGrant { id, ttl: -4 })
            }
            4 => Request::Write(Command::LeaseRevoke { id: LeaseId(i64::MIN) }),
            5 => Request::LeaseRenew(LeaseId(0)),
            6 => Request::LeaseTimeToLive { id: LeaseId(i64::MAX), keys: true },
            _ => Request::LeaseTimeToLive { id: known, keys: true },
        }
    }

    fn ugly_revision(&mut self) -> Request {
        let (newest, compacted) = (self.knowledge.newest, self.knowledge.compacted);
        match self.rng.below(6) {
            0 => Request::Compact { revision: newest + 1_000_000, physical: false },
            1 => Request::Compact { revision: compacted, physical: true },
            2 => Request::Compact { revision: -1, physical: false },
            3 => Request::Compact { revision: 0, physical: true },
            4 => Request::HashKv { revision: newest + 1_000_000 },
            _ => Request::HashKv { revision: compacted - 1 },
        }
    }
}
