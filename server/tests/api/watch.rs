//! `Watch`.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::watch_request::RequestUnion;
use etcdpb::mvccpb::event::EventType;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Streaming;

use crate::support::{TestServer, bytes, delete, put, soon};

/// A client's stream.
struct Stream {
    requests: mpsc::UnboundedSender<pb::WatchRequest>,
    responses: Streaming<pb::WatchResponse>,
}

impl Stream {
    async fn open(server: &TestServer) -> Self {
        let (requests, queue) = mpsc::unbounded_channel();
        let responses = soon(server.watch().watch(UnboundedReceiverStream::new(queue))).await;
        Self { requests, responses: responses.unwrap().into_inner() }
    }

    fn send(&self, request: RequestUnion) {
        self.requests.send(pb::WatchRequest { request_union: Some(request) }).unwrap();
    }

    async fn next(&mut self) -> pb::WatchResponse {
        soon(self.responses.message()).await.unwrap().expect("the stream goes on")
    }

    /// Creates a watch and takes its first response.
    async fn create(&mut self, create: pb::WatchCreateRequest) -> pb::WatchResponse {
        self.send(RequestUnion::CreateRequest(create));
        let created = self.next().await;
        assert!(created.created);
        created
    }
}

fn on(key: &str) -> pb::WatchCreateRequest {
    pb::WatchCreateRequest { key: bytes(key), ..pb::WatchCreateRequest::default() }
}

fn prefix(key: &str, end: &str) -> pb::WatchCreateRequest {
    pb::WatchCreateRequest { range_end: bytes(end), ..on(key) }
}

#[tokio::test]
async fn a_watch_tells_what_happens_and_what_was_before() {
    let server = TestServer::start().await;
    let mut stream = Stream::open(&server).await;
    let created = stream.create(pb::WatchCreateRequest { prev_kv: true, ..on("k") }).await;
    assert_eq!((created.watch_id, created.canceled), (0, false));
    assert_eq!(created.header.unwrap().revision, 1);
    server.put("other", "x").await;
    server.put("k", "1").await;
    server.put("k", "2").await;
    server.kv().delete_range(delete("k")).await.unwrap();
    let mut events = Vec::new();
    while events.len() < 3 {
        let response = stream.next().await;
        let last = response.events.last().unwrap().kv.as_ref().unwrap().mod_revision;
        assert!(response.header.unwrap().revision >= last);
        assert_eq!(response.watch_id, 0);
        events.extend(response.events);
    }
    let kinds: Vec<i32> = events.iter().map(|event| event.r#type).collect();
    assert_eq!(kinds, [EventType::Put, EventType::Put, EventType::Delete].map(i32::from));
    let [created, changed, deleted] = events.try_into().unwrap();
    assert!(created.prev_kv.is_none());
    assert_eq!(changed.prev_kv.unwrap().value, bytes("1"));
    assert_eq!(changed.kv.unwrap().version, 2);
    assert_eq!(deleted.prev_kv.unwrap().value, bytes("2"));
    let tombstone = deleted.kv.unwrap();
    assert_eq!((tombstone.mod_revision, tombstone.create_revision), (5, 0));
    assert_eq!(tombstone.key, bytes("k"));
}

#[tokio::test]
async fn a_watch_from_the_past_tells_it_first_without_a_gap() {
    let server = TestServer::start().await;
    for value in 0..50 {
        server.put("k", value.to_string()).await;
    }
    let mut stream = Stream::open(&server).await;
    stream.create(pb::WatchCreateRequest { start_revision: 2, ..on("k") }).await;
    for value in 50..100 {
        server.put("k", value.to_string()).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 100 {
        for event in stream.next().await.events {
            assert!(event.prev_kv.is_none());
            seen.push(event.kv.unwrap().mod_revision);
        }
    }
    assert_eq!(seen, (2..102).collect::<Vec<_>>());
}

#[tokio::test]
async fn ids_are_chosen_counted_refused_and_given_back() {
    let server = TestServer::start().await;
    let mut stream = Stream::open(&server).await;
    let chosen = pb::WatchCreateRequest { watch_id: 7, ..on("k") };
    assert_eq!(stream.create(chosen.clone()).await.watch_id, 7);
    assert_eq!(stream.create(on("k")).await.watch_id, 0);
    let duplicate = stream.create(chosen).await;
    assert!(duplicate.canceled);
    assert_eq!(duplicate.watch_id, -1);
    let text = "mvcc: duplicate watch ID provided on the WatchStream";
    assert_eq!(duplicate.cancel_reason, text);
    let empty = stream.create(prefix("b", "a")).await;
    assert!(empty.canceled);
    let refusal = (empty.watch_id, empty.cancel_reason.as_str());
    assert_eq!(refusal, (-1, "mvcc: watcher range is empty"));

    // An unknown id is answered with silence: the next response is about the known one.
    stream.send(RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id: 1234 }));
    stream.send(RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id: 7 }));
    let canceled = stream.next().await;
    assert!(canceled.canceled && !canceled.created);
    assert_eq!((canceled.watch_id, canceled.compact_revision), (7, 0));
    server.put("k", "v").await;
    assert_eq!(stream.next().await.watch_id, 0);
}

#[tokio::test]
async fn filters_leave_out_and_fragments_join_to_the_whole() {
    let server = TestServer::start().await;
    let mut stream = Stream::open(&server).await;
    let deletions = pb::WatchCreateRequest { filters: vec![0], watch_id: 1, ..prefix("k", "l") };
    stream.create(deletions).await;
    let fragments = pb::WatchCreateRequest { fragment: true, watch_id: 2, ..prefix("k", "l") };
    stream.create(fragments).await;
    // One revision of more than fits in one message.
    for key in 0..3 {
        server.put(&format!("k{key}"), vec![0; 1_000_000]).await;
        let response = stream.next().await;
        assert_eq!((response.watch_id, response.fragment), (2, false));
    }
    let all = pb::DeleteRangeRequest { range_end: bytes("l"), ..delete("k") };
    server.kv().delete_range(all).await.unwrap();
    let mut deleted = [0, 0];
    while deleted != [3, 3] {
        let response = stream.next().await;
        deleted[usize::try_from(response.watch_id).unwrap() - 1] += response.events.len();
    }
    let mut past = Stream::open(&server).await;
    let before = pb::WatchCreateRequest { start_revision: 2, fragment: true, ..prefix("k", "l") };
    past.create(before).await;
    let mut events = 0;
    while events < 6 {
        let response = past.next().await;
        let bytes: usize =
            response.events.iter().map(|event| event.kv.as_ref().unwrap().value.len()).sum();
        assert!(bytes <= 2 << 20);
        events += response.events.len();
    }
}

#[tokio::test]
async fn progress_is_told_when_asked() {
    let server = TestServer::start().await;
    let mut stream = Stream::open(&server).await;
    stream.create(on("k")).await;
    let revision = server.put("other", "v").await;
    stream.send(RequestUnion::ProgressRequest(pb::WatchProgressRequest {}));
    let progress = stream.next().await;
    assert_eq!((progress.watch_id, progress.events.len()), (-1, 0));
    assert_eq!(progress.header.unwrap().revision, revision);
}

#[tokio::test]
async fn a_compacted_start_is_created_and_then_canceled() {
    let server = TestServer::start().await;
    for value in ["1", "2", "3"] {
        server.put("k", value).await;
    }
    let compact = pb::CompactionRequest { revision: 4, physical: true };
    server.kv().compact(compact).await.unwrap();
    let mut stream = Stream::open(&server).await;
    let created = stream.create(pb::WatchCreateRequest { start_revision: 2, ..on("k") }).await;
    assert!(!created.canceled);
    let canceled = stream.next().await;
    assert!(canceled.canceled);
    assert_eq!((canceled.watch_id, canceled.compact_revision), (created.watch_id, 4));
    assert_eq!(canceled.header.unwrap().revision, 0);
    // The stream goes on.
    stream.create(on("k")).await;
}

#[tokio::test]
async fn a_client_that_closes_its_side_keeps_its_watches() {
    let server = TestServer::start().await;
    let create = RequestUnion::CreateRequest(on("k"));
    let requests = [pb::WatchRequest { request_union: Some(create) }];
    let responses = server.watch().watch(futures_util::stream::iter(requests)).await.unwrap();
    let mut responses = responses.into_inner();
    assert!(soon(responses.message()).await.unwrap().unwrap().created);
    server.put("k", "v").await;
    assert_eq!(soon(responses.message()).await.unwrap().unwrap().events.len(), 1);
}

#[tokio::test]
async fn a_watcher_that_does_not_read_slows_nobody_and_misses_nothing() {
    let server = TestServer::start().await;
    let mut idle = Stream::open(&server).await;
    idle.create(on("k")).await;
    let mut busy = Stream::open(&server).await;
    busy.create(on("k")).await;
    // Far more than windows, buffers and credit together.
    let (count, size) = (100_i64, 400_000);
    for _ in 0..count {
        let put = pb::PutRequest { value: vec![1; size].into(), ..put("k") };
        server.kv().put(put).await.unwrap();
        let mut events = 0;
        while events < 1 {
            events += busy.next().await.events.len();
        }
    }
    let mut seen = Vec::new();
    while seen.len() < usize::try_from(count).unwrap() {
        seen.extend(idle.next().await.events.iter().map(|e| e.kv.as_ref().unwrap().mod_revision));
    }
    assert_eq!(seen, (2..2 + count).collect::<Vec<_>>());
}
