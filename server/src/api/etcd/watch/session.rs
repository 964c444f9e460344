//! One client's stream.

use std::collections::VecDeque;
use std::sync::Arc;

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::watch_request::RequestUnion;
use futures_util::{Stream, stream};
use node::Failure;
use store::watch::{WatchId, WatchResponse};
use store::{Event, Previous, Revision};
use tonic::{Status, Streaming};

use super::super::convert::watch_create_from_pb;
use super::super::errors::{EtcdError, status};
use super::super::frame::translated;
use super::super::leader::Leaderless;
use super::super::{Api, read};
use super::EventCache;
use super::events::previous;
use super::message::WatchMessage;
use crate::runtime::WatchStream;

/// Accounted bytes that are written before the hub is told. Far below half of what the hub lets a
/// stream have outstanding, so that holding them back never stops a stream.
const REPORT_BYTES: usize = 64 * 1024;

/// One client's stream.
struct Session {
    api: Arc<Api>,
    /// `None` once the client has closed its side.
    requests: Option<Streaming<pb::WatchRequest>>,
    hub: WatchStream,
    /// Resolves when there has been no leader for too long; only for clients that ask.
    leaderless: Option<Leaderless>,
    /// The rest of the response under way.
    messages: VecDeque<WatchMessage>,
    /// Accounted bytes written and not yet reported, and those of the response under way.
    written: usize,
    current: usize,
    ended: bool,
}

/// What woke a session.
enum Wake {
    Response(Option<WatchResponse>),
    Request(Result<Option<pb::WatchRequest>, Status>),
    Leaderless,
}

/// Serves a stream of requests.
pub(in crate::api::etcd) async fn open(
    api: Arc<Api>,
    requests: Streaming<pb::WatchRequest>,
    leaderless: Option<Leaderless>,
) -> Result<impl Stream<Item = Result<WatchMessage, Status>> + Send + 'static, Status> {
    let hub = api.node.watch().await.map_err(status)?;
    let session = Session {
        api,
        requests: Some(requests),
        hub,
        leaderless,
        messages: VecDeque::new(),
        written: 0,
        current: 0,
        ended: false,
    };
    Ok(stream::unfold(session, |mut session| async move {
        if session.ended {
            return None;
        }
        let message = session.next().await.transpose()?;
        session.ended = message.is_err();
        Some((message, session))
    }))
}

impl Session {
    /// The next message; `None` when the client is gone.
    async fn next(&mut self) -> Result<Option<WatchMessage>, Status> {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Ok(Some(message));
            }
            // Whoever asks for more has taken the last response whole.
            self.written += std::mem::take(&mut self.current);
            if self.written >= REPORT_BYTES {
                let written = std::mem::take(&mut self.written);
                self.hub.sent(written).await.map_err(status)?;
            }
            match self.wake().await {
                Wake::Response(Some(response)) => self.respond(response).await?,
                Wake::Response(None) => return Err(status(Failure::Stopped)),
                Wake::Request(Ok(Some(request))) => self.request(request).await?,
                Wake::Request(Ok(None)) => self.requests = None,
                Wake::Request(Err(status)) => return Err(translated(status)),
                Wake::Leaderless => return Err(EtcdError::NoLeader.into()),
            }
        }
    }

    async fn wake(&mut self) -> Wake {
        let request = async {
            match &mut self.requests {
                Some(requests) => requests.message().await,
                None => std::future::pending().await,
            }
        };
        let leaderless = async {
            match &mut self.leaderless {
                Some(leaderless) => leaderless.wait().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            response = self.hub.next() => Wake::Response(response),
            request = request => Wake::Request(request),
            () = leaderless => Wake::Leaderless,
        }
    }

    async fn request(&mut self, request: pb::WatchRequest) -> Result<(), Status> {
        match request.request_union {
            Some(RequestUnion::CreateRequest(create)) => {
                self.hub.create(watch_create_from_pb(create)).await
            }
            Some(RequestUnion::CancelRequest(cancel)) => {
                self.hub.cancel(WatchId(cancel.watch_id)).await
            }
            Some(RequestUnion::ProgressRequest(_)) => self.hub.progress().await,
            None => Ok(()),
        }
        .map_err(status)
    }

    async fn respond(&mut self, response: WatchResponse) -> Result<(), Status> {
        self.current = response.cost();
        let headers = &self.api.headers;
        let message = match response {
            WatchResponse::Created { id, revision } => WatchMessage::created(headers, id, revision),
            WatchResponse::Refused { reason, revision } => {
                WatchMessage::refused(headers, reason, revision)
            }
            WatchResponse::Canceled { id, reason, compact_revision, revision } => {
                WatchMessage::canceled(headers, id, reason, compact_revision, revision)
            }
            WatchResponse::Progress { id, revision } => {
                WatchMessage::progress(headers, id, revision)
            }
            WatchResponse::Events { id, revision, events, prev_kv, fragment } => {
                let encoded = encode(&self.api, &events, prev_kv).await?;
                let limit = fragment.then(|| self.api.options.max_message_bytes());
                self.messages =
                    WatchMessage::events(&self.api.headers, id, revision, encoded, limit).into();
                return Ok(());
            }
        };
        self.messages.push_back(message);
        Ok(())
    }
}

/// The events as bytes, with what the keys were before where that is asked for.
async fn encode(
    api: &Api,
    events: &[Arc<Event>],
    prev_kv: bool,
) -> Result<Vec<bytes::Bytes>, Status> {
    let places: Vec<Revision> = if prev_kv { stored(events) } else { Vec::new() };
    let mut fetched = match places.is_empty() {
        true => Vec::new(),
        false => read::fetch(api, places).await?,
    }
    .into_iter();
    let encode = |event: &Arc<Event>| {
        let stored = match event.previous {
            Previous::Stored(_) => fetched.next().flatten(),
            Previous::Absent | Previous::Held(_) => None,
        };
        EventCache::encoded(event, prev_kv, || if prev_kv { previous(event, stored) } else { None })
    };
    Ok(events.iter().map(encode).collect())
}

/// Where the previous values stand that are not at hand, in order.
fn stored(events: &[Arc<Event>]) -> Vec<Revision> {
    let stored = events.iter().filter_map(|event| match &event.previous {
        Previous::Stored(place) => Some(*place),
        Previous::Absent | Previous::Held(_) => None,
    });
    stored.collect()
}
