//! What a message costs in memory: nothing to write, and to read it only what is kept of it.

use std::hint::black_box;
use std::sync::Arc;

use allocation_counter::measure;
use bytes::Bytes;
use protocol::swim::message::{
    Ack, Alive, Facts, IndirectPing, Message, Nack, NodeState, Ping, PushPull, Source, State,
    StreamMessage, Suspect, Vsn,
};
use protocol::swim::serf::{self, LTime, Ring, UserEvent};
use protocol::swim::wire::{Item, Limits, StreamReader, encode, encode_stream, parts};

use super::name;

/// Members of the tables.
const MEMBERS: u32 = 10_000;

/// Bytes as a shell hands them over: slices of a buffer that is shared already. The first reader of
/// one that nobody shares yet pays an allocation more.
fn shared(bytes: &[u8]) -> Bytes {
    let bytes = Bytes::copy_from_slice(bytes);
    drop(bytes.clone());
    bytes
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

fn counted(call: impl FnOnce()) -> u64 {
    measure(call).count_total
}

#[test]
fn a_packet_costs_what_is_kept_of_it() {
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
    let table = [
        (Message::Ping(ping), 0),
        (Message::IndirectPing(indirect), 0),
        (Message::Ack(Ack { seq: 70_000, payload: Bytes::new() }), 0),
        (Message::Nack(Nack { seq: 70_000 }), 0),
        // Two names.
        (Message::Suspect(Suspect { incarnation: 3, node, from }), 2),
        // The facts, shared from then on.
        (Message::Alive(Alive { incarnation: 3, facts: facts(1234) }), 3),
    ];
    for (message, most) in &table {
        let mut bytes = Vec::with_capacity(1400);
        assert_eq!(counted(|| encode(message, &mut bytes)), 0, "{message:?} is written");
        let packet = shared(&bytes);
        let read = counted(|| {
            for part in parts(packet.clone()) {
                assert!(black_box(part).is_ok());
            }
        });
        assert!(read <= *most, "{message:?} is read with {read} allocations");
    }
}

#[test]
fn an_event_costs_nothing_and_a_table_of_times_next_to_nothing() {
    let event = serf::Message::Event(UserEvent {
        ltime: LTime(300),
        name: Bytes::from_static(b"deploy"),
        payload: Bytes::from_static(b"b5f4c2d1"),
        coalesce: true,
    });
    let members = (0..MEMBERS).map(|row| (name(&format!("node-{row:05}")), LTime(row.into())));
    let times = serf::Message::PushPull(serf::PushPull {
        status: members.collect(),
        events: Ring::from_slots((0..512).map(|_| None)),
        ..serf::PushPull::default()
    });
    for (message, most) in [(event, 0), (times, 20)] {
        let mut bytes = Vec::new();
        serf::encode(&message, &mut bytes);
        let packet = shared(&bytes);
        let read = counted(|| assert!(black_box(serf::decode(&packet)).is_ok()));
        assert!(read <= most, "{} bytes are read with {read} allocations", packet.len());
    }
}

#[test]
fn a_table_costs_three_allocations_a_row() {
    let row = |row| NodeState { facts: facts(row), incarnation: row, state: State::Alive };
    let nodes = (0..MEMBERS).map(row).collect();
    let message = StreamMessage::PushPull(PushPull { join: false, nodes, user: Bytes::new() });
    let mut bytes = Vec::new();
    encode_stream(&message, &mut bytes);
    let mut reader = StreamReader::new(Limits::default());
    let mut read = false;
    let allocations = counted(|| {
        for piece in bytes.chunks(16 << 10) {
            reader.push(piece);
            if let Ok(Some(Item::Message(message))) = reader.read() {
                black_box(message);
                read = true;
            }
        }
    });
    assert!(read && reader.is_done());
    let most = u64::from(MEMBERS) * 3 + 100;
    assert!(allocations <= most, "{MEMBERS} rows are read with {allocations} allocations");
}
