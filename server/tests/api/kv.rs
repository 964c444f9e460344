//! `KV`: puts, reads, deletions, compaction.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::range_request::{SortOrder, SortTarget};
use tonic::Code;

use crate::support::{TestServer, bytes, delete, get, put, refusal, refused, span};

#[tokio::test]
async fn a_put_is_read_back_with_its_revisions() {
    let server = TestServer::start().await;
    let mut kv = server.kv();
    let first = kv.put(pb::PutRequest { value: bytes("1"), ..put("k") }).await.unwrap();
    let header = first.into_inner().header.unwrap();
    assert_eq!(header.revision, 2);
    assert!(header.cluster_id != 0 && header.member_id != 0 && header.raft_term > 0);
    let again = pb::PutRequest { value: bytes("2"), prev_kv: true, ..put("k") };
    let answer = kv.put(again).await.unwrap().into_inner();
    assert_eq!(answer.header.unwrap().revision, 3);
    assert_eq!(answer.prev_kv.unwrap().value, bytes("1"));

    for serializable in [false, true] {
        let read = pb::RangeRequest { serializable, ..get("k") };
        let answer = kv.range(read).await.unwrap().into_inner();
        assert_eq!((answer.count, answer.more, answer.kvs.len()), (1, false, 1));
        let found = &answer.kvs[0];
        assert_eq!((&found.key, &found.value), (&bytes("k"), &bytes("2")));
        let revisions = (found.create_revision, found.mod_revision, found.version);
        assert_eq!(revisions, (2, 3, 2));
        assert_eq!(answer.header.unwrap().revision, 3);
    }
    let old = pb::RangeRequest { revision: 2, ..get("k") };
    let answer = kv.range(old).await.unwrap().into_inner();
    assert_eq!(answer.kvs[0].value, bytes("1"));
    // The header tells the present, whatever was read.
    assert_eq!(answer.header.unwrap().revision, 3);
}

#[tokio::test]
async fn ranges_count_all_and_give_what_is_asked() {
    let server = TestServer::start().await;
    for key in ["a", "b", "c", "d"] {
        server.put(key, key.to_owned()).await;
    }
    let mut kv = server.kv();
    let limited = pb::RangeRequest { limit: 2, ..span("a", "d") };
    let answer = kv.range(limited).await.unwrap().into_inner();
    let keys: Vec<_> = answer.kvs.iter().map(|kv| kv.key.clone()).collect();
    assert_eq!(keys, [bytes("a"), bytes("b")]);
    assert_eq!((answer.count, answer.more), (3, true));

    let descending = pb::RangeRequest {
        sort_order: SortOrder::Descend.into(),
        sort_target: SortTarget::Mod.into(),
        keys_only: true,
        ..span("a", "\0")
    };
    let answer = kv.range(descending).await.unwrap().into_inner();
    assert_eq!(answer.kvs.first().unwrap().key, bytes("d"));
    assert!(answer.kvs.iter().all(|kv| kv.value.is_empty()));

    let counted = pb::RangeRequest { count_only: true, ..span("\0", "\0") };
    let answer = kv.range(counted).await.unwrap().into_inner();
    assert_eq!((answer.count, answer.kvs.len()), (4, 0));
}

#[tokio::test]
async fn a_large_range_is_whole() {
    let server = TestServer::start().await;
    for key in 0..700 {
        server.put(&format!("k{key:04}"), vec![7; 1000]).await;
    }
    let answer = server.kv().range(span("k", "l")).await.unwrap().into_inner();
    assert_eq!((answer.count, answer.kvs.len()), (700, 700));
    assert!(answer.kvs.iter().all(|kv| kv.value.len() == 1000));
    assert!(answer.kvs.is_sorted_by_key(|kv| kv.key.clone()));
}

#[tokio::test]
async fn deletions_tell_what_went() {
    let server = TestServer::start().await;
    server.put("a", "1").await;
    server.put("b", "2").await;
    let mut kv = server.kv();
    let request = pb::DeleteRangeRequest { range_end: bytes("z"), prev_kv: true, ..delete("a") };
    let answer = kv.delete_range(request.clone()).await.unwrap().into_inner();
    assert_eq!((answer.deleted, answer.prev_kvs.len()), (2, 2));
    assert_eq!(answer.header.unwrap().revision, 4);
    // Nothing to delete makes no revision.
    let answer = kv.delete_range(request).await.unwrap().into_inner();
    assert_eq!((answer.deleted, answer.header.unwrap().revision), (0, 4));
}

#[tokio::test]
async fn wrong_requests_are_refused_in_etcds_words() {
    let server = TestServer::start().await;
    server.put("k", "v").await;
    let mut kv = server.kv();
    let invalid = |text| refused(Code::InvalidArgument, text);
    assert_eq!(refusal(kv.range(get("")).await), invalid("key is not provided"));
    assert_eq!(refusal(kv.put(put("")).await), invalid("key is not provided"));
    assert_eq!(refusal(kv.delete_range(delete("")).await), invalid("key is not provided"));
    let ignore = pb::PutRequest { ignore_value: true, ..put("k") };
    let both = pb::PutRequest { value: bytes("v"), ..ignore.clone() };
    assert_eq!(refusal(kv.put(both).await), invalid("value is provided"));
    let missing = pb::PutRequest { key: bytes("missing"), ..ignore };
    assert_eq!(refusal(kv.put(missing).await), invalid("key not found"));
    let both = pb::PutRequest { ignore_lease: true, lease: 5, ..put("k") };
    assert_eq!(refusal(kv.put(both).await), invalid("lease is provided"));
    let sort = pb::RangeRequest { sort_order: 9, ..get("k") };
    assert_eq!(refusal(kv.range(sort).await), invalid("invalid sort option"));
    let unknown = pb::PutRequest { lease: 5, ..put("k") };
    assert_eq!(
        refusal(kv.put(unknown).await),
        refused(Code::NotFound, "requested lease not found")
    );
    let future = pb::RangeRequest { revision: 99, ..get("k") };
    let text = "mvcc: required revision is a future revision";
    assert_eq!(refusal(kv.range(future).await), refused(Code::OutOfRange, text));
    // Refused requests have changed nothing.
    assert_eq!(kv.range(get("k")).await.unwrap().into_inner().header.unwrap().revision, 2);
}

#[tokio::test]
async fn compaction_forgets_the_past_and_says_so() {
    let server = TestServer::start().await;
    for value in ["1", "2", "3"] {
        server.put("k", value).await;
    }
    let mut kv = server.kv();
    let compact = pb::CompactionRequest { revision: 3, physical: true };
    assert!(kv.compact(compact).await.unwrap().into_inner().header.is_some());
    let compacted = "mvcc: required revision has been compacted";
    assert_eq!(refusal(kv.compact(compact).await), refused(Code::OutOfRange, compacted));
    let future = pb::CompactionRequest { revision: 99, physical: false };
    let text = "mvcc: required revision is a future revision";
    assert_eq!(refusal(kv.compact(future).await), refused(Code::OutOfRange, text));
    let old = pb::RangeRequest { revision: 2, ..get("k") };
    assert_eq!(refusal(kv.range(old).await), refused(Code::OutOfRange, compacted));
    let kept = pb::RangeRequest { revision: 3, ..get("k") };
    assert_eq!(kv.range(kept).await.unwrap().into_inner().kvs[0].value, bytes("2"));
}
