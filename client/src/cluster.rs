//! The members of the consensus group.

use etcdpb::etcdserverpb::cluster_client::ClusterClient;
use etcdpb::etcdserverpb::{MemberListRequest, MemberListResponse};

use crate::Result;
use crate::call::{Client, Kind};

impl Client {
    /// The members, as the leader knows them when `linearizable`, otherwise as the answering
    /// member does, which also works without a leader.
    ///
    /// # Errors
    /// `Unavailable` when no endpoint could answer in time.
    pub async fn member_list(&self, linearizable: bool) -> Result<MemberListResponse> {
        let request = MemberListRequest { linearizable };
        self.call(Kind::Read, request, |link, origin, request| async move {
            ClusterClient::with_origin(link, origin).member_list(request).await
        })
        .await
    }
}
