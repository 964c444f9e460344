//! Conditions of transactions.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use store::{Compare, Comparison, Condition, KeyRange};
use tonic::Status;

use crate::api::etcd::errors::EtcdError;

/// A condition.
///
/// The operand is the union's member for the target; a missing or foreign one counts as zero or
/// empty, as etcd's accessors have it. Numbers without a name are refused (etcd takes an unknown
/// relation as true).
pub(super) fn compare_from_pb(compare: pb::Compare) -> Result<Compare, Status> {
    if compare.key.is_empty() {
        return Err(EtcdError::EmptyKey.into());
    }
    let comparison = match CompareResult::try_from(compare.result) {
        Ok(CompareResult::Equal) => Comparison::Equal,
        Ok(CompareResult::Greater) => Comparison::Greater,
        Ok(CompareResult::Less) => Comparison::Less,
        Ok(CompareResult::NotEqual) => Comparison::NotEqual,
        Err(_) => return Err(unknown("result", compare.result)),
    };
    let condition = match (CompareTarget::try_from(compare.target), compare.target_union) {
        (Ok(CompareTarget::Version), Some(TargetUnion::Version(version))) => {
            Condition::Version(version)
        }
        (Ok(CompareTarget::Version), _) => Condition::Version(0),
        (Ok(CompareTarget::Create), Some(TargetUnion::CreateRevision(revision))) => {
            Condition::CreateRevision(revision)
        }
        (Ok(CompareTarget::Create), _) => Condition::CreateRevision(0),
        (Ok(CompareTarget::Mod), Some(TargetUnion::ModRevision(revision))) => {
            Condition::ModRevision(revision)
        }
        (Ok(CompareTarget::Mod), _) => Condition::ModRevision(0),
        (Ok(CompareTarget::Value), Some(TargetUnion::Value(value))) => Condition::Value(value),
        (Ok(CompareTarget::Value), _) => Condition::Value(bytes::Bytes::new()),
        (Ok(CompareTarget::Lease), Some(TargetUnion::Lease(lease))) => Condition::Lease(lease),
        (Ok(CompareTarget::Lease), _) => Condition::Lease(0),
        (Err(_), _) => return Err(unknown("target", compare.target)),
    };
    let range = KeyRange { key: compare.key, end: compare.range_end };
    Ok(Compare { range, comparison, condition })
}

fn unknown(field: &str, number: i32) -> Status {
    Status::invalid_argument(format!("etcdserver: unknown compare {field} {number}"))
}
