//! What it takes to write messages and to read them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::swim::message::{
    Ack, Alive, Facts, IndirectPing, Message, Nack, Name, NodeState, Ping, PushPull, Source, State,
    StreamMessage, Suspect, Vsn,
};
use protocol::swim::serf::{self, LTime, Ring, UserEvent};
use protocol::swim::wire::{Item, Limits, Packer, StreamReader, encode, encode_stream, parts};
use server::gossip::{Envelope, Key, Keyring, Policy, Refusals, Scratch};

use crate::cli::measured::Row;

/// How long a round takes at least.
const ROUND: Duration = Duration::from_millis(2);
/// Bytes of a packet.
const BUDGET: usize = 1400;

/// All that is measured.
pub(super) fn rows(rounds: u16) -> Vec<Row> {
    let mut rows = Vec::new();
    let alone = alone();
    for (what, message) in &alone {
        rows.extend(message_rows(what, message, rounds));
    }
    rows.extend(compound_rows(rounds));
    rows.extend(exchange_rows(rounds));
    rows.extend(layer_rows(rounds));
    let [(_, ping), ..] = alone;
    rows.extend(sealed_rows(&[ping], rounds));
    rows
}

/// Messages that are packets of their own.
fn alone() -> [(&'static str, Message); 6] {
    let (node, from) = (name("node-01234"), name("node-56789"));
    let source = Some(Source { addr: [10, 1, 2, 3].into(), port: 7946, node: from.clone() });
    let indirect = IndirectPing {
        seq: 70_000,
        target: [10, 1, 2, 4].into(),
        port: 7946,
        node: node.clone(),
        nack: true,
        source: source.clone(),
    };
    let ping = Ping { seq: 70_000, node: node.clone(), source };
    [
        ("ping", Message::Ping(ping)),
        ("indirect ping", Message::IndirectPing(indirect)),
        ("ack", Message::Ack(Ack { seq: 70_000, payload: Bytes::new() })),
        ("nack", Message::Nack(Nack { seq: 70_000 })),
        ("suspect", Message::Suspect(Suspect { incarnation: 3, node, from })),
        ("alive, 80 bytes of meta", alive(1)),
    ]
}

fn message_rows(what: &str, message: &Message, rounds: u16) -> [Row; 2] {
    let mut bytes = Vec::with_capacity(BUDGET);
    let write = measure(rounds, || {
        bytes.clear();
        encode(black_box(message), &mut bytes);
    });
    pair(what, bytes.len(), write, read(&bytes, rounds))
}

/// Ten members in a packet.
fn compound_rows(rounds: u16) -> [Row; 2] {
    let messages: Vec<_> = (0..10).map(alive).collect();
    let mut packets = Vec::new();
    let write = measure(rounds, || {
        // As much as fits, so that they are one packet.
        let mut packer = Packer::new(2 * BUDGET);
        messages.iter().for_each(|message| packer.push(black_box(message)));
        packets = packer.finish();
    });
    pair("compound of ten alives", packets[0].len(), write, read(&packets[0], rounds))
}

/// The table of a thousand members.
fn exchange_rows(rounds: u16) -> [Row; 2] {
    let row = |row| NodeState { facts: facts(row), incarnation: row, state: State::Alive };
    let nodes = (0..1000).map(row).collect();
    let message = StreamMessage::PushPull(PushPull { join: false, nodes, user: Bytes::new() });
    let mut bytes = Vec::new();
    let write = measure(rounds, || {
        bytes.clear();
        encode_stream(black_box(&message), &mut bytes);
    });
    let read = measure(rounds, || {
        let mut reader = StreamReader::new(Limits::default());
        for piece in bytes.chunks(16 << 10) {
            reader.push(piece);
            if let Ok(Some(Item::Message(message))) = reader.read() {
                black_box(message);
            }
        }
    });
    pair("push/pull of 1,000 members", bytes.len(), write, read)
}

/// What Serf's layer says.
fn layer_rows(rounds: u16) -> Vec<Row> {
    let event = serf::Message::Event(UserEvent {
        ltime: LTime(300),
        name: Bytes::from_static(b"deploy"),
        payload: Bytes::from_static(b"b5f4c2d1"),
        coalesce: true,
    });
    let members = (0..1000).map(|row| (name(&format!("node-{row:05}")), LTime(row)));
    let memory = serf::Message::PushPull(serf::PushPull {
        status: members.collect(),
        events: Ring::from_slots((0..512).map(|_| None)),
        ..serf::PushPull::default()
    });
    let both = [("serf: event", event), ("serf: push/pull of 1,000 members", memory)];
    let rows = both.into_iter().flat_map(|(what, message)| {
        let mut bytes = Vec::new();
        let write = measure(rounds, || {
            bytes.clear();
            serf::encode(black_box(&message), &mut bytes);
        });
        let packet = Bytes::copy_from_slice(&bytes);
        let read = measure(rounds, || {
            black_box(serf::decode(black_box(&packet)).is_ok());
        });
        pair(what, packet.len(), write, read)
    });
    rows.collect()
}

/// A packet with all that is around it, encrypted and not.
fn sealed_rows(messages: &[Message], rounds: u16) -> Vec<Row> {
    let key = Key::new(&[7; 16]).expect("invariant: 16 bytes are a key");
    let keys = [("plain", None), ("AES-128-GCM", Some(Keyring::new(key)))];
    let refusals = Refusals::default();
    let both = keys.into_iter().flat_map(|(what, keys)| {
        let envelope = Envelope::new(Policy::default(), keys);
        let mut scratch = Scratch::default();
        let mut packet = Bytes::new();
        let write = measure(rounds, || {
            let each = |bytes: &[u8]| {
                black_box(bytes);
            };
            envelope.seal_packets(black_box(messages), true, BUDGET, &mut scratch, each);
        });
        envelope.seal_packets(messages, true, BUDGET, &mut scratch, |bytes| {
            packet = Bytes::copy_from_slice(bytes);
        });
        let read = measure(rounds, || {
            let packet = Bytes::copy_from_slice(black_box(&packet));
            black_box(envelope.open_packet(packet, &refusals));
        });
        pair(&format!("packet of a ping, checksum, {what}"), packet.len(), write, read)
    });
    both.collect()
}

fn pair(what: &str, size: usize, write: Vec<f64>, read: Vec<f64>) -> [Row; 2] {
    let named = |verb: &str| format!("{what} ({size} bytes): {verb}");
    [Row::new(named("write"), "ns", write), Row::new(named("read"), "ns", read)]
}

fn read(bytes: &[u8], rounds: u16) -> Vec<f64> {
    let packet = Bytes::copy_from_slice(bytes);
    // Shared already, as are slices of a larger buffer.
    drop(packet.clone());
    measure(rounds, || {
        for part in parts(black_box(&packet).clone()) {
            black_box(part.is_ok());
        }
    })
}

/// Nanoseconds of a call, in each round.
fn measure(rounds: u16, mut call: impl FnMut()) -> Vec<f64> {
    let mut times = 1u32;
    // As often as fills a round.
    while timed(times, &mut call) < ROUND {
        times *= 2;
    }
    (0..rounds).map(|_| timed(times, &mut call).as_secs_f64() * 1e9 / f64::from(times)).collect()
}

fn timed(times: u32, call: &mut impl FnMut()) -> Duration {
    let begun = Instant::now();
    (0..times).for_each(|_| call());
    begun.elapsed()
}

fn name(name: &str) -> Name {
    Name::from(name)
}

fn alive(number: u32) -> Message {
    Message::Alive(Alive { incarnation: 3, facts: facts(number) })
}

fn facts(row: u32) -> Arc<Facts> {
    let [a, b, c, d] = (0x0a00_0000 + row).to_be_bytes();
    Arc::new(Facts {
        name: name(&format!("node-{row:05}")),
        addr: [a, b, c, d].into(),
        port: 7946,
        meta: vec![b'm'; 80].into(),
        vsn: Vsn::SERF,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_written_and_read() {
        let rows = rows(1);
        assert_eq!(rows.len(), 24);
        assert!(rows.iter().all(|row| row.document()["median"].as_f64().unwrap() > 0.0));
    }
}
