//! Request ids: what a write with one is answered when it comes again.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::maintenance_client::MaintenanceClient;
use tonic::{Code, Request};

use crate::support::{TestServer, get, put, refusal};

const CLIENT: &str = "0f9d3c3e-5b0a-4c57-8a54-3d8f6f8d1c11";

/// A message under a request id.
fn once<T>(message: T, sequence: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("conclave-client", CLIENT.parse().unwrap());
    request.metadata_mut().insert("conclave-sequence", sequence.parse().unwrap());
    request
}

#[tokio::test]
async fn every_method_that_writes_answers_a_repeated_call_as_the_first() {
    let server = TestServer::start().await;
    let (mut kv, mut lease) = (server.kv(), server.lease());
    let first = pb::PutRequest { prev_kv: true, ..put("k") };
    let header = |header: &Option<pb::ResponseHeader>| header.unwrap().revision;

    let one = kv.put(once(first.clone(), "1")).await.unwrap().into_inner();
    kv.put(put("other")).await.unwrap();
    let two = kv.put(once(first.clone(), "1")).await.unwrap().into_inner();
    assert_eq!((header(&one.header), &one.prev_kv), (header(&two.header), &two.prev_kv));
    let found = kv.range(get("k")).await.unwrap().into_inner().kvs.remove(0);
    assert_eq!((found.version, found.mod_revision), (1, header(&one.header)));

    // The answer has what was there before, and still has it when that is gone.
    let three = kv.put(once(first.clone(), "2")).await.unwrap().into_inner();
    let delete = pb::DeleteRangeRequest { key: "k".into(), prev_kv: true, ..Default::default() };
    let gone = kv.delete_range(once(delete.clone(), "3")).await.unwrap().into_inner();
    assert_eq!(kv.put(once(first, "2")).await.unwrap().into_inner().prev_kv, three.prev_kv);
    assert_eq!(kv.delete_range(once(delete, "3")).await.unwrap().into_inner(), gone);
    assert_eq!(gone.deleted, 1);

    let put_op = pb::RequestOp {
        request: Some(pb::request_op::Request::RequestPut(put("in a transaction"))),
    };
    let txn = pb::TxnRequest { success: vec![put_op], ..Default::default() };
    let done = kv.txn(once(txn.clone(), "4")).await.unwrap().into_inner();
    assert_eq!(kv.txn(once(txn, "4")).await.unwrap().into_inner(), done);

    for physical in [false, true] {
        let compact = pb::CompactionRequest { revision: 3, physical };
        kv.compact(once(compact, "5")).await.unwrap();
    }
    let compact = pb::CompactionRequest { revision: 3, physical: false };
    let refused = kv.compact(compact).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "without an id it is another one");

    // The server draws the id of a lease: once.
    let grant = pb::LeaseGrantRequest { ttl: 60, id: 0 };
    let granted = lease.lease_grant(once(grant, "6")).await.unwrap().into_inner();
    let again = lease.lease_grant(once(grant, "6")).await.unwrap().into_inner();
    assert_eq!(granted, again);
    let revoke = pb::LeaseRevokeRequest { id: granted.id };
    lease.lease_revoke(once(revoke, "7")).await.unwrap();
    lease.lease_revoke(once(revoke, "7")).await.unwrap();
    let listed = lease.lease_leases(pb::LeaseLeasesRequest {}).await.unwrap().into_inner();
    assert!(listed.leases.is_empty());

    // A refusal is an answer, too.
    let leased = pb::PutRequest { lease: granted.id, ..put("late") };
    let refused = kv.put(once(leased.clone(), "8")).await.unwrap_err();
    lease.lease_grant(pb::LeaseGrantRequest { ttl: 60, id: granted.id }).await.unwrap();
    let again = kv.put(once(leased.clone(), "8")).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (again.code(), again.message()));
    assert_eq!(refused.code(), Code::NotFound);
    kv.put(once(leased, "9")).await.unwrap();
}

#[tokio::test]
async fn malformed_and_forgotten_ids_are_refused_and_nothing_is_done() {
    let server = TestServer::start().await;
    let mut kv = server.kv();
    let mut lonely = Request::new(put("k"));
    lonely.metadata_mut().insert("conclave-sequence", "1".parse().unwrap());
    let wrong = kv.put(lonely).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
    assert!(wrong.message().contains("belong together"), "{wrong}");
    for sequence in ["0", "one", "99999999999999999999"] {
        let wrong = kv.put(once(put("k"), sequence)).await.unwrap_err();
        assert_eq!(wrong.code(), Code::InvalidArgument, "{sequence}");
    }
    let told = |sequence, oldest: &str| {
        let mut request = once(put("k"), sequence);
        request.metadata_mut().insert("conclave-oldest", oldest.parse().unwrap());
        request
    };
    let unknown = kv.put(told("9", "8")).await;
    assert_eq!(
        refusal(unknown),
        (
            Code::FailedPrecondition,
            "etcdserver: client of the request id is not known any more, the request was not done \
             now"
            .into()
        )
    );
    assert_eq!(kv.range(get("k")).await.unwrap().into_inner().count, 0);
    kv.put(once(put("k"), "1")).await.unwrap();
    kv.put(told("3", "3")).await.unwrap();
    for sequence in ["1", "2"] {
        let late = refusal(kv.put(once(put("k"), sequence)).await);
        assert_eq!(late.0, Code::FailedPrecondition);
        assert!(late.1.contains("too old"), "{}", late.1);
    }
    assert_eq!(kv.range(get("k")).await.unwrap().into_inner().kvs[0].version, 2);
}

#[tokio::test]
async fn a_status_says_that_ids_are_understood() {
    let server = TestServer::start().await;
    let status =
        MaintenanceClient::new(server.channel.clone()).status(pb::StatusRequest {}).await.unwrap();
    assert_eq!(status.metadata().get("conclave-request-ids").unwrap(), "1");
}
