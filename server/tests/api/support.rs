//! A server to test, and what speaks to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::kv_client::KvClient;
use etcdpb::etcdserverpb::lease_client::LeaseClient;
use etcdpb::etcdserverpb::watch_client::WatchClient;
use server::{Config, InitialMember, ServerError};
use tokio::sync::watch;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server of one member, in memory; ends with the test.
pub(crate) struct TestServer {
    thread: JoinHandle<Result<(), ServerError>>,
    stop: watch::Sender<bool>,
    pub(crate) address: SocketAddr,
    pub(crate) channel: Channel,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::started(config, false).await
    }

    /// One of three members, whose peers are not there: it answers what it can answer alone.
    pub(crate) async fn start_alone_of_three() -> Self {
        let alone = |address| {
            let mut config = config(address);
            config.listen_peer = free_port();
            config.initial_cluster = ["test", "absent", "missing"]
                .into_iter()
                .map(|name| InitialMember { name: name.into(), peer: free_port().to_string() })
                .collect();
            config
        };
        Self::started(alone, true).await
    }

    async fn started(config: impl Fn(SocketAddr) -> Config, serializable: bool) -> Self {
        let start = Instant::now();
        // A port that was free may be taken by the time it is used: then another one will do.
        let (thread, stop, address) = loop {
            let address = free_port();
            let (stop, stopping) = watch::channel(false);
            let config = config(address);
            let thread = std::thread::spawn(move || server::run(config, stopping));
            while !thread.is_finished() && TcpStream::connect(address).is_err() {
                assert!(start.elapsed() < PATIENCE, "the port does not open");
                // The pause of a poll; PATIENCE is its deadline.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            if !thread.is_finished() {
                break (thread, stop, address);
            }
        };
        let channel = connect(address).await;
        let this = Self { thread, stop, address, channel };
        let read = pb::RangeRequest { serializable, ..get("any") };
        while let Err(status) = this.kv().range(read.clone()).await {
            assert!(start.elapsed() < PATIENCE, "not ready: {status}");
            // The pause of a poll; PATIENCE is its deadline.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        this
    }

    pub(crate) fn kv(&self) -> KvClient<Channel> {
        KvClient::new(self.channel.clone()).max_decoding_message_size(usize::MAX)
    }

    pub(crate) fn watch(&self) -> WatchClient<Channel> {
        WatchClient::new(self.channel.clone()).max_decoding_message_size(usize::MAX)
    }

    pub(crate) fn lease(&self) -> LeaseClient<Channel> {
        LeaseClient::new(self.channel.clone())
    }

    /// Puts a key and gives the revision.
    pub(crate) async fn put(&self, key: &str, value: impl Into<Bytes>) -> i64 {
        let put = pb::PutRequest { value: value.into(), ..put(key) };
        self.kv().put(put).await.unwrap().into_inner().header.unwrap().revision
    }

    /// A plain HTTP/1.1 request: the code, the head and the body of the answer.
    pub(crate) async fn http(&self, method: &str, path: &str) -> (u16, String, String) {
        let address = self.address;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let answer = answer.await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        (code, head.to_ascii_lowercase(), body.to_owned())
    }

    /// Begins the end; `wait` for it. A server that is dropped ends, too.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) async fn wait(self) {
        let Self { thread, stop, .. } = self;
        stop.send_replace(true);
        let ended = tokio::task::spawn_blocking(move || thread.join());
        ended.await.unwrap().expect("no panic").expect("a graceful end");
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap()
}

fn config(address: SocketAddr) -> Config {
    let mut config = Config::single("test");
    config.listen_client = address;
    config.heartbeat = Duration::from_millis(20);
    config.election_timeout = Duration::from_millis(100);
    config
}

pub(crate) async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}

/// Waits for something, but not for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn get(key: &str) -> pb::RangeRequest {
    pb::RangeRequest { key: bytes(key), ..pb::RangeRequest::default() }
}

/// All keys from `key` up to, and without, `end`.
pub(crate) fn span(key: &str, end: &str) -> pb::RangeRequest {
    pb::RangeRequest { range_end: bytes(end), ..get(key) }
}

pub(crate) fn put(key: &str) -> pb::PutRequest {
    pb::PutRequest { key: bytes(key), ..pb::PutRequest::default() }
}

pub(crate) fn delete(key: &str) -> pb::DeleteRangeRequest {
    pb::DeleteRangeRequest { key: bytes(key), ..pb::DeleteRangeRequest::default() }
}

/// Code and text of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.expect_err("refused");
    (status.code(), status.message().to_owned())
}

pub(crate) fn refused(code: Code, text: &str) -> (Code, String) {
    (code, format!("etcdserver: {text}"))
}
