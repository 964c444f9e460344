//! Streams: they arrive in pieces, say nowhere how long they are, and are not closed by who waits.

use std::sync::Arc;

use bytes::Bytes;
use protocol::swim::message::{Facts, NodeState, PushPull, State, StreamMessage, Vsn};
use protocol::swim::wire::{Error, Item, Limits, StreamReader, encode_stream, row_len};

use super::{hex, name, streamed};

/// A table of so many members.
fn table(rows: usize) -> StreamMessage {
    let nodes = (0..rows)
        .map(|row| NodeState {
            facts: Arc::new(Facts {
                name: name(&format!("node-{row}")),
                addr: [10, 0, 0, 1].into(),
                port: 7946,
                meta: Bytes::from(vec![0xff; row % 40]),
                vsn: Vsn::SERF,
            }),
            incarnation: u32::try_from(row).unwrap(),
            state: [State::Alive, State::Suspect, State::Dead, State::Left][row % 4],
        })
        .collect();
    StreamMessage::PushPull(PushPull { join: false, nodes, user: Bytes::from_static(b"serf") })
}

fn written(message: &StreamMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_stream(message, &mut bytes);
    bytes
}

/// Trap P7: complete is what is complete, whether or not anything closes.
#[test]
fn a_stream_is_complete_with_its_last_byte_and_not_before() {
    let messages = [
        table(0),
        table(5),
        StreamMessage::User(Bytes::from_static(b"user")),
        StreamMessage::Error(Bytes::from_static(b"boom")),
    ];
    for message in messages {
        let bytes = written(&message);
        for piece in [1, 2, 3, 7, 64, bytes.len()] {
            let mut reader = StreamReader::new(Limits::default());
            let mut arrived = 0;
            for chunk in bytes.chunks(piece) {
                assert!(!reader.is_done());
                reader.push(chunk);
                arrived += chunk.len();
                let found = reader.read().unwrap();
                let expected = Some(Item::Message(message.clone()));
                assert_eq!(found, expected.filter(|_| arrived == bytes.len()), "{piece} a piece");
            }
            assert!(reader.is_done());
            reader.push(b"what follows is not looked at");
            assert_eq!(reader.read(), Ok(None));
        }
    }
}

#[test]
fn what_arrives_bit_by_bit_is_looked_at_once() {
    // A row of 60,000 bytes, a byte at a time: whoever began anew with each would look at 10^9.
    let row = NodeState {
        facts: Arc::new(Facts {
            name: name("a"),
            addr: [10, 0, 0, 1].into(),
            port: 7946,
            meta: Bytes::new(),
            vsn: Vsn::SERF,
        }),
        incarnation: 1,
        state: State::Alive,
    };
    let table = PushPull { join: true, nodes: vec![row.clone()], user: Bytes::new() };
    let mut bytes = written(&StreamMessage::PushPull(table.clone()));
    let front = bytes.len() - row_len(&row);
    // One more field, which nobody knows: an array of 50,000 numbers.
    assert_eq!(bytes[front], 0x87);
    bytes[front] = 0x88;
    bytes.extend_from_slice(b"\xa4Many\xdc\xc3\x50");
    bytes.extend(std::iter::repeat_n(1, 50_000));
    let mut reader = StreamReader::new(Limits::default());
    let mut found = None;
    for byte in bytes {
        assert_eq!(found, None);
        reader.push(&[byte]);
        found = reader.read().unwrap();
    }
    assert_eq!(found, Some(Item::Message(StreamMessage::PushPull(table))));
}

#[test]
fn limits_hold_to_the_byte_and_to_the_row() {
    let message = table(20);
    let StreamMessage::PushPull(PushPull { nodes, .. }) = &message else { panic!("a table") };
    let rows: usize = nodes.iter().map(row_len).sum();
    let row = nodes.iter().map(row_len).max().unwrap();
    let bytes = written(&message);
    let read = |limits: Limits| {
        let mut reader = StreamReader::new(limits);
        reader.push(&bytes);
        reader.read()
    };
    let exact = Limits { nodes: 20, row, rows, user: 4, sealed: 0, compressed: 0 };
    assert_eq!(read(exact), Ok(Some(Item::Message(message.clone()))));
    assert_eq!(read(Limits { nodes: 19, ..exact }), Err(Error::Count));
    assert_eq!(read(Limits { row: row - 1, ..exact }), Err(Error::Long));
    assert_eq!(read(Limits { rows: rows - 1, ..exact }), Err(Error::Long));
    assert_eq!(read(Limits { user: 3, ..exact }), Err(Error::Long));
}

#[test]
fn what_is_announced_too_long_is_refused_before_it_arrives() {
    let refused = |digits: &str, limits: Limits| {
        let mut reader = StreamReader::new(limits);
        reader.push(&hex(digits));
        assert_eq!(reader.read(), Err(Error::Long), "{digits}");
        assert!(reader.is_done());
        reader.push(&[0; 100]);
        assert_eq!(reader.read(), Ok(None), "and nothing is read any more");
    };
    let limits = Limits { row: 1000, compressed: 2000, sealed: 3000, ..Limits::default() };
    refused("0081a44e6f6465da0400", limits);
    refused("0981a3427566da0800", limits);
    refused("0981a3427566dbffffffff", limits);
    refused("0a00000bb9", limits);
    refused("0a ffffffff", limits);
}

/// Something that never ends is refused at its limit, though nothing announces its length.
#[test]
fn what_never_ends_is_refused_at_its_limit() {
    let limits = Limits { row: 1000, ..Limits::default() };
    let mut reader = StreamReader::new(limits);
    reader.push(&hex("00ddffffffff"));
    for arrived in 0.. {
        assert!(arrived < 1000, "it should have ended");
        reader.push(&[1]);
        match reader.read() {
            Ok(None) => {}
            Ok(Some(item)) => panic!("{item:?}"),
            Err(error) => {
                assert_eq!((error, arrived), (Error::Long, 1000 - 5 - 1));
                break;
            }
        }
    }
}

#[test]
fn compression_is_the_message() {
    let mut reader = StreamReader::new(Limits::default());
    reader.push(&hex("0982a4416c676f01a34275 66a400c30404"));
    assert_eq!(reader.read(), Err(Error::Algorithm));
    let inner = written(&table(3));
    let mut reader = StreamReader::decompressed(Limits::default(), &inner);
    assert_eq!(reader.read(), Ok(Some(Item::Message(table(3)))));
    let mut reader =
        StreamReader::decompressed(Limits::default(), &hex("0982a4416c676f00a342 7566a0"));
    assert_eq!(reader.read(), Err(Error::Kind), "nothing is compressed twice");
    let mut reader = StreamReader::decrypted(Limits::default(), &hex("0982a4416c676f00a3427566a0"));
    assert!(matches!(reader.read(), Ok(Some(Item::Compressed(_)))), "but below encryption");
}

#[test]
fn kinds_that_no_stream_has_are_refused() {
    for kind in (0..=u8::MAX).filter(|kind| ![0, 2, 6, 8, 9, 10, 13, 244].contains(kind)) {
        assert_eq!(streamed(&[kind]), Err(Error::Kind), "{kind}");
    }
}
