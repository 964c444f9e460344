//! Completing a view: the values that the node only named are fetched here, off its thread.
//!
//! The node resolves keys and pins a revision; what is not in memory comes as a place in the
//! immutable backend. Few places are read at once, on the connection's own thread; many are read
//! on a blocking thread, together with the sorting and encoding that a large answer takes, so that
//! no connection waits for another one's large read.
//!
//! Between the node's answer and the fetch, compaction may have taken a value. A read of the latest
//! revision is then asked again; a read of a given revision has been compacted.

use std::sync::Arc;

use node::{Body, Failure, Header, Reply, Request};
use store::{BackendRead, Outcome, Range, RangeResult, Record, Revision, Row, Txn, TxnView, View};
use tonic::Status;

use super::Api;
use super::errors::{EtcdError, status, unexpected};

/// Up to this many places are read on the connection's thread.
const READ_INLINE: usize = 8;
/// Up to this many items are sorted, converted and encoded on the connection's thread.
const BUILD_INLINE: usize = 512;
/// And up to this many bytes of values.
const BUILD_INLINE_BYTES: usize = 1 << 20;
/// How often a read of the latest revision is asked before compaction has won.
const ATTEMPTS: usize = 4;

/// The answer to a read.
#[derive(Debug)]
pub(super) struct Read<T> {
    /// The revision (main) that was read.
    pub(super) revision: i64,
    /// What was made of it.
    pub(super) value: T,
}

/// The records of some places, in the order of the places; `None` where one is gone.
pub(super) type Fetched = Vec<Option<Record>>;

/// Why a view could not be completed.
enum Incomplete {
    /// A value was compacted away meanwhile.
    Gone,
    /// A value cannot be read.
    Failed(Status),
}

/// Reads records here and now.
fn fetch_now(reader: &impl BackendRead, places: &[Revision]) -> Result<Fetched, Status> {
    let read = |place: &Revision| {
        reader.get(*place).map_err(|error| {
            tracing::error!(revision = %place, %error, "a value could not be read");
            status(Failure::Unreadable)
        })
    };
    places.iter().map(read).collect()
}

/// A place among those who may occupy a blocking thread: a bound on threads, and on the memory
/// that large answers take at once.
async fn heavy<T, F>(api: &Api, work: F) -> Result<T, Status>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let permit = Arc::clone(&api.heavy).acquire_owned().await;
    let permit = permit.map_err(|_| Status::from(EtcdError::Stopped))?;
    let work = move || {
        // Given back when the work is done, whether or not somebody still waits for it.
        let _permit = permit;
        work()
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Status::internal(format!("a read ended early: {error}")))
}

/// Reads records, elsewhere when they are many.
pub(super) async fn fetch(api: &Api, places: Vec<Revision>) -> Result<Fetched, Status> {
    if places.len() <= READ_INLINE {
        return fetch_now(api.node.reader(), &places);
    }
    let reader = api.node.reader().clone();
    heavy(api, move || fetch_now(&reader, &places)).await?
}

/// Whether completing a view and encoding the answer holds nobody up.
fn is_small(view: &View) -> bool {
    let held = |row: &Row| match row {
        Row::Held(kv) => kv.value.len(),
        Row::Stored(_) => 0,
    };
    let rows = view.rows();
    rows.len() <= BUILD_INLINE && rows.iter().map(held).sum::<usize>() <= BUILD_INLINE_BYTES
}

fn complete_view(
    reader: &impl BackendRead,
    view: View,
    places: &[Revision],
) -> Result<RangeResult, Incomplete> {
    let mut fetched = fetch_now(reader, places).map_err(Incomplete::Failed)?.into_iter();
    view.complete(|_| fetched.next().flatten()).map_err(|_| Incomplete::Gone)
}

fn complete_txn(
    reader: &impl BackendRead,
    view: TxnView,
    places: &[Revision],
) -> Result<Outcome, Incomplete> {
    let mut fetched = fetch_now(reader, places).map_err(Incomplete::Failed)?.into_iter();
    view.complete(|_| fetched.next().flatten()).map_err(|_| Incomplete::Gone)
}

/// Reads keys and makes an answer of them; `build` runs where the read was completed.
pub(super) async fn range<T, F>(
    api: &Api,
    range: &Range,
    serializable: bool,
    build: F,
) -> Result<Read<T>, Status>
where
    T: Send + 'static,
    F: Fn(Header, RangeResult) -> T + Clone + Send + 'static,
{
    for _ in 0..ATTEMPTS {
        let request = Request::Range { range: range.clone(), serializable };
        let Reply { header, body } = api.call(request).await;
        let Body::View(view) = body.map_err(status)? else {
            return Err(unexpected("Range"));
        };
        let revision = view.revision();
        let places: Vec<Revision> = view.stored().collect();
        let made = if places.len() <= READ_INLINE && is_small(&view) {
            complete_view(api.node.reader(), view, &places).map(|result| build(header, result))
        } else {
            let (reader, build) = (api.node.reader().clone(), build.clone());
            heavy(api, move || {
                complete_view(&reader, view, &places).map(|result| build(header, result))
            })
            .await?
        };
        match made {
            Ok(value) => return Ok(Read { revision, value }),
            Err(Incomplete::Gone) if range.revision <= 0 => {}
            Err(Incomplete::Gone) => break,
            Err(Incomplete::Failed(status)) => return Err(status),
        }
    }
    Err(EtcdError::Compacted.into())
}

/// Runs a transaction that only reads.
pub(super) async fn txn(
    api: &Api,
    txn: Txn,
    serializable: bool,
) -> Result<(Header, Outcome), Status> {
    for _ in 0..ATTEMPTS {
        let request = Request::ReadTxn { txn: txn.clone(), serializable };
        let Reply { header, body } = api.call(request).await;
        let Body::TxnView(view) = body.map_err(status)? else {
            return Err(unexpected("Txn"));
        };
        let places: Vec<Revision> = view.stored().collect();
        let made = if places.len() <= READ_INLINE {
            complete_txn(api.node.reader(), view, &places)
        } else {
            let reader = api.node.reader().clone();
            heavy(api, move || complete_txn(&reader, view, &places)).await?
        };
        match made {
            Ok(outcome) => return Ok((header, outcome)),
            Err(Incomplete::Gone) => {}
            Err(Incomplete::Failed(status)) => return Err(status),
        }
    }
    Err(EtcdError::Compacted.into())
}
