//! `KV.Txn`.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use etcdpb::etcdserverpb::request_op::Request;
use etcdpb::etcdserverpb::response_op::Response;
use tonic::Code;

use crate::support::{TestServer, bytes, get, put, refusal, refused};

fn op(request: Request) -> pb::RequestOp {
    pb::RequestOp { request: Some(request) }
}

fn put_op(key: &str) -> pb::RequestOp {
    op(Request::RequestPut(pb::PutRequest { value: bytes("v"), ..put(key) }))
}

fn get_op(key: &str) -> pb::RequestOp {
    op(Request::RequestRange(get(key)))
}

/// The key was last changed at this revision; 0: it is not there.
fn changed_at(key: &str, revision: i64) -> pb::Compare {
    pb::Compare {
        key: bytes(key),
        result: CompareResult::Equal.into(),
        target: CompareTarget::Mod.into(),
        target_union: Some(TargetUnion::ModRevision(revision)),
        ..pb::Compare::default()
    }
}

#[tokio::test]
async fn a_transaction_takes_one_branch_at_one_revision() {
    let server = TestServer::start().await;
    let mut kv = server.kv();
    let create = pb::TxnRequest {
        compare: vec![changed_at("k", 0)],
        success: vec![put_op("k"), get_op("k"), put_op("l")],
        failure: vec![get_op("k")],
    };
    let answer = kv.txn(create.clone()).await.unwrap().into_inner();
    assert!(answer.succeeded);
    let header = answer.header.unwrap();
    assert_eq!((header.revision, answer.responses.len()), (2, 3));
    let Some(Response::ResponseRange(read)) = &answer.responses[1].response else {
        panic!("a read");
    };
    assert_eq!(read.kvs[0].mod_revision, 2);
    // The headers within have a revision and nothing else.
    let inner = pb::ResponseHeader { revision: 2, ..pb::ResponseHeader::default() };
    assert_eq!(read.header, Some(inner));
    let Some(Response::ResponsePut(put)) = &answer.responses[0].response else {
        panic!("a put");
    };
    assert_eq!(put.header, Some(inner));

    let again = kv.txn(create).await.unwrap().into_inner();
    assert!(!again.succeeded);
    assert_eq!(again.header.unwrap().revision, 2);
    assert!(matches!(again.responses[0].response, Some(Response::ResponseRange(_))));
}

#[tokio::test]
async fn an_empty_transaction_succeeds_and_changes_nothing() {
    let server = TestServer::start().await;
    let answer = server.kv().txn(pb::TxnRequest::default()).await.unwrap().into_inner();
    assert!(answer.succeeded && answer.responses.is_empty());
    assert_eq!(answer.header.unwrap().revision, 1);
}

#[tokio::test]
async fn a_reading_transaction_reads_and_a_nested_one_nests() {
    let server = TestServer::start().await;
    server.put("k", "v").await;
    let mut kv = server.kv();
    let read = pb::TxnRequest {
        compare: vec![changed_at("k", 2)],
        success: vec![get_op("k"), get_op("missing")],
        failure: vec![],
    };
    let answer = kv.txn(read.clone()).await.unwrap().into_inner();
    assert!(answer.succeeded);
    let counts: Vec<i64> = answer
        .responses
        .iter()
        .map(|response| match &response.response {
            Some(Response::ResponseRange(range)) => range.count,
            _ => panic!("a read"),
        })
        .collect();
    assert_eq!(counts, [1, 0]);

    let nested = pb::TxnRequest {
        success: vec![op(Request::RequestTxn(read)), put_op("l")],
        ..pb::TxnRequest::default()
    };
    let answer = kv.txn(nested).await.unwrap().into_inner();
    let Some(Response::ResponseTxn(inner)) = &answer.responses[0].response else {
        panic!("a transaction");
    };
    assert!(inner.succeeded);
    assert_eq!(inner.header.unwrap().cluster_id, 0);
    assert_eq!(answer.header.unwrap().revision, 3);
}

#[tokio::test]
async fn wrong_transactions_are_refused_in_etcds_words() {
    let server = TestServer::start().await;
    let mut kv = server.kv();
    let mut success = async |ops: Vec<pb::RequestOp>| {
        let txn = pb::TxnRequest { success: ops, ..pb::TxnRequest::default() };
        refusal(kv.txn(txn).await)
    };
    let invalid = |text| refused(Code::InvalidArgument, text);
    let many = (0..129).map(|key| put_op(&key.to_string())).collect();
    assert_eq!(success(many).await, invalid("too many operations in txn request"));
    let twice = vec![put_op("k"), put_op("k")];
    assert_eq!(success(twice).await, invalid("duplicate key given in txn request"));
    let nothing = vec![pb::RequestOp { request: None }];
    assert_eq!(success(nothing).await, invalid("key not found"));
    // What is nested gets what is left of the operations.
    let inner = pb::TxnRequest {
        success: (0..100).map(|key| put_op(&key.to_string())).collect(),
        ..pb::TxnRequest::default()
    };
    let mut outer: Vec<_> = (0..28).map(|key| get_op(&key.to_string())).collect();
    outer.push(op(Request::RequestTxn(inner)));
    assert_eq!(success(outer).await, invalid("too many operations in txn request"));
    assert_eq!(success(vec![put_op("")]).await, invalid("key is not provided"));

    let unknown = pb::Compare { target: 77, ..changed_at("k", 0) };
    let txn = pb::TxnRequest { compare: vec![unknown], ..pb::TxnRequest::default() };
    assert_eq!(refusal(kv.txn(txn).await).0, Code::InvalidArgument);
}
