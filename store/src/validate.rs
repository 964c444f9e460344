//! What can be told from a request alone, in the order in which etcd looks at it.
//!
//! This is asked before a request is proposed or read. What is refused because it could not be
//! executed soundly (no key, a key changed twice) is refused once more when it is applied, so that
//! the laws of the index do not hang on what a log contains; what is refused for its size is not,
//! since sizes are a setting of the node that took the request.

use alloc::vec::Vec;

use crate::{Command, Compare, Condition, Error, KeyRange, Limits, Operation, Put, Range, Txn};

/// How deep transactions may be nested, whatever [`Limits::max_txn_ops`] says. With etcd's 128
/// operations nothing reaches it: each level takes at least one of what is left.
pub const MAX_TXN_DEPTH: usize = 256;

/// Bytes accounted for an operation besides its keys and values.
const OPERATION_COST: usize = 16;

/// The checks of a command before it is proposed.
pub(crate) fn command(limits: &Limits, command: &Command) -> Result<(), Error> {
    checked(command, limits.max_txn_ops)?;
    if size(command) > limits.max_request_bytes {
        return Err(Error::RequestTooLarge);
    }
    Ok(())
}

/// The checks of a read.
pub(crate) fn range(range: &Range) -> Result<(), Error> {
    keyed(&range.keys)
}

/// What must hold of any command that is applied.
pub(crate) fn sound(command: &Command) -> Result<(), Error> {
    checked(command, usize::MAX)
}

fn checked(command: &Command, max_txn_ops: usize) -> Result<(), Error> {
    match command {
        Command::Put(put) => named(put),
        Command::DeleteRange(delete) => keyed(&delete.range),
        Command::Txn(it) => txn(it, max_txn_ops),
        Command::Once { command, .. } => checked(command, max_txn_ops),
        Command::LeaseGrant { .. }
        | Command::Compact { .. }
        | Command::LeaseRevoke { .. }
        | Command::LeaseRenew { .. }
        | Command::Tick { .. }
        | Command::Alarm { .. }
        | Command::Publish(_)
        | Command::StateHash { .. }
        | Command::SpaceReport { .. }
        | Command::Member(_)
        | Command::Settle { .. }
        | Command::Recovered(_) => Ok(()),
    }
}

/// The checks of a transaction.
pub(crate) fn txn(txn: &Txn, max_ops: usize) -> Result<(), Error> {
    shaped(txn, max_ops, MAX_TXN_DEPTH)?;
    for branch in [&txn.success, &txn.failure] {
        let alone = branch.len() == 1 && !matches!(branch[0], Operation::Txn(_));
        if !alone {
            Writes::of(branch)?;
        }
    }
    Ok(())
}

fn named(put: &Put) -> Result<(), Error> {
    if put.key.is_empty() { Err(Error::EmptyKey) } else { Ok(()) }
}

fn keyed(keys: &KeyRange) -> Result<(), Error> {
    if keys.key.is_empty() { Err(Error::EmptyKey) } else { Ok(()) }
}

/// Every level by itself, from the outside in: no list longer than what is `left`, and every key
/// given.
fn shaped(txn: &Txn, left: usize, depth: usize) -> Result<(), Error> {
    let longest = txn.compare.len().max(txn.success.len()).max(txn.failure.len());
    if longest > left || depth == 0 {
        return Err(Error::TooManyOps);
    }
    txn.compare.iter().try_for_each(|compare| keyed(&compare.range))?;
    for operation in txn.success.iter().chain(&txn.failure) {
        match operation {
            Operation::Range(range) => keyed(&range.keys)?,
            Operation::Put(put) => named(put)?,
            Operation::DeleteRange(delete) => keyed(&delete.range)?,
            Operation::Txn(inner) => shaped(inner, left - longest, depth - 1)?,
        }
    }
    Ok(())
}

/// What some path through a list of operations may write.
#[derive(Default)]
struct Writes<'a> {
    /// Ascending, unique.
    puts: Vec<&'a [u8]>,
    deletes: Vec<&'a KeyRange>,
}

impl<'a> Writes<'a> {
    /// The writes of a list; [`Error::DuplicateKey`] when a path through it puts a key twice, or
    /// puts and deletes it. Deleting twice is allowed: the second deletion finds nothing.
    fn of(operations: &'a [Operation]) -> Result<Self, Error> {
        let mut all = Self::default();
        for operation in operations {
            let writes = match operation {
                Operation::Range(_) => continue,
                Operation::Put(put) => {
                    Self { puts: Vec::from([&put.key[..]]), deletes: Vec::new() }
                }
                Operation::DeleteRange(it) => {
                    Self { puts: Vec::new(), deletes: Vec::from([&it.range]) }
                }
                // Only one of the branches is executed: they do not exclude each other.
                Operation::Txn(txn) => Self::of(&txn.success)?.or(Self::of(&txn.failure)?),
            };
            all = all.and(writes)?;
        }
        Ok(all)
    }

    fn and(self, other: Self) -> Result<Self, Error> {
        let twice = other.puts.iter().any(|key| self.puts.binary_search(key).is_ok());
        if twice || self.deletes_any(&other.puts) || other.deletes_any(&self.puts) {
            return Err(Error::DuplicateKey);
        }
        Ok(self.or(other))
    }

    fn or(mut self, other: Self) -> Self {
        self.puts.extend(other.puts);
        self.puts.sort_unstable();
        self.puts.dedup();
        self.deletes.extend(other.deletes);
        self
    }

    fn deletes_any(&self, puts: &[&[u8]]) -> bool {
        self.deletes.iter().any(|range| {
            let first = puts.partition_point(|key| *key < &range.key[..]);
            puts.get(first).is_some_and(|key| range.contains(key))
        })
    }
}

/// The bytes that a command takes.
fn size(command: &Command) -> usize {
    match command {
        Command::Put(put) => put_size(put),
        Command::DeleteRange(delete) => keys_size(&delete.range),
        Command::Txn(txn) => txn_size(txn),
        Command::Once { command, .. } => size(command),
        Command::LeaseRenew { ids } => OPERATION_COST + 8 * ids.len(),
        Command::Publish(member) => {
            let urls = member.peer_urls.iter().chain(&member.client_urls);
            urls.fold(OPERATION_COST + member.name.len(), |sum, url| sum + url.len())
        }
        Command::Member(change) => {
            change.peer_urls().iter().fold(OPERATION_COST, |sum, url| sum + url.len())
        }
        Command::Recovered(recovery) => {
            let members = recovery.given_up.iter();
            members.fold(OPERATION_COST, |sum, (_, name)| sum + 8 + name.len())
        }
        Command::Compact { .. }
        | Command::Settle { .. }
        | Command::LeaseGrant { .. }
        | Command::LeaseRevoke { .. }
        | Command::Tick { .. }
        | Command::Alarm { .. }
        | Command::StateHash { .. }
        | Command::SpaceReport { .. } => OPERATION_COST,
    }
}

fn put_size(put: &Put) -> usize {
    OPERATION_COST + put.key.len() + put.value.as_ref().map_or(0, |value| value.len())
}

fn keys_size(keys: &KeyRange) -> usize {
    OPERATION_COST + keys.key.len() + keys.end.len()
}

fn compare_size(compare: &Compare) -> usize {
    let operand = match &compare.condition {
        Condition::Value(value) => value.len(),
        Condition::Version(_)
        | Condition::CreateRevision(_)
        | Condition::ModRevision(_)
        | Condition::Lease(_) => 0,
    };
    keys_size(&compare.range) + operand
}

fn txn_size(txn: &Txn) -> usize {
    let compares: usize = txn.compare.iter().map(compare_size).sum();
    let operations = txn.success.iter().chain(&txn.failure).map(|operation| match operation {
        Operation::Range(range) => keys_size(&range.keys),
        Operation::Put(put) => put_size(put),
        Operation::DeleteRange(delete) => keys_size(&delete.range),
        Operation::Txn(inner) => txn_size(inner),
    });
    OPERATION_COST + compares + operations.sum::<usize>()
}
