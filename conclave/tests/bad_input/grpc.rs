//! The client port, at gRPC's framing and at the methods.

use std::time::Duration;

use client::Code;
use client::etcdserverpb::{PutRequest, RangeRequest};
use http_body_util::{BodyExt, Full};
use prost::Message;
use tokio::runtime::Runtime;
use tonic::codegen::{Bytes, Service, http};
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, body::Body};

use super::support::PATIENCE;
use super::support::cluster::Cluster;
use super::wire::{DATA, END_HEADERS, HEADERS, Raw, call, frame, message};
use super::{lone, patient, put, refusal, serves};

const PUT: &str = "/etcdserverpb.KV/Put";
const RANGE: &str = "/etcdserverpb.KV/Range";
const LIMIT: usize = 2 << 20;

/// Calls a method with these bytes as the whole body, and gives the status.
async fn status(channel: &Channel, method: &str, field: (&str, &str), body: &[u8]) -> Status {
    let request = http::Request::post(method)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header(field.0, field.1)
        .body(Body::new(Full::new(Bytes::copy_from_slice(body))))
        .unwrap();
    let mut channel = channel.clone();
    std::future::poll_fn(|context| channel.poll_ready(context)).await.unwrap();
    let answer = tokio::time::timeout(PATIENCE, channel.call(request)).await.unwrap().unwrap();
    if let Some(status) = Status::from_header_map(answer.headers()) {
        return status;
    }
    let body = answer.into_body().collect().await.unwrap();
    let trailers = body.trailers().expect("an answer ends with trailers");
    Status::from_header_map(trailers).expect("trailers have a status")
}

async fn connect(cluster: &Cluster) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", cluster.endpoint(0))).unwrap();
    endpoint.connect().await.unwrap()
}

/// Calls a method with these bytes as the message.
pub(crate) async fn call_method(cluster: &Cluster, method: &str, bytes: &[u8]) -> Status {
    status(&connect(cluster).await, method, ("x-nothing", ""), &message(bytes)).await
}

/// Bodies that are not one message of the method's, and what gRPC says of them.
fn bodies() -> Vec<(&'static str, Vec<u8>, Code)> {
    let whole = message(&put("k").encode_to_vec());
    let mut flagged = whole.clone();
    flagged[0] = 1;
    let mut endless = whole.clone();
    endless[1..5].copy_from_slice(&[0xff; 4]);
    vec![
        ("nothing", Vec::new(), Code::Internal),
        ("a prefix cut short", whole[..3].to_vec(), Code::Internal),
        ("a message cut short", whole[..whole.len() - 1].to_vec(), Code::Internal),
        ("two messages", whole.repeat(2), Code::Internal),
        ("no protobuf", message(&[0xff; 64]), Code::Internal),
        ("a field that is longer than the message", message(b"\x0a\x7fk"), Code::Internal),
        ("a group without an end", message(b"\x0b"), Code::Internal),
        ("a message of 4 GiB", endless, Code::ResourceExhausted),
        // "a message with its Compressed-Flag bit set but lacking a grpc-encoding … MUST fail with
        // INTERNAL" (gRPC, doc/compression.md).
        ("compressed by nothing", flagged, Code::Internal),
    ]
}

#[test]
fn calls_that_are_no_calls_get_grpcs_own_status() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = lone();
    let channel = runtime.block_on(connect(&cluster));
    let client = patient(&cluster);
    let none = ("x-nothing", "");
    for (what, body, code) in bodies() {
        let status = runtime.block_on(status(&channel, PUT, none, &body));
        assert_eq!(status.code(), code, "{what}: {status:?}");
        assert!(!status.message().is_empty(), "{what}");
        serves(&runtime, &client, what);
    }

    let mut compressed = message(&put("k").encode_to_vec());
    compressed[0] = 1;
    let refused = runtime.block_on(status(&channel, PUT, ("grpc-encoding", "gzip"), &compressed));
    assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");

    for unknown in ["/etcdserverpb.KV/Nothing", "/nobody.Nothing/Ever", "/", "/etcdserverpb.KV"] {
        let refused = runtime.block_on(status(&channel, unknown, none, &message(b"")));
        assert_eq!(refused.code(), Code::Unimplemented, "{unknown}: {refused:?}");
        assert!(!refused.message().is_empty(), "{unknown}");
    }

    // Nothing of it was done.
    assert_eq!(runtime.block_on(client.get("k")).unwrap(), None);
    cluster.assert_unharmed();
}

#[test]
fn sizes_are_refused_in_etcds_words() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = lone();
    let client = patient(&cluster);
    let sized = |bytes: usize| PutRequest { value: vec![7; bytes].into(), ..put("k") };

    runtime.block_on(client.put_with(sized(1_500_000))).unwrap();
    let large = runtime.block_on(client.put_with(sized(1_600_000)));
    let words = "etcdserver: request is too large";
    assert_eq!(refusal(large), (Code::InvalidArgument, words.into()));

    let request = sized(2_200_000);
    let length = request.encoded_len();
    let words = format!("grpc: received message larger than max ({length} vs. {LIMIT})");
    let larger = runtime.block_on(client.put_with(request));
    assert_eq!(refusal(larger), (Code::ResourceExhausted, words));

    // The sum counts, not the parts: two values that fit alone, in one transaction.
    let half = |key: &str| super::requests::put_op(key, &vec![7; 800_000]);
    let txn = client::etcdserverpb::TxnRequest {
        success: vec![half("a"), half("b")],
        ..Default::default()
    };
    let words = "etcdserver: request is too large";
    assert_eq!(refusal(runtime.block_on(client.txn(txn))), (Code::InvalidArgument, words.into()));

    let found = runtime.block_on(client.get("k")).unwrap().unwrap();
    assert_eq!((found.version, found.value.len()), (1, 1_500_000));
    huge_fields(&runtime, &cluster);
    serves(&runtime, &client, "after");
    cluster.assert_unharmed();
}

/// Metadata beyond what the server's settings allow ends the call, not the connection of others.
fn huge_fields(runtime: &Runtime, cluster: &Cluster) {
    let mut channel = runtime.block_on(connect(cluster));
    let value = "y".repeat(64 << 10);
    let request = http::Request::post(RANGE)
        .header("content-type", "application/grpc")
        .header("x-huge", &value)
        .body(Body::new(Full::new(Bytes::from(message(b"\x0a\x01k")))))
        .unwrap();
    let answer = runtime.block_on(async {
        std::future::poll_fn(|context| channel.poll_ready(context)).await.unwrap();
        tokio::time::timeout(PATIENCE, channel.call(request)).await.unwrap()
    });
    if let Ok(answer) = answer {
        assert!(answer.status().is_client_error(), "{answer:?}");
    }
}

#[test]
fn half_of_a_request_holds_up_nobody_and_may_be_finished_late() {
    const HALVES: usize = 60;
    let runtime = Runtime::new().unwrap();
    let mut cluster = lone();
    let port = cluster.members[0].client_port;
    let client = patient(&cluster);
    serves(&runtime, &client, "before");
    let before = cluster.resident(0);

    let value = vec![b'h'; 900_000];
    let body = |number: usize| {
        let key = format!("half/{number}").into();
        let value = value.clone().into();
        message(&PutRequest { key, value, ..PutRequest::default() }.encode_to_vec())
    };
    let mut open: Vec<(Raw, Vec<u8>)> = (0..HALVES)
        .map(|number| {
            let mut raw = Raw::agreed(port);
            raw.send(&frame(HEADERS, END_HEADERS, 1, &call(PUT))).unwrap();
            let body = body(number);
            let (sent, rest) = body.split_at(body.len() / 2);
            for part in sent.chunks(16_000) {
                raw.send(&frame(DATA, 0, 1, part)).unwrap();
            }
            (raw, rest.to_vec())
        })
        .collect();
    serves(&runtime, &client, "meanwhile");
    let prefix = RangeRequest {
        key: "half/".into(),
        range_end: client::prefix_end(b"half/"),
        count_only: true,
        ..RangeRequest::default()
    };
    assert_eq!(runtime.block_on(client.range(prefix.clone())).unwrap().count, 0);

    // One goes on, one is given up; the others leave without a word.
    let (mut late, rest) = open.pop().unwrap();
    for part in rest.chunks(16_000) {
        late.send(&frame(DATA, 0, 1, part)).unwrap();
    }
    late.send(&frame(DATA, super::wire::END_STREAM, 1, &[])).unwrap();
    late.until(|frame| frame.kind == DATA && frame.stream == 1);
    let (mut short, _) = open.pop().unwrap();
    short.send(&frame(DATA, super::wire::END_STREAM, 1, &[])).unwrap();
    short.until(|frame| frame.kind == HEADERS && frame.stream == 1);
    drop(open);

    assert_eq!(runtime.block_on(client.range(prefix)).unwrap().count, 1);
    let late = runtime.block_on(client.get(format!("half/{}", HALVES - 1))).unwrap().unwrap();
    assert_eq!(late.value.len(), value.len());
    serves(&runtime, &client, "after");
    let grown = cluster.resident(0).saturating_sub(before) >> 20;
    eprintln!("{HALVES} halves of requests: {grown} MiB more in use");
    assert!(grown < 150, "halves of requests left {grown} MiB behind");
    cluster.assert_unharmed();
}

/// A client that gives up does not take the server's answer, nor anybody else's, along.
#[test]
fn clients_that_give_up_hurt_nobody() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = lone();
    let client = patient(&cluster);
    let mut hasty = client::Options::to(cluster.endpoints());
    hasty.request_timeout = Duration::from_micros(300);
    let hasty = client::Client::new(hasty).unwrap();
    runtime.block_on(async {
        for number in 0..500 {
            // In time or not: both happen, and neither matters.
            let _given_up = hasty.put(format!("hasty/{number}"), "v").await;
        }
    });
    serves(&runtime, &client, "after");
    cluster.assert_unharmed();
}
