//! A watcher that has asked for everything and then reads nothing.

use bytes::{Buf, BytesMut};
use client::Client;
use client::etcdserverpb::watch_request::RequestUnion;
use client::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use prost::Message;
use tokio::runtime::Runtime;

use super::support::PATIENCE;
use super::support::cluster::Cluster;
use super::wire::{
    DATA, END_HEADERS, HEADERS, Raw, WINDOW_UPDATE, call, frame, message, numbers, window_setting,
};
use super::{patient, serves, wire};

const EVENTS: usize = 400;
const VALUE_BYTES: usize = 512 << 10;
/// What the member may use beyond what it used before: far below the 200 MiB of events.
const GROWTH: u64 = 150 << 20;
/// The largest window of HTTP/2 (RFC 9113 §6.9.1): the client's word that it will take anything.
const WINDOW: u32 = 0x7fff_ffff;

fn key(number: usize) -> String {
    format!("silence/{number:04}")
}

fn create() -> WatchCreateRequest {
    WatchCreateRequest {
        key: "silence/".into(),
        range_end: client::prefix_end(b"silence/"),
        ..WatchCreateRequest::default()
    }
}

/// Opens a watch by hand, reads its confirmation, and then nothing.
fn silent(port: u16) -> Raw {
    let mut raw = Raw::open(port);
    let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create())) };
    let opening = [
        wire::PREFACE.to_vec(),
        frame(wire::SETTINGS, 0, 0, &window_setting(WINDOW)),
        frame(WINDOW_UPDATE, 0, 0, &numbers(&[WINDOW - 65_535])),
        frame(HEADERS, END_HEADERS, 1, &call("/etcdserverpb.Watch/Watch")),
        frame(DATA, 0, 1, &message(&request.encode_to_vec())),
    ];
    raw.send(&opening.concat()).unwrap();
    let confirmation = raw.until(|frame| frame.kind == DATA);
    assert!(WatchResponse::decode(&confirmation.payload[5..]).unwrap().created);
    raw
}

/// The keys that a response has events of.
fn keys(response: &WatchResponse) -> impl Iterator<Item = String> {
    response.events.iter().map(|event| {
        let kv = event.kv.as_ref().unwrap();
        String::from_utf8_lossy(&kv.key).into_owned()
    })
}

/// All events that the silent watcher was owed, once it reads.
fn breaks_silence(raw: &mut Raw) -> Vec<String> {
    let mut seen = Vec::new();
    let mut buffer = BytesMut::new();
    while seen.len() < EVENTS {
        buffer.extend_from_slice(&raw.until(|frame| frame.kind == DATA).payload);
        while let Some(prefix) = buffer.first_chunk::<5>() {
            let [_, length @ ..] = *prefix;
            let length = usize::try_from(u32::from_be_bytes(length)).unwrap();
            if buffer.len() < 5 + length {
                break;
            }
            buffer.advance(5);
            let response = WatchResponse::decode(buffer.split_to(length)).unwrap();
            assert!(!response.canceled, "{}", response.cancel_reason);
            seen.extend(keys(&response));
        }
    }
    seen
}

/// Puts everything, one after another; the most memory that the member had in use meanwhile.
fn write_all(runtime: &Runtime, cluster: &Cluster, client: &Client) -> u64 {
    let mut most = 0;
    for number in 0..EVENTS {
        let value = wire::noise(u64::try_from(number).unwrap() + 1, 64).repeat(VALUE_BYTES / 64);
        runtime.block_on(client.put(key(number), value)).unwrap();
        most = most.max(cluster.resident(0));
    }
    most
}

#[test]
fn a_watcher_that_never_reads_costs_bounded_memory_and_slows_nobody() {
    let runtime = Runtime::new().unwrap();
    let small_cache = ["--profile", "lan-fast", "--cache-bytes", "8MiB"];
    let mut cluster = Cluster::start_with(1, &small_cache);
    let client = patient(&cluster);
    serves(&runtime, &client, "before");
    let before = cluster.resident(0);

    let mut raw = silent(cluster.members[0].client_port);
    let mut watcher = runtime.block_on(client.watch(create())).unwrap();
    let attentive = runtime.spawn(async move {
        let mut seen = Vec::new();
        while seen.len() < EVENTS {
            seen.extend(keys(&watcher.next().await.unwrap()));
        }
        seen
    });
    let most = write_all(&runtime, &cluster, &client);
    let expected: Vec<String> = (0..EVENTS).map(key).collect();
    let heard = runtime
        .block_on(async { tokio::time::timeout(PATIENCE, attentive).await })
        .expect("the other watcher gets everything")
        .unwrap();
    assert_eq!(heard, expected);
    let most = most.max(cluster.resident(0)).saturating_sub(before);
    eprintln!(
        "a silent watcher and {} MiB of events: {} MiB more in use",
        (EVENTS * VALUE_BYTES) >> 20,
        most >> 20
    );
    assert!(most < GROWTH, "{} MiB more in use", most >> 20);

    // Late, and still in order, without gap or repeat.
    assert_eq!(breaks_silence(&mut raw), expected);
    serves(&runtime, &client, "after");
    cluster.assert_unharmed();
}
