//! A backup of one member's state, as a stream of blocks.

use bytes::Bytes;
use etcdpb::etcdserverpb::maintenance_client::MaintenanceClient;
use etcdpb::etcdserverpb::{SnapshotRequest, SnapshotResponse};
use tonic::Streaming;

use crate::Result;
use crate::call::Client;
use crate::error::Error;

impl Client {
    /// Asks a member for a backup of its state: every write that it had answered before is in it.
    ///
    /// # Errors
    /// `Unavailable` when it could not be reached, `ResourceExhausted` when it makes as many
    /// backups as it may, or has no space to make its state durable.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let (stream, endpoint) = self
            .open(|link, origin| async move {
                MaintenanceClient::with_origin(link, origin).snapshot(SnapshotRequest {}).await
            })
            .await?;
        Ok(Snapshot { stream, endpoint })
    }
}

/// A backup on its way here. Dropping it tells the member to stop.
#[derive(Debug)]
pub struct Snapshot {
    stream: Streaming<SnapshotResponse>,
    endpoint: String,
}

impl Snapshot {
    /// The next block, and how many bytes follow it; `None` at the end. The last block is the
    /// SHA-256 of all before it.
    ///
    /// # Errors
    /// When the member cannot go on, or the connection breaks: what came so far is of no use.
    pub async fn block(&mut self) -> Result<Option<(Bytes, u64)>> {
        match self.stream.message().await {
            Ok(response) => Ok(response.map(|it| (it.blob, it.remaining_bytes))),
            Err(status) => Err(Error::from_status(&status, &self.endpoint)),
        }
    }

    /// The member that is asked, as it was given.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}
