//! How the APIs talk to the node: bounded queues in, one-shot answers and watch queues out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use node::{Failure, Header, Input, Reply, Request};
use protocol::{ClusterId, NodeId};
use storage::Identity;
use storage::state::{Reader, View};
use store::watch::{StreamId, WatchCreate, WatchId, WatchResponse};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::reader::NodeReader;

/// What the driver takes from the APIs.
#[derive(Debug)]
pub(crate) enum Call {
    /// A request, and where its answer goes.
    Request(Request, oneshot::Sender<Reply>),
    /// A new watch stream, and where its responses go.
    OpenWatch(StreamId, mpsc::UnboundedSender<WatchResponse>),
    /// The last flush, pinned, and where it goes.
    View(oneshot::Sender<View>),
    /// Anything about an open watch stream.
    Input(Input),
}

/// A node, as the APIs see it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    calls: mpsc::Sender<Call>,
    reader: NodeReader,
    cluster: ClusterId,
    member: NodeId,
    streams: AtomicU64,
    pins: Arc<Semaphore>,
    learner: Arc<AtomicBool>,
}

/// Views lent out at once: each holds the space of what is rewritten meanwhile.
const PINS: usize = 4;

/// A view that is lent out. Dropping it makes room for another.
#[derive(Debug)]
pub struct Pinned {
    /// What is pinned.
    pub view: View,
    /// The room that it takes.
    pub permit: OwnedSemaphorePermit,
}

impl NodeHandle {
    pub(crate) fn new(
        calls: mpsc::Sender<Call>,
        reader: Reader,
        (cluster, member): (ClusterId, NodeId),
        learner: Arc<AtomicBool>,
    ) -> Self {
        let streams = AtomicU64::new(1);
        let pins = Arc::new(Semaphore::new(PINS));
        let reader = NodeReader::new(reader, calls.clone());
        let shared = Shared { calls, reader, cluster, member, streams, pins, learner };
        Self { shared: Arc::new(shared) }
    }

    /// Asks the node. When its queue is full this waits: the client feels it as latency. Dropping
    /// the future gives the answer up, not the request.
    pub async fn call(&self, request: Request) -> Reply {
        let stopped = || Reply { header: Header::default(), body: Err(Failure::Stopped) };
        let (sender, receiver) = oneshot::channel();
        if self.shared.calls.send(Call::Request(request, sender)).await.is_err() {
            return stopped();
        }
        receiver.await.unwrap_or_else(|_| stopped())
    }

    /// Opens a watch stream.
    ///
    /// # Errors
    /// [`Failure::Stopped`] when the node has ended.
    pub async fn watch(&self) -> Result<WatchStream, Failure> {
        let id = StreamId(self.shared.streams.fetch_add(1, Ordering::Relaxed));
        let (sender, responses) = mpsc::unbounded_channel();
        self.send(Call::OpenWatch(id, sender)).await?;
        Ok(WatchStream { id, handle: self.clone(), responses })
    }

    /// This member's state, pinned: every write that it had answered before the call is in it.
    ///
    /// # Errors
    /// [`Failure::TooManyRequests`] when enough are lent out; [`Failure::DiskFull`] and
    /// [`Failure::Timeout`] when what is in memory cannot be flushed; [`Failure::Stopped`].
    pub async fn pin(&self) -> Result<Pinned, Failure> {
        let room = Arc::clone(&self.shared.pins).try_acquire_owned();
        let permit = room.map_err(|_| Failure::TooManyRequests)?;
        self.call(Request::Settle).await.body?;
        let (sender, receiver) = oneshot::channel();
        self.send(Call::View(sender)).await?;
        let view = receiver.await.map_err(|_| Failure::Stopped)?;
        Ok(Pinned { view, permit })
    }

    /// Whose state it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { cluster: self.shared.cluster, node: self.shared.member }
    }

    /// The immutable side of the state, for values that a view only names.
    #[must_use]
    pub fn reader(&self) -> &NodeReader {
        &self.shared.reader
    }

    /// The cluster's id.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.shared.cluster
    }

    /// Whether this member has no vote: not yet, or not any more.
    #[must_use]
    pub fn is_learner(&self) -> bool {
        self.shared.learner.load(Ordering::Relaxed)
    }

    /// This member's id.
    #[must_use]
    pub fn member(&self) -> NodeId {
        self.shared.member
    }

    async fn send(&self, call: Call) -> Result<(), Failure> {
        self.shared.calls.send(call).await.map_err(|_| Failure::Stopped)
    }
}

/// One client's watch stream. The queue of responses is bounded by the hub's accounting: what was
/// received must be reported with [`WatchStream::sent`], or the node stops sending. Dropping it
/// closes the stream.
#[derive(Debug)]
pub struct WatchStream {
    id: StreamId,
    handle: NodeHandle,
    responses: mpsc::UnboundedReceiver<WatchResponse>,
}

impl WatchStream {
    /// Asks for a watch.
    ///
    /// # Errors
    /// [`Failure::Stopped`] when the node has ended; the same for the calls below.
    pub async fn create(&self, create: WatchCreate) -> Result<(), Failure> {
        self.input(Input::WatchCreate { stream: self.id, create }).await
    }

    /// Ends a watch.
    ///
    /// # Errors
    /// [`Failure::Stopped`].
    pub async fn cancel(&self, id: WatchId) -> Result<(), Failure> {
        self.input(Input::WatchCancel { stream: self.id, id }).await
    }

    /// Asks how far the stream has come.
    ///
    /// # Errors
    /// [`Failure::Stopped`].
    pub async fn progress(&self) -> Result<(), Failure> {
        self.input(Input::WatchProgress(self.id)).await
    }

    /// Reports that responses worth this many accounted bytes have been written.
    ///
    /// # Errors
    /// [`Failure::Stopped`].
    pub async fn sent(&self, bytes: usize) -> Result<(), Failure> {
        self.input(Input::WatchSent { stream: self.id, bytes }).await
    }

    /// The next response; `None` when the node has ended.
    pub async fn next(&mut self) -> Option<WatchResponse> {
        self.responses.recv().await
    }

    /// A response that is already there.
    pub fn try_next(&mut self) -> Option<WatchResponse> {
        self.responses.try_recv().ok()
    }

    async fn input(&self, input: Input) -> Result<(), Failure> {
        self.handle.send(Call::Input(input)).await
    }
}

impl Drop for WatchStream {
    fn drop(&mut self) {
        let calls = self.handle.shared.calls.clone();
        let close = Call::Input(Input::WatchClose(self.id));
        // A full queue must not leak the stream: the close then waits its turn in a task.
        if let Err(mpsc::error::TrySendError::Full(close)) = calls.try_send(close)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { calls.send(close).await });
        }
    }
}
