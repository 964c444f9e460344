//! `Maintenance.Snapshot`: a backup of this member's state, as a stream.
//!
//! ```text
//! pin ──► blocks of 32 KiB, a batch of them at a time ──► a queue of one batch ──► the client
//! ```
//!
//! Laws:
//!
//! - what is sent is one flush of this member, which has every write that it had answered when the
//!   call came. Whether it leads or follows, and whether it hears anybody, does not matter: a
//!   member that lags sends an older state, and the header of the file says which;
//! - writes go on meanwhile, and are not in it;
//! - memory is bounded, whatever the size of the state: three batches for each stream;
//! - a client that goes away, or reads nothing for [`PATIENCE`], lets go of the view;
//! - `remaining_bytes` is exact, and 0 with the digest alone: a stream that ends before is no
//!   backup.

use bytes::Bytes;
use etcdpb::etcdserverpb::SnapshotResponse;
use futures_util::{Stream, stream};
use std::time::Duration;
use storage::backup::{BackupWriter, Origin};
use store::BackendError;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::Status;

use super::Api;
use super::errors::{EtcdError, status};
use super::options::COMPATIBLE_VERSION;
use crate::runtime::{Clock, Pinned};

/// Blocks that are made at once.
const BATCH: usize = 32;
/// How long a client may read nothing.
const PATIENCE: Duration = Duration::from_secs(300);

/// Blocks in order, or why there are no more.
type Batch = Result<Vec<Bytes>, Status>;

/// Starts a stream.
pub(super) async fn open(
    api: &Api,
) -> Result<impl Stream<Item = Result<SnapshotResponse, Status>> + Send + use<>, Status> {
    let pinned = api.node.pin().await.map_err(status)?;
    let origin = Origin { identity: api.node.identity(), taken_at_ms: Clock::utc_ms() };
    let Pinned { view, permit } = pinned;
    let writer = blocking(move || BackupWriter::new(view, origin)).await?.map_err(unreadable)?;
    let remaining = writer.header().length;
    let (sender, batches) = mpsc::channel(1);
    tokio::spawn(async move {
        feed(writer, sender).await;
        drop(permit);
    });
    let state = Sent { batches, ready: Vec::new().into_iter(), remaining };
    Ok(stream::unfold(Some(state), |state| async { state?.next().await }))
}

/// Makes blocks until there are no more, or nobody takes them.
async fn feed(mut writer: BackupWriter, batches: mpsc::Sender<Batch>) {
    loop {
        let made = blocking(move || {
            let batch = batch(&mut writer);
            (writer, batch)
        });
        let (batch, ended) = match made.await {
            Ok((back, Ok(batch))) => {
                writer = back;
                let ended = batch.len() < BATCH;
                (Ok(batch), ended)
            }
            Ok((_, Err(error))) => {
                // Half a batch without its end is worth nothing.
                let _gone = batches.send(Err(unreadable(error))).await;
                return;
            }
            Err(status) => {
                let _gone = batches.send(Err(status)).await;
                return;
            }
        };
        match timeout(PATIENCE, batches.send(batch)).await {
            Ok(Ok(())) if !ended => {}
            Ok(_) => return,
            Err(_) => {
                tracing::warn!("a client asked for a snapshot and does not read it: given up");
                return;
            }
        }
    }
}

/// Up to [`BATCH`] blocks; fewer at the end.
fn batch(writer: &mut BackupWriter) -> Result<Vec<Bytes>, BackendError> {
    let mut blocks = Vec::with_capacity(BATCH);
    while blocks.len() < BATCH {
        let Some(block) = writer.block()? else { break };
        blocks.push(block);
    }
    Ok(blocks)
}

/// What a client has been sent.
struct Sent {
    batches: mpsc::Receiver<Batch>,
    ready: std::vec::IntoIter<Bytes>,
    remaining: u64,
}

impl Sent {
    async fn next(mut self) -> Option<(Result<SnapshotResponse, Status>, Option<Self>)> {
        let block = loop {
            if let Some(block) = self.ready.next() {
                break block;
            }
            match self.batches.recv().await {
                Some(Ok(batch)) => self.ready = batch.into_iter(),
                Some(Err(status)) => return Some((Err(status), None)),
                None if self.remaining == 0 => return None,
                None => return Some((Err(EtcdError::Timeout.into()), None)),
            }
        };
        self.remaining = self.remaining.saturating_sub(block.len() as u64);
        let response = SnapshotResponse {
            header: None,
            remaining_bytes: self.remaining,
            blob: block,
            version: COMPATIBLE_VERSION.into(),
        };
        Some((Ok(response), Some(self)))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Status::internal(format!("a snapshot ended early: {error}")))
}

fn unreadable(error: BackendError) -> Status {
    tracing::error!(%error, "the state cannot be read for a snapshot");
    EtcdError::Corrupt.into()
}
