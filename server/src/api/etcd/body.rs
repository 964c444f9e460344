//! The body of a response: what hyper takes from this API.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};

use super::errors::EtcdError;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Resolves when the server stops.
pub(super) type Stopping = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The body of a response.
pub(super) enum ApiBody {
    /// Bytes, and the end.
    Plain(Bytes),
    /// One gRPC message and the trailers of success. No box, no stream: most responses are these.
    Unary {
        /// The framed message, until it is taken.
        message: Option<Bytes>,
        /// Whether the trailers have been taken.
        ended: bool,
    },
    /// Whatever a gRPC stream makes.
    Stream(tonic::body::Body),
    /// A stream that goes on until the server stops, which ends it with `server stopped`.
    Endless(tonic::body::Body, Stopping),
    /// It has been ended.
    Ended,
}

impl ApiBody {
    /// The answer of a unary call.
    pub(super) fn unary(message: Bytes) -> Self {
        Self::Unary { message: Some(message), ended: false }
    }
}

impl Default for ApiBody {
    fn default() -> Self {
        Self::Plain(Bytes::new())
    }
}

/// The trailers of a stream that the server's end has cut.
fn stopped() -> HeaderMap {
    let code = HeaderValue::from(EtcdError::Stopped.code() as i32);
    // A space may stand unescaped in grpc-message.
    let text = HeaderValue::from_static(EtcdError::Stopped.text());
    HeaderMap::from_iter([(GRPC_STATUS, code), (GRPC_MESSAGE, text)])
}

impl Body for ApiBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let this = self.get_mut();
        match this {
            Self::Plain(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Plain(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Unary { message, ended } => {
                if let Some(message) = message.take() {
                    return Poll::Ready(Some(Ok(Frame::data(message))));
                }
                if *ended {
                    return Poll::Ready(None);
                }
                *ended = true;
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Self::Stream(body) => Pin::new(body).poll_frame(context),
            Self::Endless(body, stopping) => {
                let frame = Pin::new(body).poll_frame(context);
                if frame.is_pending() && stopping.as_mut().poll(context).is_ready() {
                    *this = Self::Ended;
                    return Poll::Ready(Some(Ok(Frame::trailers(stopped()))));
                }
                frame
            }
            Self::Ended => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Plain(bytes) => bytes.is_empty(),
            Self::Unary { message, ended } => message.is_none() && *ended,
            Self::Stream(body) | Self::Endless(body, _) => body.is_end_stream(),
            Self::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Plain(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Unary { .. } | Self::Stream(_) | Self::Endless(..) | Self::Ended => {
                SizeHint::default()
            }
        }
    }
}

/// Unwraps what cannot fail.
pub(super) fn infallible<T>(result: Result<T, Infallible>) -> T {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}
