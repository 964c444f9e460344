//! Bytes that memberlist 0.2.2 wrote, read here and written here.

use std::sync::Arc;

use bytes::Bytes;
use protocol::swim::message::{
    Ack, Alive, Dead, Facts, IndirectPing, Message, Nack, NodeState, Ping, PushPull, Source, State,
    StreamMessage, Suspect, Vsn,
};
use protocol::swim::wire::{
    Compressed, Item, Packer, Part, encode_stream, encoded_len, parts, row_len,
};

use super::{encoded, hex, item, name, one, streamed};

const PING: &str = "0082a44e6f6465a162a55365714e6f2a";

fn source() -> Option<Source> {
    Some(Source { addr: [127, 0, 0, 1].into(), port: 7946, node: name("a") })
}

fn facts(meta: &'static [u8], vsn: [u8; 6]) -> Arc<Facts> {
    Arc::new(Facts {
        name: name("a"),
        addr: [127, 0, 0, 1].into(),
        port: 7946,
        meta: Bytes::from_static(meta),
        vsn: Vsn(vsn),
    })
}

/// Both directions, and the length.
fn packet(message: &Message, golden: &str) {
    let golden = hex(golden);
    assert_eq!(encoded(message), golden, "{message:?} is written as it was");
    assert_eq!(one(&golden).as_ref(), Ok(message), "and read");
    assert_eq!(encoded_len(message), golden.len(), "and measured");
}

/// Both directions.
fn stream(message: &StreamMessage, golden: &str) {
    let golden = hex(golden);
    let mut bytes = Vec::new();
    encode_stream(message, &mut bytes);
    assert_eq!(Bytes::from(bytes), golden, "{message:?} is written as it was");
    assert_eq!(streamed(&golden).as_ref(), Ok(message), "and read");
}

#[test]
fn pings() {
    packet(&Message::Ping(Ping { seq: 42, node: name("b"), source: None }), PING);
    packet(
        &Message::Ping(Ping { seq: 42, node: name("b"), source: source() }),
        "0085a44e6f6465a162a55365714e6f2aaa536f7572636541646472a47f000001aa536f757263654e6f6465a161\
         aa536f75726365506f7274cd1f0a",
    );
    packet(
        &Message::IndirectPing(IndirectPing {
            seq: 300,
            target: [127, 0, 0, 2].into(),
            port: 7946,
            node: name("c"),
            nack: true,
            source: source(),
        }),
        "0188a44e61636bc3a44e6f6465a163a4506f7274cd1f0aa55365714e6fcd012caa536f7572636541646472\
         a47f000001aa536f757263654e6f6465a161aa536f75726365506f7274cd1f0aa6546172676574a47f000002",
    );
}

#[test]
fn answers() {
    packet(
        &Message::Ack(Ack { seq: 42, payload: Bytes::new() }),
        "0282a75061796c6f6164c0a55365714e6f2a",
    );
    packet(
        &Message::Ack(Ack { seq: 42, payload: Bytes::from_static(b"hi") }),
        "0282a75061796c6f6164a26869a55365714e6f2a",
    );
    packet(&Message::Nack(Nack { seq: 300 }), "0b81a55365714e6fcd012c");
}

#[test]
fn beliefs() {
    let (node, from, incarnation) = (name("b"), name("a"), 1);
    let body = "83a446726f6da161ab496e6361726e6174696f6e01a44e6f6465a162";
    let suspect = Suspect { incarnation, node: node.clone(), from: from.clone() };
    packet(&Message::Suspect(suspect), &format!("03{body}"));
    packet(&Message::Dead(Dead { incarnation, node, from }), &format!("05{body}"));
    packet(
        &Message::Alive(Alive { incarnation, facts: facts(&[0xff, 0x80], [1, 5, 2, 2, 5, 4]) }),
        "0486a441646472a47f000001ab496e6361726e6174696f6e01a44d657461a2ff80a44e6f6465a161a4506f7274\
         cd1f0aa356736ea6010502020504",
    );
}

#[test]
fn a_table() {
    let row =
        NodeState { facts: facts(&[], [1, 5, 2, 0, 0, 0]), incarnation: 1, state: State::Alive };
    let bytes = "87a441646472a47f000001ab496e6361726e6174696f6e01a44d657461c0a44e616d65a161\
                 a4506f7274cd1f0aa5537461746500a356736ea6010502000000";
    assert_eq!(row_len(&row), hex(bytes).len());
    let table = PushPull { join: true, nodes: vec![row], user: Bytes::from_static(b"usr") };
    stream(
        &StreamMessage::PushPull(table),
        &format!("0683a44a6f696ec3a54e6f64657301ac5573657253746174654c656e03{bytes}757372"),
    );
}

#[test]
fn other_streams() {
    stream(&StreamMessage::Ping(Ping { seq: 42, node: name("b"), source: None }), PING);
    stream(
        &StreamMessage::Ack(Ack { seq: 42, payload: Bytes::new() }),
        "0282a75061796c6f6164c0a55365714e6f2a",
    );
    stream(&StreamMessage::User(Bytes::from_static(b"usr")), "0881aa557365724d73674c656e03757372");
    stream(&StreamMessage::Error(Bytes::from_static(b"boom")), "0d81a54572726f72a4626f6f6d");
}

#[test]
fn compressed() {
    for (golden, buf) in [
        ("0982a4416c676f00a3427566a400c30404", "00c30404"),
        (
            "0982a4416c676f00a3427566b500d19461c3e60d0881040d222c787020c3856f0202",
            "00d19461c3e60d0881040d222c787020c3856f0202",
        ),
    ] {
        let (golden, buf) = (hex(golden), hex(buf));
        let mut bytes = Vec::new();
        Compressed::write(&buf, &mut bytes);
        assert_eq!(Bytes::from(bytes), golden);
        assert_eq!(Compressed::written_len(&buf), golden.len());
        let compressed = Compressed { buf };
        let found: Vec<_> = parts(golden.clone()).collect();
        assert_eq!(found, [Ok(Part::Compressed(compressed.clone()))]);
        assert_eq!(item(&golden), Ok(Some(Item::Compressed(compressed))));
    }
}

#[test]
fn a_compound() {
    let golden = hex("0702000900090b81a55365714e6f010b81a55365714e6f02");
    let nacks = [1, 2].map(|seq| Message::Nack(Nack { seq }));
    let mut packer = Packer::new(1400);
    nacks.iter().for_each(|nack| packer.push(nack));
    assert_eq!(packer.finish(), [golden.to_vec()]);
    assert_eq!(super::all(&golden), nacks.map(Ok));
}
