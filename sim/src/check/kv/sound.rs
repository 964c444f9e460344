//! What is wrong with a command whatever the state.

use bytes::Bytes;
use store::{Command, Error, KeyRange, Operation, Txn};

/// The first thing that is wrong with a command: a key is missing, or put twice, or put and
/// deleted. Sizes are a setting of the node that takes the command, and are not looked at.
pub(super) fn flaw(command: &Command) -> Option<Error> {
    match command {
        Command::Put(put) => empty(&put.key),
        Command::DeleteRange(delete) => empty(&delete.range.key),
        Command::Txn(txn) => flaw_of_txn(txn),
        Command::Once { command, .. } => flaw(command),
        Command::Compact { .. }
        | Command::LeaseGrant { .. }
        | Command::LeaseRevoke { .. }
        | Command::LeaseRenew { .. }
        | Command::Tick { .. }
        | Command::Alarm { .. }
        | Command::Publish(_)
        | Command::StateHash { .. }
        | Command::SpaceReport { .. }
        | Command::Recovered(_)
        | Command::Member(_)
        | Command::Settle { .. } => None,
    }
}

fn empty(key: &Bytes) -> Option<Error> {
    key.is_empty().then_some(Error::EmptyKey)
}

/// The same of a transaction.
pub(super) fn flaw_of_txn(txn: &Txn) -> Option<Error> {
    unnamed(txn).then_some(Error::EmptyKey).or_else(|| {
        let branches = [&txn.success, &txn.failure];
        branches.into_iter().any(|branch| clashes(branch)).then_some(Error::DuplicateKey)
    })
}

fn unnamed(txn: &Txn) -> bool {
    let operation = |operation: &Operation| match operation {
        Operation::Range(range) => range.keys.key.is_empty(),
        Operation::Put(put) => put.key.is_empty(),
        Operation::DeleteRange(delete) => delete.range.key.is_empty(),
        Operation::Txn(nested) => unnamed(nested),
    };
    txn.compare.iter().any(|compare| compare.range.key.is_empty())
        || txn.success.iter().chain(&txn.failure).any(operation)
}

/// A write that some path through a transaction makes.
#[derive(Clone, Copy)]
enum Write<'a> {
    Put(&'a [u8]),
    Delete(&'a KeyRange),
}

/// Whether one path through these operations may put a key twice, or put and delete it.
fn clashes(operations: &[Operation]) -> bool {
    let mut before: Vec<Write> = Vec::new();
    for operation in operations {
        if let Operation::Txn(nested) = operation
            && (clashes(&nested.success) || clashes(&nested.failure))
        {
            return true;
        }
        let mut own = Vec::new();
        writes(operation, &mut own);
        if own.iter().any(|new| before.iter().any(|old| clash(*old, *new))) {
            return true;
        }
        before.extend(own);
    }
    false
}

fn writes<'a>(operation: &'a Operation, all: &mut Vec<Write<'a>>) {
    match operation {
        Operation::Range(_) => {}
        Operation::Put(put) => all.push(Write::Put(&put.key)),
        Operation::DeleteRange(delete) => all.push(Write::Delete(&delete.range)),
        Operation::Txn(nested) => {
            nested.success.iter().chain(&nested.failure).for_each(|inner| writes(inner, all));
        }
    }
}

fn clash(one: Write, other: Write) -> bool {
    match (one, other) {
        (Write::Put(one), Write::Put(other)) => one == other,
        (Write::Put(key), Write::Delete(range)) | (Write::Delete(range), Write::Put(key)) => {
            range.contains(key)
        }
        (Write::Delete(_), Write::Delete(_)) => false,
    }
}
