//! Health and upkeep.
//!
//! All but the alarms are questions to one member: ask each through [`Client::each`].

use etcdpb::etcdserverpb::maintenance_client::MaintenanceClient;
use etcdpb::etcdserverpb::{
    AlarmRequest, AlarmResponse, DefragmentRequest, DefragmentResponse, HashKvRequest,
    HashKvResponse, MoveLeaderRequest, StatusRequest, StatusResponse,
};
use http::Uri;

use crate::Result;
use crate::call::{Client, Kind};
use crate::link::Link;

fn stub(link: Link, origin: Uri) -> MaintenanceClient<Link> {
    MaintenanceClient::with_origin(link, origin)
}

impl Client {
    /// The state of the answering member: role, term, log positions, sizes, alarms.
    ///
    /// # Errors
    /// `Unavailable` when it could not be reached.
    pub async fn status(&self) -> Result<StatusResponse> {
        let send = |link, origin, request| async move { stub(link, origin).status(request).await };
        self.call(Kind::Read, StatusRequest {}, send).await
    }

    /// A hash over all keys and their history up to `revision` (0: the latest), on the answering
    /// member. Members that have the same history give the same hash.
    ///
    /// # Errors
    /// `OutOfRange` for a revision that has been compacted or does not exist yet.
    pub async fn hash_kv(&self, revision: i64) -> Result<HashKvResponse> {
        let request = HashKvRequest { revision };
        let send = |link, origin, request| async move { stub(link, origin).hash_kv(request).await };
        self.call(Kind::Read, request, send).await
    }

    /// Gives unused space of the answering member back to its file system.
    ///
    /// # Errors
    /// `Unavailable` when it could not be reached.
    pub async fn defragment(&self) -> Result<DefragmentResponse> {
        let send =
            |link, origin, request| async move { stub(link, origin).defragment(request).await };
        self.call(Kind::Write, DefragmentRequest {}, send).await
    }

    /// Hands leadership from the answering member, which must lead, to another voter.
    ///
    /// # Errors
    /// `FailedPrecondition` when the answering member does not lead, or the other is no voter.
    pub async fn move_leader(&self, target_id: u64) -> Result<()> {
        let request = MoveLeaderRequest { target_id };
        let send =
            |link, origin, request| async move { stub(link, origin).move_leader(request).await };
        self.call(Kind::Write, request, send).await.map(drop)
    }

    /// Lists, raises or clears alarms of the cluster.
    ///
    /// # Errors
    /// `Unavailable` when no endpoint could answer in time.
    pub async fn alarm(&self, request: AlarmRequest) -> Result<AlarmResponse> {
        let send = |link, origin, request| async move { stub(link, origin).alarm(request).await };
        self.call(Kind::Write, request, send).await
    }
}
