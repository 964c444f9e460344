//! The client port, below HTTP/2's frames and at them.

use client::Client;
use tokio::runtime::Runtime;

use super::support::cluster::Cluster;
use super::wire::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, MAX_PAYLOAD, PING,
    PREFACE, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, call, fields, frame, message, noise,
    numbers, window_setting,
};
use super::{lone, serves};

const RANGE: &str = "/etcdserverpb.KV/Range";
const PUT: &str = "/etcdserverpb.KV/Put";

// RFC 9113 §7.
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const FRAME_SIZE_ERROR: u32 = 6;
const COMPRESSION_ERROR: u32 = 9;
const ENHANCE_YOUR_CALM: u32 = 11;

/// The error of a `GOAWAY` among these frames.
fn farewell(frames: &[Frame]) -> Option<u32> {
    let frame = frames.iter().find(|frame| frame.kind == GOAWAY)?;
    Some(u32::from_be_bytes(frame.payload.get(4..8)?.try_into().unwrap()))
}

/// Sends bytes after a proper beginning, and gives all frames until the server ends it.
fn answered(port: u16, bytes: &[u8]) -> Vec<Frame> {
    let mut raw = Raw::http2(port);
    // Whoever is refused early cannot send the rest.
    let _refused = raw.send(bytes);
    std::iter::from_fn(|| raw.next()).collect()
}

/// What is no HTTP at all, or ends before it is any.
fn nonsense() -> Vec<Vec<u8>> {
    let mut all = vec![
        Vec::new(),
        vec![0; 1000],
        vec![0xff; 100_000],
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec(),
        PREFACE[..20].to_vec(),
        // A TLS hello, and a frame of the peers' protocol.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"CNCLPEER\x01\0\0\0".to_vec(),
        [PREFACE, &[0xff; 1000]].concat(),
    ];
    for seed in 1..=20 {
        all.push(noise(seed, 4096));
        all.push([PREFACE, &noise(seed, 4096)].concat());
    }
    all
}

/// Frames that RFC 9113 calls errors of the connection, with the code that says most.
fn wrong_frames() -> Vec<(&'static str, Vec<u8>, u32)> {
    let open = frame(HEADERS, END_HEADERS, 1, &call(PUT));
    let then = |bytes: Vec<u8>| [open.clone(), bytes].concat();
    let too_long = vec![0; MAX_PAYLOAD + 1];
    vec![
        ("a short ping", frame(PING, 0, 0, &[0; 7]), FRAME_SIZE_ERROR),
        ("a ping on a stream", frame(PING, 0, 1, &[0; 8]), PROTOCOL_ERROR),
        ("a setting cut short", frame(SETTINGS, 0, 0, &[0; 5]), FRAME_SIZE_ERROR),
        ("settings on a stream", frame(SETTINGS, 0, 1, &[]), PROTOCOL_ERROR),
        (
            "a window beyond 2^31",
            frame(SETTINGS, 0, 0, &window_setting(u32::MAX)),
            FLOW_CONTROL_ERROR,
        ),
        ("a window that grows by nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), PROTOCOL_ERROR),
        (
            "a window that overflows",
            frame(WINDOW_UPDATE, 0, 0, &numbers(&[0x7fff_ffff])),
            FLOW_CONTROL_ERROR,
        ),
        ("data without a stream", frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
        ("data on a stream that was never opened", frame(DATA, 0, 5, b"x"), PROTOCOL_ERROR),
        ("fields without a stream", frame(HEADERS, END_HEADERS, 0, &call(PUT)), PROTOCOL_ERROR),
        (
            "a stream with the server's number",
            frame(HEADERS, END_HEADERS, 2, &call(PUT)),
            PROTOCOL_ERROR,
        ),
        ("fields that go on from nowhere", frame(CONTINUATION, 0, 1, &[]), PROTOCOL_ERROR),
        (
            "something between fields",
            [frame(HEADERS, 0, 1, &[]), frame(PING, 0, 0, &[0; 8])].concat(),
            PROTOCOL_ERROR,
        ),
        (
            "fields that cannot be decoded",
            frame(HEADERS, END_HEADERS, 1, &[0xff; 40]),
            COMPRESSION_ERROR,
        ),
        (
            "a reset of a stream that was never opened",
            frame(RST_STREAM, 0, 9, &[0; 4]),
            PROTOCOL_ERROR,
        ),
        ("a payload that is too long", then(frame(DATA, 0, 1, &too_long)), FRAME_SIZE_ERROR),
    ]
}

#[test]
fn bytes_that_are_no_http_hurt_nobody() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = lone();
    let port = cluster.members[0].client_port;
    let client = cluster.client(0);
    serves(&runtime, &client, "before");
    for bytes in nonsense() {
        let mut raw = Raw::open(port);
        let _refused = raw.send(&bytes);
        raw.finish();
        raw.rest();
    }
    for (what, bytes, specific) in wrong_frames() {
        let code = farewell(&answered(port, &bytes));
        // RFC 9113 §7: PROTOCOL_ERROR stands for any of the others.
        let fits = |code: u32| code == specific || code == PROTOCOL_ERROR;
        assert!(code.is_some_and(fits), "{what}: {code:?}");
        serves(&runtime, &client, what);
    }
    unknown_frames_are_passed_over(port);
    floods(&cluster, &runtime, &client);
    // The connection that was there first has served all along.
    serves(&runtime, &client, "after");
    cluster.assert_unharmed();
}

/// RFC 9113 §5.5: what is not known is ignored; the call after it is answered.
fn unknown_frames_are_passed_over(port: u16) {
    let mut raw = Raw::http2(port);
    raw.send(&frame(0xbe, 0xff, 0, b"extension")).unwrap();
    raw.send(&frame(HEADERS, END_HEADERS, 1, &call(RANGE))).unwrap();
    raw.send(&frame(DATA, END_STREAM, 1, &message(b"\x0a\x01k"))).unwrap();
    raw.until(|frame| frame.kind == DATA && frame.stream == 1);
}

/// Streams of frames that each cost the sender next to nothing.
fn floods(cluster: &Cluster, runtime: &Runtime, client: &Client) {
    let port = cluster.members[0].client_port;
    let before = cluster.resident(0);

    // Fields without an end.
    let field = fields(&[("x", &"y".repeat(MAX_PAYLOAD - 100))]);
    let mut raw = Raw::http2(port);
    raw.send(&frame(HEADERS, 0, 1, &call(PUT))).unwrap();
    let endless = (0..10_000).all(|_| raw.send(&frame(CONTINUATION, 0, 1, &field)).is_ok());
    assert!(!endless, "160 MB of fields of one request were taken");
    serves(runtime, client, "endless fields");

    // Calls that are taken back at once.
    let mut raw = Raw::http2(port);
    let fields = call(RANGE);
    for number in 0..20_000 {
        let opened = frame(HEADERS, END_HEADERS, 2 * number + 1, &fields);
        let reset = frame(RST_STREAM, 0, 2 * number + 1, &numbers(&[8]));
        if raw.send(&[opened, reset].concat()).is_err() {
            break;
        }
    }
    raw.finish();
    let frames: Vec<Frame> = std::iter::from_fn(|| raw.next()).collect();
    if let Some(code) = farewell(&frames) {
        assert!([0, ENHANCE_YOUR_CALM].contains(&code), "{code}");
    }
    serves(runtime, client, "calls taken back");

    // Questions whose answers nobody reads.
    let mut raw = Raw::http2(port);
    let pings = frame(PING, 0, 0, &[7; 8]).repeat(1000);
    let settings = frame(SETTINGS, 0, 0, &[]).repeat(1000);
    // Cut off, or taken and answered.
    let _taken = (0..50).all(|_| raw.send(&pings).is_ok() && raw.send(&settings).is_ok());
    serves(runtime, client, "pings");
    drop(raw);

    let after = cluster.resident(0);
    let grown = after.saturating_sub(before) >> 20;
    assert!(grown < 64, "the floods left {grown} MiB behind");
}
