//! The port: accepting connections, and letting them go.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connection::{self, Responder};
use super::options::ApiOptions;
use super::{Api, route};
use crate::runtime::NodeHandle;

/// How long accepting rests when the system has no socket to give.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Serves etcd's API on a port until `shutdown` resolves; then accepts no more, tells clients to
/// go elsewhere, lets the calls under way end, and returns when they have, at the latest after
/// [`ApiOptions::drain`].
///
/// Belongs on a runtime of one thread. Several runtimes may serve one node, each with a listener
/// and a clone of handle and options of its own.
pub async fn serve(
    listener: TcpListener,
    handle: NodeHandle,
    options: ApiOptions,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopping) = watch::channel(false);
    let drain = options.drain;
    let room = Arc::clone(&options.room);
    let api = Api::new(handle, options, stopping.clone());
    let monitor = tokio::spawn(route::monitor(Arc::clone(&api)));
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let admitted = admit(&listener, &room, &api, &stopping, &mut connections);
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            () = admitted => {}
        }
    }
    drop(listener);
    stop.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(drain, ended).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections cut at shutdown");
    }
    connections.shutdown().await;
    monitor.abort();
}

/// Lets the next client in, or sees one off whose connection has ended. May be given up and begun
/// again.
pub(super) async fn admit<R: Responder>(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    responder: &Arc<R>,
    stopping: &watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) {
    let accepted = tokio::select! {
        biased;
        Some(_ended) = connections.join_next() => return,
        accepted = accept(listener, room) => accepted,
    };
    match accepted {
        Ok((stream, place)) => {
            let serving = connection::serve(Arc::clone(responder), stream, stopping.clone());
            connections.spawn(async move {
                serving.await;
                drop(place);
            });
        }
        Err(error) if is_about_one_connection(&error) => {}
        Err(error) => {
            // Out of descriptors or memory: those who are connected are still served.
            tracing::warn!(%error, "cannot accept connections");
            sleep(EXHAUSTED_PAUSE).await;
        }
    }
}

/// The next client, once there is room for it. Until then it waits in the system's queue.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.expect("it is never closed");
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// Whether a failed accept says something about one client only.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
