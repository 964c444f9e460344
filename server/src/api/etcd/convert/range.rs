//! Reads.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::range_request;
use store::{Filter, KeyRange, Range, RangeResult, SortOrder, SortTarget};

use super::key_value_to_pb;
use crate::api::etcd::errors::EtcdError;

/// What to read. `serializable` is the caller's business: it is about where to read.
pub(in crate::api::etcd) fn range_from_pb(request: pb::RangeRequest) -> Result<Range, EtcdError> {
    if request.key.is_empty() {
        return Err(EtcdError::EmptyKey);
    }
    let order = match range_request::SortOrder::try_from(request.sort_order) {
        Ok(range_request::SortOrder::None) => SortOrder::None,
        Ok(range_request::SortOrder::Ascend) => SortOrder::Ascend,
        Ok(range_request::SortOrder::Descend) => SortOrder::Descend,
        Err(_) => return Err(EtcdError::InvalidSortOption),
    };
    let target = match range_request::SortTarget::try_from(request.sort_target) {
        Ok(range_request::SortTarget::Key) => SortTarget::Key,
        Ok(range_request::SortTarget::Version) => SortTarget::Version,
        Ok(range_request::SortTarget::Create) => SortTarget::Create,
        Ok(range_request::SortTarget::Mod) => SortTarget::Mod,
        Ok(range_request::SortTarget::Value) => SortTarget::Value,
        Err(_) => return Err(EtcdError::InvalidSortOption),
    };
    Ok(Range {
        keys: KeyRange { key: request.key, end: request.range_end },
        revision: request.revision,
        limit: request.limit,
        target,
        order,
        keys_only: request.keys_only,
        count_only: request.count_only,
        filter: Filter {
            min_mod: request.min_mod_revision,
            max_mod: request.max_mod_revision,
            min_create: request.min_create_revision,
            max_create: request.max_create_revision,
        },
    })
}

/// What was read.
pub(in crate::api::etcd) fn range_to_pb(
    header: Option<pb::ResponseHeader>,
    result: RangeResult,
) -> pb::RangeResponse {
    pb::RangeResponse {
        header,
        kvs: result.kvs.into_iter().map(key_value_to_pb).collect(),
        more: result.more,
        count: result.count,
    }
}
