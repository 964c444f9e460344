//! Watch requests and events.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::watch_create_request::FilterType;
use etcdpb::mvccpb;
use store::watch::WatchCreate;
use store::{Event, EventKind, KeyRange, KeyValue};

use super::key_value_to_pb;

/// What to watch. Unknown filters are ignored, as etcd does.
pub(in crate::api::etcd) fn watch_create_from_pb(request: pb::WatchCreateRequest) -> WatchCreate {
    let filtered = |kind: FilterType| request.filters.contains(&i32::from(kind));
    WatchCreate {
        id: request.watch_id,
        no_put: filtered(FilterType::Noput),
        no_delete: filtered(FilterType::Nodelete),
        keys: KeyRange { key: request.key, end: request.range_end },
        start_revision: request.start_revision,
        prev_kv: request.prev_kv,
        progress_notify: request.progress_notify,
        fragment: request.fragment,
    }
}

/// An event, with what the key was before where that is to be told.
pub(in crate::api::etcd) fn event_to_pb(
    event: &Event,
    previous: Option<KeyValue>,
) -> mvccpb::Event {
    let kind = match event.kind {
        EventKind::Put => mvccpb::event::EventType::Put,
        EventKind::Delete => mvccpb::event::EventType::Delete,
    };
    mvccpb::Event {
        r#type: kind.into(),
        kv: Some(key_value_to_pb(event.kv.clone())),
        prev_kv: previous.map(key_value_to_pb),
    }
}
