//! The port of the agent's own API, on a thread of its own.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use super::route::route;
use crate::gossip::PoolHandle;

/// Connections at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 256;
/// Connections that may wait.
const BACKLOG: i32 = 128;
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a head.
const HEAD_MAX: usize = 16 << 10;
/// How long answers under way may take once the agent ends.
const DRAIN: Duration = Duration::from_millis(500);

/// Why the API does not start.
#[derive(Debug, Error)]
pub enum AdminError {
    /// Others could reach it.
    #[error(
        "--listen-http {0} can be reached from other machines, and nobody proves there who \
             they are: choose an address on loopback, such as 127.0.0.1:8500"
    )]
    Exposed(SocketAddr),
    /// The port cannot be opened.
    #[error(
        "cannot listen on {address} for the agent's API: {source}; choose another address \
             with --listen-http"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No thread could be made.
    #[error("cannot start the agent's API: {0}")]
    Thread(io::Error),
}

/// The port of an API that does not answer yet.
#[derive(Debug)]
pub struct Door(StdListener);

impl Door {
    /// Opens the port, so that an agent that cannot have it joins no pool.
    ///
    /// # Errors
    /// [`AdminError::Exposed`], [`AdminError::Listen`].
    pub fn open(listen: SocketAddr) -> Result<Self, AdminError> {
        if !listen.ip().is_loopback() {
            return Err(AdminError::Exposed(listen));
        }
        open(listen).map(Self).map_err(|source| AdminError::Listen { address: listen, source })
    }
}

/// A running API.
#[derive(Debug)]
pub struct Admin {
    thread: JoinHandle<()>,
}

impl Admin {
    /// Answers until `stop` turns true.
    ///
    /// # Errors
    /// [`AdminError::Thread`].
    pub fn start(
        Door(listener): Door,
        pool: PoolHandle,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, AdminError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(AdminError::Thread)?;
        let thread = Builder::new().name("admin".to_owned()).spawn(move || {
            let served = runtime.block_on(serve(listener, pool, stop));
            if let Err(error) = served {
                tracing::error!(%error, "the agent's API has ended");
            }
            runtime.shutdown_timeout(DRAIN);
        });
        Ok(Self { thread: thread.map_err(AdminError::Thread)? })
    }

    /// Waits until it has ended; `false` when that was by a bug.
    pub fn finish(self) -> bool {
        self.thread.join().is_ok()
    }
}

fn open(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

async fn serve(
    listener: StdListener,
    pool: PoolHandle,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await.expect("it is never closed");
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let pool = pool.clone();
                tokio::spawn(async move {
                    connection(stream, pool).await;
                    drop(place);
                });
            }
            // Out of descriptors or memory: those who are connected are still served.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
    drop(listener);
    // Whoever asked the agent to end gets the answer; whoever follows events is cut off then.
    sleep(DRAIN).await;
    Ok(())
}

async fn connection(stream: TcpStream, pool: PoolHandle) {
    let _refused = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let pool = pool.clone();
        async move { Ok::<_, Infallible>(route(pool, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the agent's API ended");
    }
}
