//! From a request to its handler.
//!
//! One `match` on the path; no router, no boxed services in the way of a put. Unary calls are read
//! and answered on HTTP/2 frames directly ([`super::frame`]); streams go through tonic.

use std::sync::Arc;

use bytes::Bytes;
use etcdpb::etcdserverpb::SnapshotRequest;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response, header};
use hyper::body::Incoming;
use node::{Body, Failure, Header, Reply};
use prost::Message;
use store::{Command, Outcome, Stamp};
use tokio::sync::{Semaphore, watch};
use tonic::server::Grpc;
use tonic::{Code, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::Service;
use tower::service_fn;

use super::aside::Aside;
use super::body::{ApiBody, Stopping};
use super::connection::Responder;
use super::errors::{EtcdError, status, unexpected};
use super::frame::{Partial, framed, read};
use super::header::Headers;
use super::leader::{Leaderless, Monitor, has_leader};
use super::lease::LeaseIds;
use super::method::{Method, missing};
use super::options::ApiOptions;
use super::stamp::{UNDERSTOOD, stamp};
use super::watch::WatchCodec;
use super::{
    cluster, keep_alive, kv, leader, lease, maintenance, pages, range_stream, snapshot,
    watch as watches,
};
use crate::api::metrics::{Metrics, Timer};
use crate::runtime::NodeHandle;

/// Large reads under way on one runtime; further ones wait.
const HEAVY_READS: usize = 4;

/// Everything that a handler needs; one for each runtime.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) node: NodeHandle,
    pub(super) options: ApiOptions,
    pub(super) headers: Headers,
    pub(super) heavy: Arc<Semaphore>,
    pub(super) lease_ids: LeaseIds,
    /// Messages that have arrived in part.
    partial: Partial,
    pub(super) monitor: Monitor,
    stopping: watch::Receiver<bool>,
    aside: Aside,
}

impl Api {
    /// `stopping` turns true when the server ends.
    pub(super) fn new(
        node: NodeHandle,
        options: ApiOptions,
        stopping: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let headers = Headers::new(node.cluster(), node.member());
        Arc::new(Self {
            node,
            options,
            headers,
            heavy: Arc::new(Semaphore::new(HEAVY_READS)),
            partial: Partial::default(),
            lease_ids: LeaseIds::default(),
            monitor: Monitor::new(),
            stopping,
            aside: Aside::new(),
        })
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.options.metrics
    }

    /// Asks the node.
    pub(super) async fn call(&self, request: node::Request) -> Reply {
        self.node.call(request).await
    }

    /// Asks the node; a failure is a status.
    pub(super) async fn ask(&self, request: node::Request) -> Result<(Header, Body), Status> {
        let Reply { header, body } = self.call(request).await;
        Ok((header, body.map_err(status)?))
    }

    /// Changes the state.
    pub(super) async fn write(
        &self,
        command: Command,
        stamp: Option<Stamp>,
    ) -> Result<(Header, Outcome), Status> {
        match self.ask(stamped(node::Request::Write(command), stamp)).await? {
            (header, Body::Outcome(outcome)) => Ok((header, outcome)),
            _ => Err(unexpected("a write")),
        }
    }

    /// Resolves when the server ends.
    fn stopping(&self) -> Stopping {
        let mut stopping = self.stopping.clone();
        Box::pin(async move {
            // A sender that is gone means the same.
            let _ended = stopping.wait_for(|stopping| *stopping).await;
        })
    }
}

/// A write under its request id, if it has one.
pub(super) fn stamped(request: node::Request, stamp: Option<Stamp>) -> node::Request {
    match stamp {
        Some(stamp) => node::Request::Once { stamp, request: Box::new(request) },
        None => request,
    }
}

/// Whether the client insists on a leader.
fn insists(headers: &HeaderMap) -> bool {
    headers.get("hasleader").is_some_and(|value| value.as_bytes() == b"true")
}

pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

impl Responder for Api {
    fn streams(&self) -> u32 {
        self.options.max_concurrent_streams
    }

    fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<ApiBody>> + Send {
        route(self, request)
    }
}

/// Answers a request.
async fn route(api: Arc<Api>, request: Request<Incoming>) -> Response<ApiBody> {
    if !is_grpc(request.headers()) {
        return Box::pin(pages::respond(&api, request)).await;
    }
    let Some(method) = Method::of(request.uri().path()) else {
        return Box::pin(elsewhere(api, request)).await;
    };
    let timer = api.metrics().started(method);
    if api.node.is_learner() && !method.suits_learners() {
        return refused(timer, EtcdError::NotSupportedForLearner.into());
    }
    if insists(request.headers()) && !Box::pin(has_leader(&api)).await {
        return refused(timer, EtcdError::NoLeader.into());
    }
    match method {
        Method::Put => unary_write(&api, timer, request, kv::put).await,
        Method::Range => unary_bytes(&api, timer, request, kv::range).await,
        _ => rarer(api, timer, method, request).await,
    }
}

/// The methods whose future need not lie flat in the connection's task.
fn rarer(
    api: Arc<Api>,
    timer: Timer,
    method: Method,
    request: Request<Incoming>,
) -> BoxFuture<'static, Response<ApiBody>> {
    macro_rules! answer {
        ($handler:path) => {
            Box::pin(async move { unary(&api, timer, request, $handler).await })
        };
    }
    macro_rules! write {
        ($handler:path) => {
            Box::pin(async move { unary_write(&api, timer, request, $handler).await })
        };
    }
    match method {
        Method::Range => {
            Box::pin(async move { unary_bytes(&api, timer, request, kv::range).await })
        }
        Method::RangeStream => Box::pin(range_streamed(api, timer, request)),
        Method::Put => write!(kv::put),
        Method::DeleteRange => write!(kv::delete_range),
        Method::Txn => write!(kv::txn),
        Method::Compact => write!(kv::compact),
        Method::Watch => Box::pin(watched(api, timer, request)),
        Method::LeaseGrant => write!(lease::grant),
        Method::LeaseRevoke => write!(lease::revoke),
        Method::LeaseKeepAlive => Box::pin(kept_alive(api, timer, request)),
        Method::LeaseTimeToLive => answer!(lease::time_to_live),
        Method::LeaseLeases => answer!(lease::leases),
        Method::MemberList => answer!(cluster::member_list),
        Method::MemberAdd => answer!(cluster::member_add),
        Method::MemberRemove => answer!(cluster::member_remove),
        Method::MemberUpdate => answer!(cluster::member_update),
        Method::MemberPromote => answer!(cluster::member_promote),
        Method::MemberDemote => answer!(cluster::member_demote),
        Method::MemberReplace => answer!(cluster::member_replace),
        Method::Alarm => answer!(maintenance::alarm),
        Method::Status => Box::pin(async move {
            let mut response = unary(&api, timer, request, maintenance::status).await;
            response.headers_mut().insert(UNDERSTOOD, http::HeaderValue::from_static("1"));
            response
        }),
        Method::Defragment => answer!(maintenance::defragment),
        Method::Hash => answer!(maintenance::hash),
        Method::HashKv => answer!(maintenance::hash_kv),
        Method::MoveLeader => answer!(maintenance::move_leader),
        Method::Snapshot => Box::pin(snapshotted(api, timer, request)),
        Method::AuthStatus => answer!(maintenance::auth_status),
    }
}

/// Answers one message with one, already framed.
async fn unary_bytes<'a, Q, H, F>(
    api: &'a Api,
    timer: Timer,
    request: Request<Incoming>,
    handler: H,
) -> Response<ApiBody>
where
    Q: Message + Default,
    H: FnOnce(&'a Api, Q) -> F,
    F: Future<Output = Result<Bytes, Status>> + Send,
{
    let answer = async {
        let message = {
            let limit = api.options.max_message_bytes();
            read(request, limit, &api.partial).await?
        };
        let message = Q::decode(message).map_err(|error| Status::internal(error.to_string()))?;
        handler(api, message).await
    };
    match answer.await {
        Ok(message) => {
            timer.finished(Code::Ok);
            grpc(ApiBody::unary(message))
        }
        Err(status) => refused(timer, status),
    }
}

/// Answers one message with one.
async fn unary<'a, Q, R, H, F>(
    api: &'a Api,
    timer: Timer,
    request: Request<Incoming>,
    handler: H,
) -> Response<ApiBody>
where
    Q: Message + Default,
    R: Message,
    H: FnOnce(&'a Api, Q) -> F,
    F: Future<Output = Result<R, Status>> + Send,
{
    let framing = |api, message| {
        let answer = handler(api, message);
        async move { framed(&answer.await?) }
    };
    unary_bytes(api, timer, request, framing).await
}

/// Answers a write, which may have a request id.
async fn unary_write<'a, Q, R, H, F>(
    api: &'a Api,
    timer: Timer,
    request: Request<Incoming>,
    handler: H,
) -> Response<ApiBody>
where
    Q: Message + Default,
    R: Message,
    H: FnOnce(&'a Api, Q, Option<Stamp>) -> F,
    F: Future<Output = Result<R, Status>> + Send,
{
    match stamp(request.headers()) {
        Ok(stamp) => unary(api, timer, request, |api, message| handler(api, message, stamp)).await,
        Err(status) => refused(timer, status),
    }
}

fn grpc(body: ApiBody) -> Response<ApiBody> {
    let mut response = Response::new(body);
    let kind = http::HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn refused(timer: Timer, status: Status) -> Response<ApiBody> {
    timer.finished(status.code());
    status.into_http()
}

/// Serves a stream through tonic. `timer` runs until the stream is over.
fn observed<S, T>(
    stream: S,
    mut timer: Timer,
) -> impl Stream<Item = Result<T, Status>> + Send + 'static
where
    S: Stream<Item = Result<T, Status>> + Send + 'static,
    T: Send + 'static,
{
    use futures_util::StreamExt;
    let ended = stream.map(Some).chain(futures_util::stream::iter([None]));
    ended.filter_map(move |item| {
        match &item {
            Some(Ok(_)) => {}
            Some(Err(status)) => timer.finish(status.code()),
            None => timer.finish(Code::Ok),
        }
        std::future::ready(item)
    })
}

async fn range_streamed(
    api: Arc<Api>,
    timer: Timer,
    request: Request<Incoming>,
) -> Response<ApiBody> {
    let limit = api.options.max_message_bytes();
    let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(limit);
    let mut timer = Some(timer);
    let service = service_fn(move |request: tonic::Request<_>| {
        let opened = range_stream::open(Arc::clone(&api), request.into_inner());
        let timer = timer.take().expect("a service of one call");
        std::future::ready(match opened {
            Ok(stream) => Ok(tonic::Response::new(observed(stream, timer))),
            Err(status) => {
                timer.finished(status.code());
                Err(status)
            }
        })
    });
    grpc.server_streaming(service, request).await.map(ApiBody::Stream)
}

async fn snapshotted(api: Arc<Api>, timer: Timer, request: Request<Incoming>) -> Response<ApiBody> {
    let limit = api.options.max_message_bytes();
    let stopping = api.stopping();
    let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(limit);
    let mut timer = Some(timer);
    let service = service_fn(move |_request: tonic::Request<SnapshotRequest>| {
        let timer = timer.take().expect("a service of one call");
        let api = Arc::clone(&api);
        async move {
            match snapshot::open(&api).await {
                Ok(stream) => Ok(tonic::Response::new(observed(stream, timer))),
                Err(status) => {
                    timer.finished(status.code());
                    Err(status)
                }
            }
        }
    });
    let answer = grpc.server_streaming(service, request).await;
    answer.map(|body| ApiBody::Endless(body, stopping))
}

async fn watched(api: Arc<Api>, timer: Timer, request: Request<Incoming>) -> Response<ApiBody> {
    let leaderless: Option<Leaderless> =
        insists(request.headers()).then(|| api.monitor.subscribe());
    let stopping = api.stopping();
    let limit = api.options.max_message_bytes();
    let mut grpc = Grpc::new(WatchCodec::default()).max_decoding_message_size(limit);
    let mut once = Some((timer, leaderless));
    let service = service_fn(move |request: tonic::Request<Streaming<_>>| {
        let (timer, leaderless) = once.take().expect("a service of one call");
        let api = Arc::clone(&api);
        async move {
            match watches::open(api, request.into_inner(), leaderless).await {
                Ok(stream) => Ok(tonic::Response::new(observed(stream, timer))),
                Err(status) => {
                    timer.finished(status.code());
                    Err(status)
                }
            }
        }
    });
    grpc.streaming(service, request).await.map(|body| ApiBody::Endless(body, stopping))
}

async fn kept_alive(api: Arc<Api>, timer: Timer, request: Request<Incoming>) -> Response<ApiBody> {
    let stopping = api.stopping();
    let limit = api.options.max_message_bytes();
    let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(limit);
    let mut timer = Some(timer);
    let service = service_fn(move |request: tonic::Request<Streaming<_>>| {
        let timer = timer.take().expect("a service of one call");
        let stream = keep_alive::open(Arc::clone(&api), request.into_inner());
        std::future::ready(Ok::<_, Status>(tonic::Response::new(observed(stream, timer))))
    });
    grpc.streaming(service, request).await.map(|body| ApiBody::Endless(body, stopping))
}

/// gRPC that is not etcd's, or not yet ours.
async fn elsewhere(api: Arc<Api>, request: Request<Incoming>) -> Response<ApiBody> {
    let path = request.uri().path();
    if let Some(reason) = missing(path) {
        return Status::unimplemented(reason).into_http();
    }
    let Some(mut service) = api.aside.service(path) else {
        let text = format!("unknown service or method {path}");
        return Status::unimplemented(text).into_http();
    };
    let stopping = api.stopping();
    super::body::infallible(service.call(request).await)
        .map(|body| ApiBody::Endless(body, stopping))
}

/// Watches the leader for as long as the server runs.
pub(super) async fn monitor(api: Arc<Api>) {
    let period = api.options.election_timeout;
    leader::Monitor::run(&api, period).await;
}

/// A failure as the pages word it.
pub(super) fn text(failure: Failure) -> &'static str {
    EtcdError::from(failure).text()
}
