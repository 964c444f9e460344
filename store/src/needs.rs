//! Which older values a command cannot do without.
//!
//! Applying never reads a disk. Before a command is applied, its owner asks what is missing,
//! fetches it, hands it over, and asks again: a transaction first needs what its comparisons look
//! at, and then what the chosen branch reads. All of it belongs to the state *before* the command,
//! since what the command itself writes is in memory.

use alloc::vec::Vec;

use crate::cursor::RangeCursor;
use crate::txn::Path;
use crate::{Command, DeleteRange, Error, KeyRange, Operation, Put, Range, Revision, Store, Txn};

impl Store {
    /// The revisions whose records a command needs and that are not in memory: to be handed over
    /// with [`Store::supply`] until none is missing. Ascending, each once.
    #[must_use]
    pub fn missing(&self, command: &Command) -> Vec<Revision> {
        let mut needs = Vec::new();
        match command {
            Command::Put(put) => self.needs_of_put(put, &mut needs),
            Command::DeleteRange(delete) => self.needs_of_delete(delete, &mut needs),
            Command::Txn(txn) => self.needs_of_txn(txn, &mut needs),
            Command::Once { stamp, command } if self.is_first(stamp) => {
                return self.missing(command);
            }
            Command::Once { .. }
            | Command::Compact { .. }
            | Command::LeaseGrant { .. }
            | Command::LeaseRevoke { .. }
            | Command::LeaseRenew { .. }
            | Command::Tick { .. }
            | Command::Alarm { .. }
            | Command::Publish(_)
            | Command::StateHash { .. }
            | Command::SpaceReport { .. }
            | Command::Member(_)
            | Command::Settle { .. }
            | Command::Recovered(_) => {}
        }
        self.unsupplied(needs)
    }

    /// The same for a read-only transaction that is to be planned: what its comparisons need.
    #[must_use]
    pub fn missing_for_plan(&self, txn: &Txn) -> Vec<Revision> {
        let mut needs = Vec::new();
        self.path(txn, &mut needs);
        self.unsupplied(needs)
    }

    /// Makes sure that nothing is missing.
    ///
    /// # Panics
    /// When something was not supplied.
    pub(crate) fn require(
        &self,
        needs_of: impl FnOnce(&Self, &mut Vec<Revision>),
    ) -> Result<(), Error> {
        let mut needs = Vec::new();
        needs_of(self, &mut needs);
        for revision in needs {
            let supplied = self.supplied.get(&revision);
            assert!(supplied.is_some(), "the record of {revision} is supplied before it is needed");
            if let Some(None) = supplied {
                return Err(Error::Corrupt);
            }
        }
        Ok(())
    }

    fn unsupplied(&self, mut needs: Vec<Revision>) -> Vec<Revision> {
        needs.retain(|revision| !self.supplied.contains_key(revision));
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// Needs are what is neither in memory nor supplied as a record.
    fn need(&self, revision: Revision, needs: &mut Vec<Revision>) {
        if self.held(revision).is_none() {
            needs.push(revision);
        }
    }

    pub(crate) fn needs_of_put(&self, put: &Put, needs: &mut Vec<Revision>) {
        if (put.prev_kv || put.value.is_none())
            && let Some(version) = self.index.get(&put.key).and_then(|known| known.live())
        {
            self.need(version.revision(), needs);
        }
    }

    pub(crate) fn needs_of_delete(&self, delete: &DeleteRange, needs: &mut Vec<Revision>) {
        if delete.prev_kv {
            for (_, known) in self.index.range(&delete.range, None) {
                if let Some(version) = known.live() {
                    self.need(version.revision(), needs);
                }
            }
        }
    }

    pub(crate) fn needs_of_txn(&self, txn: &Txn, needs: &mut Vec<Revision>) {
        if let Some(path) = self.path(txn, needs) {
            self.needs_of_path(txn, &path, &mut Vec::new(), needs);
        }
    }

    fn needs_of_path<'a>(
        &self,
        txn: &'a Txn,
        path: &Path,
        deleted: &mut Vec<&'a KeyRange>,
        needs: &mut Vec<Revision>,
    ) {
        let mut nested = path.nested.iter();
        for operation in txn.branch(path.succeeded) {
            match operation {
                Operation::Range(range) => self.needs_of_range(range, deleted, needs),
                Operation::Put(put) => self.needs_of_put(put, needs),
                Operation::DeleteRange(delete) => {
                    self.needs_of_delete(delete, needs);
                    deleted.push(&delete.range);
                }
                Operation::Txn(inner) => {
                    let path = nested.next().expect("a path has every nested transaction");
                    self.needs_of_path(inner, path, deleted, needs);
                }
            }
        }
    }

    /// What a read inside a transaction needs. Keys that the transaction has deleted by then make
    /// room under the limit, so they are left out; keys it has put only take room away, so that
    /// they may be left in.
    fn needs_of_range(&self, range: &Range, deleted: &[&KeyRange], needs: &mut Vec<Revision>) {
        let latest = range.revision <= 0;
        let mut cursor = RangeCursor::within(range.clone(), self.revision);
        for (key, known) in self.index.range(&range.keys, None) {
            let gone = latest && deleted.iter().any(|range| range.contains(key));
            if !gone && !cursor.visit(self, key, known) {
                break;
            }
        }
        for revision in cursor.into_stored() {
            self.need(revision, needs);
        }
    }
}
