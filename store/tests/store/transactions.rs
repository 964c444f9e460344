//! Transactions: compare, choose, do; whole or not at all.

use store::{
    Command, Compare, Comparison, Condition, DeleteRange, Error, Operation, Outcome, Put, Range,
    Store,
};

use crate::rig::{
    Rig, bytes, compare, found, grant, keys, op_delete, op_get, op_put, parts, plain, put,
    put_leased, range, txn,
};

const RELATIONS: [Comparison; 4] =
    [Comparison::Equal, Comparison::Greater, Comparison::Less, Comparison::NotEqual];

fn holds(rig: &mut Rig, compare: Compare) -> bool {
    parts(rig.ok(&Command::Txn(txn(vec![compare], vec![], vec![])))).0
}

#[test]
fn an_empty_transaction_succeeds_and_takes_no_revision() {
    let mut rig = Rig::cold();
    let applied = rig.apply(&Command::Txn(txn(vec![], vec![], vec![])));
    assert_eq!(applied.revision, 1);
    assert_eq!(applied.outcome, Ok(Outcome::Txn { succeeded: true, responses: vec![] }));
}

#[test]
fn a_key_is_compared_by_each_attribute_and_each_relation() {
    let mut rig = Rig::cold();
    rig.ok(&grant(5, 60));
    rig.put("a", "m");
    rig.put("b", "");
    rig.ok(&put_leased("a", "m", 5));
    rig.flush();
    for (operand, order) in
        [(-1, Comparison::Greater), (0, Comparison::Equal), (1, Comparison::Less)]
    {
        let value = ["l", "m", "n"][usize::try_from(operand + 1).expect("small")];
        for condition in [
            Condition::Version(2 + operand),
            Condition::CreateRevision(2 + operand),
            Condition::ModRevision(4 + operand),
            Condition::Value(bytes(value)),
            Condition::Lease(5 + operand),
        ] {
            for relation in RELATIONS {
                let expected = match relation {
                    Comparison::NotEqual => order != Comparison::Equal,
                    other => other == order,
                };
                let it = compare("a", relation, condition.clone());
                assert_eq!(holds(&mut rig, it.clone()), expected, "{it:?}");
            }
        }
    }
    assert!(rig.loaded > 0, "values were compared that were not in memory");
}

#[test]
fn a_missing_key_has_no_value_and_zero_for_everything_else() {
    let mut rig = Rig::cold();
    for relation in RELATIONS {
        let value = compare("a", relation, Condition::Value(bytes("")));
        assert!(!holds(&mut rig, value), "{relation:?}");
    }
    for condition in [
        Condition::Version(0),
        Condition::CreateRevision(0),
        Condition::ModRevision(0),
        Condition::Lease(0),
    ] {
        assert!(holds(&mut rig, compare("a", Comparison::Equal, condition.clone())));
        assert!(!holds(&mut rig, compare("a", Comparison::Greater, condition)));
    }
}

#[test]
fn every_key_of_a_range_must_satisfy_and_an_empty_range_is_a_missing_key() {
    let mut rig = Rig::cold();
    rig.put("a", "x");
    rig.put("b", "x");
    rig.put("b", "y");
    let within =
        |condition| Compare { range: keys("a", "c"), comparison: Comparison::Equal, condition };
    assert!(!holds(&mut rig, within(Condition::Version(1))));
    assert!(!holds(&mut rig, within(Condition::Value(bytes("x")))));
    rig.put("a", "y");
    assert!(holds(&mut rig, within(Condition::Version(2))));
    assert!(holds(&mut rig, within(Condition::Value(bytes("y")))));
    let empty = |condition| Compare { range: keys("x", "z"), ..within(condition) };
    assert!(holds(&mut rig, empty(Condition::Version(0))));
    assert!(!holds(&mut rig, empty(Condition::Value(bytes("")))));
}

#[test]
fn nested_comparisons_look_at_the_state_before_the_whole_transaction() {
    let mut rig = Rig::cold();
    let absent = compare("a", Comparison::Equal, Condition::Version(0));
    let inner = txn(vec![absent], vec![op_put("b", "saw nothing")], vec![op_put("b", "saw a")]);
    let outer = txn(vec![], vec![op_put("a", "1"), Operation::Txn(inner)], vec![]);
    let (succeeded, responses) = parts(rig.ok(&Command::Txn(outer)));
    assert!(succeeded);
    assert_eq!(responses[1].0, 0, "etcd leaves a nested transaction's revision out");
    assert_eq!(rig.value("b").as_deref(), Some("saw nothing"));
    assert_eq!(rig.get("b").map(|kv| kv.mod_revision), Some(2));
}

#[test]
fn later_operations_see_earlier_ones_and_headers_tell_the_revision_so_far() {
    let mut rig = Rig::cold();
    rig.put("a", "0");
    rig.flush();
    let steps = vec![
        op_get("a", "z"),
        op_delete("x", ""),
        op_put("b", "1"),
        op_get("a", "z"),
        op_delete("a", ""),
        op_get("a", "z"),
    ];
    let (_, responses) = parts(rig.ok(&Command::Txn(txn(vec![], steps, vec![]))));
    let revisions: Vec<i64> = responses.iter().map(|(revision, _)| *revision).collect();
    assert_eq!(revisions, [2, 2, 3, 3, 3, 3]);
    let counts = [0, 3, 5].map(|at: usize| found(&responses[at].1).count);
    assert_eq!(counts, [1, 2, 1]);
    assert_eq!(found(&responses[5].1).kvs[0].key, bytes("b"));
    assert_eq!(rig.store.revision(), 3);
    let past = rig.past(3, 9).expect("not compacted");
    assert_eq!(past.iter().map(|event| event.kv.key.clone()).collect::<Vec<_>>(), ["b", "a"]);
}

#[test]
fn a_limited_read_after_a_deletion_needs_the_keys_behind_it() {
    let mut rig = Rig::cold();
    for key in ["a", "b", "c", "d"] {
        rig.put(key, key);
    }
    rig.flush();
    let limited = Operation::Range(Range { limit: 1, ..range("a", "z") });
    let steps = vec![op_delete("a", "c"), limited];
    let (_, responses) = parts(rig.ok(&Command::Txn(txn(vec![], steps, vec![]))));
    let result = found(&responses[1].1);
    assert_eq!((result.kvs[0].value.clone(), result.more, result.count), (bytes("c"), true, 2));
}

#[test]
fn what_cannot_be_done_refuses_the_whole_transaction() {
    let mut rig = Rig::cold();
    rig.put("a", "0");
    let cases = [
        (Operation::Range(Range { revision: 9, ..range("a", "") }), Error::FutureRevision),
        (Operation::Range(Range { revision: 3, ..range("a", "") }), Error::FutureRevision),
        (Operation::Range(Range { revision: -2, ..range("a", "") }), Error::Compacted),
        (Operation::Put(Put { value: None, ..plain("q", "") }), Error::KeyNotFound),
        (
            Operation::Put(Put { lease: Some(Some(store::LeaseId(9))), ..plain("q", "") }),
            Error::LeaseNotFound,
        ),
    ];
    for (operation, error) in cases {
        let steps = vec![op_put("b", "1"), operation.clone()];
        assert_eq!(rig.refused(&Command::Txn(txn(vec![], steps.clone(), vec![]))), error);
        let nested = Operation::Txn(txn(vec![], steps.clone(), vec![]));
        assert_eq!(rig.refused(&Command::Txn(txn(vec![], vec![nested], vec![]))), error);
        // The branch that is not taken may say what it likes.
        rig.ok(&Command::Txn(txn(vec![], vec![], steps)));
    }
    assert_eq!(rig.get("b"), None);
}

#[test]
fn of_several_errors_a_put_is_told_before_a_read_and_its_key_before_its_lease() {
    let mut rig = Rig::cold();
    let future = Operation::Range(Range { revision: 9, ..range("a", "") });
    let lease = Some(Some(store::LeaseId(9)));
    let unleased = Operation::Put(Put { lease, ..plain("q", "") });
    let absent = Operation::Put(Put { value: None, lease, ..plain("r", "") });
    let refused = |rig: &mut Rig, steps: Vec<Operation>| {
        rig.refused(&Command::Txn(txn(vec![], steps, vec![])))
    };
    let read_first = vec![future.clone(), unleased.clone()];
    assert_eq!(refused(&mut rig, read_first), Error::LeaseNotFound);
    let nested = Operation::Txn(txn(vec![], vec![absent.clone()], vec![]));
    assert_eq!(refused(&mut rig, vec![future, nested]), Error::KeyNotFound);
    assert_eq!(refused(&mut rig, vec![unleased, absent]), Error::LeaseNotFound);
}

#[test]
fn a_negative_revision_is_compacted_inside_transactions_and_latest_outside() {
    let mut rig = Rig::cold();
    rig.put("a", "0");
    let negative = Range { revision: -1, ..range("a", "") };
    let read =
        |range: &Range| Command::Txn(txn(vec![], vec![Operation::Range(range.clone())], vec![]));
    rig.ok(&read(&negative));
    rig.compact(2);
    assert_eq!(rig.refused(&read(&negative)), Error::Compacted);
    assert_eq!(rig.read(&negative).expect("the latest").count, 1);
}

#[test]
fn a_read_only_transaction_is_planned_stepped_and_completed() {
    let mut rig = Rig::cold();
    for key in ["a", "b", "c"] {
        rig.put(key, key);
    }
    rig.put("a", "A");
    rig.flush();
    let old = Operation::Range(Range { revision: 2, ..range("a", "z") });
    let equal = compare("a", Comparison::Equal, Condition::Value(bytes("A")));
    let inner = Operation::Txn(txn(vec![], vec![op_get("b", "")], vec![]));
    let read = txn(vec![equal], vec![op_get("a", "z"), inner, old], vec![]);
    assert!(read.is_read_only() && !txn(vec![], vec![], vec![op_put("a", "")]).is_read_only());
    for revision in rig.store.missing_for_plan(&read) {
        let record = rig.fetch(revision);
        rig.store.supply(revision, record);
    }
    let mut plan = rig.store.plan_txn(&read).expect("it can be read");
    rig.store.forget_supplied();
    // What is written from now on is not seen.
    rig.put("b", "B");
    while !rig.store.step_txn(&mut plan, 1).expect("not compacted") {}
    let view = plan.into_view();
    assert_eq!((view.revision(), view.stored().count()), (5, 5));
    let outcome = view.complete(|at| rig.fetch(at)).expect("all is there");
    let (succeeded, responses) = parts(outcome);
    let revisions: Vec<i64> = responses.iter().map(|(revision, _)| *revision).collect();
    assert_eq!((succeeded, revisions), (true, vec![5, 0, 5]));
    let values = |outcome: &Outcome| -> Vec<_> {
        found(outcome).kvs.iter().map(|kv| kv.value.clone()).collect()
    };
    assert_eq!(values(&responses[0].1), ["A", "b", "c"]);
    assert_eq!(values(&parts(responses[1].1.clone()).1[0].1), ["b"]);
    assert_eq!(values(&responses[2].1), ["a"]);
}

#[test]
fn a_plan_refuses_revisions_that_cannot_be_read() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    rig.put("a", "2");
    rig.compact(3);
    for (revision, error) in [(2, Error::Compacted), (4, Error::FutureRevision)] {
        let read =
            txn(vec![], vec![Operation::Range(Range { revision, ..range("a", "") })], vec![]);
        assert_eq!(rig.store.plan_txn(&read).expect_err("refused"), error);
    }
}

#[test]
fn a_value_the_backend_has_lost_refuses_the_command_as_corrupt() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    rig.flush();
    let command = Command::Put(Put { prev_kv: true, ..plain("a", "2") });
    let [missing] = rig.store.missing(&command)[..] else { panic!("one record is missing") };
    rig.store.supply(missing, None);
    assert_eq!(rig.store.missing(&command), []);
    let applied = rig.store.apply(crate::rig::position(9), &command);
    assert_eq!(applied.outcome, Err(Error::Corrupt));
    assert_eq!(applied.revision, 2);
}

#[test]
fn a_false_comparison_spares_the_values_of_the_others() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    rig.flush();
    let value = compare("a", Comparison::Equal, Condition::Value(bytes("1")));
    let wrong = compare("a", Comparison::Equal, Condition::Version(9));
    let command = Command::Txn(txn(vec![value.clone(), wrong], vec![], vec![op_put("b", "1")]));
    assert_eq!(rig.store.missing(&command), []);
    assert_eq!(rig.store.missing(&Command::Txn(txn(vec![value], vec![], vec![]))).len(), 1);
}

#[test]
fn the_same_put_in_both_branches_of_a_nested_transaction_is_allowed() {
    let mut rig = Rig::cold();
    let inner = Operation::Txn(txn(vec![], vec![op_put("a", "1")], vec![op_put("a", "2")]));
    let command = Command::Txn(txn(vec![], vec![inner], vec![]));
    assert_eq!(Store::validate(&rig.limits, &command), Ok(()));
    rig.ok(&command);
    assert_eq!(rig.value("a").as_deref(), Some("1"));
}

#[test]
fn deleting_twice_is_allowed_and_finds_nothing_the_second_time() {
    let mut rig = Rig::cold();
    rig.ok(&put("a", "1"));
    let twice = || Operation::DeleteRange(DeleteRange { range: keys("a", "c"), prev_kv: true });
    let (_, responses) = parts(rig.ok(&Command::Txn(txn(vec![], vec![twice(), twice()], vec![]))));
    let deleted: Vec<_> = responses
        .iter()
        .map(|(_, outcome)| match outcome {
            Outcome::DeleteRange { deleted, prev } => (*deleted, prev.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(deleted, [(1, 1), (0, 0)]);
}
