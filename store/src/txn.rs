//! Transactions: compare, choose, do.
//!
//! Three phases, so that a transaction happens whole or not at all:
//!
//! 1. every comparison on the way is judged on the state before, nested ones too: that gives the
//!    [`Path`];
//! 2. every operation on the path is checked against the state before; the first that cannot be
//!    done refuses the transaction;
//! 3. the operations are done in order, each seeing what the earlier ones did. Nothing fails here.

use alloc::vec::Vec;

use protocol::mutant::{Mutant, planted};

use crate::cursor::RangeCursor;
use crate::kv::Changes;
use crate::store::key_value;
use crate::{
    Compare, Comparison, Condition, Error, Operation, Outcome, Range, RangeResult, Revision, Store,
    Txn,
};

/// Which branch a transaction takes, and each transaction nested in that branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) succeeded: bool,
    pub(crate) nested: Vec<Path>,
}

impl Txn {
    /// Whether it holds reads only, so that it needs no place in the log.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.success.iter().chain(&self.failure).all(|operation| match operation {
            Operation::Range(_) => true,
            Operation::Put(_) | Operation::DeleteRange(_) => false,
            Operation::Txn(inner) => inner.is_read_only(),
        })
    }

    /// The operations of a branch.
    pub(crate) fn branch(&self, succeeded: bool) -> &[Operation] {
        if succeeded { &self.success } else { &self.failure }
    }
}

impl Store {
    pub(crate) fn apply_txn(&mut self, txn: &Txn) -> Result<Outcome, Error> {
        self.require(|store, needs| store.needs_of_txn(txn, needs))?;
        let path = self.path(txn, &mut Vec::new()).expect("what it needs was supplied");
        self.check_path(txn, &path)?;
        let mut changes = Changes::after(self.revision);
        let outcome = self.follow(&mut changes, txn, &path);
        self.revision = changes.revision();
        Ok(outcome)
    }

    /// Judges all comparisons on the way. `None` when values are needed for that, which are then
    /// named.
    pub(crate) fn path(&self, txn: &Txn, needs: &mut Vec<Revision>) -> Option<Path> {
        let succeeded = self.judge_all(&txn.compare, needs)?;
        let mut nested = Some(Vec::new());
        for operation in txn.branch(succeeded) {
            if let Operation::Txn(inner) = operation {
                match (self.path(inner, needs), &mut nested) {
                    (Some(path), Some(nested)) => nested.push(path),
                    (_, nested) => *nested = None,
                }
            }
        }
        Some(Path { succeeded, nested: nested? })
    }

    /// Whether all comparisons hold. One that does not makes the values of the others needless.
    fn judge_all(&self, compares: &[Compare], needs: &mut Vec<Revision>) -> Option<bool> {
        let before = needs.len();
        let mut verdict = Some(true);
        for compare in compares {
            match self.judge(compare, needs) {
                Some(false) => {
                    needs.truncate(before);
                    return Some(false);
                }
                Some(true) => {}
                None => verdict = None,
            }
        }
        verdict
    }

    /// Whether a comparison holds for every key of its range. A range without keys is judged as
    /// one missing key.
    fn judge(&self, compare: &Compare, needs: &mut Vec<Revision>) -> Option<bool> {
        let mut verdict = Some(true);
        let mut empty = true;
        for (key, known) in self.index.range(&compare.range, None) {
            let Some(version) = known.live() else { continue };
            empty = false;
            let holds = match &compare.condition {
                Condition::Version(than) => related(compare, &version.version, than),
                Condition::CreateRevision(than) => related(compare, &version.created, than),
                Condition::ModRevision(than) => related(compare, &version.main(), than),
                Condition::Lease(than) => {
                    let lease = if version.leased() { self.leases.of_key(key) } else { None };
                    related(compare, &lease.map_or(0, |id| id.0), than)
                }
                Condition::Value(than) => match self.held(version.revision()) {
                    Some(record) => related(compare, &key_value(record).value, than),
                    None => {
                        needs.push(version.revision());
                        verdict = None;
                        continue;
                    }
                },
            };
            if !holds {
                return Some(false);
            }
        }
        if empty { Some(missing_key_holds(compare)) } else { verdict }
    }

    /// Whether every operation on the path can be done. All puts are looked at before the first
    /// read, as in etcd: of several errors that decides which one is told.
    pub(crate) fn check_path(&self, txn: &Txn, path: &Path) -> Result<(), Error> {
        each(txn, path, &|operation| match operation {
            Operation::Put(put) => self.check_put(put),
            Operation::Range(_) | Operation::DeleteRange(_) | Operation::Txn(_) => Ok(()),
        })?;
        each(txn, path, &|operation| match operation {
            Operation::Range(range) => self.check_revision(range),
            Operation::Put(_) | Operation::DeleteRange(_) | Operation::Txn(_) => Ok(()),
        })
    }

    /// Inside a transaction only 0 is the latest revision: a negative one counts as compacted
    /// as soon as it is less than the compact revision, which begins at −1.
    fn check_revision(&self, range: &Range) -> Result<(), Error> {
        match range.revision {
            0 => Ok(()),
            revision if revision > self.revision => Err(Error::FutureRevision),
            revision if revision >= self.compact_revision => Ok(()),
            _ if planted(Mutant::E18667) && self.compacting() => Ok(()),
            _ => Err(Error::Compacted),
        }
    }

    /// Does the operations of a path.
    fn follow(&mut self, changes: &mut Changes, txn: &Txn, path: &Path) -> Outcome {
        let mut nested = path.nested.iter();
        let mut responses = Vec::new();
        for operation in txn.branch(path.succeeded) {
            let outcome = match operation {
                Operation::Range(range) => {
                    Outcome::Range(self.range_within(range, changes.revision()))
                }
                Operation::Put(put) => self.put(changes, put),
                Operation::DeleteRange(delete) => self.delete(changes, delete),
                Operation::Txn(inner) => {
                    let path = nested.next().expect("a path has every nested transaction");
                    self.follow(changes, inner, path)
                }
            };
            responses.push((inner_revision(&outcome, changes.revision()), outcome));
        }
        Outcome::Txn { succeeded: path.succeeded, responses }
    }

    /// A read that sees the changes made so far. What it needs was supplied.
    fn range_within(&self, range: &Range, newest: i64) -> RangeResult {
        let mut cursor = RangeCursor::within(range.clone(), newest);
        self.advance(&mut cursor, usize::MAX);
        let view = cursor.into_view();
        view.complete(|revision| self.held(revision).cloned()).expect("what it needs was supplied")
    }
}

/// Calls `check` with every operation on a path, in order, until one fails.
fn each(
    txn: &Txn,
    path: &Path,
    check: &dyn Fn(&Operation) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut nested = path.nested.iter();
    for operation in txn.branch(path.succeeded) {
        if let Operation::Txn(inner) = operation {
            let path = nested.next().expect("a path has every nested transaction");
            each(inner, path, check)?;
        } else {
            check(operation)?;
        }
    }
    Ok(())
}

/// The revision in the header of an inner answer. etcd leaves that of a nested transaction out.
pub(crate) fn inner_revision(outcome: &Outcome, newest: i64) -> i64 {
    if matches!(outcome, Outcome::Txn { .. }) { 0 } else { newest }
}

/// Whether a key's attribute stands in the relation asked for.
fn related<T: Ord>(compare: &Compare, attribute: &T, operand: &T) -> bool {
    match compare.comparison {
        Comparison::Equal => attribute == operand,
        Comparison::Greater => attribute > operand,
        Comparison::Less => attribute < operand,
        Comparison::NotEqual => attribute != operand,
    }
}

/// Whether a comparison holds for a key that is not there: no value stands in any relation, all
/// numbers are 0.
fn missing_key_holds(compare: &Compare) -> bool {
    match &compare.condition {
        Condition::Value(_) => false,
        Condition::Version(than)
        | Condition::CreateRevision(than)
        | Condition::ModRevision(than)
        | Condition::Lease(than) => related(compare, &0, than),
    }
}
