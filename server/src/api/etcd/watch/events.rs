//! Events as bytes, encoded once for all watchers on a thread.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use etcdpb::mvccpb;
use store::{Event, KeyValue, Previous, Record};

use super::super::convert::{event_to_pb, record_value};

/// The number of `events` in `WatchResponse`.
const EVENTS_FIELD: u32 = 11;
/// Bytes of encoded events kept on a thread.
const CACHE_BYTES: usize = 4 << 20;
/// Events kept on a thread.
const CACHE_EVENTS: usize = 4096;

/// Which event, and whether it tells what the key was before. The address names the event as long
/// as the cache holds it: another one cannot have it meanwhile.
type Name = (usize, bool);

/// The latest encoded events of a thread, the oldest leaving first.
#[derive(Debug, Default)]
pub(super) struct EventCache {
    encoded: HashMap<Name, (Arc<Event>, Bytes)>,
    order: VecDeque<Name>,
    bytes: usize,
}

thread_local! {
    static CACHE: RefCell<EventCache> = RefCell::default();
}

impl EventCache {
    fn name(event: &Arc<Event>, prev_kv: bool) -> Name {
        (Arc::as_ptr(event).addr(), prev_kv)
    }

    fn find(&self, event: &Arc<Event>, prev_kv: bool) -> Option<Bytes> {
        self.encoded.get(&Self::name(event, prev_kv)).map(|(_, bytes)| bytes.clone())
    }

    fn keep(&mut self, event: &Arc<Event>, prev_kv: bool, bytes: &Bytes) {
        let name = Self::name(event, prev_kv);
        if bytes.len() > CACHE_BYTES / 2
            || self.encoded.insert(name, (Arc::clone(event), bytes.clone())).is_some()
        {
            return;
        }
        self.order.push_back(name);
        self.bytes += bytes.len();
        while self.bytes > CACHE_BYTES || self.order.len() > CACHE_EVENTS {
            let oldest = self.order.pop_front().expect("bytes are counted for what is in order");
            let (_, gone) = self.encoded.remove(&oldest).expect("what is in order is kept");
            self.bytes -= gone.len();
        }
    }

    /// An event as it stands in a response, field number included. `previous` is asked for on the
    /// first encoding only.
    pub(super) fn encoded(
        event: &Arc<Event>,
        prev_kv: bool,
        previous: impl FnOnce() -> Option<KeyValue>,
    ) -> Bytes {
        // Nobody else holds it: nobody else will ask.
        if Arc::strong_count(event) == 1 {
            return encode(&event_to_pb(event, previous()));
        }
        CACHE.with_borrow_mut(|cache| {
            cache.find(event, prev_kv).unwrap_or_else(|| {
                let bytes = encode(&event_to_pb(event, previous()));
                cache.keep(event, prev_kv, &bytes);
                bytes
            })
        })
    }
}

fn encode(event: &mvccpb::Event) -> Bytes {
    let length = prost::encoding::message::encoded_len(EVENTS_FIELD, event);
    let mut buffer = BytesMut::with_capacity(length);
    prost::encoding::message::encode(EVENTS_FIELD, event, &mut buffer);
    buffer.freeze()
}

/// What a key was before an event, given what the backend had of it.
pub(super) fn previous(event: &Event, stored: Option<Record>) -> Option<KeyValue> {
    match &event.previous {
        Previous::Absent => None,
        Previous::Held(kv) => Some(kv.clone()),
        Previous::Stored(_) => stored.and_then(record_value),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use etcdpb::etcdserverpb::WatchResponse;
    use prost::Message;
    use store::EventKind;

    use super::*;

    fn event(key: &'static str, value: usize) -> Arc<Event> {
        let kv = KeyValue {
            key: Bytes::from_static(key.as_bytes()),
            value: Bytes::from(vec![1; value]),
            mod_revision: 5,
            ..KeyValue::default()
        };
        Arc::new(Event { kind: EventKind::Put, kv, previous: Previous::Absent })
    }

    #[test]
    fn encoded_events_are_a_response_without_a_head() {
        let event = event("k", 3);
        let bytes = EventCache::encoded(&event, false, || None);
        let expected =
            WatchResponse { events: vec![event_to_pb(&event, None)], ..WatchResponse::default() };
        assert_eq!(bytes, expected.encode_to_vec());
    }

    #[test]
    fn a_shared_event_is_encoded_once_a_variant() {
        let event = event("k", 3);
        let other_watcher = Arc::clone(&event);
        let first = EventCache::encoded(&event, false, || None);
        let again = EventCache::encoded(&other_watcher, false, || panic!("encoded again"));
        assert_eq!(first.as_ptr(), again.as_ptr());
        let previous = KeyValue { key: Bytes::from_static(b"k"), ..KeyValue::default() };
        let with = EventCache::encoded(&event, true, || Some(previous));
        assert_ne!(with, first);
        assert_eq!(EventCache::encoded(&event, true, || panic!("encoded again")), with);
    }

    #[test]
    fn the_cache_stays_within_its_bounds_and_forgets_the_oldest() {
        let mut cache = EventCache::default();
        let first = event("first", 1);
        cache.keep(&first, false, &Bytes::from_static(b"x"));
        for _ in 0..CACHE_EVENTS {
            cache.keep(&event("k", 1), false, &Bytes::from(vec![0; 2000]));
            assert!(cache.bytes <= CACHE_BYTES && cache.order.len() <= CACHE_EVENTS);
            assert_eq!(cache.order.len(), cache.encoded.len());
        }
        assert_eq!(cache.find(&first, false), None);
        assert_eq!(Arc::strong_count(&first), 1);
        let huge = Bytes::from(vec![0; CACHE_BYTES]);
        cache.keep(&first, false, &huge);
        assert_eq!(cache.find(&first, false), None);
    }
}
