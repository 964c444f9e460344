//! Read-only transactions: judged at once, read in steps.

use alloc::vec::Vec;

use crate::cursor::RangeCursor;
use crate::txn::{Path, inner_revision};
use crate::view::Gone;
use crate::{Alarm, Error, Operation, Outcome, Record, Revision, Store, Txn, View};

/// A read-only transaction whose comparisons have been judged: its reads remain to be stepped.
#[derive(Clone, Debug)]
pub struct TxnPlan {
    revision: i64,
    shape: Shape,
    /// The reads of the chosen path, in order.
    cursors: Vec<RangeCursor>,
    /// Cursors that are done.
    done: usize,
}

/// What such a transaction found, before its older values are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnView {
    revision: i64,
    shape: Shape,
    views: Vec<View>,
}

/// The answers of a branch: a read each, or a nested transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shape {
    succeeded: bool,
    /// `None` is a read.
    answers: Vec<Option<Shape>>,
}

impl TxnPlan {
    /// What it has found: to be called when the last step has said that it was the last.
    #[must_use]
    pub fn into_view(self) -> TxnView {
        let views = self.cursors.into_iter().map(RangeCursor::into_view).collect();
        TxnView { revision: self.revision, shape: self.shape, views }
    }
}

impl TxnView {
    /// The newest revision (main) when it was judged: that of all its headers.
    #[must_use]
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// The revisions whose records are to be fetched, in the order in which
    /// [`TxnView::complete`] asks for them.
    pub fn stored(&self) -> impl Iterator<Item = Revision> {
        self.views.iter().flat_map(View::stored)
    }

    /// The answer: an [`Outcome::Txn`].
    ///
    /// # Errors
    /// As [`View::complete`].
    pub fn complete(
        self,
        mut fetched: impl FnMut(Revision) -> Option<Record>,
    ) -> Result<Outcome, Gone> {
        let mut ranges = Vec::with_capacity(self.views.len());
        for view in self.views {
            ranges.push(Outcome::Range(view.complete(&mut fetched)?));
        }
        Ok(assemble(self.shape, &mut ranges.into_iter(), self.revision))
    }
}

fn assemble(shape: Shape, ranges: &mut impl Iterator<Item = Outcome>, newest: i64) -> Outcome {
    let mut responses = Vec::with_capacity(shape.answers.len());
    for answer in shape.answers {
        let outcome = match answer {
            Some(nested) => assemble(nested, ranges, newest),
            None => ranges.next().expect("a plan has a cursor for every read"),
        };
        responses.push((inner_revision(&outcome, newest), outcome));
    }
    Outcome::Txn { succeeded: shape.succeeded, responses }
}

impl Store {
    /// Judges a read-only transaction and begins its reads. What [`Store::missing_for_plan`] names
    /// has been supplied.
    ///
    /// # Errors
    /// [`Error::FutureRevision`] and [`Error::Compacted`] when a read of the chosen path cannot be
    /// done; [`Error::Corrupt`] while that alarm is raised, or when the backend had lost a record
    /// that a comparison needs.
    ///
    /// # Panics
    /// When the transaction is not read-only, or a record is missing.
    pub fn plan_txn(&self, txn: &Txn) -> Result<TxnPlan, Error> {
        assert!(txn.is_read_only(), "changes go through the log");
        if self.has_alarm(Alarm::Corrupt) {
            return Err(Error::Corrupt);
        }
        self.require(|store, needs| {
            store.path(txn, needs);
        })?;
        let path = self.path(txn, &mut Vec::new()).expect("what it needs was supplied");
        self.check_path(txn, &path)?;
        let mut cursors = Vec::new();
        let shape = self.begin_path(txn, &path, &mut cursors);
        Ok(TxnPlan { revision: self.revision, shape, cursors, done: 0 })
    }

    /// Goes on over at most `max_keys` keys; true when all reads are done.
    ///
    /// # Errors
    /// As [`Store::step_range`].
    pub fn step_txn(&self, plan: &mut TxnPlan, max_keys: usize) -> Result<bool, Error> {
        if let Some(cursor) = plan.cursors.get_mut(plan.done)
            && self.step_range(cursor, max_keys)?
        {
            plan.done += 1;
        }
        Ok(plan.done == plan.cursors.len())
    }

    fn begin_path(&self, txn: &Txn, path: &Path, cursors: &mut Vec<RangeCursor>) -> Shape {
        let mut nested = path.nested.iter();
        let mut answers = Vec::new();
        for operation in txn.branch(path.succeeded) {
            match operation {
                Operation::Range(range) => {
                    cursors.push(RangeCursor::within(range.clone(), self.revision));
                    answers.push(None);
                }
                Operation::Txn(inner) => {
                    let path = nested.next().expect("a path has every nested transaction");
                    answers.push(Some(self.begin_path(inner, path, cursors)));
                }
                Operation::Put(_) | Operation::DeleteRange(_) => {
                    unreachable!("the transaction is read-only")
                }
            }
        }
        Shape { succeeded: path.succeeded, answers }
    }
}
