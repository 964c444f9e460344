//! The service `Cluster`: who belongs to it. Its members are fixed by the configuration.

use etcdpb::etcdserverpb as pb;
use node::{Body, Request};
use tonic::Status;

use super::Api;
use super::convert::member_to_pb;
use super::errors::unexpected;

/// `MemberList`. The header has no revision.
pub(super) async fn member_list(
    api: &Api,
    request: pb::MemberListRequest,
) -> Result<pb::MemberListResponse, Status> {
    let ask = Request::Members { linearizable: request.linearizable };
    let (header, Body::Members(members)) = api.ask(ask).await? else {
        return Err(unexpected("MemberList"));
    };
    let header = api.headers.without_revision(header);
    Ok(pb::MemberListResponse { header, members: members.into_iter().map(member_to_pb).collect() })
}
