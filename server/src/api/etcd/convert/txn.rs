//! Transactions.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::request_op::Request;
use etcdpb::etcdserverpb::response_op::Response;
use store::{Operation, Outcome, Txn};
use tonic::Status;

use super::compare::compare_from_pb;
use super::{delete_from_pb, delete_to_pb, put_from_pb, put_to_pb, range_from_pb, range_to_pb};
use crate::api::etcd::errors::{EtcdError, unexpected};
use crate::api::etcd::header;

/// A transaction that changes nothing.
pub(in crate::api::etcd) struct ReadOnly {
    /// Whether the answering member's own state will do: all its reads say so.
    pub(in crate::api::etcd) serializable: bool,
}

/// Whether a transaction only reads: no put, no deletion, no nested transaction on either branch.
pub(in crate::api::etcd) fn read_only(txn: &pb::TxnRequest) -> Option<ReadOnly> {
    let mut reads = 0_usize;
    let mut serializable = true;
    for op in txn.success.iter().chain(&txn.failure) {
        match &op.request {
            Some(Request::RequestRange(range)) => {
                reads += 1;
                serializable &= range.serializable;
            }
            Some(
                Request::RequestPut(_) | Request::RequestDeleteRange(_) | Request::RequestTxn(_),
            )
            | None => return None,
        }
    }
    Some(ReadOnly { serializable: serializable && reads > 0 })
}

/// A transaction, with at most `max_ops` comparisons, and operations on either branch; what is
/// nested gets what is left. Depth is bounded by that, too: each level takes at least one.
pub(in crate::api::etcd) fn txn_from_pb(
    txn: pb::TxnRequest,
    max_ops: usize,
) -> Result<Txn, Status> {
    let size = txn.compare.len().max(txn.success.len()).max(txn.failure.len());
    let left = max_ops.checked_sub(size).ok_or(EtcdError::TooManyOps)?;
    let compare = txn.compare.into_iter().map(compare_from_pb).collect::<Result<_, _>>()?;
    let branch = |ops: Vec<pb::RequestOp>| {
        ops.into_iter().map(|op| operation_from_pb(op, left)).collect::<Result<_, _>>()
    };
    Ok(Txn { compare, success: branch(txn.success)?, failure: branch(txn.failure)? })
}

fn operation_from_pb(op: pb::RequestOp, max_ops: usize) -> Result<Operation, Status> {
    Ok(match op.request {
        Some(Request::RequestRange(range)) => Operation::Range(range_from_pb(range)?),
        Some(Request::RequestPut(put)) => Operation::Put(put_from_pb(put)?),
        Some(Request::RequestDeleteRange(delete)) => {
            Operation::DeleteRange(delete_from_pb(delete)?)
        }
        Some(Request::RequestTxn(txn)) => Operation::Txn(txn_from_pb(txn, max_ops)?),
        None => return Err(EtcdError::KeyNotFound.into()),
    })
}

/// What a transaction answers. The answers within have headers with a revision only.
pub(in crate::api::etcd) fn txn_to_pb(
    header: Option<pb::ResponseHeader>,
    outcome: Outcome,
) -> Result<pb::TxnResponse, Status> {
    let Outcome::Txn { succeeded, responses } = outcome else {
        return Err(unexpected("Txn"));
    };
    let responses = responses
        .into_iter()
        .map(|(revision, outcome)| response_to_pb(revision, outcome))
        .collect::<Result<_, _>>()?;
    Ok(pb::TxnResponse { header, succeeded, responses })
}

fn response_to_pb(revision: i64, outcome: Outcome) -> Result<pb::ResponseOp, Status> {
    let header = header::inner(revision);
    let response = match outcome {
        Outcome::Range(result) => Response::ResponseRange(range_to_pb(header, result)),
        Outcome::Put { prev } => Response::ResponsePut(put_to_pb(header, prev)),
        Outcome::DeleteRange { deleted, prev } => {
            Response::ResponseDeleteRange(delete_to_pb(header, deleted, prev))
        }
        Outcome::Txn { .. } => Response::ResponseTxn(txn_to_pb(header, outcome)?),
        Outcome::LeaseGrant { .. }
        | Outcome::LeaseRenew(_)
        | Outcome::Alarm(_)
        | Outcome::Queued(_)
        | Outcome::Done => return Err(unexpected("Txn")),
    };
    Ok(pb::ResponseOp { response: Some(response) })
}
