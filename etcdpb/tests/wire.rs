//! Field numbers that are easy to get wrong, as bytes; each key byte is `number << 3 | wire type`.

use etcdpb::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use etcdpb::etcdserverpb::{
    Compare, LeaseGrantRequest, LeaseGrantResponse, RangeRequest, StatusResponse,
    WatchCreateRequest, WatchResponse,
};
use etcdpb::mvccpb::{Event, KeyValue};
use prost::Message;

#[test]
fn the_range_end_of_a_compare_is_field_64() {
    let compare = Compare {
        result: CompareResult::NotEqual.into(),
        target: CompareTarget::Lease.into(),
        key: "k".into(),
        target_union: Some(TargetUnion::Lease(5)),
        range_end: "z".into(),
    };
    let expected = [8, 3, 16, 4, 26, 1, b'k', 64, 5, 0x82, 4, 1, b'z'];
    assert_eq!(compare.encode_to_vec(), expected);
}

#[test]
fn the_events_of_a_watch_response_are_field_11() {
    let kv = KeyValue { mod_revision: 7, ..KeyValue::default() };
    let event = Event { r#type: 1, kv: Some(kv), prev_kv: None };
    let response = WatchResponse {
        canceled: true,
        compact_revision: 3,
        events: vec![event],
        ..WatchResponse::default()
    };
    assert_eq!(response.encode_to_vec(), [32, 1, 40, 3, 90, 6, 8, 1, 18, 2, 24, 7]);
}

#[test]
fn a_lease_grant_swaps_its_fields_between_request_and_response() {
    let request = LeaseGrantRequest { ttl: 60, id: 9 };
    assert_eq!(request.encode_to_vec(), [8, 60, 16, 9]);
    let response = LeaseGrantResponse { id: 9, ttl: 60, ..LeaseGrantResponse::default() };
    assert_eq!(response.encode_to_vec(), [16, 9, 24, 60]);
}

#[test]
fn repeated_enums_are_read_packed_and_not() {
    let packed = WatchCreateRequest::decode(&[42, 2, 0, 1][..]).expect("packed");
    let single = WatchCreateRequest::decode(&[40, 0, 40, 1][..]).expect("not packed");
    assert_eq!((&packed.filters, &packed), (&vec![0, 1], &single));
}

#[test]
fn unknown_fields_and_enum_numbers_do_not_fail_a_message() {
    // Field 99 is a string; sort_order is 9.
    let range = RangeRequest::decode(&[0x9a, 6, 1, b'x', 40, 9, 10, 1, b'k'][..]).expect("skipped");
    assert_eq!((&range.key[..], range.sort_order), (&b"k"[..], 9));
    assert!(etcdpb::etcdserverpb::range_request::SortOrder::try_from(9).is_err());
}

#[test]
fn a_status_has_its_fields_in_the_order_they_were_added() {
    let status = StatusResponse {
        db_size: 1,
        leader: 2,
        raft_index: 3,
        raft_term: 4,
        raft_applied_index: 5,
        db_size_in_use: 6,
        is_learner: true,
        db_size_quota: 7,
        ..StatusResponse::default()
    };
    let expected = [24, 1, 32, 2, 40, 3, 48, 4, 56, 5, 72, 6, 80, 1, 96, 7];
    assert_eq!(status.encode_to_vec(), expected);
}

#[test]
fn the_descriptor_names_every_service() {
    let names = ["KV", "Watch", "Lease", "Cluster", "Maintenance", "Auth", "Lock", "Election"];
    for name in names {
        // A service's name stands in its descriptor as field 1.
        let mut field = vec![10, u8::try_from(name.len()).expect("a short name")];
        field.extend_from_slice(name.as_bytes());
        let found = etcdpb::DESCRIPTOR.windows(field.len()).any(|window| window == field);
        assert!(found, "{name}");
    }
}
