//! The service `KV`: reads and writes of the key space.

use bytes::Bytes;
use etcdpb::etcdserverpb as pb;
use node::{Body, Header, Request};
use store::{Command, Outcome, Stamp};
use tonic::Status;

use super::convert::{
    delete_from_pb, delete_to_pb, put_from_pb, put_to_pb, range_from_pb, range_to_pb, read_only,
    txn_from_pb, txn_to_pb,
};
use super::errors::{EtcdError, unexpected};
use super::frame::framed;
use super::route::stamped;
use super::{Api, read};

/// `Range`: the answer is encoded where its values were read.
pub(super) async fn range(api: &Api, request: pb::RangeRequest) -> Result<Bytes, Status> {
    let serializable = request.serializable;
    if api.node.is_learner() && !serializable {
        return Err(EtcdError::NotSupportedForLearner.into());
    }
    let range = range_from_pb(request)?;
    let headers = api.headers.clone();
    let build = move |header, result| framed(&range_to_pb(headers.of(header), result));
    read::range(api, &range, serializable, build).await?.value
}

/// `Put`.
pub(super) async fn put(
    api: &Api,
    request: pb::PutRequest,
    stamp: Option<Stamp>,
) -> Result<pb::PutResponse, Status> {
    match api.write(Command::Put(put_from_pb(request)?), stamp).await? {
        (header, Outcome::Put { prev }) => Ok(put_to_pb(api.headers.of(header), prev)),
        _ => Err(unexpected("Put")),
    }
}

/// `DeleteRange`.
pub(super) async fn delete_range(
    api: &Api,
    request: pb::DeleteRangeRequest,
    stamp: Option<Stamp>,
) -> Result<pb::DeleteRangeResponse, Status> {
    match api.write(Command::DeleteRange(delete_from_pb(request)?), stamp).await? {
        (header, Outcome::DeleteRange { deleted, prev }) => {
            Ok(delete_to_pb(api.headers.of(header), deleted, prev))
        }
        _ => Err(unexpected("DeleteRange")),
    }
}

/// `Txn`: one that only reads takes the way of reads.
pub(super) async fn txn(
    api: &Api,
    request: pb::TxnRequest,
    stamp: Option<Stamp>,
) -> Result<pb::TxnResponse, Status> {
    let reading = read_only(&request);
    let txn = txn_from_pb(request, api.options.max_txn_ops)?;
    let (header, outcome): (Header, Outcome) = match reading {
        Some(reading) => read::txn(api, txn, reading.serializable).await?,
        None => api.write(Command::Txn(txn), stamp).await?,
    };
    txn_to_pb(api.headers.of(header), outcome)
}

/// `Compact`.
pub(super) async fn compact(
    api: &Api,
    request: pb::CompactionRequest,
    stamp: Option<Stamp>,
) -> Result<pb::CompactionResponse, Status> {
    let compact = Request::Compact { revision: request.revision, physical: request.physical };
    match api.ask(stamped(compact, stamp)).await? {
        (header, Body::Done | Body::Outcome(Outcome::Done)) => {
            Ok(pb::CompactionResponse { header: api.headers.of(header) })
        }
        _ => Err(unexpected("Compact")),
    }
}
