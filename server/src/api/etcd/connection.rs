//! One connection: its protocol, windows and timeouts.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::body::ApiBody;
use super::preface::{Opened, Protocol, detect};

/// How long a client may take to show which protocol it speaks, or to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a silent HTTP/2 connection is asked whether it lives.
const PING_INTERVAL: Duration = Duration::from_secs(60);
/// How long it may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes a client may send on one stream before they are read: a large put in one go.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same for all streams of a connection.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Bytes of the head of a request.
const MAX_HEAD: usize = 16 * 1024;

/// Who answers the requests on a connection.
pub(super) trait Responder: Send + Sync + 'static {
    /// The most calls under way on one connection.
    fn streams(&self) -> u32;

    /// Answers one request.
    fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<ApiBody>> + Send;
}

/// Serves a connection until it ends, or, when `stopping` turns true, until the calls under way
/// are answered.
pub(super) async fn serve<R: Responder>(
    responder: Arc<R>,
    stream: TcpStream,
    stopping: watch::Receiver<bool>,
) {
    // Without it a small answer would wait for more; a socket that refuses still works.
    let _refused = stream.set_nodelay(true);
    match timeout(HEAD_TIMEOUT, detect(stream)).await {
        Ok(Ok(Some((Protocol::Http2, stream)))) => serve_http2(responder, stream, stopping).await,
        Ok(Ok(Some((Protocol::Http1, stream)))) => serve_http1(responder, stream, stopping).await,
        Ok(Ok(None) | Err(_)) | Err(_) => {}
    }
}

async fn serve_http2<R: Responder>(
    responder: Arc<R>,
    stream: Opened<TcpStream>,
    stopping: watch::Receiver<bool>,
) {
    let streams = responder.streams();
    let service = service_fn(move |request: Request<Incoming>| {
        let responder = Arc::clone(&responder);
        async move { Ok::<_, Infallible>(responder.respond(request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(streams)
        .max_header_list_size(u32::try_from(MAX_HEAD).expect("a small constant"))
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let connection = pin!(connection);
    run(connection, stopping, http2::Connection::graceful_shutdown).await;
}

async fn serve_http1<R: Responder>(
    responder: Arc<R>,
    stream: Opened<TcpStream>,
    stopping: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let responder = Arc::clone(&responder);
        async move { Ok::<_, Infallible>(responder.respond(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let connection = pin!(connection);
    run(connection, stopping, http1::Connection::graceful_shutdown).await;
}

/// Drives a connection to its end. What goes wrong on it is the client's affair: it has seen it.
async fn run<C: Future<Output = hyper::Result<()>>>(
    mut connection: Pin<&mut C>,
    mut stopping: watch::Receiver<bool>,
    shutdown: impl FnOnce(Pin<&mut C>),
) {
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        _ = stopping.wait_for(|stopping| *stopping) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            shutdown(connection.as_mut());
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
