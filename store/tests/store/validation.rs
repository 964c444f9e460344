//! What is refused before it is proposed.

use store::{
    Command, Comparison, Condition, Error, LeaseId, Limits, MAX_TXN_DEPTH, Operation, Store, Txn,
};

use crate::rig::{Rig, compare, delete, op_delete, op_get, op_put, put, range, txn};

fn judged(success: Vec<Operation>) -> Result<(), Error> {
    Store::validate(&Limits::default(), &Command::Txn(txn(vec![], success, vec![])))
}

fn nested(success: Vec<Operation>, failure: Vec<Operation>) -> Operation {
    Operation::Txn(txn(vec![], success, failure))
}

#[test]
fn every_key_must_be_given() {
    let limits = Limits::default();
    assert_eq!(Store::validate(&limits, &put("", "1")), Err(Error::EmptyKey));
    assert_eq!(Store::validate(&limits, &delete("", "\0")), Err(Error::EmptyKey));
    assert_eq!(Store::validate_range(&range("", "\0")), Err(Error::EmptyKey));
    assert_eq!(Store::validate_range(&range("\0", "")), Ok(()));
    for operation in [op_get("", ""), op_put("", ""), op_delete("", "")] {
        assert_eq!(judged(vec![operation.clone()]), Err(Error::EmptyKey));
        assert_eq!(judged(vec![nested(vec![], vec![operation])]), Err(Error::EmptyKey));
    }
    let keyless = compare("", Comparison::Equal, Condition::Version(0));
    let txn = txn(vec![keyless], vec![], vec![]);
    assert_eq!(Store::validate_txn(&limits, &txn), Err(Error::EmptyKey));
}

#[test]
fn the_longest_list_counts_and_nested_ones_get_what_is_left() {
    let reads = |n: usize| vec![op_get("a", ""); n];
    assert_eq!(judged(reads(128)), Ok(()));
    assert_eq!(judged(reads(129)), Err(Error::TooManyOps));
    let with = |outer: usize, inner: usize| {
        let mut list = reads(outer - 1);
        list.push(nested(reads(inner), vec![]));
        judged(list)
    };
    assert_eq!(with(100, 28), Ok(()));
    assert_eq!(with(100, 29), Err(Error::TooManyOps));
    let compares = vec![compare("a", Comparison::Equal, Condition::Version(0)); 129];
    let txn = txn(compares, vec![], vec![]);
    assert_eq!(Store::validate_txn(&Limits::default(), &txn), Err(Error::TooManyOps));
}

/// etcd looks at each level from the outside in, and at a level's size first.
#[test]
fn the_first_fault_in_etcds_order_is_told() {
    let crowded = nested(vec![op_get("a", ""); 200], vec![]);
    assert_eq!(judged(vec![op_put("", ""), crowded.clone()]), Err(Error::EmptyKey));
    assert_eq!(judged(vec![crowded, op_put("", "")]), Err(Error::TooManyOps));
    let twice = vec![op_put("a", ""), op_put("a", ""), op_put("", "")];
    assert_eq!(judged(twice), Err(Error::EmptyKey));
}

#[test]
fn a_key_is_changed_once_on_every_path() {
    let duplicate = Err(Error::DuplicateKey);
    let put = |key: &str| op_put(key, "");
    assert_eq!(judged(vec![put("a"), put("b"), put("c")]), Ok(()));
    assert_eq!(judged(vec![put("a"), put("b"), put("a")]), duplicate);
    for (key, end) in [("b", ""), ("a", "c"), ("a", "\0")] {
        assert_eq!(judged(vec![op_delete(key, end), put("b")]), duplicate, "{key}..{end}");
        assert_eq!(judged(vec![put("b"), op_delete(key, end)]), duplicate, "{key}..{end}");
    }
    for (key, end) in [("a", ""), ("a", "b"), ("c", "\0"), ("c", "b")] {
        assert_eq!(judged(vec![op_delete(key, end), put("b")]), Ok(()), "{key}..{end}");
    }
    assert_eq!(judged(vec![op_delete("a", "c"), op_get("a", "z"), op_delete("b", "d")]), Ok(()));
}

#[test]
fn branches_of_a_nested_transaction_exclude_each_other_but_not_their_surroundings() {
    let duplicate = Err(Error::DuplicateKey);
    let a = || op_put("a", "");
    assert_eq!(judged(vec![nested(vec![a()], vec![a()])]), Ok(()));
    assert_eq!(judged(vec![nested(vec![op_delete("a", "")], vec![a()])]), Ok(()));
    assert_eq!(judged(vec![nested(vec![a(), a()], vec![])]), duplicate);
    assert_eq!(judged(vec![nested(vec![], vec![a(), op_delete("a", "b")])]), duplicate);
    assert_eq!(judged(vec![a(), nested(vec![], vec![a()])]), duplicate);
    assert_eq!(judged(vec![nested(vec![a()], vec![]), a()]), duplicate);
    assert_eq!(judged(vec![nested(vec![a()], vec![]), nested(vec![], vec![a()])]), duplicate);
    let deletes = nested(vec![op_delete("a", "b")], vec![]);
    assert_eq!(judged(vec![nested(vec![a()], vec![]), deletes]), duplicate);
    assert_eq!(judged(vec![nested(vec![nested(vec![a()], vec![])], vec![]), a()]), duplicate);
}

#[test]
fn the_size_limit_is_on_keys_and_values() {
    let limits = Limits::default();
    let value = "x".repeat(limits.max_request_bytes - 100);
    assert_eq!(Store::validate(&limits, &put("a", &value)), Ok(()));
    let value = "x".repeat(limits.max_request_bytes);
    assert_eq!(Store::validate(&limits, &put("a", &value)), Err(Error::RequestTooLarge));
    let halves = ["a", "b"].map(|key| op_put(key, &value[..value.len() / 2])).to_vec();
    assert_eq!(judged(halves), Err(Error::RequestTooLarge));
    let many = Command::LeaseRenew { ids: vec![LeaseId(1); limits.max_request_bytes / 8] };
    assert_eq!(Store::validate(&limits, &many), Err(Error::RequestTooLarge));
}

/// What would break the index is refused again when it comes out of the log.
#[test]
fn a_log_that_changes_a_key_twice_in_one_transaction_changes_nothing() {
    let mut rig = Rig::cold();
    for steps in [
        vec![op_put("a", "1"), op_put("a", "2")],
        vec![op_put("a", "1"), op_delete("a", "")],
        vec![nested(vec![op_put("a", "1")], vec![]), nested(vec![op_delete("a", "")], vec![])],
    ] {
        let command = Command::Txn(txn(vec![], steps, vec![]));
        assert_eq!(rig.refused(&command), Error::DuplicateKey);
    }
}

#[test]
fn nesting_is_bounded_whatever_the_limit_on_operations_says() {
    let limits = Limits { max_txn_ops: usize::MAX, ..Limits::default() };
    let deep = |depth: usize| {
        (1..depth).fold(Txn::default(), |inner, _| txn(vec![], vec![Operation::Txn(inner)], vec![]))
    };
    assert_eq!(Store::validate_txn(&limits, &deep(MAX_TXN_DEPTH)), Ok(()));
    assert_eq!(Store::validate_txn(&limits, &deep(MAX_TXN_DEPTH + 1)), Err(Error::TooManyOps));
    let mut bytes = Vec::new();
    Command::Txn(deep(MAX_TXN_DEPTH)).encode(&mut bytes);
    let decoded = Command::decode(bytes.into());
    assert_eq!(decoded, Ok(Command::Txn(deep(MAX_TXN_DEPTH))));
}
