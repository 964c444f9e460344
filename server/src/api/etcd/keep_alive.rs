//! `Lease.LeaseKeepAlive`: a stream of renewals.
//!
//! Answers come in the order of the requests, and many renewals are under way at once: a client
//! that keeps a thousand leases on one stream does not pay a thousand rounds in a row. When the
//! bound is reached nothing more is read from the client until an answer has left.

use std::sync::Arc;

use etcdpb::etcdserverpb as pb;
use futures_util::stream::FuturesOrdered;
use futures_util::{Stream, StreamExt, stream};
use tonic::{Status, Streaming};

use super::frame::translated;
use super::{Api, lease};

/// Renewals under way on one stream.
const IN_FLIGHT: usize = 256;

type Renewal = std::pin::Pin<
    Box<dyn Future<Output = Result<pb::LeaseKeepAliveResponse, Status>> + Send + 'static>,
>;

struct Session {
    api: Arc<Api>,
    requests: Option<Streaming<pb::LeaseKeepAliveRequest>>,
    renewals: FuturesOrdered<Renewal>,
    failed: bool,
}

/// Serves a stream. It ends when the client has ended its side and everything is answered, or
/// with the first error.
pub(super) fn open(
    api: Arc<Api>,
    requests: Streaming<pb::LeaseKeepAliveRequest>,
) -> impl Stream<Item = Result<pb::LeaseKeepAliveResponse, Status>> + Send + 'static {
    let session =
        Session { api, requests: Some(requests), renewals: FuturesOrdered::new(), failed: false };
    stream::unfold(session, |mut session| async move {
        let answer = session.next().await?;
        session.failed = answer.is_err();
        Some((answer, session))
    })
}

impl Session {
    async fn next(&mut self) -> Option<Result<pb::LeaseKeepAliveResponse, Status>> {
        if self.failed {
            return None;
        }
        loop {
            if self.requests.is_none() && self.renewals.is_empty() {
                return None;
            }
            let room = self.renewals.len() < IN_FLIGHT;
            let request = async {
                match &mut self.requests {
                    Some(requests) if room => requests.message().await,
                    Some(_) | None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(answer) = self.renewals.next() => return Some(answer),
                request = request => match request {
                    Ok(Some(request)) => {
                        let api = Arc::clone(&self.api);
                        let renewal = async move { lease::renew(&api, request).await };
                        self.renewals.push_back(Box::pin(renewal));
                    }
                    Ok(None) => self.requests = None,
                    Err(status) => return Some(Err(translated(status))),
                },
            }
        }
    }
}
