//! Requests that are well formed, and odd.

use client::Code;
use client::etcdserverpb::compare::{CompareTarget, TargetUnion};
use client::etcdserverpb::kv_client::KvClient;
use client::etcdserverpb::request_op::Request;
use client::etcdserverpb::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
    WatchCreateRequest,
};
use client::mvccpb::KeyValue;
use client::{Client, FROM_KEY, prefix_end};
use prost::Message;
use tokio::runtime::Runtime;

use super::support::cluster::Cluster;
use super::{everything, lone, patient, put, refusal, serves};

const EMPTY_KEY: &str = "etcdserver: key is not provided";
const FUTURE: &str = "etcdserver: mvcc: required revision is a future revision";
const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";
const SORT: &str = "etcdserver: invalid sort option";
const TOO_MANY: &str = "etcdserver: too many operations in txn request";
const DUPLICATE: &str = "etcdserver: duplicate key given in txn request";

fn op(request: Request) -> RequestOp {
    RequestOp { request: Some(request) }
}

pub(crate) fn put_op(key: &str, value: &[u8]) -> RequestOp {
    let value = value.to_vec().into();
    op(Request::RequestPut(PutRequest { value, ..put(key) }))
}

fn success(operations: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success: operations, ..TxnRequest::default() }
}

/// A transaction of `depth` levels, with a put in the last one.
fn nested(depth: usize) -> TxnRequest {
    let mut txn = success(vec![put_op("deep", b"v")]);
    for _ in 1..depth {
        txn = success(vec![op(Request::RequestTxn(txn))]);
    }
    txn
}

fn start() -> (Runtime, Cluster, Client) {
    let cluster = lone();
    let client = patient(&cluster);
    (Runtime::new().unwrap(), cluster, client)
}

#[test]
fn keys_and_values_are_any_bytes() {
    let (runtime, mut cluster, client) = start();
    let all: Vec<u8> = (0..=255).collect();
    runtime.block_on(async {
        for byte in &all {
            client.put(vec![*byte], all.clone()).await.unwrap();
        }
        let found = client.range(everything()).await.unwrap();
        let keys: Vec<u8> = found.kvs.iter().map(|kv| kv.key[0]).collect();
        assert_eq!(keys, all, "in the order of the bytes");
        assert!(found.kvs.iter().all(|kv| kv.key.len() == 1 && kv.value[..] == all));

        client.put(all.clone(), "").await.unwrap();
        let empty = client.get(all.clone()).await.unwrap().unwrap();
        assert_eq!((empty.value.len(), empty.version), (0, 1));

        let large: Vec<u8> = all.iter().copied().cycle().take(1 << 20).collect();
        client.put("large", large.clone()).await.unwrap();
        client.put(large.clone(), "by a large key").await.unwrap();
        assert_eq!(&client.get("large").await.unwrap().unwrap().value[..], &large[..]);
        assert_eq!(&client.get(large).await.unwrap().unwrap().value[..], b"by a large key");

        // Zero and 0xff bytes at the ends of intervals.
        for (key, end, count) in [
            (&b"\0"[..], &b"\x01"[..], 3),
            (b"\xff", b"\0", 1),
            (b"\xff", b"\xff\0", 1),
            (b"b", b"a", 0),
            (b"b", b"b", 0),
        ] {
            let (key, range_end) = (key.to_vec().into(), end.to_vec().into());
            let request = RangeRequest { key, range_end, count_only: true, ..Default::default() };
            let answer = client.range(request).await.unwrap();
            assert_eq!(answer.count, count, "{}", end.escape_ascii());
        }
    });
    cluster.assert_unharmed();
}

#[test]
fn requests_without_a_key_are_refused() {
    let (runtime, mut cluster, client) = start();
    let refused = (Code::InvalidArgument, EMPTY_KEY.to_owned());
    let to_end = || RangeRequest { range_end: "z".into(), ..RangeRequest::default() };
    runtime.block_on(async {
        assert_eq!(refusal(client.put("", "v").await), refused);
        assert_eq!(refusal(client.get("").await), refused);
        assert_eq!(refusal(client.range(to_end()).await), refused);
        let delete = DeleteRangeRequest { range_end: FROM_KEY, ..Default::default() };
        assert_eq!(refusal(client.delete(delete).await), refused);
        for bad in [put_op("", b"v"), op(Request::RequestRange(to_end()))] {
            let txn = success(vec![put_op("good", b"v"), bad]);
            assert_eq!(refusal(client.txn(txn).await), refused);
        }
        let mut txn = success(vec![put_op("good", b"v")]);
        txn.compare = vec![Compare::default()];
        assert_eq!(refusal(client.txn(txn).await), refused);
        assert_eq!(client.get("good").await.unwrap(), None, "nothing of it was done");
    });
    cluster.assert_unharmed();
}

#[test]
fn limits_and_revisions_of_any_size_are_answered_as_etcd_does() {
    let (runtime, mut cluster, client) = start();
    let future = (Code::OutOfRange, FUTURE.to_owned());
    let compacted = (Code::OutOfRange, COMPACTED.to_owned());
    runtime.block_on(async {
        for number in 0..10 {
            client.put(format!("k{}", number % 5), number.to_string()).await.unwrap();
        }
        for limit in [0, -1, i64::MIN, 5, i64::MAX] {
            let answer = client.range(RangeRequest { limit, ..everything() }).await.unwrap();
            assert_eq!((answer.kvs.len(), answer.count, answer.more), (5, 5, false), "{limit}");
        }
        for revision in [-1, -5, i64::MIN] {
            let answer = client.range(RangeRequest { revision, ..everything() }).await.unwrap();
            assert_eq!(&answer.kvs[4].value[..], b"9", "{revision} is the latest");
        }
        for revision in [12, 1 << 40, i64::MAX] {
            let at = || RangeRequest { revision, ..everything() };
            assert_eq!(refusal(client.range(at()).await), future, "{revision}");
            let writes = success(vec![put_op("no", b"v"), op(Request::RequestRange(at()))]);
            assert_eq!(refusal(client.txn(writes).await), future, "{revision}");
            assert_eq!(refusal(client.compact(revision, false).await), future, "{revision}");
            assert_eq!(refusal(client.hash_kv(revision).await), future, "{revision}");
        }
        client.compact(8, false).await.unwrap();
        for revision in [-1, 0, 1, 8, i64::MIN] {
            assert_eq!(refusal(client.compact(revision, false).await), compacted, "{revision}");
        }
        let early = RangeRequest { revision: 7, ..everything() };
        assert_eq!(refusal(client.range(early).await), compacted);
        assert_eq!(client.get("no").await.unwrap(), None, "nothing of it was done");

        // A watch of the far future waits; one of the past is told that it is over.
        let from = |start_revision| WatchCreateRequest {
            key: "k0".into(),
            start_revision,
            ..WatchCreateRequest::default()
        };
        let _waiting = client.watch(from(i64::MAX)).await.unwrap();
        let over = client.watch(from(1)).await.unwrap().next().await.unwrap_err();
        assert_eq!(over.code(), Code::OutOfRange, "{over}");
        // Below all history, too, it ends or begins: nobody hangs on it.
        drop(client.watch(from(i64::MIN)).await);
        client.put("k0", "again").await.unwrap();
    });
    cluster.assert_unharmed();
}

#[test]
fn leases_of_any_length_and_id_are_answered_as_etcd_does() {
    let (runtime, mut cluster, client) = start();
    runtime.block_on(async {
        for ttl in [0, -5, i64::MIN] {
            let lease = client.lease_grant(ttl, 0).await.unwrap();
            assert!((1..10).contains(&lease.ttl) && lease.id > 0, "{ttl}: {lease:?}");
        }
        for ttl in [9_000_000_001, i64::MAX] {
            let words = "etcdserver: too large lease TTL".to_owned();
            let refused = refusal(client.lease_grant(ttl, 0).await);
            assert_eq!(refused, (Code::OutOfRange, words), "{ttl}");
        }
        for id in [-1, i64::MIN, i64::MAX] {
            let lease = client.lease_grant(9_000_000_000, id).await.unwrap();
            assert_eq!((lease.id, lease.ttl), (id, 9_000_000_000));
            let words = "etcdserver: lease already exists".to_owned();
            let refused = refusal(client.lease_grant(60, id).await);
            assert_eq!(refused, (Code::FailedPrecondition, words));
            let leased = PutRequest { lease: id, ..put("leased") };
            client.put_with(leased).await.unwrap();
            client.lease_revoke(id).await.unwrap();
            assert_eq!(client.get("leased").await.unwrap(), None);
        }
        let unknown = (Code::NotFound, "etcdserver: requested lease not found".to_owned());
        for id in [7, -7] {
            let leased = PutRequest { lease: id, ..put("leased") };
            assert_eq!(refusal(client.put_with(leased).await), unknown);
            assert_eq!(refusal(client.lease_revoke(id).await), unknown);
            assert_eq!(client.lease_time_to_live(id, true).await.unwrap().ttl, -1);
            assert!(client.lease_renew(id).await.is_err());
        }
        assert_eq!(refusal(client.lease_revoke(0).await), unknown);
        assert_eq!(client.get("leased").await.unwrap(), None);
    });
    cluster.assert_unharmed();
}

#[test]
fn transactions_beyond_the_rules_change_nothing() {
    let (runtime, mut cluster, client) = start();
    let puts = |count: usize| (0..count).map(|n| put_op(&format!("t/{n:03}"), b"v")).collect();
    let invalid = |words: &str| (Code::InvalidArgument, words.to_owned());
    let both = |one: RequestOp, other: RequestOp| success(vec![one, other]);
    let inner = |operations| op(Request::RequestTxn(success(operations)));
    let delete_all = op(Request::RequestDeleteRange(DeleteRangeRequest {
        key: "t/".into(),
        range_end: prefix_end(b"t/"),
        prev_kv: false,
    }));
    let compare = |target: i32, result: i32| {
        let key = "t".into();
        let union = Some(TargetUnion::Version(0));
        Compare { key, target, result, target_union: union, ..Compare::default() }
    };
    let compared = |compare| TxnRequest { compare, ..success(vec![put_op("t/x", b"v")]) };
    let version = i32::from(CompareTarget::Version);
    let cases = [
        ("129 operations", success(puts(129)), TOO_MANY),
        (
            "129 in the other branch",
            TxnRequest { failure: puts(129), ..Default::default() },
            TOO_MANY,
        ),
        ("129 comparisons", compared(vec![compare(version, 0); 129]), TOO_MANY),
        ("128 within one", success(vec![inner(puts(128))]), TOO_MANY),
        ("a key put twice", both(put_op("t/a", b"1"), put_op("t/a", b"2")), DUPLICATE),
        ("put and deleted", both(put_op("t/a", b"1"), delete_all), DUPLICATE),
        ("put twice, nested", both(put_op("t/a", b""), inner(vec![put_op("t/a", b"")])), DUPLICATE),
        ("an empty operation", success(vec![RequestOp::default()]), "etcdserver: key not found"),
    ];
    runtime.block_on(async {
        for (what, txn, words) in cases {
            assert_eq!(refusal(client.txn(txn).await), invalid(words), "{what}");
        }
        for (target, result) in [(99, 0), (version, 99), (-1, 0), (version, i32::MIN)] {
            let refused = refusal(client.txn(compared(vec![compare(target, result)])).await);
            assert_eq!(refused.0, Code::InvalidArgument, "{refused:?}");
        }
        for (sort_order, sort_target) in [(99, 0), (0, 99), (-1, 0), (1, i32::MIN)] {
            let request = RangeRequest { sort_order, sort_target, ..everything() };
            assert_eq!(refusal(client.range(request.clone()).await), invalid(SORT));
            let within = success(vec![op(Request::RequestRange(request))]);
            assert_eq!(refusal(client.txn(within).await), invalid(SORT));
        }
        assert_eq!(client.range(everything()).await.unwrap().count, 0, "nothing of it was done");
        // What the rules just allow.
        client.txn(success(puts(128))).await.unwrap();
        assert_eq!(client.range(everything()).await.unwrap().count, 128);
    });
    serves(&runtime, &client, "after");
    cluster.assert_unharmed();
}

#[test]
fn transactions_nested_without_end_are_refused() {
    let (runtime, mut cluster, client) = start();
    runtime.block_on(async {
        let answer = client.txn(nested(20)).await.unwrap();
        assert!(answer.succeeded);
        assert_eq!(client.get("deep").await.unwrap().unwrap().version, 1);
        for depth in [129, 200, 1000, 5000] {
            // Built from the inside: encoding a message this deep would be this test's own
            // overflow.
            let refused = raw_nested(&cluster, depth).await;
            let codes = [Code::InvalidArgument, Code::Internal];
            assert!(codes.contains(&refused.code()), "{depth}: {refused:?}");
        }
        assert_eq!(client.get("deep").await.unwrap().unwrap().version, 1);
    });
    serves(&runtime, &client, "after");
    cluster.assert_unharmed();
}

/// Sends transactions nested `depth` deep, as bytes.
async fn raw_nested(cluster: &Cluster, depth: usize) -> tonic::Status {
    let mut txn = success(vec![put_op("deep", b"v")]).encode_to_vec();
    for _ in 1..depth {
        // `RequestOp.request_txn` is field 4, `TxnRequest.success` field 2.
        txn = field(2, &field(4, &txn));
    }
    super::grpc::call_method(cluster, "/etcdserverpb.KV/Txn", &txn).await
}

/// A field with a length (wire type 2).
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    prost::encode_length_delimiter(content.len(), &mut bytes).unwrap();
    bytes.extend_from_slice(content);
    bytes
}

const MANY: usize = 100_000;
const PAGE: i64 = 7_000;

/// A hundred thousand keys: 128 to a transaction, some transactions at a time.
async fn fill(client: &Client) {
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..4 {
        let client = client.clone();
        tasks.spawn(async move {
            for first in (lane * 128..MANY).step_by(4 * 128) {
                let last = (first + 128).min(MANY);
                let puts = (first..last).map(|n| put_op(&format!("many/{n:06}"), b"v")).collect();
                client.txn(success(puts)).await.unwrap();
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
}

#[test]
fn pages_and_streams_of_a_large_range_are_the_range() {
    let (runtime, mut cluster, client) = start();
    runtime.block_on(async {
        fill(&client).await;
        let whole = client.range(everything()).await.unwrap();
        assert_eq!((whole.kvs.len(), whole.count, whole.more), (MANY, 100_000, false));
        let revision = whole.header.unwrap().revision;

        // Writes meanwhile are not seen at the pinned revision.
        client.put("many/000000", "later").await.unwrap();
        client.put("many/zzz", "later").await.unwrap();
        let mut paged: Vec<KeyValue> = Vec::new();
        let mut key = everything().key;
        loop {
            let request = RangeRequest { key, limit: PAGE, revision, ..everything() };
            let page = client.range(request).await.unwrap();
            assert_eq!(usize::try_from(page.count).unwrap(), MANY - paged.len());
            paged.extend(page.kvs);
            if !page.more {
                break;
            }
            key = [&paged.last().unwrap().key[..], &[0]].concat().into();
        }
        assert!(paged == whole.kvs, "the pages are not the range");

        let url = format!("http://{}", cluster.endpoint(0));
        let mut kv = KvClient::connect(url).await.unwrap().max_decoding_message_size(usize::MAX);
        let request = RangeRequest { revision, ..everything() };
        let mut stream = kv.range_stream(request).await.unwrap().into_inner();
        let (mut streamed, mut chunks, mut last) = (Vec::new(), 0, None);
        while let Some(chunk) = stream.message().await.unwrap() {
            let mut part = chunk.range_response.unwrap();
            streamed.append(&mut part.kvs);
            chunks += 1;
            last = Some(part);
        }
        assert!(streamed == whole.kvs, "the stream is not the range");
        let last = last.unwrap();
        assert_eq!((last.count, last.more), (100_000, false));
        assert!(chunks > 1, "one message is no stream");
    });
    cluster.assert_unharmed();
}
