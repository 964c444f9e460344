//! Real processes that are sent what no client and no peer should send. After each of it the same
//! process serves as before: nothing has panicked, nothing acknowledged is lost, memory is
//! bounded, and whoever asked for something has a clear error or etcd's own answer.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

#[path = "bad_input/crowd.rs"]
mod crowd;
#[path = "bad_input/frames.rs"]
mod frames;
#[path = "bad_input/grpc.rs"]
mod grpc;
#[path = "bad_input/pages.rs"]
mod pages;
#[path = "bad_input/peers.rs"]
mod peers;
#[path = "bad_input/requests.rs"]
mod requests;
#[path = "bad_input/silence.rs"]
mod silence;
#[path = "bad_input/wire.rs"]
mod wire;

use client::etcdserverpb::{PutRequest, RangeRequest};
use client::{Client, Code, Options};
use support::PATIENCE;
use support::cluster::Cluster;
use tokio::runtime::Runtime;

/// One member that elects itself at once.
fn lone() -> Cluster {
    Cluster::start_with(1, &["--profile", "lan-fast"])
}

/// A client that waits as long as a busy machine needs.
fn patient(cluster: &Cluster) -> Client {
    let mut options = Options::to(cluster.endpoints());
    options.request_timeout = PATIENCE;
    Client::new(options).unwrap()
}

/// A put and a linearizable read that sees it.
fn serves(runtime: &Runtime, client: &Client, key: &str) {
    runtime.block_on(async {
        client.put(key.to_owned(), key.to_owned()).await.unwrap();
        let found = client.get(key.to_owned()).await.unwrap().unwrap();
        assert_eq!(&found.value[..], key.as_bytes());
    });
}

/// The code and text of a request that must be refused.
fn refusal<T: std::fmt::Debug>(answer: client::Result<T>) -> (Code, String) {
    let error = answer.unwrap_err();
    (error.code(), error.message().to_owned())
}

fn put(key: &str) -> PutRequest {
    PutRequest { key: key.to_owned().into(), value: "v".into(), ..PutRequest::default() }
}

/// All keys.
fn everything() -> RangeRequest {
    RangeRequest { key: vec![0].into(), range_end: client::FROM_KEY, ..RangeRequest::default() }
}
