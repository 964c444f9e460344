//! The service `Maintenance`, and what stands in for `Auth` while there is none.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::alarm_request::AlarmAction as Action;
use node::{Body, Failure, NodeStatus, Request};
use protocol::NodeId;
use store::{Alarm, AlarmAction, BackendRead, Command, Outcome};
use tonic::Status;

use super::Api;
use super::convert::{alarm_from_pb, alarm_text, member_alarm_to_pb};
use super::errors::{EtcdError, unexpected};
use super::options::{CLUSTER_VERSION, COMPATIBLE_VERSION};

/// `Alarm`: list, raise or clear.
pub(super) async fn alarm(
    api: &Api,
    request: pb::AlarmRequest,
) -> Result<pb::AlarmResponse, Status> {
    let alarm = alarm_from_pb(request.alarm)?;
    let (action, member) = match Action::try_from(request.action) {
        Ok(Action::Get) => {
            let (header, Body::Alarms(mut alarms)) = api.ask(Request::Alarms).await? else {
                return Err(unexpected("Alarm"));
            };
            alarms.retain(|(_, kind)| alarm.is_none_or(|wanted| wanted == *kind));
            let alarms = alarms.into_iter().map(member_alarm_to_pb).collect();
            return Ok(pb::AlarmResponse { header: api.headers.of(header), alarms });
        }
        Ok(Action::Activate) if alarm.is_none() => {
            // Raising no alarm changes nothing.
            let (header, _) = api.ask(Request::Alarms).await?;
            return Ok(pb::AlarmResponse { header: api.headers.of(header), alarms: Vec::new() });
        }
        Ok(Action::Activate) => (AlarmAction::Activate, Some(NodeId(request.member_id))),
        Ok(Action::Deactivate) => {
            let member = (request.member_id != 0).then_some(NodeId(request.member_id));
            (AlarmAction::Deactivate, member)
        }
        Err(_) => {
            let text = format!("etcdserver: unknown alarm action {}", request.action);
            return Err(Status::invalid_argument(text));
        }
    };
    match api.write(Command::Alarm { action, member, alarm }, None).await? {
        (header, Outcome::Alarm(alarms)) => {
            let alarms = alarms.into_iter().map(member_alarm_to_pb).collect();
            Ok(pb::AlarmResponse { header: api.headers.of(header), alarms })
        }
        _ => Err(unexpected("Alarm")),
    }
}

/// What `Status` lists as errors: no leader, every alarm of the state, and that this member's own
/// state is wrong.
fn errors(status: &NodeStatus) -> Vec<String> {
    let leaderless = status.core.leader.is_none().then(|| EtcdError::NoLeader.text().to_owned());
    let wrong = (status.condemned.is_some() || status.rebuilding).then(|| {
        let alarm = alarm_text((status.core.id, Alarm::Corrupt));
        format!("{alarm}(this member's state was wrong; it is being had anew)")
    });
    let alarms = status.alarms.iter().copied().map(alarm_text);
    leaderless.into_iter().chain(alarms).chain(wrong).collect()
}

/// `Status`, of this member.
pub(super) async fn status(
    api: &Api,
    _request: pb::StatusRequest,
) -> Result<pb::StatusResponse, Status> {
    let (header, Body::Status(status)) = api.ask(Request::Status).await? else {
        return Err(unexpected("Status"));
    };
    let size = api.node.reader().size();
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    Ok(pb::StatusResponse {
        header: api.headers.of(header),
        version: COMPATIBLE_VERSION.into(),
        // What is not flushed yet counts: a member that runs in memory is not empty.
        db_size: signed(size.total.saturating_add(status.unflushed_bytes)),
        leader: status.core.leader.map_or(0, |leader| leader.0),
        raft_index: status.core.hard_state.commit.0,
        raft_term: status.core.hard_state.term.0,
        raft_applied_index: status.applied.index.0,
        errors: errors(&status),
        db_size_in_use: signed(size.in_use.saturating_add(status.unflushed_bytes)),
        is_learner: api.node.is_learner(),
        storage_version: CLUSTER_VERSION.into(),
        db_size_quota: 0,
        downgrade_info: Some(pb::DowngradeInfo::default()),
    })
}

/// `Defragment`: space returns by itself, so there is nothing to do, and nothing stops for it. The
/// answer has no header, as etcd's.
pub(super) async fn defragment(
    _api: &Api,
    _request: pb::DefragmentRequest,
) -> Result<pb::DefragmentResponse, Status> {
    Ok(pb::DefragmentResponse { header: None })
}

/// A hash of the history up to a revision.
async fn hash_of(api: &Api, revision: i64) -> Result<pb::HashKvResponse, Status> {
    let (header, body) = api.ask(Request::HashKv { revision }).await?;
    let Body::Hash { hash, compact_revision, hash_revision } = body else {
        return Err(unexpected("HashKV"));
    };
    let header = api.headers.of(header);
    Ok(pb::HashKvResponse { header, hash, compact_revision, hash_revision })
}

/// `Hash`: there is nothing to hash but the history.
pub(super) async fn hash(api: &Api, _request: pb::HashRequest) -> Result<pb::HashResponse, Status> {
    let pb::HashKvResponse { header, hash, .. } = hash_of(api, 0).await?;
    Ok(pb::HashResponse { header, hash })
}

/// `HashKV`.
pub(super) async fn hash_kv(
    api: &Api,
    request: pb::HashKvRequest,
) -> Result<pb::HashKvResponse, Status> {
    hash_of(api, request.revision).await
}

/// `MoveLeader`. The answer has no header, as etcd's.
pub(super) async fn move_leader(
    api: &Api,
    request: pb::MoveLeaderRequest,
) -> Result<pb::MoveLeaderResponse, Status> {
    let reply = api.call(Request::MoveLeader(NodeId(request.target_id))).await;
    match reply.body {
        Ok(Body::Done) => Ok(pb::MoveLeaderResponse { header: None }),
        Ok(_) => Err(unexpected("MoveLeader")),
        Err(Failure::Timeout) => Err(EtcdError::TimeoutLeaderTransfer.into()),
        Err(failure) => Err(EtcdError::from(failure).into()),
    }
}

/// `AuthStatus`: authentication is off. A store that never had any users is at revision 1.
pub(super) async fn auth_status(
    api: &Api,
    _request: pb::AuthStatusRequest,
) -> Result<pb::AuthStatusResponse, Status> {
    let (header, _) = api.ask(Request::Status).await?;
    let header = api.headers.of(header);
    Ok(pb::AuthStatusResponse { header, enabled: false, auth_revision: 1 })
}
