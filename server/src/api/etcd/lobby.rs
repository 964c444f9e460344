//! The port of a server that serves nothing yet: whoever comes is told what it waits for.
//!
//! Calls end with `UNAVAILABLE` and the reason, so that clients go elsewhere or come again, and
//! pages with 503; only `/livez` is well, since nobody helps such a server by starting it anew.
//! Nothing is read of a call but its head. A server that never has a group would hold no more than
//! a few connections; further clients wait to be accepted.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tonic::Status;

use super::body::ApiBody;
use super::connection::Responder;
use super::listener::admit;
use super::pages;
use super::route::is_grpc;

/// Connections at a time.
const CONNECTIONS: usize = 256;
/// The most calls under way on one of them.
const STREAMS: u32 = 64;

/// Answers everybody with one reason, the latest.
#[derive(Debug)]
struct Lobby {
    reason: watch::Receiver<String>,
}

impl Responder for Lobby {
    fn streams(&self) -> u32 {
        STREAMS
    }

    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Response<ApiBody> {
        let reason = self.reason.borrow().clone();
        if is_grpc(request.headers()) {
            Status::unavailable(reason).into_http()
        } else {
            pages::waiting(&reason, &request)
        }
    }
}

/// Attends to clients until it is dropped, and their connections with it.
pub(crate) async fn attend(listener: TcpListener, reason: watch::Receiver<String>) -> Infallible {
    let lobby = Arc::new(Lobby { reason });
    let (_stop, stopping) = watch::channel(false);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        admit(&listener, &room, &lobby, &stopping, &mut connections).await;
    }
}
