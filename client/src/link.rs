//! One HTTP/2 connection, as the generated stubs see it.
//!
//! The connection is ours and not a gRPC library's channel for one reason: after a failure it
//! must be known whether the request can have left this machine, because that decides whether
//! a write may be repeated.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::body::Body;
use tower::Service;

use crate::error::{Error, Outcome};

/// Bytes that a server may send on one stream before it must wait for us.
const WINDOW_STREAM: u32 = 4 << 20;
/// Bytes that a server may send on one connection before it must wait for us.
const WINDOW_CONNECTION: u32 = 16 << 20;
/// Largest frame that a server may send.
const FRAME_MAX: u32 = 64 << 10;
/// Silence after which a busy connection is probed. etcd closes one that is probed more often
/// than every 5 s.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// Time that the answer to a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A handle on an open connection; clones share it.
#[derive(Clone)]
pub(crate) struct Link {
    sender: http2::SendRequest<Body>,
}

impl Link {
    /// Connects to `authority` (`host:port`) and starts the connection's own task.
    pub(crate) async fn open(authority: &str) -> Result<Link, LinkError> {
        let stream = TcpStream::connect(authority).await.map_err(LinkError::unsent)?;
        stream.set_nodelay(true).map_err(LinkError::unsent)?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW_STREAM)
            .initial_connection_window_size(WINDOW_CONNECTION)
            .max_frame_size(FRAME_MAX)
            .keep_alive_interval(PROBE_INTERVAL)
            .keep_alive_timeout(PROBE_TIMEOUT)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(LinkError::unsent)?;
        // Each request learns of the connection's end by itself.
        drop(tokio::spawn(connection));
        Ok(Link { sender })
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl Service<Request<Body>> for Link {
    type Response = Response<Incoming>;
    type Error = LinkError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, LinkError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        self.sender.poll_ready(cx).map_err(LinkError::unsent)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let response = self.sender.try_send_request(request);
        Box::pin(async move {
            response.await.map_err(|mut failure| {
                // A request that comes back was never written.
                if failure.take_message().is_some() {
                    return LinkError::unsent(failure.into_error());
                }
                let error = failure.into_error();
                if is_unprocessed(&error) {
                    LinkError::unsent(error)
                } else {
                    LinkError::sent(error)
                }
            })
        })
    }
}

/// Whether the server says that it has not looked at the request and never will: it was sent after
/// the last one that a server which is ending takes (RFC 9113, sections 6.8 and 8.7).
fn is_unprocessed(error: &hyper::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<h2::Error>() {
            let gone = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
            let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
            return error.is_remote() && (gone || refused);
        }
        source = cause.source();
    }
    false
}

/// A connection that could not be opened, or that ended under a request.
#[derive(Debug)]
pub(crate) struct LinkError {
    text: String,
    outcome: Outcome,
}

impl LinkError {
    /// State unchanged: the request never left.
    pub(crate) fn unsent(cause: impl fmt::Display) -> LinkError {
        LinkError { text: cause.to_string(), outcome: Outcome::Unsent }
    }

    /// The request, or a part of it, was written before the connection ended.
    pub(crate) fn sent(cause: impl fmt::Display) -> LinkError {
        LinkError { text: cause.to_string(), outcome: Outcome::Unknown }
    }

    pub(crate) fn to_error(&self, endpoint: &str) -> Error {
        let text = match self.outcome {
            Outcome::Unsent | Outcome::Refused => format!("cannot reach {endpoint}: {}", self.text),
            Outcome::Unknown => format!("the connection to {endpoint} broke: {}", self.text),
        };
        Error::new(Code::Unavailable, text, self.outcome)
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for LinkError {}
