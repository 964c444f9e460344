//! Keys with their values.

use etcdpb::mvccpb;
use store::{KeyValue, Record};

/// A key with its value, as clients see it.
pub(in crate::api::etcd) fn key_value_to_pb(kv: KeyValue) -> mvccpb::KeyValue {
    mvccpb::KeyValue {
        key: kv.key,
        create_revision: kv.create_revision,
        mod_revision: kv.mod_revision,
        version: kv.version,
        value: kv.value,
        lease: kv.lease.map_or(0, |lease| lease.0),
    }
}

/// What a record says a key was; a deletion says that it was not.
pub(in crate::api::etcd) fn record_value(record: Record) -> Option<KeyValue> {
    match record {
        Record::Put(kv) => Some(kv),
        Record::Tombstone { .. } => None,
    }
}
