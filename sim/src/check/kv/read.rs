//! Reads of the state at a revision.

use std::cmp::Ordering;

use bytes::Bytes;
use store::{
    Compare, Comparison, Condition, Filter, KeyValue, Operation, Outcome, Range, RangeResult,
    SortOrder, SortTarget, Txn,
};

use super::versions::Versions;

/// The answer to a read at a revision, whatever revision it asked for.
pub(super) fn range(versions: &Versions, range: &Range, at: i64) -> RangeResult {
    let all: Vec<KeyValue> = versions.range(&range.keys, at).collect();
    let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
    if range.count_only {
        return RangeResult { kvs: Vec::new(), more: false, count };
    }
    let mut kvs: Vec<KeyValue> = all.into_iter().filter(|kv| passes(&range.filter, kv)).collect();
    let limit = usize::try_from(range.limit).ok().filter(|limit| *limit > 0);
    // etcd fetches no more than one key beyond the limit where neither an order nor a bound is
    // given, and sorts by the target only what it fetched.
    let unsorted = range.order == SortOrder::None && range.filter == Filter::default();
    if let Some(limit) = limit.filter(|_| unsorted) {
        kvs.truncate(limit.saturating_add(1));
    }
    let more = limit.is_some_and(|limit| kvs.len() > limit);
    match range.order {
        SortOrder::None | SortOrder::Ascend => kvs.sort_by(|a, b| by(range.target, a, b)),
        SortOrder::Descend => kvs.sort_by(|a, b| by(range.target, b, a)),
    }
    kvs.truncate(limit.unwrap_or(usize::MAX));
    if range.keys_only {
        kvs.iter_mut().for_each(|kv| kv.value = Bytes::new());
    }
    RangeResult { kvs, more, count }
}

fn by(target: SortTarget, a: &KeyValue, b: &KeyValue) -> Ordering {
    match target {
        SortTarget::Key => a.key.cmp(&b.key),
        SortTarget::Version => a.version.cmp(&b.version),
        SortTarget::Create => a.create_revision.cmp(&b.create_revision),
        SortTarget::Mod => a.mod_revision.cmp(&b.mod_revision),
        SortTarget::Value => a.value.cmp(&b.value),
    }
}

fn passes(filter: &Filter, kv: &KeyValue) -> bool {
    (filter.min_mod == 0 || filter.min_mod <= kv.mod_revision)
        && (filter.max_mod == 0 || kv.mod_revision <= filter.max_mod)
        && (filter.min_create == 0 || filter.min_create <= kv.create_revision)
        && (filter.max_create == 0 || kv.create_revision <= filter.max_create)
}

/// The answer to a read inside a transaction, where `newest` is what it sees as the latest.
pub(super) fn within(versions: &Versions, it: &Range, newest: i64) -> RangeResult {
    range(versions, it, if it.revision <= 0 { newest } else { it.revision })
}

/// Whether a comparison holds at a revision.
pub(super) fn holds(versions: &Versions, compare: &Compare, at: i64) -> bool {
    let mut found = versions.range(&compare.range, at).peekable();
    if found.peek().is_none() {
        return match &compare.condition {
            Condition::Value(_) => false,
            Condition::Version(_)
            | Condition::CreateRevision(_)
            | Condition::ModRevision(_)
            | Condition::Lease(_) => satisfies(compare, &KeyValue::default()),
        };
    }
    found.all(|kv| satisfies(compare, &kv))
}

fn satisfies(compare: &Compare, kv: &KeyValue) -> bool {
    let order = match &compare.condition {
        Condition::Version(than) => kv.version.cmp(than),
        Condition::CreateRevision(than) => kv.create_revision.cmp(than),
        Condition::ModRevision(than) => kv.mod_revision.cmp(than),
        Condition::Value(than) => kv.value.cmp(than),
        Condition::Lease(than) => kv.lease.map_or(0, |lease| lease.0).cmp(than),
    };
    match compare.comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Greater => order.is_gt(),
        Comparison::Less => order.is_lt(),
    }
}

/// Whether all comparisons of one level of a transaction hold at a revision.
pub(super) fn succeeds(versions: &Versions, txn: &Txn, at: i64) -> bool {
    txn.compare.iter().all(|compare| holds(versions, compare, at))
}

/// The operations of the branch that a transaction takes.
pub(super) fn branch(txn: &Txn, succeeded: bool) -> &[Operation] {
    if succeeded { &txn.success } else { &txn.failure }
}

/// The answer to a read-only transaction at a revision; `None` when it is not read-only on the
/// branch that it takes.
pub(super) fn txn(versions: &Versions, it: &Txn, at: i64) -> Option<Outcome> {
    let succeeded = succeeds(versions, it, at);
    let mut responses = Vec::new();
    for operation in branch(it, succeeded) {
        responses.push(match operation {
            Operation::Range(range) => (at, Outcome::Range(within(versions, range, at))),
            // etcd leaves the header of a nested transaction out.
            Operation::Txn(nested) => (0, txn(versions, nested, at)?),
            Operation::Put(_) | Operation::DeleteRange(_) => return None,
        });
    }
    Some(Outcome::Txn { succeeded, responses })
}

/// Calls `visit` with every read on the path that a transaction takes at a revision.
pub(super) fn each_range<'a>(
    versions: &Versions,
    it: &'a Txn,
    at: i64,
    visit: &mut impl FnMut(&'a Range),
) {
    for operation in branch(it, succeeds(versions, it, at)) {
        match operation {
            Operation::Range(range) => visit(range),
            Operation::Txn(nested) => each_range(versions, nested, at, visit),
            Operation::Put(_) | Operation::DeleteRange(_) => {}
        }
    }
}
