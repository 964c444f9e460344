use bytes::Bytes;
use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::compare::TargetUnion;
use etcdpb::etcdserverpb::request_op::Request;
use protocol::NodeId;
use store::{
    Alarm, Comparison, Condition, Event, EventKind, KeyValue, LeaseId, Operation, Outcome,
    Previous, RangeResult, SortOrder, SortTarget,
};
use tonic::{Code, Status};

use super::*;
use crate::api::etcd::errors::EtcdError;

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn kv() -> KeyValue {
    KeyValue {
        key: bytes("k"),
        value: bytes("v"),
        create_revision: 2,
        mod_revision: 4,
        version: 3,
        lease: Some(LeaseId(9)),
    }
}

fn text(status: &Status) -> &str {
    status.message()
}

#[test]
fn a_key_value_keeps_every_field() {
    let expected = etcdpb::mvccpb::KeyValue {
        key: bytes("k"),
        value: bytes("v"),
        create_revision: 2,
        mod_revision: 4,
        version: 3,
        lease: 9,
    };
    assert_eq!(key_value_to_pb(kv()), expected);
    assert_eq!(key_value_to_pb(KeyValue { lease: None, ..kv() }).lease, 0);
}

#[test]
fn a_range_keeps_every_field() {
    let range = range_from_pb(pb::RangeRequest {
        key: bytes("a"),
        range_end: bytes("z"),
        limit: 5,
        revision: -3,
        sort_order: 2,
        sort_target: 4,
        serializable: true,
        keys_only: true,
        count_only: true,
        min_mod_revision: 1,
        max_mod_revision: 2,
        min_create_revision: 3,
        max_create_revision: 4,
    })
    .unwrap();
    assert_eq!((range.keys.key, range.keys.end), (bytes("a"), bytes("z")));
    assert_eq!((range.limit, range.revision), (5, -3));
    assert_eq!((range.order, range.target), (SortOrder::Descend, SortTarget::Value));
    assert!(range.keys_only && range.count_only);
    let filter = range.filter;
    let bounds = (filter.min_mod, filter.max_mod, filter.min_create, filter.max_create);
    assert_eq!(bounds, (1, 2, 3, 4));
}

#[test]
fn sort_options_have_names() {
    let range = |order, target| {
        range_from_pb(pb::RangeRequest {
            key: bytes("k"),
            sort_order: order,
            sort_target: target,
            ..pb::RangeRequest::default()
        })
    };
    for order in 0..3 {
        for target in 0..5 {
            assert!(range(order, target).is_ok());
        }
    }
    for (order, target) in [(3, 0), (-1, 0), (0, 5), (0, -1)] {
        assert_eq!(range(order, target).unwrap_err(), EtcdError::InvalidSortOption);
    }
    // The key is looked at first.
    let both = pb::RangeRequest { sort_order: 9, ..pb::RangeRequest::default() };
    assert_eq!(range_from_pb(both).unwrap_err(), EtcdError::EmptyKey);
}

#[test]
fn a_put_keeps_replaces_or_detaches() {
    let put = |value, lease, ignore_value, ignore_lease| {
        put_from_pb(pb::PutRequest {
            key: bytes("k"),
            value: bytes(value),
            lease,
            prev_kv: false,
            ignore_value,
            ignore_lease,
        })
    };
    let plain = put("v", 0, false, false).unwrap();
    assert_eq!((plain.value, plain.lease), (Some(bytes("v")), Some(None)));
    let attached = put("", 7, false, false).unwrap();
    assert_eq!((attached.value, attached.lease), (Some(bytes("")), Some(Some(LeaseId(7)))));
    let kept = put("", 0, true, true).unwrap();
    assert_eq!((kept.value, kept.lease), (None, None));
    assert_eq!(put("v", 7, true, true).unwrap_err(), EtcdError::ValueProvided);
    assert_eq!(put("", 7, true, true).unwrap_err(), EtcdError::LeaseProvided);
    let nameless = pb::PutRequest { ignore_value: true, value: bytes("v"), ..Default::default() };
    assert_eq!(put_from_pb(nameless).unwrap_err(), EtcdError::EmptyKey);
}

fn compared(result: i32, target: i32, operand: Option<TargetUnion>) -> Result<Condition, Status> {
    let compare = pb::Compare {
        key: bytes("k"),
        range_end: bytes("l"),
        result,
        target,
        target_union: operand,
    };
    let txn = pb::TxnRequest { compare: vec![compare], ..pb::TxnRequest::default() };
    let mut txn = txn_from_pb(txn, 128)?;
    let compare = txn.compare.remove(0);
    assert_eq!((compare.range.key, compare.range.end), (bytes("k"), bytes("l")));
    let comparisons =
        [Comparison::Equal, Comparison::Greater, Comparison::Less, Comparison::NotEqual];
    assert_eq!(compare.comparison, comparisons[usize::try_from(result).unwrap()]);
    Ok(compare.condition)
}

#[test]
fn a_comparison_takes_the_operand_of_its_target() {
    let value = TargetUnion::Value(bytes("x"));
    let cases = [
        (0, TargetUnion::Version(5), Condition::Version(5), Condition::Version(0)),
        (
            1,
            TargetUnion::CreateRevision(5),
            Condition::CreateRevision(5),
            Condition::CreateRevision(0),
        ),
        (2, TargetUnion::ModRevision(5), Condition::ModRevision(5), Condition::ModRevision(0)),
        (3, value, Condition::Value(bytes("x")), Condition::Value(bytes(""))),
        (4, TargetUnion::Lease(5), Condition::Lease(5), Condition::Lease(0)),
    ];
    for (target, operand, expected, zero) in cases {
        for result in 0..4 {
            assert_eq!(compared(result, target, Some(operand.clone())).unwrap(), expected);
        }
        // A missing or foreign operand counts as zero or empty.
        assert_eq!(compared(0, target, None).unwrap(), zero);
        let foreign = match operand {
            TargetUnion::Version(_) => TargetUnion::Lease(5),
            _ => TargetUnion::Version(5),
        };
        assert_eq!(compared(0, target, Some(foreign)).unwrap(), zero);
    }
    for (result, target) in [(4, 0), (0, 5), (-1, 0)] {
        assert_eq!(compared(result, target, None).unwrap_err().code(), Code::InvalidArgument);
    }
}

fn range_op(serializable: bool) -> pb::RequestOp {
    let range = pb::RangeRequest { key: bytes("k"), serializable, ..Default::default() };
    pb::RequestOp { request: Some(Request::RequestRange(range)) }
}

fn put_op(key: &'static str) -> pb::RequestOp {
    let put = pb::PutRequest { key: bytes(key), ..Default::default() };
    pb::RequestOp { request: Some(Request::RequestPut(put)) }
}

fn txn_op(txn: pb::TxnRequest) -> pb::RequestOp {
    pb::RequestOp { request: Some(Request::RequestTxn(txn)) }
}

#[test]
fn only_reads_make_a_reading_transaction() {
    let txn = |success, failure| pb::TxnRequest { compare: vec![], success, failure };
    let serializable = |txn| read_only(&txn).map(|reading| reading.serializable);
    assert_eq!(serializable(txn(vec![range_op(true)], vec![range_op(true)])), Some(true));
    assert_eq!(serializable(txn(vec![range_op(true)], vec![range_op(false)])), Some(false));
    // Comparisons alone are confirmed: nobody has said that a stale answer will do.
    assert_eq!(serializable(txn(vec![], vec![])), Some(false));
    assert_eq!(serializable(txn(vec![range_op(true)], vec![put_op("k")])), None);
    assert_eq!(serializable(txn(vec![txn_op(pb::TxnRequest::default())], vec![])), None);
    assert_eq!(serializable(txn(vec![pb::RequestOp { request: None }], vec![])), None);
}

#[test]
fn operations_are_counted_before_anything_else_is_looked_at() {
    let wrong = vec![pb::RequestOp { request: None }; 5];
    let txn = pb::TxnRequest { success: wrong, ..Default::default() };
    let refused = |txn: &pb::TxnRequest, max| txn_from_pb(txn.clone(), max).unwrap_err();
    assert_eq!(text(&refused(&txn, 4)), EtcdError::TooManyOps.text());
    assert_eq!(text(&refused(&txn, 5)), EtcdError::KeyNotFound.text());
    // What is nested gets what is left: 1 of 6 for the outer, 5 for the inner.
    let inner = pb::TxnRequest { failure: vec![put_op("k"); 5], ..Default::default() };
    let outer = pb::TxnRequest { success: vec![txn_op(inner)], ..Default::default() };
    assert_eq!(text(&refused(&outer, 5)), EtcdError::TooManyOps.text());
    let Operation::Txn(inner) = &txn_from_pb(outer, 6).unwrap().success[0] else {
        panic!("a transaction");
    };
    assert_eq!(inner.failure.len(), 5);
    // Keys of comparisons come before operations.
    let compare = pb::Compare::default();
    let both = pb::TxnRequest {
        compare: vec![compare],
        success: vec![pb::RequestOp { request: None }],
        ..Default::default()
    };
    assert_eq!(text(&refused(&both, 5)), EtcdError::EmptyKey.text());
}

#[test]
fn answers_within_a_transaction_have_a_revision_and_nothing_else() {
    let nested = Outcome::Txn { succeeded: false, responses: vec![] };
    let range = RangeResult { kvs: vec![kv()], more: true, count: 8 };
    let responses = vec![
        (5, Outcome::Put { prev: Some(kv()) }),
        (6, Outcome::Range(range)),
        (7, Outcome::DeleteRange { deleted: 2, prev: vec![kv()] }),
        (7, nested),
    ];
    let answer = txn_to_pb(None, Outcome::Txn { succeeded: true, responses }).unwrap();
    assert!(answer.succeeded);
    let headers: Vec<_> = answer
        .responses
        .into_iter()
        .map(|response| match response.response.unwrap() {
            pb::response_op::Response::ResponsePut(put) => {
                assert!(put.prev_kv.is_some());
                put.header
            }
            pb::response_op::Response::ResponseRange(range) => {
                assert_eq!((range.kvs.len(), range.more, range.count), (1, true, 8));
                range.header
            }
            pb::response_op::Response::ResponseDeleteRange(delete) => {
                assert_eq!((delete.deleted, delete.prev_kvs.len()), (2, 1));
                delete.header
            }
            pb::response_op::Response::ResponseTxn(txn) => {
                assert!(!txn.succeeded);
                txn.header
            }
        })
        .collect();
    let revision = |revision| Some(pb::ResponseHeader { revision, ..Default::default() });
    assert_eq!(headers, [revision(5), revision(6), revision(7), revision(7)]);
    assert!(txn_to_pb(None, Outcome::Done).is_err());
}

#[test]
fn alarms_are_shown_as_etcd_shows_them() {
    assert_eq!(alarm_text((NodeId(18), Alarm::NoSpace)), "memberID:18 alarm:NOSPACE ");
    assert_eq!(alarm_text((NodeId(1), Alarm::Corrupt)), "memberID:1 alarm:CORRUPT ");
    assert_eq!(alarm_from_pb(0).unwrap(), None);
    assert_eq!(alarm_from_pb(1).unwrap(), Some(Alarm::NoSpace));
    assert_eq!(alarm_from_pb(2).unwrap(), Some(Alarm::Corrupt));
    assert_eq!(alarm_from_pb(3).unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn watches_keep_every_field_and_ignore_unknown_filters() {
    let create = watch_create_from_pb(pb::WatchCreateRequest {
        key: bytes("a"),
        range_end: bytes("b"),
        start_revision: 3,
        progress_notify: true,
        filters: vec![1, 77],
        prev_kv: true,
        watch_id: 4,
        fragment: true,
    });
    assert_eq!((create.keys.key, create.keys.end), (bytes("a"), bytes("b")));
    assert_eq!((create.id, create.start_revision), (4, 3));
    assert!(create.progress_notify && create.prev_kv && create.fragment);
    assert!(create.no_delete && !create.no_put);
}

#[test]
fn events_say_what_happened() {
    let event = Event { kind: EventKind::Delete, kv: kv(), previous: Previous::Absent };
    let event = event_to_pb(&event, Some(kv()));
    assert_eq!(event.r#type, 1);
    assert_eq!(event.kv, event.prev_kv);
    let event = Event { kind: EventKind::Put, kv: kv(), previous: Previous::Absent };
    assert_eq!(event_to_pb(&event, None).r#type, 0);
}
