//! Transactions.

use bytes::Bytes;
use store::{Compare, Comparison, Condition, DeleteRange, KeyRange, Operation, Put, Range, Txn};

use super::Generator;
use super::keys::pick;
use super::read::plain;
use crate::crowd::Kind;

const COMPARISONS: [Comparison; 4] =
    [Comparison::Equal, Comparison::Greater, Comparison::Less, Comparison::NotEqual];

impl Generator {
    /// A transaction of a kind.
    pub(super) fn txn(&mut self, kind: Kind, client: u32) -> Txn {
        match kind {
            Kind::Cas => self.cas(client),
            Kind::TxnRange => {
                let keys = self.keys.any(&mut self.rng);
                let compare = vec![self.compare(keys)];
                self.with_branches(compare, client)
            }
            Kind::TxnNested => self.nested(client),
            Kind::TxnPuts => self.puts(client),
            Kind::TxnRead | Kind::ReadTxn | Kind::ReadTxnLocal => self.reading(),
            _ => {
                let compare = self.compares();
                self.with_branches(compare, client)
            }
        }
    }

    /// Puts a key if it is still as somebody saw it, else reads it.
    fn cas(&mut self, client: u32) -> Txn {
        let seen = self.knowledge.seen(&mut self.rng).cloned();
        let (key, condition) = match seen {
            None => (self.keys.shared(&mut self.rng), Condition::ModRevision(0)),
            Some(kv) => match self.rng.below(6) {
                0 => (kv.key, Condition::Value(kv.value)),
                1 => (kv.key, Condition::Version(kv.version)),
                2 => (kv.key, Condition::CreateRevision(kv.create_revision)),
                3 => (kv.key, Condition::CreateRevision(0)),
                _ => (kv.key, Condition::ModRevision(kv.mod_revision)),
            },
        };
        let keys = KeyRange::single(key.clone());
        let comparison = Comparison::Equal;
        let success = if self.rng.below(8) == 0 {
            Operation::DeleteRange(DeleteRange { range: keys.clone(), prev_kv: true })
        } else {
            let put = self.put_of(key, client);
            Operation::Put(Put { prev_kv: self.rng.below(2) == 0, ..put })
        };
        Txn {
            compare: vec![Compare { range: keys.clone(), comparison, condition }],
            success: vec![success],
            failure: vec![Operation::Range(plain(keys))],
        }
    }

    fn compares(&mut self) -> Vec<Compare> {
        (0..self.rng.below(4))
            .map(|_| {
                let keys = KeyRange::single(self.keys.shared(&mut self.rng));
                self.compare(keys)
            })
            .collect()
    }

    /// A condition with an operand that some key has, or had.
    pub(super) fn compare(&mut self, range: KeyRange) -> Compare {
        let comparison = *pick(&mut self.rng, &COMPARISONS);
        let kv = self.knowledge.seen(&mut self.rng).cloned().unwrap_or_default();
        let condition = match self.rng.below(8) {
            0 => Condition::Version(kv.version),
            1 => Condition::Version(0),
            2 => Condition::CreateRevision(kv.create_revision),
            3 => Condition::CreateRevision(0),
            4 => Condition::ModRevision(kv.mod_revision),
            5 => Condition::ModRevision(self.knowledge.newest),
            6 => Condition::Value(kv.value),
            _ => Condition::Lease(kv.lease.map_or(0, |lease| lease.0)),
        };
        Compare { range, comparison, condition }
    }

    fn with_branches(&mut self, compare: Vec<Compare>, client: u32) -> Txn {
        let mut branch = || {
            let mut written = Vec::new();
            let mut operations = self.branch(client, &mut written);
            if written.is_empty() && self.rng.below(6) == 0 {
                let range = self.keys.prefix(&mut self.rng);
                operations.push(Operation::DeleteRange(DeleteRange { range, prev_kv: true }));
            }
            operations
        };
        let (success, failure) = (branch(), branch());
        Txn { compare, success, failure }
    }

    /// A few operations that may be done in one transaction with those that have written these
    /// keys: none is written twice.
    fn branch(&mut self, client: u32, written: &mut Vec<Bytes>) -> Vec<Operation> {
        let mut operations = Vec::new();
        for _ in 0..self.rng.below(4) {
            let key = self.keys.shared(&mut self.rng);
            let free = !written.contains(&key);
            operations.push(match self.rng.below(6) {
                0..3 if free => {
                    written.push(key.clone());
                    let put = self.put_of(key, client);
                    let lease = match self.rng.below(6) {
                        0 => self.knowledge.lease(&mut self.rng),
                        _ => None,
                    };
                    let prev_kv = self.rng.below(3) == 0;
                    Operation::Put(Put { prev_kv, lease: Some(lease), ..put })
                }
                3 if free => {
                    written.push(key.clone());
                    let range = KeyRange::single(key);
                    Operation::DeleteRange(DeleteRange { range, prev_kv: self.rng.below(2) == 0 })
                }
                _ => Operation::Range(self.inner_read()),
            });
        }
        operations
    }

    /// A read as one operation of several: mostly of the newest revision.
    fn inner_read(&mut self) -> Range {
        let keys = self.keys.any(&mut self.rng);
        let revision = match self.rng.below(10) {
            0 => self.knowledge.revision(&mut self.rng).max(0),
            _ => 0,
        };
        let limit = if self.rng.below(4) == 0 { 2 } else { 0 };
        let (count_only, keys_only) = (self.rng.below(12) == 0, self.rng.below(12) == 0);
        Range { revision, limit, count_only, keys_only, ..plain(keys) }
    }

    /// A transaction in each branch of a transaction, among operations that write other keys, and
    /// now and then one more behind it that reads what was written.
    fn nested(&mut self, client: u32) -> Txn {
        let compare = self.compares();
        let mut branch = || {
            let mut written = Vec::new();
            let mut operations = self.branch(client, &mut written);
            let compare = self.compares();
            let success = self.branch(client, &mut written);
            let failure = self.branch(client, &mut written);
            operations.push(Operation::Txn(Txn { compare, success, failure }));
            operations.push(Operation::Range(self.inner_read()));
            if self.rng.below(3) == 0 {
                let compare = self.compares();
                let success = vec![Operation::Range(self.inner_read())];
                operations.push(Operation::Txn(Txn { compare, success, failure: vec![] }));
            }
            operations
        };
        let (success, failure) = (branch(), branch());
        Txn { compare, success, failure }
    }

    /// Several keys in one revision, always.
    fn puts(&mut self, client: u32) -> Txn {
        let mut success: Vec<Operation> = Vec::new();
        let mut written: Vec<Bytes> = Vec::new();
        for _ in 0..2 + self.rng.below(5) {
            let key = self.keys.shared(&mut self.rng);
            if !written.contains(&key) {
                written.push(key.clone());
                success.push(Operation::Put(self.put_of(key, client)));
            }
        }
        Txn { compare: vec![], success, failure: vec![] }
    }

    fn reading(&mut self) -> Txn {
        let compare = self.compares();
        let mut branch = || -> Vec<Operation> {
            let count = 1 + self.rng.below(3);
            let mut operations: Vec<Operation> =
                (0..count).map(|_| Operation::Range(self.inner_read())).collect();
            if self.rng.below(4) == 0 {
                let compare = self.compares();
                let read = Operation::Range(self.inner_read());
                let inner = Txn { compare, success: vec![read.clone()], failure: vec![read] };
                operations.push(Operation::Txn(inner));
            }
            operations
        };
        let (success, failure) = (branch(), branch());
        Txn { compare, success, failure }
    }
}
