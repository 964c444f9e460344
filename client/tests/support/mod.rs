//! A server in this process that does what a test tells it to.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test may fail here as well")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use client::etcdserverpb::kv_server::{Kv, KvServer};
use client::etcdserverpb::maintenance_server::{Maintenance, MaintenanceServer};
use client::etcdserverpb::watch_server::{Watch, WatchServer};
use client::etcdserverpb::{
    PutRequest, PutResponse, RangeRequest, RangeResponse, ResponseHeader, StatusRequest,
    StatusResponse, WatchCreateRequest, WatchRequest, WatchResponse, watch_request::RequestUnion,
};
use client::mvccpb::{Event, KeyValue};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

type Responses = tonic::codegen::BoxStream<WatchResponse>;

/// What a fake server was asked, and what it shall answer.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// Failures for the next reads and puts, before they succeed.
    pub(crate) failures: VecDeque<Status>,
    /// How many reads and puts have come.
    pub(crate) calls: usize,
    /// Its status says that it understands request ids.
    pub(crate) understands: bool,
    /// The request ids of puts, as client, number and oldest number.
    pub(crate) ids: Vec<Option<(String, String, String)>>,
    /// What each next watch stream sends after its confirmation; it then ends.
    pub(crate) streams: VecDeque<Vec<WatchResponse>>,
    /// It serves no watches, as a learner.
    pub(crate) learner: bool,
    /// The watches that were asked for.
    pub(crate) watches: Vec<WatchCreateRequest>,
}

/// A fake server; dropped, it is gone with all its connections.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) script: Arc<Mutex<Script>>,
    /// Its runtime ends with it, and closes every connection.
    life: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

#[derive(Clone)]
struct Service(Arc<Mutex<Script>>);

impl Server {
    pub(crate) fn start(script: Script) -> Server {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(script));
        let service = Service(Arc::clone(&script));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let serve = tonic::transport::Server::builder()
                    .add_service(KvServer::new(service.clone()))
                    .add_service(MaintenanceServer::new(service.clone()))
                    .add_service(WatchServer::new(service))
                    .serve_with_incoming(TcpListenerStream::new(listener));
                tokio::select! {
                    ended = serve => ended.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Server { address, script, life: Some((stop, thread)) }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn calls(&self) -> usize {
        self.script.lock().unwrap().calls
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let (stop, thread) = self.life.take().expect("it is taken here only");
        drop(stop);
        thread.join().unwrap();
    }
}

impl Service {
    fn answer<T: Default>(&self) -> Result<Response<T>, Status> {
        let mut script = self.0.lock().unwrap();
        script.calls += 1;
        script.failures.pop_front().map_or_else(|| Ok(Response::new(T::default())), Err)
    }
}

#[tonic::async_trait]
impl Kv for Service {
    async fn range(&self, _: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        self.answer()
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        let text = |name: &str| Some(request.metadata().get(name)?.to_str().unwrap().to_owned());
        let oldest = text("conclave-oldest").unwrap_or_else(|| "1".to_owned());
        let id = text("conclave-client").zip(text("conclave-sequence"));
        let id = id.map(|(client, number)| (client, number, oldest));
        self.0.lock().unwrap().ids.push(id);
        self.answer()
    }
}

#[tonic::async_trait]
impl Maintenance for Service {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let mut response = Response::new(StatusResponse::default());
        if self.0.lock().unwrap().understands {
            response.metadata_mut().insert("conclave-request-ids", "1".parse().unwrap());
        }
        Ok(response)
    }
}

#[tonic::async_trait]
impl Watch for Service {
    async fn watch(
        &self,
        request: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Responses>, Status> {
        if self.0.lock().unwrap().learner {
            return Err(Status::failed_precondition("etcdserver: rpc not supported for learner"));
        }
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|request| request.request_union);
        let Some(RequestUnion::CreateRequest(create)) = first else {
            return Err(Status::invalid_argument("the first message must create a watch"));
        };
        let mut script = self.0.lock().unwrap();
        script.watches.push(create);
        let created = WatchResponse { created: true, ..at(10, &[]) };
        let sent = script.streams.pop_front();
        let mut messages = vec![Ok(created)];
        messages.extend(sent.iter().flatten().cloned().map(Ok));
        // A script that has run out leaves the stream open.
        let ended = sent.is_none();
        let stream = tokio_stream::iter(messages);
        Ok(Response::new(if ended {
            Box::pin(stream.chain(tokio_stream::pending()))
        } else {
            Box::pin(stream)
        }))
    }
}

/// A watch response: the header's revision, and one event for each revision.
pub(crate) fn at(header: i64, revisions: &[i64]) -> WatchResponse {
    let event = |&mod_revision: &i64| Event {
        kv: Some(KeyValue { mod_revision, ..KeyValue::default() }),
        ..Event::default()
    };
    WatchResponse {
        header: Some(ResponseHeader { revision: header, ..ResponseHeader::default() }),
        events: revisions.iter().map(event).collect(),
        ..WatchResponse::default()
    }
}
