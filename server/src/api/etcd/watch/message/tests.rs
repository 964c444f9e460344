use bytes::Bytes;
use etcdpb::etcdserverpb::WatchResponse;
use etcdpb::mvccpb::{Event, KeyValue};
use proptest::prelude::*;
use prost::Message;
use protocol::{ClusterId, NodeId, Term};
use store::watch::{CancelReason, RefuseReason, WatchId};

use super::WatchMessage;
use crate::api::etcd::header::Headers;

fn headers() -> Headers {
    let headers = Headers::new(ClusterId(1), NodeId(2));
    headers.observe(Term(3));
    headers
}

/// The message as a client decodes it.
fn sent(message: &WatchMessage) -> WatchResponse {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    WatchResponse::decode(bytes.as_slice()).unwrap()
}

/// An event as a client decodes it, and as it stands in a response.
fn event(size: usize) -> (Event, Bytes) {
    let kv = KeyValue { key: Bytes::from(vec![1; size]), ..KeyValue::default() };
    let event = Event { kv: Some(kv), ..Event::default() };
    let response = WatchResponse { events: vec![event.clone()], ..WatchResponse::default() };
    (event, response.encode_to_vec().into())
}

#[test]
fn a_created_watch_has_its_id_and_the_revision() {
    let response = sent(&WatchMessage::created(&headers(), WatchId(7), 9));
    let header = response.header.unwrap();
    assert_eq!((header.cluster_id, header.member_id), (1, 2));
    assert_eq!((header.revision, header.raft_term), (9, 3));
    assert_eq!(response.watch_id, 7);
    assert!(response.created && !response.canceled);
}

#[test]
fn a_refused_watch_is_created_and_canceled_with_no_id() {
    let cases = [
        (RefuseReason::Duplicate, "mvcc: duplicate watch ID provided on the WatchStream"),
        (RefuseReason::EmptyRange, "mvcc: watcher range is empty"),
        (RefuseReason::NegativeStart, "mvcc: required revision has been compacted"),
        (RefuseReason::TooManyWatchers, "mvcc: too many watchers on the WatchStream"),
    ];
    for (reason, text) in cases {
        let response = sent(&WatchMessage::refused(&headers(), reason, 9));
        assert!(response.created && response.canceled);
        assert_eq!((response.watch_id, response.cancel_reason.as_str()), (-1, text));
        assert_eq!(response.header.unwrap().revision, 9);
    }
}

#[test]
fn a_watch_canceled_by_compaction_has_a_header_without_a_revision() {
    let reason = Some(CancelReason::Compacted);
    let response = sent(&WatchMessage::canceled(&headers(), WatchId(1), reason, Some(40), 50));
    assert!(response.canceled && !response.created);
    assert_eq!((response.watch_id, response.compact_revision), (1, 40));
    assert_eq!(response.header.unwrap().revision, 0);
}

#[test]
fn a_canceled_watch_always_has_a_reason() {
    for reason in [None, Some(CancelReason::Compacted), Some(CancelReason::Unreadable)] {
        let response = sent(&WatchMessage::canceled(&headers(), WatchId(1), reason, None, 50));
        assert!(response.canceled && !response.cancel_reason.is_empty());
        assert_eq!(response.header.unwrap().revision, 50);
    }
}

#[test]
fn progress_of_a_stream_is_about_no_watch() {
    let response = sent(&WatchMessage::progress(&headers(), None, 8));
    assert_eq!((response.watch_id, response.events.len()), (-1, 0));
    let response = sent(&WatchMessage::progress(&headers(), Some(WatchId(4)), 8));
    assert_eq!((response.watch_id, response.header.unwrap().revision), (4, 8));
}

#[test]
fn without_fragments_a_response_is_whole_whatever_its_size() {
    let (event, bytes) = event(1000);
    let messages = WatchMessage::events(&headers(), WatchId(1), 9, vec![bytes; 3], None);
    assert_eq!(messages.len(), 1);
    let response = sent(&messages[0]);
    assert_eq!(response.events, vec![event; 3]);
    assert!(!response.fragment);
}

proptest! {
    #[test]
    fn fragments_joined_are_the_response_and_none_is_too_large(
        sizes in prop::collection::vec(0_usize..400, 1..40),
        limit in 50_usize..2000,
    ) {
        let (events, bytes): (Vec<_>, Vec<_>) = sizes.iter().map(|size| event(*size)).unzip();
        let messages =
            WatchMessage::events(&headers(), WatchId(5), 9, bytes, Some(limit));
        let mut joined = Vec::new();
        for (place, message) in messages.iter().enumerate() {
            let response = sent(message);
            prop_assert_eq!(response.watch_id, 5);
            prop_assert_eq!(response.header.unwrap().revision, 9);
            prop_assert_eq!(response.fragment, place + 1 < messages.len());
            prop_assert!(response.encoded_len() <= limit || response.events.len() == 1);
            joined.extend(response.events);
        }
        prop_assert_eq!(joined, events);
    }
}
