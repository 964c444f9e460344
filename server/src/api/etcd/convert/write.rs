//! Puts and deletions.

use etcdpb::etcdserverpb as pb;
use store::{DeleteRange, KeyRange, KeyValue, LeaseId, Put};

use super::key_value_to_pb;
use crate::api::etcd::errors::EtcdError;

/// What to put. The switches that keep the present value or lease exclude giving one.
pub(in crate::api::etcd) fn put_from_pb(request: pb::PutRequest) -> Result<Put, EtcdError> {
    if request.key.is_empty() {
        return Err(EtcdError::EmptyKey);
    }
    if request.ignore_value && !request.value.is_empty() {
        return Err(EtcdError::ValueProvided);
    }
    if request.ignore_lease && request.lease != 0 {
        return Err(EtcdError::LeaseProvided);
    }
    let lease = (request.lease != 0).then_some(LeaseId(request.lease));
    Ok(Put {
        key: request.key,
        value: (!request.ignore_value).then_some(request.value),
        lease: (!request.ignore_lease).then_some(lease),
        prev_kv: request.prev_kv,
    })
}

/// What a put answers.
pub(in crate::api::etcd) fn put_to_pb(
    header: Option<pb::ResponseHeader>,
    prev: Option<KeyValue>,
) -> pb::PutResponse {
    pb::PutResponse { header, prev_kv: prev.map(key_value_to_pb) }
}

/// What to delete.
pub(in crate::api::etcd) fn delete_from_pb(
    request: pb::DeleteRangeRequest,
) -> Result<DeleteRange, EtcdError> {
    if request.key.is_empty() {
        return Err(EtcdError::EmptyKey);
    }
    Ok(DeleteRange {
        range: KeyRange { key: request.key, end: request.range_end },
        prev_kv: request.prev_kv,
    })
}

/// What a deletion answers.
pub(in crate::api::etcd) fn delete_to_pb(
    header: Option<pb::ResponseHeader>,
    deleted: i64,
    prev: Vec<KeyValue>,
) -> pb::DeleteRangeResponse {
    pb::DeleteRangeResponse {
        header,
        deleted,
        prev_kvs: prev.into_iter().map(key_value_to_pb).collect(),
    }
}
