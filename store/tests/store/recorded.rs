//! The story that a real etcd 3.5.1 was told request by request, and the revisions, counts and
//! refusals it answered with.

use store::{
    Command, Comparison, Condition, DeleteRange, Error, LeaseId, Limits, Operation, Outcome, Put,
    Range, Store,
};

use crate::rig::{
    Rig, bytes, compare, delete, found, grant, keys, op_delete, op_get, op_put, parts, plain, put,
    put_leased, range, txn,
};

fn with_prev(value: &str) -> Command {
    Command::Put(Put { prev_kv: true, ..plain("a", value) })
}

fn prev(outcome: Outcome) -> (i64, i64, i64, String) {
    let Outcome::Put { prev: Some(kv) } = outcome else { panic!("{outcome:?}") };
    let value = String::from_utf8(kv.value.to_vec()).expect("text");
    (kv.create_revision, kv.mod_revision, kv.version, value)
}

/// The keys part of the story; leaves the store at revision 5 as etcd was.
fn keys_part(rig: &mut Rig) {
    assert_eq!(rig.put("a", "1"), 2);
    assert_eq!(prev(rig.ok(&with_prev("2"))), (2, 2, 1, "1".into()));
    assert_eq!(prev(rig.ok(&with_prev("2"))), (2, 3, 2, "2".into()));
    assert_eq!(rig.store.revision(), 4);
    let kv = rig.get("a").expect("it was put");
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (2, 4, 3));
    let old = rig.read(&Range { revision: 2, ..range("a", "") }).expect("readable");
    assert_eq!((old.kvs[0].mod_revision, old.kvs[0].value.clone(), old.count), (2, bytes("1"), 1));
    let future = Range { revision: 999, ..range("a", "") };
    assert_eq!(rig.read(&future), Err(Error::FutureRevision));
    let negative = rig.read(&Range { revision: -5, ..range("a", "") }).expect("the latest");
    assert_eq!(negative.kvs[0].mod_revision, 4);
    assert_eq!(Store::validate_range(&range("", "")), Err(Error::EmptyKey));
    assert_eq!(rig.apply(&delete("nope", "")).revision, 4);
    let gone = DeleteRange { range: keys("a", ""), prev_kv: true };
    let Outcome::DeleteRange { deleted: 1, prev } = rig.ok(&Command::DeleteRange(gone)) else {
        panic!("one key was there")
    };
    assert_eq!((prev[0].mod_revision, prev[0].version, rig.store.revision()), (4, 3, 5));
    let ignoring = Command::Put(Put { value: None, ..plain("a", "") });
    assert_eq!(rig.refused(&ignoring), Error::KeyNotFound);
    assert_eq!(rig.refused(&put_leased("a", "1", 99)), Error::LeaseNotFound);
}

#[test]
fn etcd_3_5_1_answered_so() {
    let mut rig = Rig::cold();
    keys_part(&mut rig);
    assert_eq!(rig.ok(&grant(77, 1)), Outcome::LeaseGrant { id: LeaseId(77), ttl: 2 });
    assert_eq!(rig.refused(&grant(77, 1)), Error::LeaseExists);
    assert_eq!(rig.refused(&grant(78, 9_000_000_001)), Error::LeaseTtlTooLarge);
    let renewed = rig.ok(&Command::LeaseRenew { ids: vec![LeaseId(77), LeaseId(7877)] });
    assert_eq!(renewed, Outcome::LeaseRenew(vec![(LeaseId(77), 2), (LeaseId(7877), 0)]));
    assert_eq!(rig.refused(&Command::LeaseRevoke { id: LeaseId(78) }), Error::LeaseNotFound);
    let empty = rig.apply(&Command::Txn(txn(vec![], vec![], vec![])));
    assert_eq!(empty.revision, 5);
    assert!(parts(empty.outcome.expect("legal")).0);
    let limits = Limits::default();
    let judged = |success: Vec<Operation>| {
        Store::validate(&limits, &Command::Txn(txn(vec![], success, vec![])))
    };
    assert_eq!(judged(vec![op_put("q", "1"), op_put("q", "2")]), Err(Error::DuplicateKey));
    assert_eq!(judged(vec![op_get("q", ""); 129]), Err(Error::TooManyOps));

    let steps = vec![op_put("q", "1"), op_get("q", ""), op_delete("zz", "")];
    let applied = rig.apply(&Command::Txn(txn(vec![], steps, vec![])));
    let (succeeded, responses) = parts(applied.outcome.expect("it can be done"));
    assert_eq!((applied.revision, succeeded), (6, true));
    assert_eq!(responses.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [6, 6, 6]);
    let seen = found(&responses[1].1);
    assert_eq!((seen.kvs[0].create_revision, seen.kvs[0].version, seen.count), (6, 1, 1));
    // A comparison without an operand compares with 0, and q has version 1.
    let zero = compare("q", Comparison::Equal, Condition::Version(0));
    assert!(!parts(rig.ok(&Command::Txn(txn(vec![zero], vec![], vec![])))).0);

    rig.compact(0);
    assert_eq!(rig.refused(&Command::Compact { revision: 999 }), Error::FutureRevision);
    rig.compact(3);
    assert_eq!(rig.refused(&Command::Compact { revision: 3 }), Error::Compacted);
    let compacted = Range { revision: 2, ..range("a", "") };
    assert_eq!(rig.read(&compacted), Err(Error::Compacted));
    let big = put("a", &"x".repeat(1_700_000));
    assert_eq!(Store::validate(&limits, &big), Err(Error::RequestTooLarge));
    let past = rig.past(5, 10).expect("not compacted");
    assert_eq!(past.last().map(|event| event.kv.mod_revision), Some(6));
}
