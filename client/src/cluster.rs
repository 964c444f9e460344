//! The members of the consensus group, and changes of them.
//!
//! A change is answered when it is complete, and is not sent twice: whether it happened after all,
//! when its answer was lost, [`Client::member_list`] tells.

use etcdpb::etcdserverpb::cluster_client::ClusterClient;
use etcdpb::etcdserverpb::{
    MemberAddRequest, MemberAddResponse, MemberListRequest, MemberListResponse,
    MemberPromoteRequest, MemberPromoteResponse, MemberRemoveRequest, MemberRemoveResponse,
    MemberUpdateRequest, MemberUpdateResponse,
};
use http::Uri;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::Result;
use crate::call::{Client, Kind};
use crate::link::Link;

fn stub(link: Link, origin: Uri) -> ClusterClient<Link> {
    ClusterClient::with_origin(link, origin)
}

/// Calls a method of `conclavepb.Members`, which etcd does not have.
async fn own<Q, R>(
    link: Link,
    origin: Uri,
    method: &'static str,
    request: Request<Q>,
) -> Result<Response<R>, Status>
where
    Q: prost::Message + Send + Sync + 'static,
    R: prost::Message + Default + Send + Sync + 'static,
{
    let mut grpc = Grpc::with_origin(link, origin);
    grpc.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
    let path = PathAndQuery::from_static(method);
    grpc.unary(request, path, ProstCodec::default()).await
}

impl Client {
    /// The members, as the leader knows them when `linearizable`, otherwise as the answering
    /// member does, which also works without a leader.
    ///
    /// # Errors
    /// `Unavailable` when no endpoint could answer in time.
    pub async fn member_list(&self, linearizable: bool) -> Result<MemberListResponse> {
        let request = MemberListRequest { linearizable };
        let send =
            |link, origin, request| async move { stub(link, origin).member_list(request).await };
        self.call(Kind::Read, request, send).await
    }

    /// Adds a member that will be reached by its peers at these URLs. It is a learner at first;
    /// unless it is meant to stay one, it becomes a voter by itself when it has caught up.
    ///
    /// # Errors
    /// `InvalidArgument` for URLs that are none, `FailedPrecondition` when a member has one of them
    /// or there are too many learners. The same for the calls below, and `NotFound` for an id that
    /// no member has.
    pub async fn member_add(
        &self,
        peer_urls: Vec<String>,
        is_learner: bool,
    ) -> Result<MemberAddResponse> {
        let request = MemberAddRequest { peer_ur_ls: peer_urls, is_learner };
        let send =
            |link, origin, request| async move { stub(link, origin).member_add(request).await };
        self.call(Kind::Write, request, send).await
    }

    /// Removes a member for ever.
    ///
    /// # Errors
    /// As [`Client::member_add`]; `Unavailable` when too few of those that remain answer.
    pub async fn member_remove(&self, id: u64) -> Result<MemberRemoveResponse> {
        let send =
            |link, origin, request| async move { stub(link, origin).member_remove(request).await };
        self.call(Kind::Write, MemberRemoveRequest { id }, send).await
    }

    /// Changes where a member is reached by its peers.
    ///
    /// # Errors
    /// As [`Client::member_add`].
    pub async fn member_update(
        &self,
        id: u64,
        peer_urls: Vec<String>,
    ) -> Result<MemberUpdateResponse> {
        let request = MemberUpdateRequest { id, peer_ur_ls: peer_urls };
        let send =
            |link, origin, request| async move { stub(link, origin).member_update(request).await };
        self.call(Kind::Write, request, send).await
    }

    /// Makes a learner a voter.
    ///
    /// # Errors
    /// As [`Client::member_add`]; `FailedPrecondition` when it has not caught up.
    pub async fn member_promote(&self, id: u64) -> Result<MemberPromoteResponse> {
        let send =
            |link, origin, request| async move { stub(link, origin).member_promote(request).await };
        self.call(Kind::Write, MemberPromoteRequest { id }, send).await
    }

    /// Makes a voter a learner. Conclave's own.
    ///
    /// # Errors
    /// As [`Client::member_remove`]; `Unimplemented` from etcd.
    pub async fn member_demote(&self, id: u64) -> Result<MemberPromoteResponse> {
        let send = |link, origin, request| own(link, origin, "/conclavepb.Members/Demote", request);
        self.call(Kind::Write, MemberPromoteRequest { id }, send).await
    }

    /// Adds a member that takes another one's place as soon as it has caught up; the other goes in
    /// the same step. Conclave's own.
    ///
    /// # Errors
    /// As [`Client::member_add`]; `Unimplemented` from etcd.
    pub async fn member_replace(
        &self,
        old: u64,
        peer_urls: Vec<String>,
    ) -> Result<MemberAddResponse> {
        let request = MemberUpdateRequest { id: old, peer_ur_ls: peer_urls };
        let send =
            |link, origin, request| own(link, origin, "/conclavepb.Members/Replace", request);
        self.call(Kind::Write, request, send).await
    }
}
