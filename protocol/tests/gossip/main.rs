//! The gossip wire: bytes that memberlist and Serf wrote, bytes that they might have written, and
//! bytes that nobody should have.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod allocations;
mod draw;
mod envelopes;
mod golden;
mod packets;
mod random;
mod serf;
mod streams;
mod tolerance;
mod traps;

use bytes::Bytes;
use protocol::swim::message::{Message, Name, StreamMessage};
use protocol::swim::wire::{Error, Item, Limits, Part, StreamReader, encode, parts};

/// Bytes from hexadecimal digits, spaces left out.
fn hex(digits: &str) -> Bytes {
    let digits: Vec<char> = digits.chars().filter(|digit| !digit.is_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "two digits a byte");
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap())
        .collect::<Vec<u8>>()
        .into()
}

fn name(name: &str) -> Name {
    Name::from(name)
}

fn encoded(message: &Message) -> Bytes {
    let mut bytes = Vec::new();
    encode(message, &mut bytes);
    bytes.into()
}

/// All that a packet holds.
fn all(packet: &Bytes) -> Vec<Result<Message, Error>> {
    parts(packet.clone())
        .map(|part| {
            part.map(|part| match part {
                Part::Message(message) => message,
                Part::Compressed(compressed) => panic!("compressed: {compressed:?}"),
            })
        })
        .collect()
}

/// The one message of a packet.
fn one(packet: &Bytes) -> Result<Message, Error> {
    let mut all = all(packet);
    assert_eq!(all.len(), 1, "one message: {all:?}");
    all.remove(0)
}

/// The first item of a stream that arrives in one piece.
fn item(bytes: &[u8]) -> Result<Option<Item>, Error> {
    let mut reader = StreamReader::new(Limits::default());
    reader.push(bytes);
    reader.read()
}

/// The message of a stream that arrives in one piece.
fn streamed(bytes: &[u8]) -> Result<StreamMessage, Error> {
    match item(bytes)? {
        Some(Item::Message(message)) => Ok(message),
        other => panic!("no message: {other:?}"),
    }
}

/// The table of what covers what names tests that there are.
#[test]
fn the_table_of_tests_is_true() {
    let files = [
        ("envelopes", include_str!("envelopes.rs")),
        ("golden", include_str!("golden.rs")),
        ("packets", include_str!("packets.rs")),
        ("random", include_str!("random.rs")),
        ("serf", include_str!("serf.rs")),
        ("streams", include_str!("streams.rs")),
        ("tolerance", include_str!("tolerance.rs")),
        ("traps", include_str!("traps.rs")),
    ];
    let table = include_str!("../../../docs/gossip-tests.md");
    let named = table.split('`').filter_map(|word| word.split_once("::"));
    let named: Vec<_> = named.filter(|(file, _)| !file.is_empty()).collect();
    assert!(named.len() > 40, "the table is there");
    for (file, test) in named {
        let (_, text) = files.iter().find(|(name, _)| *name == file).expect(file);
        assert!(text.contains(&format!("fn {test}(")), "no test {file}::{test}");
    }
}
